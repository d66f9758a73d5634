//! hashing: to come.
