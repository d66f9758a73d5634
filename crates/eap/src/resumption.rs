//! TLS sessions that may be taken up again, so that roaming costs no password.
//!
//! rustls offers a session for keeping as soon as the handshake is over, before the peer has said
//! who it is. Such a session, taken up again, would let anybody in (CVE-2017-9148). So every tunnel
//! stages its own, and they are published only once the authenticator let the peer in, together
//! with the ground on which it did. Taking one up again asks the authenticator anew; it lasts no
//! longer for that.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::server::StoresServerSessions;
use rustls::time_provider::TimeProvider;
use zeroize::Zeroizing;

use super::settings::Method;
use doorward_domain::time::{Monotonic, Now};
use doorward_frontend_api::ResumptionGrant;

/// The most sessions kept; past these the oldest goes.
const CAPACITY: usize = 65_536;
/// The most sessions that one tunnel stages.
const MAX_STAGED: usize = 4;

/// The sessions of peers that were let in.
pub struct Resumption {
    lifetime: Duration,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    next: u64,
    entries: HashMap<Vec<u8>, Entry>,
    by_age: BTreeMap<u64, Vec<u8>>,
}

struct Entry {
    number: u64,
    session: Zeroizing<Vec<u8>>,
    method: Method,
    again: Again,
}

/// On what ground a session may be taken up again, and until when.
#[derive(Debug, Clone)]
pub(super) struct Again {
    /// What the authenticator is asked.
    pub(super) ground: ResumptionGrant,
    /// When the session is over, however often it was taken up.
    until: Monotonic,
}

impl Resumption {
    /// Keeps sessions that long from the login that made them.
    pub fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            kept: Mutex::default(),
        }
    }

    /// How many sessions are kept.
    pub fn len(&self) -> usize {
        self.kept().entries.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The table survives a panic elsewhere: each of its operations leaves it whole.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Resumption {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Resumption")
            .field("kept", &self.len())
            .finish_non_exhaustive()
    }
}

impl Kept {
    fn put(&mut self, key: Vec<u8>, entry: Entry) {
        self.remove(&key);
        while self.entries.len() >= CAPACITY {
            let Some((_, oldest)) = self.by_age.pop_first() else {
                break;
            };
            self.entries.remove(&oldest);
        }
        self.by_age.insert(entry.number, key.clone());
        self.entries.insert(key, entry);
    }

    fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        self.by_age.remove(&entry.number);
        Some(entry)
    }

    /// The entry, if it still holds for that method. One that is over is forgotten.
    fn find(&mut self, key: &[u8], method: Method, now: Monotonic) -> Option<&Entry> {
        if self.entries.get(key)?.again.until <= now {
            self.remove(key);
            return None;
        }
        self.entries.get(key).filter(|entry| entry.method == method)
    }

    fn forget_old(&mut self, now: Monotonic) {
        while let Some(first) = self.by_age.first_entry() {
            let over = self
                .entries
                .get(first.get())
                .is_none_or(|entry| entry.again.until <= now);
            if !over {
                break;
            }
            let key = first.remove();
            self.entries.remove(&key);
        }
    }
}

/// What one tunnel's TLS keeps its sessions in, and the time it goes by.
pub(super) struct Stage {
    shared: Option<Arc<Resumption>>,
    method: Method,
    state: Mutex<Staged>,
}

struct Staged {
    now: Now,
    made: Vec<(Vec<u8>, Zeroizing<Vec<u8>>)>,
    /// The session handed out last, which is the one taken up if any is.
    found: Option<(Vec<u8>, Again)>,
}

impl Stage {
    pub(super) fn new(shared: Option<Arc<Resumption>>, method: Method, now: Now) -> Self {
        Self {
            shared,
            method,
            state: Mutex::new(Staged {
                now,
                made: Vec::new(),
                found: None,
            }),
        }
    }

    pub(super) fn set_now(&self, now: Now) {
        self.state().now = now;
    }

    /// On what ground the session that TLS found was kept.
    pub(super) fn found(&self) -> Option<Again> {
        self.state().found.as_ref().map(|(_, again)| again.clone())
    }

    /// Publishes what TLS made, now that its peer was let in on that ground. `until` bounds it
    /// further.
    pub(super) fn publish(&self, ground: &ResumptionGrant, until: Option<Monotonic>) {
        let mut state = self.state();
        let Some(shared) = &self.shared else {
            return;
        };
        let now = state.now.mono;
        // A session taken up again ends when the first one would have.
        let before = state.found.as_ref().map(|(_, again)| again.until);
        let until = [before, until]
            .into_iter()
            .flatten()
            .fold(now.plus(shared.lifetime), Monotonic::min);
        let mut kept = shared.kept();
        kept.forget_old(now);
        for (key, session) in state.made.drain(..) {
            kept.next += 1;
            let entry = Entry {
                number: kept.next,
                session,
                method: self.method,
                again: Again {
                    ground: ground.clone(),
                    until,
                },
            };
            kept.put(key, entry);
        }
    }

