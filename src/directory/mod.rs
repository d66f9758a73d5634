//! The one service before the store for everything but attempts: users, groups, bindings, policy,
//! links, events, queries, explanations; for an actor, with that actor's rights.
//!
//! It knows no protocol and no concrete store. Front ends see it as [`Read`].

pub mod entry;
pub mod read;

pub use entry::{Group, Person, Standing};
pub use read::{GroupQuery, PersonQuery, Read, Viewer};
