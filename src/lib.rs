//! Doorward: one authentication gateway for LDAP, RADIUS and the web, with one decision in it.
//!
//! Front ends turn bytes into an attempt, the authenticator turns the attempt into a verdict,
//! front ends turn the verdict into bytes. Each layer is a crate of its own under `crates/`, and
//! `docs/ARCHITECTURE.md` maps them; here they are put together: [`config`] reads the file,
//! [`runtime`] runs the daemon, [`cli`] is the command line, [`metrics`] says what is counted.

pub mod cli;
pub mod config;
pub mod metrics;
pub mod runtime;
