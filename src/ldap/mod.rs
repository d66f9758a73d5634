//! The LDAP front end (RFC 4510 to 4519): bytes to requests, answers to bytes.
//!
//! [`decode`] turns hostile bytes into a [`decode::Request`] behind [`limits`]; [`result`] turns
//! answers into bytes. [`dn`], [`filter`], [`attribute`] and [`schema`] are the values that
//! travel inside: names, filters, entries and what is known about their attributes. All of these
//! are pure: they know no socket, no clock and no account.

pub mod attribute;
pub mod decode;
pub mod dn;
pub mod filter;
pub mod limits;
pub mod result;
pub mod schema;