    /// Forgets the session that was taken up: its ground is gone.
    pub(super) fn void(&self) {
        if let (Some(shared), Some((key, _))) = (&self.shared, &self.state().found) {
            shared.kept().remove(key);
        }
    }

    fn state(&self) -> MutexGuard<'_, Staged> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoresServerSessions for Stage {
    fn put(&self, key: Vec<u8>, session: Vec<u8>) -> bool {
        let mut state = self.state();
        if self.shared.is_none() || state.made.len() >= MAX_STAGED {
            return false;
        }
        state.made.push((key, Zeroizing::new(session)));
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let mut state = self.state();
        let mut kept = self.shared.as_ref()?.kept();
        let entry = kept.find(key, self.method, state.now.mono)?;
        state.found = Some((key.to_vec(), entry.again.clone()));
        Some(entry.session.to_vec())
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        // A TLS 1.3 ticket is good once.
        let session = self.get(key)?;
        self.shared.as_ref()?.kept().remove(key);
        Some(session)
    }

    fn can_cache(&self) -> bool {
        self.shared.is_some()
    }
}

impl TimeProvider for Stage {
    fn current_time(&self) -> Option<UnixTime> {
        let millis = u64::try_from(self.state().now.wall.as_millis()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(millis)))
    }
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Stage").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::at;
    use doorward_domain::id::AccountId;
    use doorward_fixtures::proofs;

    fn ground() -> ResumptionGrant {
        let account = AccountId::from_uuid(uuid::Uuid::nil());
        proofs::authenticated(account, "alice", None).resumption_grant()
    }

    fn stage(shared: &Arc<Resumption>, method: Method, seconds: u64) -> Stage {
        Stage::new(Some(Arc::clone(shared)), method, at(seconds))
    }

    #[test]
    fn what_was_not_published_is_found_by_nobody() {
        let shared = Arc::new(Resumption::new(Duration::from_mins(1)));
        let made = stage(&shared, Method::Ttls, 0);
        assert!(made.put(vec![1], vec![9]));
        assert_eq!(stage(&shared, Method::Ttls, 1).get(&[1]), None);
        made.publish(&ground(), None);
        assert_eq!(stage(&shared, Method::Ttls, 1).get(&[1]), Some(vec![9]));
        // A session of one method is none of another's.
        assert_eq!(stage(&shared, Method::Peap, 1).get(&[1]), None);
        assert_eq!(stage(&shared, Method::Ttls, 60).get(&[1]), None);
        assert!(shared.is_empty());
    }

    #[test]
    fn a_ticket_is_good_once_and_its_successor_ends_when_it_would_have() {
        let shared = Arc::new(Resumption::new(Duration::from_mins(1)));
        let first = stage(&shared, Method::Ttls, 0);
        first.put(vec![1], vec![9]);
        first.publish(&ground(), None);
        let second = stage(&shared, Method::Ttls, 40);
        assert!(second.take(&[1]).is_some());
        assert!(second.take(&[1]).is_none());
        assert!(second.found().is_some());
        second.put(vec![2], vec![9]);
        second.publish(&ground(), None);
        assert!(stage(&shared, Method::Ttls, 59).get(&[2]).is_some());
        assert!(stage(&shared, Method::Ttls, 60).get(&[2]).is_none());
    }

    #[test]
    fn a_bound_of_its_own_and_a_void_end_it_earlier() {
        let shared = Arc::new(Resumption::new(Duration::from_mins(1)));
        let made = stage(&shared, Method::Ttls, 0);
        made.put(vec![1], vec![9]);
        made.put(vec![2], vec![9]);
        made.publish(&ground(), Some(at(5).mono));
        assert!(stage(&shared, Method::Ttls, 5).get(&[1]).is_none());
        let again = stage(&shared, Method::Ttls, 4);
        assert!(again.get(&[2]).is_some());
        again.void();
        assert!(stage(&shared, Method::Ttls, 4).get(&[2]).is_none());
    }

    #[test]
    fn a_tunnel_stages_few_and_none_where_none_is_kept() {
        let shared = Arc::new(Resumption::new(Duration::from_mins(1)));
        let made = stage(&shared, Method::Ttls, 0);
        let accepted = (0..20).filter(|&key| made.put(vec![key], vec![9])).count();
        assert_eq!(accepted, MAX_STAGED);
        let none = Stage::new(None, Method::Ttls, at(0));
        assert!(!none.put(vec![1], vec![9]) && !none.can_cache());
    }
}
