//! directory: to come.
