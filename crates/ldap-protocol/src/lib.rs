//! LDAP without input and output (RFC 4510 to 4519): bytes to requests, answers to bytes.
//!
//! [`decode`] turns hostile bytes into a [`decode::Request`] behind [`limits`]; [`result`] turns
//! answers into bytes. [`dn`], [`filter`], [`attribute`] and [`schema`] are the values that
//! travel inside: names, filters, entries and what is known about their attributes. [`sasl`] reads
//! what a bind carries, [`proxy_protocol`] what a proxy says first. All of these are pure:
//! they know no socket, no clock and no account.
//!
//! [`session`] is who a connection speaks as, as a state machine that says what to do next;
//! [`bind`], [`password`], [`extended`] and [`controls`] are the rules it applies. [`tree`], [`entries`] and
//! [`root_dse`] are what can be read, [`search`] and [`compare`] read it. None of them decides
//! anything about an account. Sockets and tasks are those of `doorward-ldap`.

pub mod attribute;
pub mod bind;
pub mod compare;
pub mod controls;
pub mod decode;
pub mod dn;
pub mod entries;
pub mod extended;
pub mod filter;
pub mod limits;
pub mod narration;
pub mod password;
pub mod proxy_protocol;
pub mod result;
pub mod root_dse;
pub mod sasl;
pub mod schema;
pub mod search;
pub mod session;
pub mod settings;
pub mod tree;
pub mod values;

#[cfg(test)]
mod stubs;
