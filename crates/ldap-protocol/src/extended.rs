//! The extended operations (RFC 4511 section 4.12) and their answers.

use super::result::{LdapResult, Response, ResultCode};

/// StartTLS (RFC 4511 section 4.14).
pub const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
/// WhoAmI (RFC 4532).
pub const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
/// Password Modify (RFC 3062).
pub const PASSWORD_MODIFY: &str = "1.3.6.1.4.1.4203.1.11.1";

/// What to say to whoever would write here.
pub const READ_ONLY: &str =
    "nothing but one's own password is changed over LDAP; ask an administrator";

/// An extended operation, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Protect this connection.
    StartTls,
    /// Say who the connection speaks as.
    WhoAmI,
    /// Change a password.
    PasswordModify,
    /// One that is not known.
    Unknown,
}

impl Operation {
    /// The operation of this object identifier.
    pub fn named(oid: &str) -> Self {
        match oid {
            START_TLS => Self::StartTls,
            WHO_AM_I => Self::WhoAmI,
            PASSWORD_MODIFY => Self::PasswordModify,
            _ => Self::Unknown,
        }
    }
}

/// Answers StartTLS; the response carries the operation's name (RFC 4511 section 4.14.1).
pub fn start_tls(result: impl Into<LdapResult>) -> Response {
    Response::Extended {
        result: result.into(),
        name: Some(START_TLS.to_owned()),
        value: None,
    }
}

/// Answers WhoAmI with `dn:` and the name, or with nothing where nobody is bound (RFC 4532
/// section 2). The response has no name.
pub fn who_am_i(dn: Option<String>) -> Response {
    let value = dn.map_or_else(Vec::new, |dn| format!("dn:{dn}").into_bytes());
    Response::Extended {
        result: ResultCode::Success.into(),
        name: None,
        value: Some(value),
    }
}

/// Answers any extended request with a result alone.
pub fn refuse(code: ResultCode, diagnostic: &str) -> Response {
    let result = LdapResult::with_diagnostic(code, diagnostic);
    Response::Extended {
        result,
        name: None,
        value: None,
    }
}
