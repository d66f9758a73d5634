//! What went wrong, as an exit code of `sysexits.h` and a sentence on standard error.

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::config::ConfigErrors;
use crate::runtime::assemble::AssemblyError;
use crate::runtime::daemon::DaemonError;
use crate::runtime::observe::acts;
use doorward_directory::DirectoryError;
use doorward_hashing::QueueFull;
use doorward_store::Unavailable;
use doorward_store::changes::ChangeRefused;
use doorward_store::sqlite::{BackupError, OpenError};

/// A "no": what was asked for does not hold or does not exist.
pub(super) const NO: u8 = 1;
/// `EX_USAGE`: the command was written wrongly.
pub(super) const USAGE: u8 = 64;
/// `EX_DATAERR`: a value is refused.
pub(super) const DATA: u8 = 65;
/// `EX_NOINPUT`: a file to be read is missing.
pub(super) const NO_INPUT: u8 = 66;
/// `EX_UNAVAILABLE`: the store cannot be used.
pub(super) const UNAVAILABLE: u8 = 69;
/// `EX_OSERR`: the operating system refuses what it was asked.
const OS: u8 = 71;
/// `EX_IOERR`: reading or writing failed.
pub(super) const IO: u8 = 74;
/// `EX_TEMPFAIL`: to be repeated.
pub(super) const AGAIN: u8 = 75;
/// `EX_NOPERM`: not allowed.
pub(super) const NOT_ALLOWED: u8 = 77;
/// `EX_CONFIG`: the configuration is refused.
pub(super) const CONFIG: u8 = 78;

/// A failure of the command line's own, with its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    pub(super) fn error(code: u8, message: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Self {
            code,
            message: message.into(),
        })
    }
}

/// Prints what clap has to say; help and version are no failures.
pub(super) fn usage(refused: &clap::Error) -> ExitCode {
    // Whoever reads neither is past telling.
    let _ = refused.print();
    if refused.use_stderr() {
        ExitCode::from(USAGE)
    } else {
        ExitCode::SUCCESS
    }
}

/// Prints a failure and gives its exit code back. A reader who went away is no failure.
pub(super) fn report(error: &anyhow::Error) -> ExitCode {
    let gone = error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
    if gone {
        return ExitCode::SUCCESS;
    }
    complain(error);
    ExitCode::from(code_of(error))
}

/// Prints a failure.
pub(super) fn complain(error: &anyhow::Error) {
    let text = if cites_the_file(error) {
        error.to_string()
    } else {
        format!("doorward: {error:#}")
    };
    // A damaged row or an argument may have brought anything along.
    let _ = writeln!(io::stderr().lock(), "{}", printable(&text));
}

/// The text with an escape for each character that would act on the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            // Lines of the configuration are quoted with the tabs that they are indented by.
            let acts = !matches!(c, '\n' | '\t') && acts(c);
            let escaped = acts.then(|| c.escape_unicode());
            escaped.into_iter().flatten().chain((!acts).then_some(c))
        })
        .collect()
}

/// Whether each line begins with the place it cites.
fn cites_the_file(error: &anyhow::Error) -> bool {
    error.is::<ConfigErrors>()
        || matches!(
            error.downcast_ref(),
            Some(DaemonError::Assembly(AssemblyError::Config(_)))
        )
}

/// Prints a text on standard error.
pub(super) fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// The exit code of a failure.
pub(super) fn code_of(error: &anyhow::Error) -> u8 {
    error.chain().find_map(known_code).unwrap_or(IO)
}

fn known_code(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if let Some(failure) = cause.downcast_ref::<Failure>() {
        return Some(failure.code);
    }
    if let Some(error) = cause.downcast_ref::<DirectoryError>() {
        return Some(of_directory(error));
    }
    if cause.is::<ConfigErrors>() {
        return Some(CONFIG);
    }
    if let Some(error) = cause.downcast_ref::<DaemonError>() {
        return Some(of_daemon(error));
    }
    if let Some(error) = cause.downcast_ref::<OpenError>() {
        return Some(of_store(error));
    }
    if let Some(error) = cause.downcast_ref::<BackupError>() {
        return Some(match error {
            BackupError::Exists(_) => NO,
            BackupError::Unreadable { .. } => NO_INPUT,
            BackupError::Unwritable { .. } | BackupError::Displaced { .. } => IO,
            BackupError::Damaged { .. } | BackupError::Foreign { .. } | BackupError::Journal(_) => {
                DATA
            }
            BackupError::InUse(_) => UNAVAILABLE,
        });
    }
    if cause.is::<Unavailable>() || cause.is::<QueueFull>() {
        return Some(UNAVAILABLE);
    }
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        return Some(match error.kind() {
            io::ErrorKind::PermissionDenied => NOT_ALLOWED,
            io::ErrorKind::NotFound => NO_INPUT,
            _ => IO,
        });
    }
    None
}

fn of_store(error: &OpenError) -> u8 {
    match error {
        OpenError::NotWritable { .. } => NOT_ALLOWED,
        _ => UNAVAILABLE,
    }
}

fn of_daemon(error: &DaemonError) -> u8 {
    match error {
        DaemonError::Assembly(AssemblyError::Config(_)) => CONFIG,
        DaemonError::Assembly(AssemblyError::Store(error)) => of_store(error),
        DaemonError::Assembly(AssemblyError::System { .. }) | DaemonError::System(_) => OS,
        DaemonError::Bind(_) | DaemonError::PartEnded(_) => UNAVAILABLE,
    }
}

fn of_directory(error: &DirectoryError) -> u8 {
    match error {
        DirectoryError::Refused(ChangeRefused::Unavailable(_)) => UNAVAILABLE,
        DirectoryError::Refused(ChangeRefused::Moved) | DirectoryError::Busy => AGAIN,
        DirectoryError::Refused(_)
        | DirectoryError::NotFound { .. }
        | DirectoryError::HasPassword(_)
        | DirectoryError::NeverHadPassword(_)
        | DirectoryError::LinkWouldNotWork { .. }
        | DirectoryError::SeveralKeys(_)
        | DirectoryError::Locked(_)
        | DirectoryError::NothingToTell
        | DirectoryError::PrimaryGroup(_) => NO,
        DirectoryError::NotAllowed => NOT_ALLOWED,
        DirectoryError::NothingGiven => USAGE,
        DirectoryError::NoRandomness => IO,
        DirectoryError::Name(_)
        | DirectoryError::Address(_)
        | DirectoryError::Time(_)
        | DirectoryError::Span(_)
        | DirectoryError::SudoValue(_)
        | DirectoryError::SudoRule(_)
        | DirectoryError::StandsForEverybody(_)
        | DirectoryError::BadValue { .. }
        | DirectoryError::UnknownField { .. }
        | DirectoryError::OtherCommand { .. }
        | DirectoryError::Repeated(_)
        | DirectoryError::EndsBeforeStart
        | DirectoryError::PasswordShape(_)
        | DirectoryError::PasswordRefused(_)
        | DirectoryError::Policy(_) => DATA,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_row_or_an_argument_brought_along_does_not_act_on_the_terminal() {
        assert_eq!(
            printable("a row: 'ali\u{1b}[2J\u{202e}ce'\n\tnext é"),
            "a row: 'ali\\u{1b}[2J\\u{202e}ce'\n\tnext é"
        );
    }
}
