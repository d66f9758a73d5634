//! Pure rules over the words of [`crate`] (CONTRACT.md 1 to 4, 6, 8, 10).
//!
//! Every function here is a function of its arguments: no clock, no input or output, no store.
//! Whoever calls brings the facts, the settings and the time.

pub mod access;
pub mod asking;
pub mod buckets;
pub mod conditions;
pub mod lockout;
pub mod naming;
pub mod origins;
pub mod password;
pub mod reply;
pub mod settings;
pub mod time_spans;
