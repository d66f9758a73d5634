//! `doorward healthcheck`: whether the daemon is ready and the store takes writes. For container
//! engines and monitoring: 0 or 1.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use crate::config::ldap::ListenAddress;

use super::context::Context;
use super::failure::NO;

/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct Health {
    healthy: bool,
    /// None where the configuration has no status page to ask.
    daemon: Option<Answer>,
    store: Answer,
}

#[derive(Serialize)]
struct Answer {
    ok: bool,
    message: String,
}

impl From<Result<(), String>> for Answer {
    fn from(result: Result<(), String>) -> Self {
        match result {
            Ok(()) => Self {
                ok: true,
                message: "ready".to_owned(),
            },
            Err(message) => Self { ok: false, message },
        }
    }
}

/// Runs the command.
pub(super) fn run(context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config()?;
    let daemon = config.metrics.as_ref().map(|metrics| {
        let asked = ask(&metrics.address);
        Answer::from(asked.map_err(|error| format!("{}, /ready: {error}", metrics.address)))
    });
    let store = context
        .open()
        .and_then(|opened| Ok(opened.wait(opened.store.probe())?))
        .map_err(|error| format!("{error:#}"));
    let store = Answer::from(store);
    let health = Health {
        healthy: store.ok && daemon.as_ref().is_none_or(|daemon| daemon.ok),
        daemon,
        store,
    };
    context.output.value(&health, |health| {
        let daemon = match &health.daemon {
            Some(daemon) => daemon.message.as_str(),
            None => "not asked: the configuration has no [metrics]",
        };
        format!("daemon  {daemon}\nstore   {}", health.store.message)
    })?;
    Ok(if health.healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NO)
    })
}

/// Where to ask a daemon that listens on every address.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn ask(address: &ListenAddress) -> io::Result<()> {
    match address {
        ListenAddress::Network(address) => {
            let address = reachable(*address);
            let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            ask_on(stream, &address.to_string())
        }
        ListenAddress::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            ask_on(stream, "localhost")
        }
    }
}

fn ask_on(mut stream: impl Read + Write, host: &str) -> io::Result<()> {
    let request = format!("GET /ready HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.lines().next().unwrap_or_default();
    // RFC 9112 4: the version, then the status code.
    match status.split(' ').nth(1) {
        Some("200") => Ok(()),
        Some(_) => Err(io::Error::other(status.to_owned())),
        None => Err(io::Error::other("no HTTP answer")),
    }
}
