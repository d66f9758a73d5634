//! EAP, server side, as a state machine without socket or clock: packets in, packets and questions
//! out.
//!
//! [`Conversation`] is one peer's authentication from its identity to success or failure. It takes
//! one packet at a time with [`Conversation::receive`], and where its [`Step`] is to ask, the
//! verdict with [`Conversation::answer`]. TLS is rustls's buffered connection, fed by hand. It
//! decides nothing about an account: success is made of the proof that the authenticator gave, and
//! of nothing else. Must not know RADIUS.

pub mod avp;
pub mod conversation;
pub mod fragments;
mod inner;
pub mod journal;
pub mod keys;
pub mod mschapv2;
pub mod packet;
mod peap;
#[cfg(test)]
mod peer;
pub mod resumption;
mod running;
pub mod seen;
pub mod settings;
mod ttls;
mod tunnel;

// The tests of whatever carries EAP include `peer` as a file of their own, by these paths.
#[cfg(test)]
extern crate self as doorward_eap;

pub use conversation::{
    Challenge, Conversation, Discarded, Failure, Granted, Login, Outcome, Step,
};
pub use journal::{Journal, Note};
pub use keys::MasterSessionKey;
pub use resumption::Resumption;
pub use settings::{InnerMethod, Method, Settings, UserCertificates};
