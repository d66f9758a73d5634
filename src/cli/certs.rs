//! `doorward certs DIR`: a private CA and a server certificate, for tests, demos and small sites.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;

use crate::domain::time::Clock as _;
use crate::runtime::certificates::making::{
    MadeCertificates, SubjectAltName, make_private_ca_and_server_certificate,
};
use crate::runtime::clock::SystemClock;

use super::context::Context;

/// How long a server certificate lasts unless something else is said: as long as clients that
/// bound it accept one from a private CA.
const DAYS: u16 = 825;

/// What is to be made.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder; made where it is missing.
    dir: PathBuf,
    /// Names and addresses by which clients reach the server; this host's unless given.
    #[arg(long = "name", value_name = "HOST", num_args = 1..)]
    names: Vec<SubjectAltName>,
    /// For how many days.
    #[arg(long, value_name = "NUMBER", default_value_t = DAYS,
          value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
}

#[derive(Serialize)]
struct Made {
    ca: PathBuf,
    ca_was_there: bool,
    certificate: PathBuf,
    private_key: PathBuf,
    eap_certificate: PathBuf,
    eap_private_key: PathBuf,
}

/// Runs the command. A CA that is there is kept, so that clients that trust it go on doing so.
pub(super) fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<ExitCode> {
    let made = make(&arguments.dir, &arguments.names, arguments.days)?;
    let made = Made {
        ca: made.ca,
        ca_was_there: made.ca_was_there,
        certificate: made.certificate,
        private_key: made.key,
        eap_certificate: made.eap_certificate,
        eap_private_key: made.eap_key,
    };
    context.output.value(&made, |made| {
        format!(
            "{} {} (clients and devices trust this one)\nmade {}\nmade {}\nmade {} (for [eap])\nmade {}",
            if made.ca_was_there { "kept" } else { "made" },
            made.ca.display(),
            made.certificate.display(),
            made.private_key.display(),
            made.eap_certificate.display(),
            made.eap_private_key.display()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Makes what `doorward certs` makes, for this host.
pub(super) fn make_for_this_host(folder: &Path) -> anyhow::Result<MadeCertificates> {
    make(folder, &[], DAYS)
}

fn make(folder: &Path, names: &[SubjectAltName], days: u16) -> anyhow::Result<MadeCertificates> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let validity = Duration::from_hours(24 * u64::from(days));
    let now = SystemClock::start().now().wall;
    let own;
    let names = if names.is_empty() {
        own = own_names();
        &own
    } else {
        names
    };
    Ok(make_private_ca_and_server_certificate(
        folder, names, now, validity,
    )?)
}

/// This host's name, where the kernel knows one, and loopback.
fn own_names() -> Vec<SubjectAltName> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let loopback = [
        SubjectAltName::Dns("localhost".to_owned()),
        SubjectAltName::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        SubjectAltName::Ip(IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ];
    let host: Option<SubjectAltName> = host.trim().parse().ok();
    let mut names: Vec<SubjectAltName> = host.into_iter().collect();
    names.extend(loopback);
    names.dedup();
    names
}
