//! Those who only want to log in: ten times a second each, whatever becomes of the last time.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::{Pace, milliseconds, now, pause_until};
use crate::wire::{
    Connection, Login, RIGHT, exchange, find_user, login, radius_login, random, service_dn,
    status_server,
};
use crate::world::World;

/// How often each of them comes, a second.
const PER_SECOND: f64 = 10.0;
/// What a VPN gateway reports of the victim.
pub(crate) const STATION: &str = "203.0.113.7";

/// The users that log in, and the service account that looks them up.
pub(crate) const HOSTS_USER: &str = "victim";
pub(crate) const VPN_USER: &str = "roamer";
pub(crate) const MAIL_USER: &str = "reader";
pub(crate) const SERVICE: &str = "lookup";

/// Where they come from.
pub(crate) const HOSTS_FROM: Ipv4Addr = Ipv4Addr::new(127, 9, 1, 1);
pub(crate) const MAIL_FROM: Ipv4Addr = Ipv4Addr::new(127, 9, 1, 2);
pub(crate) const SERVICE_FROM: Ipv4Addr = Ipv4Addr::new(127, 9, 1, 3);
/// The VPN gateway.
pub(crate) const NAS: Ipv4Addr = Ipv4Addr::new(127, 9, 0, 2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Hosts,
    Mail,
    Vpn,
    Status,
    Search,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Hosts,
        Self::Vpn,
        Self::Mail,
        Self::Status,
        Self::Search,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Hosts => "login hosts (LDAP)",
            Self::Mail => "login mail (LDAP)",
            Self::Vpn => "login vpn (RADIUS)",
            Self::Status => "Status-Server",
            Self::Search => "service search",
        }
    }
}

/// What is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    Warming = 0,
    Idle = 1,
    Attacked = 2,
    After = 3,
}

struct Sample {
    phase: u8,
    kind: Kind,
    /// How long a right answer took; nothing where none came.
    took: Option<Duration>,
}

struct Shared {
    hosts: SocketAddr,
    mail: SocketAddr,
    radius: SocketAddr,
    phase: AtomicU8,
    over: AtomicBool,
    samples: Mutex<Vec<Sample>>,
    /// Bound connections of the service account that are at rest.
    rested: Mutex<Vec<Connection>>,
}

/// All of them.
pub(crate) struct Victims {
    shared: Arc<Shared>,
    tickers: Vec<JoinHandle<()>>,
}

impl Victims {
    pub(crate) fn begin(world: &World) -> Self {
        let shared = Arc::new(Shared {
            hosts: world.gateway.hosts,
            mail: world.gateway.mail,
            radius: world.gateway.radius,
            phase: AtomicU8::new(Phase::Warming as u8),
            over: AtomicBool::new(false),
            samples: Mutex::default(),
            rested: Mutex::default(),
        });
        let tickers = Kind::ALL
            .map(|kind| {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || tick(&shared, kind))
            })
            .into();
        Self { shared, tickers }
    }

    /// What begins from now on belongs to that phase.
    pub(crate) fn enter(&self, phase: Phase) {
        self.shared.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Stops them and waits for those under way.
    pub(crate) fn end(self) -> Tally {
        self.shared.over.store(true, Ordering::Relaxed);
        for ticker in self.tickers {
            ticker.join().unwrap();
        }
        let samples = std::mem::take(&mut *self.shared.samples.lock().unwrap());
        Tally { samples }
    }
}

fn tick(shared: &Arc<Shared>, kind: Kind) {
    let mut pace = Pace::new(PER_SECOND);
    let mut under_way = Vec::new();
    while !shared.over.load(Ordering::Relaxed) {
        pause_until(pace.next());
        let phase = shared.phase.load(Ordering::Relaxed);
        let of_one = Arc::clone(shared);
        let begun = now();
        let one = std::thread::Builder::new()
            .stack_size(256 * 1024)
            .spawn(move || {
                let right = attempt(&of_one, kind);
                let took = right.then(|| begun.elapsed());
                let sample = Sample { phase, kind, took };
                of_one.samples.lock().unwrap().push(sample);
            });
        under_way.push(one.unwrap());
        under_way.retain(|one| !one.is_finished());
    }
    for one in under_way {
        one.join().unwrap();
    }
}

fn attempt(shared: &Shared, kind: Kind) -> bool {
    match kind {
        Kind::Hosts => login(HOSTS_FROM, shared.hosts, HOSTS_USER, RIGHT),
        Kind::Mail => login(MAIL_FROM, shared.mail, MAIL_USER, RIGHT),
        Kind::Vpn => {
            let login = Login {
                user: VPN_USER,
                password: RIGHT,
                station: Some(STATION),
            };
            radius_login(NAS, shared.radius, &login) == Some(2)
        }
        Kind::Status => {
            let authenticator: [u8; 16] = random();
            let request = status_server(authenticator[0], authenticator);
            exchange(NAS, shared.radius, &request) == Some(2)
        }
        Kind::Search => search(shared).unwrap_or_default(),
    }
}

/// Over a connection that is bound and at rest, as connection pools do.
fn search(shared: &Shared) -> Option<bool> {
    let rested = shared.rested.lock().unwrap().pop();
    let mut connection = if let Some(connection) = rested {
        connection
    } else {
        let mut connection = Connection::open(SERVICE_FROM, shared.hosts)?;
        (connection.bind(&service_dn(SERVICE), RIGHT)? == 0).then_some(connection)?
    };
    let found = connection.ask(&find_user(HOSTS_USER))?;
    shared.rested.lock().unwrap().push(connection);
    Some(found == (0, 1))
}

/// What became of them.
pub(crate) struct Tally {
    samples: Vec<Sample>,
}

impl Tally {
    /// The table's lines for one phase.
    pub(crate) fn lines(&self, phase: Phase, name: &str) -> String {
        let mut lines = String::new();
        for kind in Kind::ALL {
            let mut sent = 0;
            let mut took: Vec<Duration> = Vec::new();
            for sample in &self.samples {
                if sample.kind == kind && sample.phase == phase as u8 {
                    sent += 1;
                    took.extend(sample.took);
                }
            }
            took.sort_unstable();
            writeln!(
                lines,
                "{name:<9} {:<19} {sent:>5} {:>6} {:>9} {:>9} {:>9}",
                kind.name(),
                took.len(),
                shown(&took, sent, 50),
                shown(&took, sent, 99),
                shown(&took, sent, 100),
            )
            .unwrap();
        }
        lines
    }
}

/// The time within which so many of a hundred were answered right; "-" where they were not.
fn shown(took: &[Duration], sent: usize, of_hundred: usize) -> String {
    let place = (sent * of_hundred).div_ceil(100).saturating_sub(1);
    took.get(place).map_or_else(
        || "-".to_owned(),
        |time| format!("{:.1}", milliseconds(*time)),
    )
}
