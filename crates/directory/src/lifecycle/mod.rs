//! What time alone causes: a start date, an expiry, an end date, a lapsed lock, a warning due
//! (CONTRACT.md 7, 10). Noticed within a minute, acted on once, also with several gateways.
//!
//! The store keeps one cursor; whoever moves it has written, in the same transaction, everything
//! that happened up to there. It knows no clock and no timer: `runtime` calls [`notice`].

mod spans;

use serde_json::json;

use doorward_domain::account::Status;
use doorward_domain::event::{Actor, ChangeEvent};
use doorward_domain::policy::conditions::conditions;
use doorward_domain::policy::time_spans::{Transition, transitions_between, warnings_between};
use doorward_domain::rules::PolicySettings;
use doorward_domain::time::{Now, Timestamp};
use doorward_store::changes::Noticed;
use doorward_store::records::{MailKind, NewMail, UserRecord};
use doorward_store::{Store, Unavailable};

/// How many users are read at once.
const BATCH: usize = 500;

/// What one look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// The clock is suspect: nothing is said to have passed.
    ClockSuspect,
    /// Another gateway moved the cursor first, and wrote what there was to write.
    TakenByAnother,
    /// This many transitions and warnings were written.
    Wrote {
        /// Transitions.
        transitions: usize,
        /// Mails queued.
        mails: usize,
    },
}

/// Writes what time alone caused since the last look.
///
/// # Errors
/// The store cannot answer; nothing was written, and the next look covers the same span.
pub async fn notice(store: &Store, now: Now) -> Result<Look, Unavailable> {
    if now.clock_suspect {
        return Ok(Look::ClockSuspect);
    }
    let from = store.lifecycle_cursor().await?;
    if from >= now.wall {
        return Ok(Look::Wrote {
            transitions: 0,
            mails: 0,
        });
    }
    let policy = store.policy().await?;
    let mut noticed = Noticed {
        from,
        to: now.wall,
        events: Vec::new(),
        mails: Vec::new(),
    };
    let touched = spans::touched(&policy, from, now.wall);
    let mut after = None;
    loop {
        let users = store.users_touched_by_time(&touched, after, BATCH).await?;
        for user in &users {
            notice_user(user, &policy, from, now, &mut noticed);
        }
        after = users.last().map(|user| user.account);
        if users.len() < BATCH {
            break;
        }
    }
    let (transitions, mails) = (noticed.events.len(), noticed.mails.len());
    if store.notice(noticed).await? {
        Ok(Look::Wrote { transitions, mails })
    } else {
        Ok(Look::TakenByAnother)
    }
}

fn notice_user(
    user: &UserRecord,
    policy: &PolicySettings,
    from: Timestamp,
    now: Now,
    noticed: &mut Noticed,
) {
    for passed in transitions_between(&user.facts, policy, from, now) {
        let before = status_at(
            user,
            policy,
            passed.at.minus(std::time::Duration::from_millis(1)),
        );
        let after = status_at(user, policy, passed.at);
        noticed.events.push((
            passed.at,
            ChangeEvent {
                actor: Actor::Gateway,
                action: format!("user.{}", passed.transition.as_str()),
                target: user.username.to_string(),
                account: Some(user.account),
                resource: None,
                before: json!({ "status": before }),
                after: json!({ "status": after }),
            },
        ));
        if passed.transition == Transition::Expired {
            noticed.mails.push(NewMail {
                account: user.account,
                kind: MailKind::Expired,
                details: json!({ "expired_at": passed.at }),
            });
        }
    }
    if let Some(warning) = warnings_between(&user.facts, policy, from, now) {
        noticed.mails.push(NewMail {
            account: user.account,
            kind: MailKind::ExpiryWarning,
            details: json!({ "days": warning.days, "expires_at": warning.expires_at }),
        });
    }
}

fn status_at(user: &UserRecord, policy: &PolicySettings, at: Timestamp) -> Status {
    let now = Now {
        wall: at,
        mono: doorward_domain::time::Monotonic::default(),
        clock_suspect: false,
    };
    Status::of(conditions(&user.facts, policy, now))
}
