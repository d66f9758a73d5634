//! The tree's architecture, held by tests: see `tests/architecture/tree.rs`.

#[cfg(test)]
#[path = "architecture/tree.rs"]
mod tree;
