//! Passwords: asked for twice at the terminal, or read from standard input; never an argument.

use std::io::{self, IsTerminal as _, Read as _};

use zeroize::Zeroizing;

use doorward_directory::DirectoryError;
use doorward_domain::secret::{MAX_PASSWORD_BYTES, Password};

use super::failure::{self, Failure};

/// Reads a new password from standard input where that was asked for, else from the terminal.
pub(super) fn new_password(from_stdin: bool, whose: &str) -> anyhow::Result<Password> {
    if from_stdin {
        from_standard_input()
    } else {
        from_terminal(whose)
    }
}

/// Whether somebody can be asked.
pub(super) fn somebody_is_there() -> bool {
    io::stdin().is_terminal()
}

/// Reads all of standard input as a password; one line break at its end is not part of it.
pub(super) fn from_standard_input() -> anyhow::Result<Password> {
    let most = MAX_PASSWORD_BYTES + 2;
    // Room up front: growing would leave unwiped copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 64));
    let limit = u64::try_from(most).unwrap_or(u64::MAX);
    io::stdin().lock().take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    parsed(&bytes)
}

fn from_terminal(whose: &str) -> anyhow::Result<Password> {
    let ask =
        |question: String| {
            rpassword::prompt_password(question).map(Zeroizing::new).map_err(|error| {
            let message = format!(
                "no password can be asked for here ({error}): give --password-stdin and the \
                 password on standard input"
            );
            Failure::error(failure::USAGE, message)
        })
        };
    let first = ask(format!("New password for {whose}: "))?;
    let second = ask("Once more: ".to_owned())?;
    if *first != *second {
        return Err(Failure::error(failure::DATA, "the two passwords differ"));
    }
    parsed(first.as_bytes())
}

fn parsed(bytes: &[u8]) -> anyhow::Result<Password> {
    Ok(Password::new(bytes).map_err(DirectoryError::from)?)
}
