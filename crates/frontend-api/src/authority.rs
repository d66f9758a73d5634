//! Who may make a proof.

/// What every proof is made with, so that only the core can say yes.
///
/// Rust has no constructor that two crates share and others cannot call: `clippy.toml` disallows
/// [`Authority::of_the_core`] in the whole workspace, and the authenticator, the directory and the
/// unit tests' fixtures are the exceptions, one line each (`tests/architecture.rs` counts them).
#[derive(Debug)]
pub struct Authority(());

impl Authority {
    /// The core's authority. Nothing that talks to a client may call this.
    pub const fn of_the_core() -> Self {
        Self(())
    }
}
