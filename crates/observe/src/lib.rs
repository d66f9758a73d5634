//! What happens, told once to those who observe it.
//!
//! Must not know sockets, clocks or stores.

pub mod watch;
