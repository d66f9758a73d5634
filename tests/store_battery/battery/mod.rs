//! The battery: one function a promise, generic over the store.

pub(crate) mod bindings;
pub(crate) mod demands;
pub(crate) mod devices;
pub(crate) mod events;
pub(crate) mod groups;
pub(crate) mod lifecycle;
pub(crate) mod links;
pub(crate) mod network_passwords;
pub(crate) mod places;
pub(crate) mod policy;
pub(crate) mod provisional;
pub(crate) mod reply;
pub(crate) mod services;
pub(crate) mod sessions;
pub(crate) mod settling;
pub(crate) mod ssh_keys;
pub(crate) mod sudo;
pub(crate) mod users;
pub(crate) mod whole;
