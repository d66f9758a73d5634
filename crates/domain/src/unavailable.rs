//! The store gives no answer: an error that every layer above it tells apart from a refusal.

/// The store gives no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// As much waits as may. Nothing was begun, and nothing is wrong with the store.
    #[error("the store is busy: as much waits for it as may")]
    Busy,
    /// It is broken, full, held up past its deadline, or closed.
    #[error("the store is unavailable: {0}")]
    Broken(String),
}

impl Unavailable {
    pub fn closed() -> Self {
        Self::Broken("the store is closed".to_owned())
    }
}
