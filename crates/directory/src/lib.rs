//! The one service before the store for everything but attempts: users, groups, bindings, policy,
//! links, events, queries, explanations; for an actor, with that actor's rights.
//!
//! It knows no protocol. Front ends see it as [`Read`], [`ChangeOwnPassword`] and
//! [`OnlineSessions`]. [`lifecycle`] notices what time alone causes, [`audit`] keeps the events within
//! their bounds.
//!
//! [`Read`]: doorward_frontend_api::Read
//! [`ChangeOwnPassword`]: doorward_frontend_api::ChangeOwnPassword
//! [`OnlineSessions`]: doorward_frontend_api::OnlineSessions

pub mod audit;
mod bindings;
mod changing;
mod demands;
mod devices;
mod error;
mod events;
mod explain;
mod fields;
mod groups;
pub mod lifecycle;
mod links;
mod network_passwords;
mod online;
mod own_password;
mod passwords;
mod reading;
mod reply;
mod rules;
mod services;
mod settings;
mod ssh_keys;
mod sudo;
mod users;
mod view;
mod warning;
mod ways;

use std::sync::Arc;

use arc_swap::ArcSwap;

use doorward_domain::event::Actor;
use doorward_domain::rules::PolicySettings;
use doorward_domain::time::Now;
use doorward_frontend_api::authority::Authority;
use doorward_hashing::HashingPool;
use doorward_store::Store;
use doorward_store::changes::{Applied, Change, Command};
use doorward_store::records::NewMail;

pub use bindings::{Grantee, Matched};
pub use demands::WAITS;
pub use devices::{DeviceView, NewDevice, SetDevice};
pub use error::DirectoryError;
pub use explain::{Answer, Counted, Explanation, Holding, Question};
pub use fields::{FIELDS, parse_fields};
pub use links::OneTimeLink;
pub use network_passwords::NewNetworkPassword;
pub use online::SessionView;
pub use reply::{
    MAX_REPLY_ATTRIBUTES, ReplyAttributeView, ReplyFate, ReplyGrantView, ReplyMappingView,
    ReplyOfUser,
};
pub use rules::{Affected, ForcedChangeView, PolicyPreview, PolicyView};
pub use services::{BindsBy, NewService, ServicePassword, generate as generate_password};
pub use settings::{ClientDoor, Doors, ListenerDoor, PosixSettings, Settings};
pub use ssh_keys::{MAX_SSH_KEYS, SshKeyView, SshKeysView};
pub use sudo::{SudoPatch, SudoRuleView, SudoSubjects};
pub use users::{AddUser, Suspended};
pub use view::{GroupView, ResourceView, ServiceView, UserView};
pub use warning::{Done, Warning};
pub use ways::Way;

/// How many records one read fetches where all are wanted.
const PAGE: usize = 500;

/// What a proof is renewed with where its user changes the password.
#[expect(
    clippy::disallowed_methods,
    reason = "the session that asked for a change of password goes on, by the store's word"
)]
const AUTHORITY: Authority = Authority::of_the_core();

/// The directory, before any store.
pub struct Directory {
    store: Store,
    hashing: Arc<HashingPool>,
    settings: ArcSwap<Settings>,
    changing: changing::Changing,
}

/// Who does something, and when.
#[derive(Debug, Clone)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// When.
    pub now: Now,
}

impl By {
    /// Passes for administrators: whoever can run commands beside the store.
    fn admin(&self) -> Result<(), DirectoryError> {
        match self.actor {
            Actor::LocalLogin { .. } => Ok(()),
            Actor::User { .. } | Actor::Gateway => Err(DirectoryError::NotAllowed),
        }
    }
}

impl Directory {
    /// A directory before `store`.
    pub fn new(store: Store, hashing: Arc<HashingPool>, settings: Settings) -> Self {
        Self {
            store,
            hashing,
            settings: ArcSwap::from_pointee(settings),
            changing: changing::Changing::default(),
        }
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Puts other settings in force, whole.
    pub fn set_settings(&self, settings: Settings) {
        self.settings.store(Arc::new(settings));
    }

    async fn policy_in_force(&self) -> Result<Arc<PolicySettings>, DirectoryError> {
        Ok(self.store.policy().await?)
    }

    async fn apply(&self, by: &By, change: Change) -> Result<Applied, DirectoryError> {
        self.apply_with(by, change, Vec::new()).await
    }

    async fn apply_with(
        &self,
        by: &By,
        change: Change,
        mails: Vec<NewMail>,
    ) -> Result<Applied, DirectoryError> {
        let command = Command {
            at: by.now.wall,
            actor: by.actor.clone(),
            change,
            mails,
        };
        Ok(self.store.apply(command).await?)
    }
}
