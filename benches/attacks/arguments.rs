//! What is asked for on the command line.

use std::path::PathBuf;
use std::time::Duration;

/// How the attacks are made.
#[derive(Debug, Clone)]
pub(crate) struct Arguments {
    /// The daemon's binary, where it is not the one of this build.
    pub(crate) binary: Option<PathBuf>,
    /// How long an attack lasts.
    pub(crate) attack: Duration,
    /// How long the victims are alone before it.
    pub(crate) idle: Duration,
    /// `throttle.refusal_delay`.
    pub(crate) refusal_delay: String,
    /// `hashing.remember_for`: "0s" makes each login cost a hash.
    pub(crate) remember_for: String,
    /// Samples of a class, where classes are told apart by time.
    pub(crate) samples: usize,
    /// How many of them are under way at once.
    pub(crate) samplers: usize,
    /// What the daemon can hash a second, where it is not to be measured.
    pub(crate) hashes: Option<u32>,
    /// Mebibytes of memory at which the daemon is killed, so that the machine lives.
    pub(crate) memory_limit: u64,
    /// The scenarios' names.
    pub(crate) scenarios: Vec<String>,
}

impl Arguments {
    /// Reads them.
    ///
    /// # Errors
    /// What cannot be understood.
    pub(crate) fn read(given: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            binary: None,
            attack: Duration::from_secs(15),
            idle: Duration::from_secs(4),
            refusal_delay: "250ms".to_owned(),
            remember_for: "5m".to_owned(),
            samples: 500,
            samplers: 4,
            hashes: None,
            memory_limit: 6144,
            scenarios: Vec::new(),
        };
        let mut given = given;
        while let Some(argument) = given.next() {
            let mut value = || given.next().ok_or(format!("{argument} takes a value"));
            match argument.as_str() {
                // Cargo's own.
                "--bench" => {}
                "--binary" => arguments.binary = Some(value()?.into()),
                "--seconds" => arguments.attack = seconds(&value()?)?,
                "--idle" => arguments.idle = seconds(&value()?)?,
                "--refusal-delay" => arguments.refusal_delay = value()?,
                "--remember-for" => arguments.remember_for = value()?,
                "--samples" => arguments.samples = number(&value()?)?,
                "--samplers" => arguments.samplers = number(&value()?)?,
                "--hashes" => arguments.hashes = Some(number(&value()?)?),
                "--memory-limit" => arguments.memory_limit = number(&value()?)?,
                "--help" => return Err("Attacks on a daemon of its own.".to_owned()),
                unknown if unknown.starts_with('-') => {
                    return Err(format!("unknown option {unknown}"));
                }
                _ => arguments.scenarios.push(argument),
            }
        }
        Ok(arguments)
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("'{text}' is no number"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    number(text).map(Duration::from_secs)
}
