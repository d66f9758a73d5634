//! A login name as interpreted: what the store looks an account up by.

/// What a typed name may stand for (CONTRACT.md 8). The username is looked up first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LoginName {
    /// A username, case-folded.
    pub username: Option<String>,
    /// A mail address, case-folded.
    pub mail: Option<String>,
}
