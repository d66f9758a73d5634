//! The command line: `doorward [-c FILE] NOUN VERB`, one file a noun.
//!
//! Commands work on the store directly, whether or not the daemon runs. Exit codes are those of
//! `sysexits.h`, and 1 for a "no". Passwords come from a prompt or from standard input.

mod backup;
mod certs;
mod check;
mod context;
mod demo;
mod device;
mod events;
mod explain;
mod failure;
mod grantee;
mod group;
mod healthcheck;
mod init;
mod network_password;
mod output;
mod policy;
mod prompt;
mod reply;
mod resource;
mod serve;
mod service;
mod sessions;
mod ssh_key;
mod sudo;
mod table;
mod user;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use context::Context;
use output::{Format, Output};

/// One authentication gateway for LDAP and RADIUS: who gets in where is decided once.
#[derive(Debug, Parser)]
#[command(
    name = "doorward",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
struct Arguments {
    /// The configuration file; /etc/doorward/doorward.toml unless given.
    #[arg(
        short = 'c',
        long = "config",
        value_name = "FILE",
        global = true,
        env = "DOORWARD_CONFIG"
    )]
    config: Option<PathBuf>,
    /// How to print.
    #[arg(
        short = 'o',
        long = "output",
        value_name = "FORMAT",
        global = true,
        value_enum,
        default_value_t = Format::Table
    )]
    output: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a configuration, a private CA, a store and the first administrator.
    Init(init::Arguments),
    /// Serve LDAP and RADIUS until stopped.
    Serve,
    /// Check the configuration and what it refers to.
    Check {
        /// Look at the file by itself: not at secrets, certificates and the store it names.
        #[arg(long)]
        file_alone: bool,
    },
    /// Serve a directory made for looking around, on loopback.
    Demo {
        /// Where to make it; a temporary folder unless given.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Make a private CA and a server certificate.
    Certs(certs::Arguments),
    /// Ask whether the daemon is ready and the store takes writes.
    Healthcheck,
    /// Say how an attempt of a user at a resource would end, and why.
    Explain(explain::Arguments),
    /// Lockout and password rules.
    #[command(subcommand)]
    Policy(policy::Verb),
    /// Users.
    #[command(subcommand)]
    User(user::Verb),
    /// Groups of users and of other groups.
    #[command(subcommand)]
    Group(group::Verb),
    /// Resources, and who is bound to them.
    #[command(subcommand)]
    Resource(resource::Verb),
    /// Devices that are let in by their address alone.
    #[command(subcommand)]
    Device(device::Verb),
    /// What RADIUS clients are told of users they let in: VLANs, limits, vendors' attributes.
    #[command(subcommand)]
    Reply(reply::Verb),
    /// Rules for sudo on hosts.
    #[command(subcommand)]
    Sudo(sudo::Verb),
    /// LDAP service accounts.
    #[command(subcommand)]
    Service(service::Verb),
    /// Who is online by RADIUS accounting: where, since when, how much.
    Sessions(sessions::Arguments),
    /// The audit log.
    Events(events::Arguments),
    /// What happens in the running daemon, packet by packet.
    Watch(watch::Arguments),
    /// Copy the store into a new file while it is in use.
    Backup(backup::BackupArguments),
    /// Put a backup in the place of the store.
    Restore(backup::RestoreArguments),
}

/// Runs the command line and returns its exit code (sysexits).
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(refused) => return failure::usage(&refused),
    };
    let context = Context::new(arguments.config, Output::new(arguments.output));
    match run(arguments.command, &context) {
        Ok(code) => code,
        Err(error) => failure::report(&error),
    }
}

fn run(command: Command, context: &Context) -> anyhow::Result<ExitCode> {
    match command {
        Command::Init(arguments) => init::run(&arguments, context),
        Command::Serve => serve::run(context.file()).map(|()| ExitCode::SUCCESS),
        Command::Check { file_alone: true } => check::run(context, check::Reach::FileAlone),
        Command::Check { file_alone: false } => check::run(context, check::Reach::Everything),
        Command::Demo { dir } => demo::run(dir.as_deref()).map(|()| ExitCode::SUCCESS),
        Command::Certs(arguments) => certs::run(&arguments, context),
        Command::Healthcheck => healthcheck::run(context),
        Command::Explain(arguments) => explain::run(&arguments, context),
        Command::Policy(verb) => policy::run(verb, context),
        Command::User(verb) => user::run(verb, context),
        Command::Group(verb) => group::run(verb, context),
        Command::Resource(verb) => resource::run(verb, context),
        Command::Device(verb) => device::run(verb, context),
        Command::Reply(verb) => reply::run(verb, context),
        Command::Sudo(verb) => sudo::run(verb, context),
        Command::Service(verb) => service::run(verb, context),
        Command::Watch(arguments) => watch::run(arguments, context),
        Command::Sessions(arguments) => sessions::run(arguments, context),
        Command::Events(arguments) => events::run(&arguments, context),
        Command::Backup(arguments) => backup::backup(&arguments, context),
        Command::Restore(arguments) => backup::restore(&arguments, context),
    }
}
