//! The gateway as clients meet it: Debian's own programs against the demo, and storms of guesses
//! against a daemon of its own.

#[cfg(test)]
#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "each test binary uses its own part of it")]
mod common;

#[cfg(test)]
mod accounting;
#[cfg(test)]
mod applications;
#[cfg(test)]
mod asking;
#[cfg(test)]
mod challenges;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod disconnect;
#[cfg(test)]
mod eapol;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod flooded;
#[cfg(test)]
mod floods;
#[cfg(test)]
mod host_entries;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod libraries;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod network;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod passwords;
#[cfg(test)]
mod radsec;
#[cfg(test)]
#[path = "../rfc4511/client.rs"]
#[expect(dead_code, reason = "the tests of tests/rfc4511 use more of it")]
mod raw_ldap;
#[cfg(test)]
mod reply;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod running;
#[cfg(test)]
mod search_floods;
#[cfg(test)]
mod storms;
#[cfg(test)]
mod watch;
