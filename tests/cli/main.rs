//! The command line as scripts and people use it: the true binary in a folder that goes away.

#[cfg(test)]
mod configuration;
#[cfg(test)]
mod decisions;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod files;
#[cfg(test)]
#[path = "../common/journal.rs"]
mod journal;
#[cfg(test)]
mod network_passwords;
#[cfg(test)]
mod nouns;
#[cfg(test)]
mod planted;
#[cfg(test)]
mod reply;
#[cfg(test)]
mod ssh_keys;
#[cfg(test)]
mod sudo;
#[cfg(test)]
mod watch;
#[cfg(test)]
mod world;
