//! RADIUS without input and output: datagrams in, one question to the authenticator, datagrams out.
//!
//! [`wire`] knows octets and MD5, [`transport`] what UDP and TLS make of them, [`request`] reads
//! what is asked (CHAP and MS-CHAPv2 by [`challenges`]), [`accounting`] what is reported, [`reply`]
//! writes what is answered, [`attributes`] what a reply tells of a user's network, [`dictionary`]
//! which attribute a name is, [`duplicates`] remembers both, [`probes`] which Status-Servers came,
//! [`sessions`] keeps EAP conversations from one challenge to the next, [`disconnect`] asks a client
//! to end a session, [`exchange`] joins them into a state machine without socket or clock,
//! [`narration`] and [`shown`] put it into words for who watches. None of them decides anything about
//! an account. Sockets and tasks are those of `doorward-radius`.

pub mod accounting;
pub mod attributes;
pub mod bypass;
pub mod challenges;
pub mod client;
pub mod dictionary;
pub mod disconnect;
pub mod duplicates;
pub mod exchange;
pub mod narration;
pub mod probes;
pub mod reason;
pub mod reply;
pub mod request;
pub mod sessions;
pub mod shown;
pub mod transport;
pub mod wire;
