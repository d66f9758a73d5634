//! The directory over a true store: who may read what, with which marks, and what changes refuse.

#[cfg(test)]
mod changes;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod explaining;
#[cfg(test)]
mod online;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod ssh_keys;
#[cfg(test)]
mod sudo;
#[cfg(test)]
mod world;
