//! The two-minute tour: a configuration on loopback, certificates, three resources, and one user
//! for every row of the contract's table (CONTRACT.md 2).

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use tokio::task::JoinSet;

use doorward_directory::{AddUser, BindsBy, By, DirectoryError, Grantee, NewService};
use doorward_domain::event::Actor;
use doorward_domain::id::RequestId;
use doorward_domain::name::{
    GroupName, ListenerName, MailAddress, NotAName, ServiceName, Username,
};
use doorward_domain::origin::{Origin, Protocol};
use doorward_domain::resource::{AccessContext, ConnectionContext};
use doorward_domain::secret::{Password, PasswordShape};
use doorward_domain::time::Clock as _;
use doorward_files as files;
use doorward_frontend_api::{Attempt, Claim, Decide as _, Evidence};

use super::daemon::Daemon;

/// Every demo password.
pub const PASSWORD: &str = "correct horse battery";

/// Something about the demo's own making failed.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file could not be written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A command was refused.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A name is none.
    #[error(transparent)]
    Name(#[from] NotAName),
    /// The password is none.
    #[error(transparent)]
    Password(#[from] PasswordShape),
    /// An account that should be locked is not.
    #[error("{0} was not locked")]
    NotLocked(&'static str),
}

/// One user of the demo, and the row of the table it stands for.
#[derive(Debug, Clone, Copy)]
pub struct DemoUser {
    /// The username.
    pub name: &'static str,
    /// The full name.
    pub full_name: &'static str,
    /// Its row.
    pub row: Row,
}

/// A row of the contract's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// No condition.
    Active,
    /// Password pending.
    Inactive,
    /// Expired.
    Expired,
    /// Locked.
    Locked,
    /// Expired and locked.
    ExpiredLocked,
    /// Suspended.
    Suspended,
    /// Staged.
    Staged,
    /// Must change.
    MustChange,
}

impl Row {
    /// What the demo says of it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Expired => "expired",
            Self::Locked => "locked",
            Self::ExpiredLocked => "expired, locked",
            Self::Suspended => "suspended",
            Self::Staged => "staged",
            Self::MustChange => "must change",
        }
    }

    const fn is_locked(self) -> bool {
        matches!(self, Self::Locked | Self::ExpiredLocked)
    }

    const fn is_expired(self) -> bool {
        matches!(self, Self::Expired | Self::ExpiredLocked)
    }
}

/// The users, in the order of the table.
pub const USERS: [DemoUser; 8] = [
    DemoUser {
        name: "alice",
        full_name: "Alice Archer",
        row: Row::Active,
    },
    DemoUser {
        name: "ivan",
        full_name: "Ivan Ivers",
        row: Row::Inactive,
    },
    DemoUser {
        name: "erin",
        full_name: "Erin Ellis",
        row: Row::Expired,
    },
    DemoUser {
        name: "leo",
        full_name: "Leo Lund",
        row: Row::Locked,
    },
    DemoUser {
        name: "elle",
        full_name: "Elle Eames",
        row: Row::ExpiredLocked,
    },
    DemoUser {
        name: "susan",
        full_name: "Susan Sato",
        row: Row::Suspended,
    },
    DemoUser {
        name: "stan",
        full_name: "Stan Stone",
        row: Row::Staged,
    },
    DemoUser {
        name: "mona",
        full_name: "Mona Mills",
        row: Row::MustChange,
    },
];

/// Service accounts that may search.
pub const SERVICES: [&str; 2] = ["sssd", "dovecot"];

/// The resources.
pub const RESOURCES: [&str; 3] = ["hosts", "mail", "vpn"];

/// The demo's configuration, in a folder that has its certificates in `certs`.
pub const CONFIGURATION: &str = include_str!("demo.toml");

/// Writes the configuration into a folder.
///
/// # Errors
/// It cannot be written.
pub fn write_configuration(folder: &Path) -> Result<(), DemoError> {
    let path = folder.join("doorward.toml");
    // It holds a secret, which others on the machine must not read.
    files::create(&path, 0o600)
        .and_then(|mut file| file.write_all(CONFIGURATION.as_bytes()))
        .map_err(|source| DemoError::File {
            path: path.display().to_string(),
            source,
        })
}

