//! The commands and reads of each trait, every one handed to where it is to wait.

mod attempts;
mod directory;
mod events;
mod sessions;
