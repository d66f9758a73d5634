//! What happens in a conversation, for whoever watches it. Closed it takes nothing and costs a look
//! at whether it is open.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::conversation::Failure;
use super::seen::{Record, SeenInside, Side};

/// The most notes that wait to be taken.
const MAX_NOTES: usize = 64;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A whole TLS message.
    Message {
        /// Whose.
        from: Side,
        /// How long it is.
        octets: usize,
        /// What it consists of.
        records: Vec<Record>,
    },
    /// The handshake is over.
    Established {
        /// The version, as rustls calls it.
        version: String,
        /// The cipher suite, as rustls calls it.
        cipher: String,
        /// Whether a session of before was taken up.
        resumed: bool,
    },
    /// TLS failed: what it said, and the alert that the peer sent, by its number.
    Fault {
        /// What TLS said.
        said: String,
        /// The alert.
        received: Option<u8>,
    },
    /// Something was said inside the tunnel.
    Inside {
        /// By whom.
        from: Side,
        /// What.
        said: SeenInside,
    },
    /// The conversation failed.
    Failed(Failure),
}

/// Notes of one conversation. Clones are the same journal.
#[derive(Clone, Default)]
pub struct Journal(Option<Arc<Book>>);

struct Book {
    number: u64,
    notes: Mutex<Vec<Note>>,
}

impl Journal {
    /// An open journal of the conversation with that number.
    pub fn open(number: u64) -> Self {
        Self(Some(Arc::new(Book {
            number,
            notes: Mutex::default(),
        })))
    }

    /// The conversation's number, where the journal is open.
    pub fn number(&self) -> Option<u64> {
        self.0.as_ref().map(|book| book.number)
    }

    /// Takes what was noted since the last time.
    pub fn take(&self) -> Vec<Note> {
        self.0
            .as_ref()
            .map(|book| std::mem::take(&mut *book.notes()))
            .unwrap_or_default()
    }

    pub(super) fn note(&self, make: impl FnOnce() -> Note) {
        if let Some(book) = &self.0 {
            let mut notes = book.notes();
            if notes.len() < MAX_NOTES {
                notes.push(make());
            }
        }
    }
}

impl Book {
    fn notes(&self) -> MutexGuard<'_, Vec<Note>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Journal")
            .field("number", &self.number())
            .finish_non_exhaustive()
    }
}
