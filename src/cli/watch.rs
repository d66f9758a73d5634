//! `doorward watch`: what happens in a running daemon, packet by packet.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::config::runtime::WatchSocket;
use crate::runtime::watching::wire::{Message, Order, Shown};
use doorward_domain::time::parse_span;

use super::context::Context;
use super::failure::{self, Failure};
use super::output::Output;
use super::table::plain;

/// How often a daemon that stopped is looked for.
const LOOK: Duration = Duration::from_millis(250);

/// What to watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Topic {
    /// RADIUS: each datagram, EAP's turns, the verdict, the reply.
    Radius,
    /// LDAP: each connection, bind, search and result.
    Ldap,
}

/// What to watch.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Which front end.
    #[arg(value_enum)]
    topic: Topic,
    /// What concerns this user alone, by any name that the account has.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// What comes through this client alone: a RADIUS client's entry or address; with ldap an
    /// address, a listener, a resource or a service account.
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
    /// Show names that no account has. People type passwords there.
    #[arg(long)]
    show_unknown_names: bool,
    /// End after so many lines.
    #[arg(short = 'n', long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after so long, such as 30s or 5m.
    #[arg(long = "for", value_name = "SPAN")]
    span: Option<String>,
}

/// Runs the command, until Ctrl-C unless told otherwise. With `-o json` every line is one object.
pub(super) fn run(arguments: Arguments, context: &Context) -> anyhow::Result<ExitCode> {
    let span = arguments
        .span
        .as_deref()
        .map(parse_span)
        .transpose()
        .map_err(|refused| Failure::error(failure::DATA, refused.to_string()))?;
    let config = context.config()?;
    let Some(path) = config.runtime.watch.path() else {
        return Err(Failure::error(
            failure::UNAVAILABLE,
            "the daemon lets nobody watch: runtime.watch is \"off\" in its configuration",
        ));
    };
    let topic = match arguments.topic {
        Topic::Radius => "radius",
        Topic::Ldap => "ldap",
    };
    let mut watcher = Watcher {
        path: path.to_owned(),
        asked_for: config.runtime.watch != WatchSocket::Default,
        order: Order {
            topic: topic.to_owned(),
            user: arguments.user,
            client: arguments.client,
            show_unknown_names: arguments.show_unknown_names,
        },
        output: context.output,
        left: arguments.count,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let over = async {
            match span {
                Some(span) => tokio::time::sleep(span).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = watcher.watch() => ended,
            () = over => Ok(()),
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

struct Watcher {
    path: PathBuf,
    /// Whether the configuration names the socket.
    asked_for: bool,
    order: Order,
    output: Output,
    /// How many lines are still to be shown.
    left: Option<u64>,
}

/// A connection to the daemon. It ends where its writing half is dropped.
struct Link {
    lines: Lines<BufReader<OwnedReadHalf>>,
    _open: OwnedWriteHalf,
}

impl Watcher {
    /// Shows what happens until enough was shown. A daemon that stops is waited for.
    async fn watch(&mut self) -> anyhow::Result<()> {
        let mut link = self
            .connect()
            .await
            .map_err(|error| self.no_daemon(&error))?;
        loop {
            while let Ok(Some(line)) = link.lines.next_line().await {
                if self.take(serde_json::from_str(&line)?)? {
                    return Ok(());
                }
            }
            self.say("stopped", "-- the daemon stopped: waiting for it")?;
            link = loop {
                tokio::time::sleep(LOOK).await;
                if let Ok(link) = self.connect().await {
                    break link;
                }
            };
            self.say("back", "-- the daemon is back")?;
        }
    }

    async fn connect(&self) -> std::io::Result<Link> {
        let (read, mut write) = UnixStream::connect(&self.path).await?.into_split();
        let mut order = serde_json::to_vec(&self.order)?;
        order.push(b'\n');
        // Whoever refused before it heard this says why.
        let _ = write.write_all(&order).await;
        Ok(Link {
            lines: BufReader::new(read).lines(),
            _open: write,
        })
    }

    /// Shows what the daemon says; whether that was enough.
    fn take(&mut self, message: Message) -> anyhow::Result<bool> {
        match message {
            Message::Watching => {
                let what = match &self.order.user {
                    Some(user) => format!("{} of {user}", self.order.topic),
                    None => self.order.topic.clone(),
                };
                if self.output.is_json() {
                    self.say("watching", "")?;
                } else {
                    let text = format!("-- watching {what}; Ctrl-C ends it");
                    self.output.note(&plain(&text));
                }
            }
            Message::Refused(why) => return Err(Failure::error(failure::AGAIN, why)),
            Message::Lost(lost) => self.output.line(&json!({ "lost": lost }), |_| {
                format!("-- {lost} lines were lost: more happened than could be shown")
            })?,
            Message::Line(shown) => {
                self.output.line(&shown, people)?;
                if let Some(left) = &mut self.left {
                    *left = left.saturating_sub(1);
                    return Ok(*left == 0);
                }
            }
        }
        Ok(false)
    }

    fn say(&self, word: &str, sentence: &str) -> std::io::Result<()> {
        self.output
            .line(&json!({ "daemon": word }), |_| sentence.to_owned())
    }

    /// What to do where the daemon cannot be reached.
    fn no_daemon(&self, error: &std::io::Error) -> anyhow::Error {
        let path = shown(&self.path);
        match error.kind() {
            ErrorKind::PermissionDenied => Failure::error(
                failure::NOT_ALLOWED,
                format!("{path} is for root and the daemon's user alone: run it as one of them"),
            ),
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                let hint = if self.asked_for {
                    ""
                } else {
                    "; a daemon that systemd did not start needs runtime.watch in its \
                     configuration"
                };
                Failure::error(
                    failure::UNAVAILABLE,
                    format!(
                        "no daemon listens on {path}: is it running, by this configuration \
                         (systemctl status doorward)?{hint}"
                    ),
                )
            }
            _ => Failure::error(failure::UNAVAILABLE, format!("{path}: {error}")),
        }
    }
}

fn shown(path: &Path) -> String {
    plain(&path.display().to_string())
}

/// A line for people: what happened, and under it what it consists of.
fn people(shown: &Shown) -> String {
    let time = shown.at.get(11..23).unwrap_or(&shown.at);
    let mut text = plain(&format!(
        "{time}  {:<5} {}  {}",
        format!("#{}", shown.conversation),
        shown.client,
        shown.text
    ));
    for detail in &shown.details {
        let line = plain(&format!("{} = {}", detail.name, detail.value));
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{INDENT}{line}");
    }
    if let Some(advice) = &shown.advice {
        let _ = write!(text, "\n{INDENT}=> {}", plain(advice));
    }
    text
}

/// As wide as a time and a number.
const INDENT: &str = "                    ";
