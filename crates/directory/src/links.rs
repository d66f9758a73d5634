//! One-time links: made here, kept as a digest, shown once (CONTRACT.md 6).

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use doorward_domain::account::{Condition, Status};
use doorward_domain::policy::access::way_out;
use doorward_domain::policy::conditions::conditions;
use doorward_domain::time::Timestamp;
use doorward_store::changes::{Change, LinkPurpose};

use super::{By, Directory, DirectoryError, Done, Warning};

/// How long a requested reset link lasts.
const RESET: Duration = Duration::from_hours(1);
/// How long an activation link lasts.
const ACTIVATION: Duration = Duration::from_hours(24);

/// A link that can be used once. Whoever holds it sets the password, so it is shown once and kept
/// nowhere.
#[derive(Clone)]
pub struct OneTimeLink {
    link: Zeroizing<String>,
    expires: Timestamp,
}

impl OneTimeLink {
    /// The link, or its path alone where no portal is configured.
    pub fn expose(&self) -> &str {
        &self.link
    }

    /// When it lapses.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl fmt::Debug for OneTimeLink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OneTimeLink")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl Directory {
    /// Makes a link by which a user sets the first password (24 hours) or another one (one hour).
    ///
    /// # Errors
    /// No such user; the link would not work for it; three links live already; the store cannot
    /// answer.
    pub async fn make_link(
        &self,
        by: &By,
        name: &str,
        purpose: LinkPurpose,
    ) -> Result<Done<OneTimeLink>, DirectoryError> {
        by.admin()?;
        let record = self.user_named(name).await?;
        let policy = self.policy_in_force().await?;
        let conditions = conditions(&record.facts, &policy, by.now);
        for condition in [Condition::Suspended, Condition::Staged] {
            if conditions.holds(condition) {
                return Err(DirectoryError::LinkWouldNotWork {
                    username: record.username,
                    status: Status::of(conditions),
                    instead: way_out(condition),
                });
            }
        }
        let (path, span) = match (purpose, conditions.holds(Condition::PasswordPending)) {
            (LinkPurpose::Activation, true) => ("activate", ACTIVATION),
            (LinkPurpose::Reset, false) => ("reset", RESET),
            (LinkPurpose::Activation, false) => {
                return Err(DirectoryError::HasPassword(record.username));
            }
            (LinkPurpose::Reset, true) => {
                return Err(DirectoryError::NeverHadPassword(record.username));
            }
        };
        let mut token = Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut *token).map_err(|_| DirectoryError::NoRandomness)?;
        let expires = by.now.wall.plus(span);
        let change = Change::AddLink {
            account: record.account,
            purpose,
            token_digest: digest(&token),
            expires,
        };
        self.apply(by, change).await?;
        let settings = self.settings();
        let portal = settings.public_url.as_deref().unwrap_or_default();
        let portal = portal.trim_end_matches('/');
        let token = Zeroizing::new(URL_SAFE_NO_PAD.encode(*token));
        let link = Zeroizing::new(format!("{portal}/{path}/{}", *token));
        Ok(Done {
            value: OneTimeLink { link, expires },
            warnings: settings
                .public_url
                .is_none()
                .then_some(Warning::NoPortal)
                .into_iter()
                .collect(),
        })
    }
}

/// What the store keeps of a token: SHA-256 of its 32 bytes, which are random and need no salt.
fn digest(token: &[u8; 32]) -> [u8; 32] {
    Sha256::digest(token).into()
}
