//! The authenticator over a true store: CONTRACT.md 3 and 5, with a clock that the tests set.

mod counting;
mod states;
mod world;
