//! Doorward: one authentication gateway for LDAP, RADIUS and the web, with one decision in it.
//!
//! Front ends turn bytes into an attempt, the authenticator turns the attempt into a verdict,
//! front ends turn the verdict into bytes. Who may import whom is held by
//! `tests/architecture.rs`:
//!
//! | module | what it is | may import |
//! |---|---|---|
//! | [`domain`] | the words: account facts, conditions, resources, times, secrets | nothing of ours |
//! | [`policy`] | pure rules over those words | `domain` |
//! | [`hashing`] | password hashes and the pool that computes them | `domain` |
//! | [`network_password`] | network passwords, sealed, and the challenges they answer | `domain` |
//! | [`store`] | traits and records; `sqlite` implements them | `domain` |
//! | [`authenticator`] | attempt to verdict, the one place that says yes | `domain`, `policy`, `hashing`, `network_password`, `store` |
//! | [`directory`] | everything else before the store | those, and the authenticator's verdict types |
//! | [`lifecycle`] | what time alone causes | `domain`, `policy`, `store` |
//! | [`eap`] | EAP's conversation, pure, over rustls | `domain`, `authenticator` |
//! | [`ldap`], [`radius`] | protocol front ends | `domain`, `authenticator`, `directory`, `watch`; `radius` also `eap`; never each other |
//! | [`auth_policy`] | what mail servers ask about their clients | `domain`, `authenticator` |
//! | [`watch`] | what happens now, for operators who watch | `domain`, `authenticator` |
//! | [`audit`], [`metrics`] | subscribers of what happened | `domain`, `store` |
//! | [`config`] | the configuration file | `domain` |
//! | [`runtime`], [`cli`] | listeners, clocks, commands: the only places that name a concrete store | everything |

pub mod audit;
pub mod auth_policy;
pub mod authenticator;
pub mod cli;
pub mod config;
pub mod directory;
pub mod domain;
pub mod eap;
pub mod files;
pub mod hashing;
pub mod http;
pub mod ldap;
pub mod leftovers;
pub mod lifecycle;
pub mod metrics;
pub mod network_password;
pub mod policy;
pub mod radius;
pub mod runtime;
pub mod store;
pub mod watch;
