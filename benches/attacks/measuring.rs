//! Victims alone, then under attack: the table of one scenario.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::clock::{now, pause};
use crate::daemon::{self, Watched};
use crate::victims::{Phase, Victims};
use crate::world::World;

/// An attack under way.
pub(crate) struct Attack {
    until: Instant,
    ended: AtomicBool,
    sent: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
}

impl Attack {
    pub(crate) fn lasting(time: Duration) -> Arc<Self> {
        Arc::new(Self {
            until: now() + time,
            ended: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        })
    }

    pub(crate) fn goes_on(&self) -> bool {
        now() < self.until && !self.ended.load(Ordering::Relaxed)
    }

    /// Ends it before its time.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    pub(crate) fn left(&self) -> Duration {
        self.until.saturating_duration_since(now())
    }

    /// Counts a request that was sent.
    pub(crate) fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an answer.
    pub(crate) fn answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what was turned away: a connection closed, a request told busy.
    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn answers(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

/// How long the victims log in before anything is measured, so that what is remembered is.
const WARMING: Duration = Duration::from_millis(1500);

/// Lets the victims log in alone and then under the attack, and prints both. What is started by
/// `attack` ends by itself when the attack is over.
pub(crate) fn measure(
    title: &str,
    world: &World,
    arguments: &Arguments,
    attack: impl FnOnce(Arc<Attack>) + Send + 'static,
) {
    let process = world.process();
    let victims = Victims::begin(world);
    pause(WARMING);
    victims.enter(Phase::Idle);
    pause(arguments.idle);
    let load = daemon::load_average();
    let watched = Watched::begin(process, arguments.memory_limit);
    let before = daemon::processor_seconds(process);
    let begun = now();
    victims.enter(Phase::Attacked);
    let under_way = Attack::lasting(arguments.attack);
    let of_thread = Arc::clone(&under_way);
    let attackers = std::thread::spawn(move || attack(of_thread));
    pause(arguments.attack);
    victims.enter(Phase::After);
    let used = daemon::processor_seconds(process) - before;
    let lasted = begun.elapsed();
    let seen = watched.end();
    if attackers.join().is_err() {
        println!("an attacker failed");
    }
    let tally = victims.end();
    println!(
        "\n## {title}\n{} s; load average before {load}",
        arguments.attack.as_secs()
    );
    println!(
        "{:<9} {:<19} {:>5} {:>6} {:>9} {:>9} {:>9}",
        "", "", "sent", "right", "p50 ms", "p99 ms", "max ms"
    );
    print!("{}", tally.lines(Phase::Idle, "idle"));
    print!("{}", tally.lines(Phase::Attacked, "attacked"));
    let a_second = |count: &AtomicU64| {
        let count = u32::try_from(count.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        f64::from(count) / lasted.as_secs_f64()
    };
    println!(
        "attacker: {:.1} sent/s, {:.1} answered/s, {:.1} turned away/s",
        a_second(&under_way.sent),
        a_second(&under_way.answered),
        a_second(&under_way.refused)
    );
    println!(
        "daemon: {used:.1} s of processor, {} MiB at most, {} descriptors at most{}",
        seen.mebibytes,
        seen.descriptors,
        if seen.killed {
            ": KILLED at the limit of memory"
        } else {
            ""
        }
    );
}
