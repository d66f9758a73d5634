//! What happens to one request, told to whoever watches. Nobody watching, there is no story, and
//! nothing is made to be told.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Shared;
use doorward_domain::resource::AccessContext;
use doorward_domain::session::Answered;
use doorward_domain::time::{Clock, Monotonic};
use doorward_eap::Journal;
use doorward_frontend_api::coa::{CoaAction, PendingCoa};
use doorward_frontend_api::{Attempt, DeviceAttempt, DeviceVerdict, Undecided, Verdict};
use doorward_observe::watch::{
    Detail, Line, Name, Step, Thread, Told, Topic, Watch, Words, attempt,
};
use doorward_radius_protocol::client::ClientSettings;
use doorward_radius_protocol::exchange::{Arrival, Conversing, Step as Next};
use doorward_radius_protocol::narration;
use doorward_radius_protocol::reason::{DropReason, RejectReason};
use doorward_radius_protocol::shown;
use doorward_radius_protocol::wire::Packet;

/// The story of a request; none where nobody watches.
#[derive(Clone, Default)]
pub(super) struct Story(Option<Arc<Open>>);

struct Open {
    watch: Watch,
    clock: Arc<dyn Clock>,
    thread: Thread,
    clients: Vec<String>,
    received: Monotonic,
    journal: Journal,
}

impl Story {
    /// Begins with a datagram that was read.
    pub(super) fn of(shared: &Shared, arrival: &Arrival<'_>, next: &mut Next) -> Self {
        if !shared.watch.is_on(Topic::Radius) {
            if let Next::Converse(conversing) = next {
                conversing.listen(Journal::default());
            }
            return Self::default();
        }
        let journal = match next {
            Next::Converse(conversing) => listen(&shared.watch, conversing),
            _ => Journal::default(),
        };
        let number = journal.number();
        let story = Self::open(
            shared,
            number.unwrap_or_else(|| shared.watch.number()),
            known_by(Some(arrival.client), arrival.peer),
            arrival.now.mono,
            journal,
        );
        story.arrived(arrival);
        story
    }

    /// Tells of a datagram that was dropped before it was read.
    pub(super) fn unread(
        shared: &Shared,
        client: Option<&ClientSettings>,
        (peer, local): (SocketAddr, SocketAddr),
        length: usize,
        reason: DropReason,
    ) {
        if !shared.watch.is_on(Topic::Radius) {
            return;
        }
        let story = Self::open(
            shared,
            shared.watch.number(),
            known_by(client, peer),
            shared.clock.now().mono,
            Journal::default(),
        );
        let text = format!("{length} octets from {peer} to {local}, unread");
        story.tell(Step::Request, text.into(), Vec::new(), None);
        story.dropped(reason);
    }

    /// Begins with a session about which its client is asked.
    pub(super) fn of_demand(
        shared: &Shared,
        client: &str,
        to: SocketAddr,
        pending: &PendingCoa,
    ) -> Self {
        if !shared.watch.is_on(Topic::Radius) {
            return Self::default();
        }
        let story = Self::open(
            shared,
            shared.watch.number(),
            vec![client.to_owned(), to.ip().to_string()],
            shared.clock.now().mono,
            Journal::default(),
        );
        let request = match pending.action {
            CoaAction::Disconnect => "Disconnect-Request",
            CoaAction::Change(_) => "CoA-Request",
        };
        let words = Words::of(format!("{request} for the session of "));
        let words = match (&pending.username, pending.device) {
            (Some(username), _) => words.name(Name::user(username.as_str())),
            (None, Some(device)) => words.and(format!("device {device}")),
            (None, None) => words.name(Name::user(pending.particulars.user_name.as_bytes())),
        };
        let words = words.and(format!(" to {to}: {}", pending.reason()));
        let session = doorward_observe::watch::said(pending.acct_session.as_bytes());
        let details = vec![Detail::new("Acct-Session-Id", session)];
        story.tell(Step::Disconnect, words, details, None);
        story
    }

    fn open(
        shared: &Shared,
        number: u64,
        clients: Vec<String>,
        received: Monotonic,
        journal: Journal,
    ) -> Self {
        Self(Some(Arc::new(Open {
            watch: shared.watch.clone(),
            clock: Arc::clone(&shared.clock),
            thread: Thread {
                number,
                message: None,
            },
            clients,
            received,
            journal,
        })))
    }

    fn tell(&self, step: Step, words: Words, details: Vec<Detail>, advice: Option<&'static str>) {
        if let Some(open) = &self.0 {
            open.watch.tell(Line {
                at: open.clock.now().wall,
                topic: Topic::Radius,
                thread: open.thread,
                clients: open.clients.clone(),
                step,
                words,
                details,
                advice: advice.map(Into::into),
                about: Vec::new(),
            });
        }
    }

    fn told(&self, told: Told) {
        self.tell(told.step, told.words, Vec::new(), told.advice);
    }

