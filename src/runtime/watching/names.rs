//! Whose a name is that somebody typed, and how it may be shown: what no account has may be a
//! password in the wrong field (CONTRACT.md 9).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::Services;
use doorward_directory::Directory;
use doorward_domain::policy::naming::{MAX_LOGIN_BYTES, interpret};
use doorward_domain::time::{Clock, Monotonic};
use doorward_observe::watch::{Line, Name, Who, said};
use doorward_store::AttemptStore as _;
use doorward_store::Store;
use doorward_store::attempts::{AccountKey, Fetch};

/// How long an answer is believed: an account may be added meanwhile.
const BELIEVED: Duration = Duration::from_secs(5);
/// How many answers are kept.
const MAX_KNOWN: usize = 1024;

/// What is known of names, for one watcher.
pub(super) struct Names {
    store: Store,
    directory: Arc<Directory>,
    clock: Arc<dyn Clock>,
    known: HashMap<Name, Known>,
    show_unknown: bool,
}

struct Known {
    /// The name of the account, where one has it.
    account: Option<String>,
    since: Monotonic,
}

impl Names {
    pub(super) fn new(services: &Services, show_unknown: bool) -> Self {
        Self {
            store: services.store.clone(),
            directory: Arc::clone(&services.directory),
            clock: Arc::clone(&services.clock),
            known: HashMap::new(),
            show_unknown,
        }
    }

    /// Looks up every name of a line that is not known yet. What cannot be looked up belongs to
    /// nobody.
    pub(super) async fn learn(&mut self, line: &Line) {
        let now = self.clock.now().mono;
        if self.known.len() > MAX_KNOWN {
            self.known.clear();
        }
        for name in line.names() {
            let fresh = |known: &Known| now.since(known.since) < BELIEVED;
            if self.known.get(name).is_some_and(fresh) {
                continue;
            }
            let account = match name.who {
                Who::User => self.account_of(&name.typed).await,
                Who::Service => self.service(&name.typed).await,
                Who::Entry => match self.account_of(&name.typed).await {
                    Some(account) => Some(account),
                    None => self.group(&name.typed).await,
                },
            };
            let known = Known {
                account,
                since: now,
            };
            self.known.insert(name.clone(), known);
        }
    }

    /// The username of the account that has a name.
    pub(super) async fn account_of(&self, typed: &str) -> Option<String> {
        let login = interpret(typed, &self.directory.settings().realms)?;
        let key = AccountKey::Login(login);
        let read = self
            .store
            .read_attempt(&key, None, None, Fetch::Verdict)
            .await;
        let account = read.ok()?.account?;
        Some(account.username.to_string())
    }

    async fn service(&self, typed: &str) -> Option<String> {
        if typed.len() > MAX_LOGIN_BYTES {
            return None;
        }
        let read = self
            .store
            .read_service(&typed.to_lowercase())
            .await
            .ok()??;
        Some(read.name.to_string())
    }

    async fn group(&self, typed: &str) -> Option<String> {
        let group = self.directory.group(typed).await.ok()?;
        Some(group.name.to_string())
    }

    /// The name of the account that has it.
    pub(super) fn account(&self, name: &Name) -> Option<&str> {
        self.known.get(name)?.account.as_deref()
    }

    /// How it is shown.
    pub(super) fn shown(&self, name: &Name) -> String {
        match self.account(name) {
            Some(account) if account.eq_ignore_ascii_case(&name.typed) => said(&name.typed),
            Some(account) => format!("{} ({account})", said(&name.typed)),
            None if self.says_nothing(&name.typed) => said(&name.typed),
            None if self.show_unknown => {
                format!("{} (no account has the name)", said(&name.typed))
            }
            None => format!("(unknown name, {} octets)", name.typed.len()),
        }
    }

    /// Whether it is an outer identity that names nobody (RFC 7542 §2.4).
    fn says_nothing(&self, typed: &str) -> bool {
        let (user, realm) = match typed.rsplit_once('@') {
            Some((user, realm)) => (user, Some(realm)),
            None => (typed, None),
        };
        let realms = &self.directory.settings().realms;
        (user.is_empty() || user.eq_ignore_ascii_case("anonymous"))
            && realm.is_none_or(|realm| realms.contains(realm))
    }
}
