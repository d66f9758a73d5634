//! What attackers can do to logins: bounded attacks on a running daemon, over loopback, with the
//! latencies of those who only want to log in.
//!
//! It asserts nothing and prints a table a scenario. `CONTRIBUTING.md` says how to run it.

#[cfg(test)]
#[path = "../../tests/common/mod.rs"]
#[expect(dead_code, reason = "tests use more of it")]
mod common;
#[cfg(test)]
#[path = "../../tests/rfc4511/client.rs"]
#[expect(dead_code, reason = "tests use more of it")]
mod raw_ldap;

#[cfg(test)]
mod arguments;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod daemon;
#[cfg(test)]
mod measuring;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod victims;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod world;

/// Cargo builds benchmarks as tests.
#[cfg(test)]
fn main() -> std::process::ExitCode {
    scenarios::main()
}

#[cfg(not(test))]
fn main() {}
