//! The command line as scripts and people use it: the true binary in a folder that goes away.

mod configuration;
mod decisions;
mod files;
mod nouns;
mod world;
