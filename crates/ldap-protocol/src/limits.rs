//! How much one client may ask of the decoder.
//!
//! Bounds on bytes, depth and counts, checked before anything is built from a message. They say
//! nothing about connections, rates or the size of results.

/// Whether the connection has bound: strangers get the smaller allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Nobody has authenticated on this connection.
    #[default]
    Anonymous,
    /// The last bind on this connection succeeded.
    Bound,
}

/// Bounds on one `LDAPMessage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest message before a successful bind, in bytes, its header included.
    pub anonymous_message_bytes: usize,
    /// The largest message after a successful bind, in bytes, its header included.
    pub bound_message_bytes: usize,
    /// How many BER elements may stand inside one another, the message itself being the first.
    pub depth: usize,
    /// How many BER elements one message may hold in all.
    pub nodes: usize,
    /// How many filter items and operators one search may hold, substring pieces included, after
    /// a successful bind.
    pub filter_nodes: usize,
    /// The same before a successful bind: what is there for strangers needs no more.
    pub anonymous_filter_nodes: usize,
    /// How many filter operators may stand inside one another.
    pub filter_depth: usize,
    /// How many controls one message may carry.
    pub controls: usize,
    /// How many attributes one search may name.
    pub requested_attributes: usize,
}

impl Limits {
    /// The bounds that hold in a phase.
    #[must_use]
    pub const fn of(mut self, phase: Phase) -> Self {
        if matches!(phase, Phase::Anonymous) && self.anonymous_filter_nodes < self.filter_nodes {
            self.filter_nodes = self.anonymous_filter_nodes;
        }
        self
    }

    /// The largest message in a phase, in bytes.
    pub const fn message_bytes(&self, phase: Phase) -> usize {
        match phase {
            Phase::Anonymous => self.anonymous_message_bytes,
            Phase::Bound => self.bound_message_bytes,
        }
    }
}

impl Default for Limits {
    /// Room for every request that SSSD, nslcd, Dovecot and Postfix make, and little more.
    fn default() -> Self {
        Self {
            anonymous_message_bytes: 32 * 1024,
            bound_message_bytes: 256 * 1024,
            // The filter's own nesting, and what stands around it and inside its items.
            depth: 40,
            nodes: 2048,
            filter_nodes: 256,
            anonymous_filter_nodes: 8,
            filter_depth: 32,
            controls: 16,
            requested_attributes: 128,
        }
    }
}
