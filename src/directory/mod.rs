//! The one service before the store for everything but attempts: users, groups, bindings, policy,
//! links, events, queries, explanations; for an actor, with that actor's rights.
//!
//! It knows no protocol and no concrete store. Front ends see it as [`Read`] and
//! [`ChangeOwnPassword`].

mod bindings;
mod changing;
mod demands;
mod devices;
pub mod entry;
mod error;
mod events;
mod explain;
mod fields;
mod groups;
mod links;
mod nearest;
mod network_passwords;
pub mod online;
pub mod own_password;
mod passwords;
pub mod read;
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

use crate::domain::event::Actor;
use crate::domain::rules::PolicySettings;
use crate::domain::time::Now;
use crate::hashing::HashingPool;
use crate::store::changes::{Applied, Change, Command, DirectoryStore};
use crate::store::records::NewMail;
use crate::store::{AttemptStore, EventStore};

pub use bindings::{Grantee, Matched};
pub use demands::WAITS;
pub use devices::{DeviceView, NewDevice, SetDevice};
pub use entry::{Group, Person, Standing, SudoRole};
pub use error::DirectoryError;
pub use explain::{Answer, Counted, Explanation, Holding, Question};
pub use fields::{FIELDS, parse_fields};
pub use links::OneTimeLink;
pub use nearest::nearest;
pub use network_passwords::NewNetworkPassword;
pub use online::{OnlineSessions, SessionView};
pub use own_password::{ChangeOwnPassword, Changed, NotChanged, Owner};
pub use read::{GroupQuery, PersonQuery, Read, SudoQuery, Viewer};
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

/// Rules that a new password may break, for those who must name them.
pub use crate::policy::password::BrokenRule;

/// How many records one read fetches where all are wanted.
const PAGE: usize = 500;

/// The directory, before any store.
pub struct Directory<S> {
    store: Arc<S>,
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

impl<S: DirectoryStore + EventStore + AttemptStore> Directory<S> {
    /// A directory before `store`.
    pub fn new(store: Arc<S>, hashing: Arc<HashingPool>, settings: Settings) -> Self {
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
