//! audit: to come.
