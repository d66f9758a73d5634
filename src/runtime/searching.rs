//! Threads for searches that are more than a look-up. They are fewer than the processors and go
//! back before everything else, so that no search takes from a login what it needs.

use std::thread::available_parallelism;

use tokio::runtime::{Builder, Runtime};

use doorward_ldap::Searches;

/// How much these threads give way to all others, as nice(1) has it.
const NICE: i32 = 10;

/// The threads; they end when this is dropped, whatever runs on them.
#[derive(Debug)]
pub(super) struct Searching {
    runtime: Option<Runtime>,
    searches: Searches,
}

impl Searching {
    /// Starts half as many threads as there are processors, and one at least.
    ///
    /// # Errors
    /// The system gives no threads.
    pub(super) fn start() -> std::io::Result<Self> {
        let processors = available_parallelism().map_or(1, usize::from);
        let threads = (processors / 2).max(1);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("search")
            .on_thread_start(|| {
                // The number is of the thread and not of the process on Linux; without it the
                // thread is one like any other.
                let _ = rustix::process::nice(NICE);
            })
            .enable_time()
            .build()?;
        // One works while another's records are read.
        let searches = Searches::new(runtime.handle().clone(), threads + 1);
        Ok(Self {
            runtime: Some(runtime),
            searches,
        })
    }

    /// The threads as listeners use them.
    pub(super) fn searches(&self) -> Searches {
        self.searches.clone()
    }
}

impl Drop for Searching {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // What runs there is nobody's any more; it may not be waited for where tasks run.
            runtime.shutdown_background();
        }
    }
}
