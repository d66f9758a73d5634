//! Where the daemon is put together: clocks, listeners, certificates, signals, supervision.
//!
//! The only module besides `cli` that names a concrete store.

pub mod certificates;
pub mod clock;
