//! radius: to come.