/// Fills the store of a started daemon, before it serves.
///
/// # Errors
/// A command was refused.
pub async fn populate(daemon: &Daemon) -> Result<(), DemoError> {
    let by = By {
        actor: Actor::LocalLogin {
            login: "demo".to_owned(),
        },
        now: daemon.clock().now(),
    };
    let directory = daemon.directory();
    directory
        .add_group(&by, GroupName::parse("staff")?, None, None)
        .await?;
    for resource in RESOURCES {
        let staff = Grantee::Group("staff".to_owned());
        let _warned = directory.bind(&by, resource, &staff).await?;
    }
    // The guesses that lock are answered as slowly as any refusal: the others are added meanwhile.
    add_users(daemon, &by, |user| user.row.is_locked()).await?;
    tokio::try_join!(
        lock(daemon),
        add_users(daemon, &by, |user| !user.row.is_locked()),
        add_services(daemon, &by),
    )?;
    let names: Vec<String> = USERS.iter().map(|user| user.name.to_owned()).collect();
    let _warned = directory.join(&by, "staff", &names, &[]).await?;
    for user in USERS {
        if user.row.is_expired() {
            let _warned = directory.expire_user(&by, user.name, by.now.wall).await?;
        }
        if user.row == Row::Suspended {
            directory.suspend_user(&by, user.name, by.now.wall).await?;
        }
    }
    Ok(())
}

async fn add_users(
    daemon: &Daemon,
    by: &By,
    wanted: impl Fn(&DemoUser) -> bool,
) -> Result<(), DemoError> {
    let mut adding = JoinSet::new();
    for user in USERS.into_iter().filter(wanted) {
        let (directory, by) = (daemon.directory(), by.clone());
        adding.spawn(async move {
            let added = directory.add_user(&by, new_user(user, &by)?).await;
            added.map(drop).map_err(DemoError::from)
        });
    }
    adding.join_all().await.into_iter().collect()
}

async fn add_services(daemon: &Daemon, by: &By) -> Result<(), DemoError> {
    for service in SERVICES {
        let (name, password) = (ServiceName::parse(service)?, password()?);
        let directory = daemon.directory();
        directory
            .add_service(
                by,
                NewService {
                    name,
                    binds_by: BindsBy::Password(Some(password)),
                    may_search: true,
                    sources: Vec::new(),
                },
            )
            .await?;
    }
    Ok(())
}

fn password() -> Result<Password, PasswordShape> {
    Password::new(PASSWORD.as_bytes())
}

fn new_user(user: DemoUser, by: &By) -> Result<AddUser, DemoError> {
    let email = MailAddress::parse(&format!("{}@example.org", user.name))?;
    let mut new = AddUser::new(Username::parse(user.name)?, email);
    new.full_name = Some(user.full_name.to_owned());
    new.recovery_email = Some(MailAddress::parse(&format!("{}@home.example", user.name))?);
    if user.row != Row::Inactive {
        new.password = Some(password()?);
    }
    if user.row == Row::Staged {
        new.start = Some(by.now.wall.plus(Duration::from_hours(30 * 24)));
    }
    new.must_change = user.row == Row::MustChange;
    Ok(new)
}

/// Locks whom failed attempts locked, by failed attempts: there is no other way.
async fn lock(daemon: &Daemon) -> Result<(), DemoError> {
    let threshold = daemon
        .store()
        .policy()
        .await
        .map_err(DirectoryError::from)?
        .lockout
        .threshold;
    let mut guesses = JoinSet::new();
    let locked = || USERS.into_iter().filter(|user| user.row.is_locked());
    for user in locked() {
        for guess in 0..threshold {
            let authenticator = daemon.authenticator();
            let attempt = wrong_attempt(daemon, user.name, guess)?;
            guesses.spawn(async move { authenticator.decide(attempt).await.map(drop) });
        }
    }
    while guesses.join_next().await.is_some() {}
    for user in locked() {
        let view = daemon
            .directory()
            .user(user.name, daemon.clock().now())
            .await?;
        if !view.account_locked {
            return Err(DemoError::NotLocked(user.name));
        }
    }
    Ok(())
}

fn wrong_attempt(daemon: &Daemon, name: &str, guess: u32) -> Result<Attempt, DemoError> {
    let now = daemon.clock().now();
    let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Ok(Attempt {
        request: RequestId::new(now.wall),
        received: now,
        protocol: Protocol::Ldap,
        asking: AccessContext::Connection(ConnectionContext::new(
            ListenerName::parse("hosts")?,
            source,
        )),
        claim: Claim::Typed(name.to_owned()),
        evidence: Evidence::password(format!("wrong guess {guess}").as_bytes()),
        origin: Origin::address(source),
        asked_for_password_policy: false,
    })
}
