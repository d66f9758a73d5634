//! Whom a command gives something to: a user or a group.

use doorward_directory::Grantee;

/// One of the two.
#[derive(Debug, clap::Args)]
pub(super) struct GranteeArgs {
    /// A user.
    #[arg(
        long,
        value_name = "USER",
        required_unless_present = "group",
        conflicts_with = "group"
    )]
    user: Option<String>,
    /// A group, its nested groups included.
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
}

impl GranteeArgs {
    /// The one that was named.
    pub(super) fn grantee(&self) -> Grantee {
        match (&self.user, &self.group) {
            (None, Some(group)) => Grantee::Group(group.clone()),
            // One of the two is there: clap refuses anything else.
            (user, _) => Grantee::User(user.clone().unwrap_or_default()),
        }
    }
}
