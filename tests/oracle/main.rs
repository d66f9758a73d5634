//! OpenLDAP's slapd 2.5 as an oracle: one tree in both servers, the same requests to both over
//! the wire, and the answers compared.
//!
//! Where the two differ, `differences.txt` names the request and a reason, and
//! `docs/slapd-differences.md` explains the reason. A difference that is not listed fails, and so
//! does a listed one that no longer happens.

#[cfg(test)]
#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "each test binary uses its own part of it")]
mod common;

#[cfg(test)]
#[path = "../rfc4511/client.rs"]
#[expect(dead_code, reason = "each test binary uses its own part of it")]
mod client;

#[cfg(test)]
mod answers;
#[cfg(test)]
mod comparing;
#[cfg(test)]
mod differences;
#[cfg(test)]
mod odd_base;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod population;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod slapd;
