//! What listeners of several front ends share: sockets of the network, Unix sockets and who is at
//! their other end, a stream under TLS that wipes its buffers.
//!
//! Must not know protocols.

mod local;
mod socket;
mod wiping;

pub use local::{LocalListener, listen_local, peer};
pub use socket::{listen, refuse_until};
pub use wiping::WipingStream;
