//! Room for open files: every connection takes a descriptor.

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

use crate::config::Config;
use doorward_auth_policy as auth_policy;
use doorward_ldap as ldap;

use super::status;

/// Descriptors for everything but connections of LDAP, RADIUS, auth-policy and the status page:
/// listeners, the store and its readers, RADIUS over UDP, the runtime.
const OTHERS: usize = 128;

/// Raises the soft limit of open files to the hard one where so many connections need it, and
/// says so in the log where that is not enough. Without room connections wait to be accepted,
/// and the store may fail to open a file.
pub(super) fn make_room(config: &Config) {
    let connections = config.ldap.limits.max_connections;
    let radsec = config.radius_tls().map_or(0, |tls| tls.max_connections);
    let beside = if radsec == 0 {
        String::new()
    } else {
        format!(" with radius.tls.max_connections = {radsec}")
    };
    let wanted = rlim_t::try_from(needed(config)).unwrap_or(rlim_t::MAX);
    let room = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft >= wanted {
            return Ok(soft);
        }
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| hard)
    });
    match room {
        Ok(room) if room >= wanted => {}
        Ok(room) => tracing::warn!(
            "ldap.max_connections = {connections}{beside} needs {wanted} open files and the system \
             allows {room}: lower it, or raise LimitNOFILE= of the service (ulimit -Hn)"
        ),
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be read or raised"),
    }
}

/// How many descriptors may be open at once.
fn needed(config: &Config) -> usize {
    // Who connects there is known only after a while, and counted by the gate from then on.
    let late = config.ldap.listeners.iter();
    let late = late.filter(|listener| listener.is_unix() || !listener.proxy_protocol.is_empty());
    let leaving = ldap::MAX_LEAVING;
    let outside = late
        .count()
        .saturating_mul(ldap::MAX_OUTSIDE.saturating_add(leaving));
    let auth_policy = match &config.auth_policy {
        Some(_) => auth_policy::server::MAX_CONNECTIONS,
        None => 0,
    };
    let status = match &config.metrics {
        Some(_) => status::MAX_CONNECTIONS,
        None => 0,
    };
    let radsec = config.radius_tls().map_or(0, |tls| tls.max_connections);
    [
        config.ldap.limits.max_connections,
        // Who gave its place up is counted until it is gone.
        leaving,
        outside,
        auth_policy,
        status,
        radsec,
    ]
    .into_iter()
    .fold(OTHERS, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_can_be_open_beside_the_gate_is_counted() {
        let text = |listener: &str, more: &str| {
            format!(
                "[directory]\nbase_dn = \"dc=example,dc=org\"\n[ldap]\nmax_connections = 1000\n\
                 [[ldap.listener]]\nname = \"hosts\"\n{listener}\n\
                 [[resource]]\nname = \"mail\"\nkind = \"email\"\nmatch = {{ listener = \"hosts\" }}\n\
                 {more}"
            )
        };
        let auth_policy = "[auth_policy]\nresource = \"mail\"\napi_key_file = \"key\"\n\
                           [throttle]\nrelays = \"127.0.0.1\"\n";
        let address = "plaintext_bind = \"allow\"\naddress = \"127.0.0.1:3389\"";
        let radsec = "[radius]\nradsec = \"127.0.0.1:2083\"\n[radius.tls]\ncertificate = \"a\"\n\
                      private_key = \"b\"\nclient_ca = \"c\"\nmax_connections = 100\n";
        let unix = "address = \"unix:/run/doorward/ldapi\"";
        let proxied = format!("{address}\nproxy_protocol = \"127.0.0.2\"");
        for (listener, more, beside) in [
            (address, "", 0),
            (unix, "", 576),
            (proxied.as_str(), "", 576),
            (address, auth_policy, 512),
            (address, radsec, 100),
            (
                address,
                "[metrics]
",
                128,
            ),
            (unix, auth_policy, 1088),
        ] {
            let text = text(listener, more);
            let config = Config::parse(Path::new("doorward.toml"), &text)
                .unwrap_or_else(|errors| panic!("{errors}: {text}"));
            assert_eq!(needed(&config), 1192 + beside, "{listener} {more}");
        }
    }
}
