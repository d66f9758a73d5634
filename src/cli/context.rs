//! What every command starts from: the configuration, the store, the clock, who asks.

use std::env;
use std::future::Future;
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::tz::TimeZone;
use nix::unistd::getuid;

use crate::config::{Config, DEFAULT_PATH};
use crate::runtime::assemble;
use crate::runtime::clock::SystemClock;
use doorward_directory::{By, Directory};
use doorward_domain::event::Actor;
use doorward_domain::time::{Clock as _, DayEdge, Now, Timestamp, parse_moment, parse_span};
use doorward_hashing::{HashingPool, PoolSettings};
use doorward_store::Store;

use super::failure::{self, Failure};
use super::output::Output;

/// What the command line as a whole was given.
pub(super) struct Context {
    file: Option<PathBuf>,
    pub(super) output: Output,
}

impl Context {
    pub(super) fn new(file: Option<PathBuf>, output: Output) -> Self {
        Self { file, output }
    }

    /// The configuration file asked for.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Reads the configuration.
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        if let Some(file) = self.file()
            && let Err(fault) = std::fs::File::open(file)
        {
            let shown = file.display();
            let (code, message) = match fault.kind() {
                ErrorKind::NotFound => (
                    failure::NO_INPUT,
                    format!("there is no configuration file {shown}"),
                ),
                ErrorKind::PermissionDenied => (
                    failure::NOT_ALLOWED,
                    format!("{shown} cannot be read: run it as root or as the daemon's user"),
                ),
                _ => (failure::IO, format!("{shown} cannot be read: {fault}")),
            };
            return Err(Failure::error(code, message));
        }
        Ok(Config::locate(self.file())?)
    }

    /// Opens the store that the configuration names.
    pub(super) fn open(&self) -> anyhow::Result<Opened> {
        let config = self.config()?;
        let clock = SystemClock::start();
        let store = assemble::store(&config, false);
        let store = if self.file.is_none() && !Path::new(DEFAULT_PATH).exists() {
            store.with_context(|| {
                format!(
                    "no -c FILE was given and there is no {DEFAULT_PATH} ('doorward init' makes \
                     one)"
                )
            })?
        } else {
            store?
        };
        Opened::new(config, store, clock)
    }
}

/// An open store and the directory before it.
pub(super) struct Opened {
    pub(super) config: Config,
    pub(super) store: Store,
    pub(super) directory: Directory,
    clock: SystemClock,
    runtime: tokio::runtime::Runtime,
}

impl Opened {
    pub(super) fn new(config: Config, store: Store, clock: SystemClock) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;

        let pool = Arc::new(pool(&config)?);
        let settings = assemble::directory(&config);
        let directory = Directory::new(store.clone(), pool, settings);
        // A clock behind the newest event opens no lock and revives nothing (CONTRACT.md 10).
        clock.examine(runtime.block_on(store.newest_event())?);
        Ok(Self {
            config,
            store,
            directory,
            clock,
            runtime,
        })
    }

    /// Waits for an answer.
    pub(super) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }

    pub(super) fn now(&self) -> Now {
        self.clock.now()
    }

    /// Who asks, now.
    pub(super) fn by(&self) -> By {
        By {
            actor: local_login(),
            now: self.now(),
        }
    }

    pub(super) fn zone(&self) -> &TimeZone {
        &self.config.directory.timezone
    }

    /// Reads a time; a bare date is its beginning or its end in the configured zone.
    pub(super) fn moment(&self, text: &str, edge: DayEdge) -> anyhow::Result<Timestamp> {
        parse_moment(text, self.zone(), edge, self.now().wall)
            .map_err(|refused| Failure::error(failure::DATA, refused.to_string()))
    }

    /// Reads a time, or a span that reaches back from now.
    pub(super) fn since(&self, text: &str) -> anyhow::Result<Timestamp> {
        match parse_span(text) {
            Ok(span) => Ok(self.now().wall.minus(span)),
            Err(_) => self.moment(text, DayEdge::Start),
        }
    }

    /// How long ago a time was, given as one or as a span.
    pub(super) fn span_since(&self, text: &str) -> anyhow::Result<Duration> {
        Ok(self.now().wall.since(self.since(text)?))
    }
}

/// A pool of one thread: a command hashes one password after another.
fn pool(config: &Config) -> anyhow::Result<HashingPool> {
    Ok(HashingPool::start(PoolSettings {
        threads: NonZeroUsize::MIN,
        queue: config.hashing.queue,
        parameters: assemble::parameters(config)?,
    })?)
}

/// The Unix login of whoever runs the command, for the audit log. It is what the environment says
/// and so for information only: whoever can write the store is an administrator anyway.
pub(super) fn local_login() -> Actor {
    let named = ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .filter_map(|name| env::var(name).ok())
        .map(|name| {
            name.chars()
                .filter(|c| !c.is_control())
                .take(64)
                .collect::<String>()
        })
        .find(|name| !name.is_empty());
    Actor::LocalLogin {
        login: named.unwrap_or_else(|| format!("uid {}", getuid())),
    }
}
