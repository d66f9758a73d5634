//! A login name as interpreted: what the store looks an account up by.

/// What a typed name may stand for (CONTRACT.md 8). The username is looked up first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct LoginName {
    /// A username, case-folded.
    pub username: Option<String>,
    /// A mail address, case-folded.
    pub mail: Option<String>,
}

impl LoginName {
    /// One form for all spellings of the name that was typed, whether or not anybody has it. Who
    /// could have spellings of one name counted apart would learn that it is nobody's.
    pub fn canonical(&self, typed: &str) -> String {
        let name = self.username.as_ref().or(self.mail.as_ref());
        name.map_or_else(|| typed.to_lowercase(), Clone::clone)
    }
}
