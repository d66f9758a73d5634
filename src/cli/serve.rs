//! `doorward serve`: runs the daemon in the foreground.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use tracing::level_filters::LevelFilter;

use crate::config::Config;
use crate::config::log::{LogFormat, LogLevel};
use crate::runtime::daemon::Daemon;
use crate::runtime::observe::{LogShape, start_logging};

/// How long threads that nobody waits for may take to end. The system's search for a Unix user's
/// name may hang, and nothing can end it.
const LAST_THREADS: Duration = Duration::from_secs(1);

/// Runs the daemon until it is told to stop. SIGHUP reads `file` again.
///
/// # Errors
/// It could not start, or a part of it ended by itself.
pub(super) fn run(file: Option<&Path>) -> anyhow::Result<()> {
    let config = Config::locate(file)?;
    log_as_configured(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the threads cannot be started")?;
    let ended = runtime.block_on(async {
        let daemon = Daemon::start(config).await?;
        daemon
            .run(|| Config::locate(file), CancellationToken::new())
            .await
    });
    runtime.shutdown_timeout(LAST_THREADS);
    Ok(ended?)
}

fn log_as_configured(config: &Config) {
    let shape = match config.log.format {
        LogFormat::Text => LogShape::Text,
        LogFormat::Json => LogShape::Json,
    };
    let level = match config.log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    start_logging(shape, level);
}
