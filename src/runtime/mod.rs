//! Where the daemon is put together: clocks, listeners, certificates, signals, supervision.
//!
//! The only module besides `cli` that names a concrete store.

pub mod assemble;
pub mod certificates;
mod chores;
pub mod clock;
pub mod daemon;
pub mod demo;
mod descriptors;
pub mod dictionaries;
mod kept_sessions;
pub mod observe;
mod reload;
mod searching;
mod status;
mod systemd;
pub mod watching;
