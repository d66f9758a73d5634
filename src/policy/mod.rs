//! policy: to come.