    fn arrived(&self, arrival: &Arrival<'_>) {
        let (peer, local) = (arrival.peer, arrival.local);
        let Ok(packet) = Packet::parse(arrival.datagram) else {
            let octets = arrival.datagram.len();
            let text = format!("{octets} octets from {peer} to {local}, no RADIUS packet");
            return self.tell(Step::Request, text.into(), Vec::new(), None);
        };
        let text = format!(
            "{} {} from {peer} to {local}, {} octets",
            packet.code().string(),
            packet.identifier(),
            packet.bytes().len()
        );
        let details = shown::details(&packet);
        self.tell(Step::Request, text.into(), details, None);
    }

    /// Tells what the conversation noted.
    pub(super) fn notes(&self) {
        if let Some(open) = &self.0 {
            for told in narration::notes(open.journal.take()) {
                self.told(told);
            }
        }
    }

    pub(super) fn dropped(&self, reason: DropReason) {
        if self.0.is_some() {
            self.told(narration::dropped(reason));
        }
    }

    pub(super) fn rejected(&self, reason: RejectReason) {
        if self.0.is_some() {
            self.told(narration::rejected(reason));
        }
    }

    pub(super) fn question(&self, asked: &Attempt) {
        if self.0.is_some() {
            self.asked(&asked.asking, attempt::question(asked));
        }
    }

    pub(super) fn question_of_device(&self, asked: &DeviceAttempt) {
        if self.0.is_some() {
            let asking = AccessContext::Radius {
                client: Arc::clone(&asked.client),
                called_station: asked.called_station.clone(),
            };
            let text = format!("asked about device {} by its address alone", asked.address);
            self.asked(&asking, text.into());
        }
    }

    fn asked(&self, asking: &AccessContext, who: Words) {
        let Some(open) = &self.0 else { return };
        let chosen = open.watch.chosen(asking);
        let place = match &chosen.resource {
            Some((name, kind)) => format!(" at {name} ({kind})"),
            None => " at no resource".to_owned(),
        };
        let because = chosen.because.into_iter();
        let details = because.map(|step| Detail::new("resource", step)).collect();
        self.tell(Step::Question, who.and(place), details, None);
    }

    pub(super) fn verdict(&self, verdict: &Result<Verdict, Undecided>) {
        if self.0.is_some() {
            self.told(attempt::verdict(verdict));
        }
    }

    pub(super) fn verdict_of_device(&self, verdict: &Result<DeviceVerdict, Undecided>) {
        if self.0.is_some() {
            self.told(attempt::verdict_of_device(verdict));
        }
    }

    /// Tells what became of a report.
    pub(super) fn recorded(&self, outcome: &Result<(), Undecided>) {
        if self.0.is_some() {
            let text = match outcome {
                Ok(()) => "the report is recorded".to_owned(),
                Err(undecided) => format!("the report cannot be recorded: {undecided}"),
            };
            self.tell(Step::Accounting, text.into(), Vec::new(), None);
        }
    }

    /// Tells of a reply by its octets.
    pub(super) fn replied(&self, bytes: &[u8]) {
        self.reply(bytes, "");
    }

    /// Tells of a reply that leaves once more.
    pub(super) fn resent(&self, bytes: &[u8]) {
        self.reply(bytes, " once more, for a request that was answered");
    }

    fn reply(&self, bytes: &[u8], again: &str) {
        let Some(open) = &self.0 else { return };
        let Ok(packet) = Packet::parse(bytes) else {
            return;
        };
        let took = open.clock.now().mono.since(open.received);
        let text = format!(
            "{} {}{again}, {} octets, after {} ms",
            packet.code().string(),
            packet.identifier(),
            bytes.len(),
            took.as_millis()
        );
        let details = shown::details(&packet);
        self.tell(Step::Reply, text.into(), details, None);
    }

    /// Tells what a client answered that was asked about a session.
    pub(super) fn demanded(&self, outcome: Answered) {
        if self.0.is_some() {
            let advice = matches!(outcome, Answered::Unanswered).then_some(
                "the client must listen on that port and admit this gateway there: compare its \
                 settings for RFC 5176 with the client's entry (disconnect)",
            );
            let text = match outcome.error_cause() {
                Some(cause) => format!("{}, Error-Cause {cause}", outcome.as_str()),
                None => outcome.as_str().to_owned(),
            };
            self.tell(Step::Disconnect, text.into(), Vec::new(), advice);
        }
    }
}

/// The journal of the conversation, opened where it was not.
fn listen(watch: &Watch, conversing: &mut Conversing) -> Journal {
    let journal = conversing.journal();
    if journal.number().is_some() {
        return journal;
    }
    let journal = Journal::open(watch.number());
    conversing.listen(journal.clone());
    journal
}

fn known_by(client: Option<&ClientSettings>, peer: SocketAddr) -> Vec<String> {
    let name = client.map(|client| client.name().to_string());
    let address = peer.ip().to_canonical().to_string();
    name.into_iter().chain([address]).collect()
}
