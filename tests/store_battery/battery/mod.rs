//! The battery: one function a promise, generic over the store.

pub mod bindings;
pub mod events;
pub mod groups;
pub mod lifecycle;
pub mod links;
pub mod places;
pub mod policy;
pub mod provisional;
pub mod services;
pub mod settling;
pub mod users;
pub mod whole;
