//! The words every other crate speaks (names, facts, conditions, resources, times, secrets), and in
//! [`policy`] the rules over them.
//!
//! No input or output, no clock, no protocol, no tokio.

pub mod account;
pub mod certificate;
pub mod challenge;
pub mod device;
pub mod event;
pub mod id;
pub mod login;
pub mod name;
pub mod names;
pub mod nearest;
pub mod origin;
pub mod policy;
pub mod refusal;
pub mod reply;
pub mod resource;
pub mod rules;
pub mod secret;
pub mod session;
pub mod ssh_key;
pub mod sudo;
pub mod time;
pub mod unavailable;
pub mod user_certificate;
