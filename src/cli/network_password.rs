//! `doorward user network-password`.

use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;

use crate::config::secrets;
use crate::runtime::assemble;
use doorward_domain::name::Username;

use super::context::Opened;
use super::failure::{self, Failure};
use super::output::Output;

/// What is printed: the one time that the password is.
#[derive(Serialize)]
struct Shown<'a> {
    username: &'a Username,
    network_password: &'a str,
}

/// Makes a network password and shows it, or revokes it.
pub(super) fn run(
    name: &str,
    revoke: bool,
    opened: &Opened,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let by = opened.by();
    if revoke {
        let revoked = opened.directory.revoke_network_password(&by, name);
        let user = opened.wait(revoked)?;
        output.value(&user, |user| {
            format!("revoked the network password of user {}", user.username)
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let key = secrets::network_password_key(&opened.config)?;
    let Some(key) = assemble::sealing_key(&opened.config, key.as_ref())? else {
        return Err(Failure::error(
            failure::CONFIG,
            "network passwords are off: set network_password_key_file in [radius] first \
             (docs/radius.md says how)",
        ));
    };
    let made = opened.directory.make_network_password(&by, name, &key);
    let made = opened.wait(made)?;
    let shown = Shown {
        username: &made.username,
        network_password: made.password.as_str(),
    };
    // The password alone, so that it can be piped to where it belongs.
    output
        .value(&shown, |shown| shown.network_password.to_owned())
        .context("the network password was set and could not be shown: make another")?;
    output.note(&format!(
        "the network password of user {}, for Wi-Fi and VPN alone; it is not shown again",
        made.username
    ));
    Ok(ExitCode::SUCCESS)
}
