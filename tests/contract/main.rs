//! The rules of CONTRACT.md as tests, one file a subject; each test is named after its section.

#[cfg(test)]
mod access;
#[cfg(test)]
mod asking;
#[cfg(test)]
mod buckets;
#[cfg(test)]
mod common;
#[cfg(test)]
mod conditions;
#[cfg(test)]
mod lockout;
#[cfg(test)]
mod naming;
#[cfg(test)]
mod passwords;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod time_spans;
