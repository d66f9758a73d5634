//! The authenticator over a true store: CONTRACT.md 3 and 5, with a clock that the tests set.

#[cfg(test)]
mod announced;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod challenges;
#[cfg(test)]
#[path = "../common/challenges.rs"]
mod common_challenges;
#[cfg(test)]
mod counting;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod flood;
#[cfg(test)]
mod likeness;
#[cfg(test)]
mod origins;
#[cfg(test)]
mod reply;
#[cfg(test)]
mod services;
#[cfg(test)]
mod states;
#[cfg(test)]
mod time;
#[cfg(test)]
mod world;
