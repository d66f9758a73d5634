//! EAP conversations between one Access-Challenge and the next Access-Request.
//!
//! A conversation is found by the State of the last challenge: 16 random octets, good once, and
//! only from the client, for the user and for the device it was given to. Bounded over all clients,
//! for each client and for each device, so that whoever opens many pushes out their own. State
//! without socket or clock; must not know what a conversation is about.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use doorward_domain::name::ClientName;
use doorward_domain::time::Monotonic;
use doorward_eap::Conversation;
use doorward_eap::settings::Bounds;

/// Octets of a State.
const STATE_LENGTH: usize = 16;

/// What ties a challenge to the request that answers it.
pub type State = [u8; STATE_LENGTH];

/// Whom a conversation is with. A State from anybody else is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The client's entry.
    pub client: ClientName,
    /// The client's address.
    pub address: IpAddr,
    /// User-Name, as the client repeats it in every request (RFC 3579 §2.1).
    pub user_name: Vec<u8>,
    /// Calling-Station-Id.
    pub calling_station: Option<String>,
    /// Called-Station-Id, on which the resource is chosen.
    pub called_station: Option<String>,
}

/// One conversation's place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(u64);

/// Why a request with a State cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotFound {
    /// No conversation has it: it was used, it lapsed, or it was given to somebody else.
    Unknown,
    /// Another request of the same conversation is being worked on.
    Busy,
}

struct Entry {
    binding: Binding,
    /// The State of the last challenge; none before the first.
    state: Option<State>,
    /// Nothing while it is being worked on.
    held: Option<Box<Conversation>>,
    activity: u64,
    deadline: Monotonic,
}

/// Sessions by when they were last active, the longest ago first.
type ByActivity = BTreeMap<u64, SessionId>;

/// The table.
#[derive(Default)]
pub struct Sessions {
    next: u64,
    entries: HashMap<SessionId, Entry>,
    by_state: HashMap<State, SessionId>,
    by_client: HashMap<ClientName, ByActivity>,
    by_device: HashMap<(ClientName, String), ByActivity>,
    by_deadline: BTreeSet<(Monotonic, SessionId)>,
}

impl Sessions {
    /// Makes room and enters a conversation that is being worked on.
    pub fn open(&mut self, binding: Binding, bounds: &Bounds, now: Monotonic) -> SessionId {
        self.expire(now);
        if let Some(device) = device(&binding)
            && let Some(others) = self.by_device.get(&device)
            && others.len() >= bounds.sessions_per_device.max(1)
        {
            self.let_go(oldest(others));
        }
        if let Some(others) = self.by_client.get(&binding.client)
            && others.len() >= bounds.sessions_per_client.max(1)
        {
            self.let_go(oldest(others));
        }
        if self.entries.len() >= bounds.sessions.max(1) {
            // Whoever has most can spare one best: no client pushes out another that has less.
            let most = self
                .by_client
                .values()
                .max_by_key(|sessions| sessions.len());
            self.let_go(most.and_then(oldest));
        }
        let id = SessionId(self.number());
        let deadline = now.plus(bounds.lifetime);
        self.by_deadline.insert((deadline, id));
        let entry = Entry {
            binding,
            state: None,
            held: None,
            activity: 0,
            deadline,
        };
        self.entries.insert(id, entry);
        self.touch(id);
        id
    }

    /// Takes the conversation with that State out, to be worked on.
    ///
    /// # Errors
    /// There is none for that client, user and device, or it is out already.
    pub fn take(
        &mut self,
        state: &[u8],
        binding: &Binding,
        now: Monotonic,
    ) -> Result<(SessionId, Box<Conversation>), NotFound> {
        self.expire(now);
        let state = State::try_from(state).map_err(|_| NotFound::Unknown)?;
        let id = *self.by_state.get(&state).ok_or(NotFound::Unknown)?;
        let entry = self.entries.get_mut(&id).ok_or(NotFound::Unknown)?;
        if entry.binding != *binding {
            return Err(NotFound::Unknown);
        }
        let conversation = entry.held.take().ok_or(NotFound::Busy)?;
        self.touch(id);
        Ok((id, conversation))
    }

    /// Puts a conversation back that waits for the answer to a challenge with this State; the one
    /// before is void. `false` where it was let go meanwhile.
    #[must_use]
    pub fn park(&mut self, id: SessionId, conversation: Box<Conversation>, state: State) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else {
            return false;
        };
        entry.held = Some(conversation);
        if let Some(before) = entry.state.replace(state) {
            self.by_state.remove(&before);
        }
        self.by_state.insert(state, id);
        true
    }

    /// Puts a conversation back as it was: the same request may come again. One that was given no
    /// State yet cannot be found again and is let go.
    pub fn put_back(&mut self, id: SessionId, conversation: Box<Conversation>) {
        match self.entries.get_mut(&id) {
            Some(entry) if entry.state.is_some() => entry.held = Some(conversation),
            _ => self.close(id),
        }
    }

    /// Forgets a conversation.
    pub fn close(&mut self, id: SessionId) {
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        if let Some(state) = entry.state {
            self.by_state.remove(&state);
        }
        self.by_deadline.remove(&(entry.deadline, id));
        if let Some(device) = device(&entry.binding) {
            leave(&mut self.by_device, &device, entry.activity);
        }
        leave(&mut self.by_client, &entry.binding.client, entry.activity);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets what has lasted too long.
    pub fn expire(&mut self, now: Monotonic) {
        while let Some(&(deadline, id)) = self.by_deadline.first() {
            if deadline > now {
                break;
            }
            self.by_deadline.pop_first();
            self.close(id);
        }
    }

    fn let_go(&mut self, id: Option<SessionId>) {
        if let Some(id) = id {
            self.close(id);
        }
    }

    fn touch(&mut self, id: SessionId) {
        let activity = self.number();
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let before = std::mem::replace(&mut entry.activity, activity);
        let client = self
            .by_client
            .entry(entry.binding.client.clone())
            .or_default();
        client.remove(&before);
        client.insert(activity, id);
        if let Some(device) = device(&entry.binding) {
            let device = self.by_device.entry(device).or_default();
            device.remove(&before);
            device.insert(activity, id);
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Sessions")
            .field("open", &self.entries.len())
            .finish_non_exhaustive()
    }
}

fn oldest(sessions: &ByActivity) -> Option<SessionId> {
    sessions.first_key_value().map(|(_, id)| *id)
}

fn device(binding: &Binding) -> Option<(ClientName, String)> {
    let station = binding.calling_station.as_ref()?;
    Some((binding.client.clone(), station.to_ascii_lowercase()))
}

fn leave<K: std::hash::Hash + Eq>(map: &mut HashMap<K, ByActivity>, key: &K, activity: u64) {
    if let Some(sessions) = map.get_mut(key) {
        sessions.remove(&activity);
        if sessions.is_empty() {
            map.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
