//! Settings and requests for tests.

use doorward_domain::name::ListenerName;

use crate::decode::{Deref, Scope, Search, UnparsedDn};
use crate::dn::DistinguishedName;
use crate::settings::{PlaintextBind, Settings, TlsMode};
use crate::tree::Tree;

pub(crate) fn settings() -> Settings {
    let base = DistinguishedName::parse("dc=example,dc=org").unwrap();
    let listener = ListenerName::parse("hosts").unwrap();
    let mut settings = Settings::new(listener, TlsMode::StartTls, Tree::new(base, "Example"));
    settings.plaintext_bind = PlaintextBind::Loopback;
    settings
}

/// A search request.
pub(crate) fn search(base: &str, scope: Scope, filter: &str, attributes: &[&str]) -> Search {
    Search {
        base: UnparsedDn::new(base.as_bytes().to_vec()),
        scope,
        deref: Deref::Never,
        size_limit: None,
        time_limit: None,
        types_only: false,
        filter: filter.parse().unwrap(),
        attributes: attributes.iter().map(ToString::to_string).collect(),
    }
}
