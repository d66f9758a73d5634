//! authenticator: to come.
