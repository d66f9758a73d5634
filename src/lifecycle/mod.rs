//! lifecycle: to come.
