//! The words every other module speaks: names, facts, conditions, resources, times, secrets.
//!
//! No input or output, no clock, no protocol, no tokio.

pub mod secret;
