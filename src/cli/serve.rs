//! `doorward serve`: runs the daemon in the foreground.

use std::path::Path;

use crate::config::Config;

use super::failure::{self, Failure};

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// It could not start, or a part of it ended by itself.
pub(super) fn run(file: Option<&Path>) -> anyhow::Result<()> {
    Config::locate(file)?;
    Err(Failure::error(
        failure::UNAVAILABLE,
        "this build serves nothing yet",
    ))
}
