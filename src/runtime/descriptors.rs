//! Room for open files: every connection takes a descriptor.

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

/// Descriptors for everything but LDAP connections: listeners, the store and its readers, RADIUS,
/// the status page, the runtime.
const OTHERS: usize = 128;

/// Raises the soft limit of open files to the hard one where so many connections need it, and
/// says so in the log where that is not enough. Without room connections wait to be accepted,
/// and the store may fail to open a file.
pub(super) fn make_room(connections: usize) {
    let wanted = rlim_t::try_from(connections.saturating_add(OTHERS)).unwrap_or(rlim_t::MAX);
    let room = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft >= wanted {
            return Ok(soft);
        }
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| hard)
    });
    match room {
        Ok(room) if room >= wanted => {}
        Ok(room) => tracing::warn!(
            "ldap.max_connections = {connections} needs {wanted} open files and the system \
             allows {room}: lower it, or raise LimitNOFILE= of the service (ulimit -Hn)"
        ),
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be read or raised"),
    }
}
