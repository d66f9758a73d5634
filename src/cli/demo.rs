//! `doorward demo`: a gateway on loopback with a user for every row of the contract's table, a
//! line to try for each, and then events as they happen.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use tracing::level_filters::LevelFilter;

use crate::config::Config;
use crate::runtime::certificates::making::{
    SubjectAltName, make_private_ca_and_server_certificate,
};
use crate::runtime::clock::SystemClock;
use crate::runtime::daemon::Daemon;
use crate::runtime::demo;
use crate::runtime::demo::{PASSWORD, USERS};
use crate::runtime::observe::{LogShape, start_logging};
use doorward_domain::id::EventId;
use doorward_domain::time::Clock as _;
use doorward_files as files;
use doorward_store::Store;
use doorward_store::events::EventQuery;

use super::events;

/// How often new events are looked for.
const LOOK: Duration = Duration::from_millis(300);
/// How long the demo's certificate lasts.
const CERTIFICATE_LASTS: Duration = Duration::from_hours(90 * 24);
/// How many events are shown at once.
const PAGE: usize = 200;

/// Runs the demo in `folder`, or in one that goes away with it.
///
/// # Errors
/// The folder cannot be prepared, or an address is taken.
pub(super) fn run(folder: Option<&Path>) -> anyhow::Result<()> {
    start_logging(LogShape::Text, LevelFilter::ERROR);
    let temporary;
    let folder: PathBuf = if let Some(folder) = folder {
        files::make_folder(folder, 0o700).with_context(|| folder.display().to_string())?;
        folder.canonicalize()?
    } else {
        temporary = tempfile::Builder::new()
            .prefix("doorward-demo-")
            .tempdir()?;
        temporary.path().to_owned()
    };
    let file = folder.join("doorward.toml");
    let fresh = !file.exists();
    if fresh {
        let names = [
            SubjectAltName::Dns("localhost".to_owned()),
            SubjectAltName::Ip(Ipv4Addr::LOCALHOST.into()),
        ];
        let certs = folder.join("certs");
        let now = SystemClock::start().now().wall;
        make_private_ca_and_server_certificate(&certs, &names, now, CERTIFICATE_LASTS)?;
        demo::write_configuration(&folder)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let daemon = Daemon::start(Config::load(&file)?).await?;
        if fresh {
            demo::populate(&daemon).await?;
        }
        let store = daemon.store();
        let seen = newest(&store).await?;
        say(&introduction(&folder));
        let stop = CancellationToken::new();
        let following = tokio::spawn(follow(store, seen, stop.clone()));
        let ended = daemon
            .run(|| Config::load(&file), CancellationToken::new())
            .await;
        stop.cancel();
        following.await?;
        ended?;
        Ok(())
    })
}

async fn newest(store: &Store) -> anyhow::Result<Option<EventId>> {
    let query = EventQuery {
        limit: 1,
        newest: true,
        ..EventQuery::default()
    };
    Ok(store.events(&query).await?.pop().map(|event| event.id))
}

/// Shows events as they happen.
async fn follow(store: Store, mut seen: Option<EventId>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let query = EventQuery {
            after: seen,
            limit: PAGE,
            ..EventQuery::default()
        };
        let Ok(happened) = store.events(&query).await else {
            continue;
        };
        for event in happened {
            seen = Some(event.id);
            say(&format!("{}\n", events::line(&event)));
        }
    }
}

fn introduction(folder: &Path) -> String {
    let mut text = String::new();
    let config = folder.join("doorward.toml");
    let config = config.display();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "Doorward's demo: every user stands for a row of the table of who gets in where.\n\
         \n\
         LDAP      ldap://127.0.0.1:3389   resource hosts (endpoint), StartTLS\n\
         LDAPS     ldaps://127.0.0.1:3636  resource hosts (endpoint), CA {folder}/certs/ca.pem\n\
         LDAP      ldap://127.0.0.1:3390   resource mail (email)\n\
         RADIUS    127.0.0.1:11812         resource vpn, secret testing123 (accounting 11813)\n\
         Metrics   http://127.0.0.1:9909/metrics\n\
         Commands  doorward -c {config} user list\n\
         Watch     doorward -c {config} watch radius\n\
         Password  {PASSWORD}\n\
         Services  cn=sssd and cn=dovecot in ou=services,dc=example,dc=org may search\n\n",
        folder = folder.display(),
    );
    for user in USERS {
        let _ = write!(
            text,
            "{name} ({row})\n  ldapwhoami -x -H ldap://127.0.0.1:3389 -D uid={name},ou=people,dc=example,dc=org -w '{PASSWORD}'\n",
            name = user.name,
            row = user.row.as_str(),
        );
    }
    let _ = write!(
        text,
        "\nThe same at mail (port 3390) lets leo in. Over RADIUS:\n  \
         radtest alice '{PASSWORD}' 127.0.0.1:11812 0 testing123\n\
         What a host reads:\n  \
         ldapsearch -x -LLL -H ldap://127.0.0.1:3389 -D cn=sssd,ou=services,dc=example,dc=org \
         -w '{PASSWORD}' -b dc=example,dc=org '(uid=alice)'\n\
         Why somebody is refused:\n  \
         doorward -c {config} explain leo --resource hosts\n\
         \nEvents as they happen (Ctrl-C ends the demo):\n",
    );
    text
}

/// Writes to standard output. Where nobody reads it, the demo goes on.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
