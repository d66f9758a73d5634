//! `doorward demo`: a gateway on loopback with a user for every row of the contract's table.

use std::path::Path;

use super::failure::{self, Failure};

/// Runs the demo in `folder`, or in one that goes away with it.
///
/// # Errors
/// The folder cannot be prepared, or an address is taken.
pub(super) fn run(_folder: Option<&Path>) -> anyhow::Result<()> {
    Err(Failure::error(
        failure::UNAVAILABLE,
        "this build has no demo yet",
    ))
}
