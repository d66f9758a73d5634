//! `doorward certs DIR`: a private CA and a server certificate, for tests, demos and small sites;
//! `doorward certs user` and `revoke`: users' certificates by that CA, and the end of one.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use crate::runtime::certificates::making::users;
use crate::runtime::certificates::making::users::{UserNames, make_user_certificate};
use crate::runtime::certificates::making::{
    MadeCertificates, SubjectAltName, make_private_ca_and_server_certificate,
};
use crate::runtime::clock::SystemClock;
use doorward_domain::name::{MailAddress, Username};
use doorward_domain::time::Clock as _;

use super::context::Context;

/// How long a server certificate lasts unless something else is said: as long as clients that
/// bound it accept one from a private CA.
const DAYS: u16 = 825;
/// How long a user's certificate lasts unless something else is said.
const USER_DAYS: u16 = 365;

/// What is to be made.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Arguments {
    /// The folder; made where it is missing.
    #[arg(required = true)]
    dir: Option<PathBuf>,
    /// Names and addresses by which clients reach the server; this host's unless given.
    #[arg(long = "name", value_name = "HOST", num_args = 1..)]
    names: Vec<SubjectAltName>,
    /// For how many days.
    #[arg(long, value_name = "NUMBER", default_value_t = DAYS,
          value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a user's certificate for EAP-TLS, by the CA in the folder.
    User(UserArguments),
    /// Put certificates on the CA's list of revoked ones; without any, make the list.
    Revoke {
        /// The folder with the CA; the list is its crl.pem.
        dir: PathBuf,
        /// Their files, or their serial numbers as `doorward events` shows them.
        #[arg(value_name = "CERTIFICATE")]
        certificates: Vec<String>,
    },
}

#[derive(Debug, clap::Args)]
struct UserArguments {
    /// The folder with the CA; certificates go to its folder `users`.
    dir: PathBuf,
    /// The username, which is the certificate's common name.
    #[arg(value_parser = Username::parse)]
    name: Username,
    /// A mail address to put in, for `client_name = "mail"`.
    #[arg(long, value_name = "ADDRESS", value_parser = MailAddress::parse)]
    mail: Option<MailAddress>,
    /// A user principal name to put in, for `client_name = "upn"`.
    #[arg(long, value_name = "USER@REALM", value_parser = MailAddress::parse)]
    upn: Option<MailAddress>,
    /// For how many days.
    #[arg(long, value_name = "NUMBER", default_value_t = USER_DAYS,
          value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
}

#[derive(Serialize)]
struct MadeForUser {
    certificate: PathBuf,
    private_key: PathBuf,
    serial: String,
}

#[derive(Serialize)]
struct Revoked {
    crl: PathBuf,
    revoked: usize,
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
    match &arguments.verb {
        Some(Verb::User(wanted)) => return make_for_user(wanted, context),
        Some(Verb::Revoke { dir, certificates }) => return revoke(dir, certificates, context),
        None => {}
    }
    let Some(dir) = &arguments.dir else {
        anyhow::bail!("name the folder");
    };
    let made = make(dir, &arguments.names, arguments.days)?;
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

fn make_for_user(wanted: &UserArguments, context: &Context) -> anyhow::Result<ExitCode> {
    let names = UserNames {
        username: wanted.name.clone(),
        mail: wanted.mail.clone(),
        principal: wanted.upn.clone(),
    };
    let now = SystemClock::start().now().wall;
    let made = make_user_certificate(&wanted.dir, &names, now, days(wanted.days))?;
    let made = MadeForUser {
        certificate: made.certificate,
        private_key: made.key,
        serial: made.serial,
    };
    context.output.value(&made, |made| {
        format!(
            "made {}\nmade {}\nserial {}",
            made.certificate.display(),
            made.private_key.display(),
            made.serial
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

fn revoke(dir: &Path, certificates: &[String], context: &Context) -> anyhow::Result<ExitCode> {
    let now = SystemClock::start().now().wall;
    let list = users::revoke(dir, certificates, now)?;
    let list = Revoked {
        crl: list.list,
        revoked: list.revoked,
    };
    context.output.value(&list, |list| {
        format!("made {}: {} revoked", list.crl.display(), list.revoked)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn days(number: u16) -> Duration {
    Duration::from_hours(24 * u64::from(number))
}

/// Makes what `doorward certs` makes, for this host.
pub(super) fn make_for_this_host(folder: &Path) -> anyhow::Result<MadeCertificates> {
    make(folder, &[], DAYS)
}

fn make(folder: &Path, names: &[SubjectAltName], number: u16) -> anyhow::Result<MadeCertificates> {
    let now = SystemClock::start().now().wall;
    let own;
    let names = if names.is_empty() {
        own = own_names();
        &own
    } else {
        names
    };
    Ok(make_private_ca_and_server_certificate(
        folder,
        names,
        now,
        days(number),
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
