//! What the daemon's process uses, as the kernel says.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock;

/// Seconds of processor time the process has used, all threads together.
pub(crate) fn processor_seconds(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The command's name may hold spaces; behind it the fields are plain.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u32 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u32>().ok())
        .sum();
    // USER_HZ is 100 wherever Linux runs.
    f64::from(ticks) / 100.0
}

/// Its resident memory, in mebibytes.
pub(crate) fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok())
        .unwrap_or_default()
        / 1024
}

/// Its open files.
pub(crate) fn descriptors(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count)
}

/// The load average of the last minute.
pub(crate) fn load_average() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

/// Sends it a signal.
pub(crate) fn signal(process: u32, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &process.to_string()])
        .status();
    if !sent.is_ok_and(|status| status.success()) {
        println!("kill {signal} {process} failed");
    }
}

/// Looks at the daemon's memory all the while, and kills it where it grows past a limit.
pub(crate) struct Watched {
    state: Arc<State>,
    watcher: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    over: AtomicBool,
    most: AtomicU64,
    descriptors: AtomicU64,
    killed: AtomicBool,
}

/// The most that was seen.
pub(crate) struct Seen {
    pub(crate) mebibytes: u64,
    pub(crate) descriptors: u64,
    pub(crate) killed: bool,
}

impl Watched {
    pub(crate) fn begin(process: u32, limit: u64) -> Self {
        let state = Arc::<State>::default();
        let of_watcher = Arc::clone(&state);
        let watcher = std::thread::spawn(move || {
            while !of_watcher.over.load(Ordering::Relaxed) {
                let resident = resident(process);
                of_watcher.most.fetch_max(resident, Ordering::Relaxed);
                let open = descriptors(process).try_into().unwrap_or_default();
                of_watcher.descriptors.fetch_max(open, Ordering::Relaxed);
                if resident > limit {
                    of_watcher.killed.store(true, Ordering::Relaxed);
                    signal(process, "-KILL");
                    return;
                }
                clock::pause(Duration::from_millis(100));
            }
        });
        Self { state, watcher }
    }

    pub(crate) fn end(self) -> Seen {
        self.state.over.store(true, Ordering::Relaxed);
        self.watcher.join().unwrap();
        Seen {
            mebibytes: self.state.most.load(Ordering::Relaxed),
            descriptors: self.state.descriptors.load(Ordering::Relaxed),
            killed: self.state.killed.load(Ordering::Relaxed),
        }
    }
}
