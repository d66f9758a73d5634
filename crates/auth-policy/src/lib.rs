//! Dovecot's auth-policy protocol: a mail server asks before and after it compares a password, and
//! reports what came of it, each time with its client's own address.
//!
//! JSON over HTTP: `POST …?command=allow` is answered `{"status": 0}` to go on or `{"status": -1}`
//! to refuse; `POST …?command=report` tells. Reading and answering is pure; [`server`] is the only
//! IO. Whether an address has failed too often is the authenticator's to say; nothing here knows an
//! account.

mod request;
pub mod server;

pub use request::{Guess, Malformed, Question, read};

use ipnet::IpNet;
use std::net::IpAddr;
use subtle::ConstantTimeEq as _;

use doorward_domain::name::ResourceName;
use doorward_domain::secret::Secret;
use doorward_frontend_api::Leave;

/// The longest body that is read, in bytes: Dovecot's have about 200, and a login name may be long.
pub const MAX_BODY_BYTES: usize = 8192;

/// Who may ask, and about what.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What `X-API-Key` must say.
    pub key: Secret,
    /// Where mail servers ask from.
    pub sources: Vec<IpNet>,
    /// The resource they speak for.
    pub resource: ResourceName,
}

impl Settings {
    /// Whether `source` may connect.
    pub fn admits(&self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        self.sources.iter().any(|network| network.contains(&source))
    }

    /// Whether the key that was sent is the right one; compared in constant time.
    pub fn knows(&self, sent: Option<&[u8]>) -> bool {
        let key = self.key.expose();
        !key.is_empty() && sent.is_some_and(|sent| bool::from(sent.ct_eq(key)))
    }
}

/// The body of an answer.
pub const fn answer(leave: Leave) -> &'static str {
    match leave {
        Leave::Given => r#"{"status":0,"msg":""}"#,
        // Without a message: what Dovecot is told here it tells its client.
        Leave::Refused => r#"{"status":-1,"msg":""}"#,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(key: &str) -> Settings {
        Settings {
            key: Secret::new(key.as_bytes().to_vec()),
            sources: vec!["127.0.0.0/8".parse().unwrap()],
            resource: ResourceName::parse("mail").unwrap(),
        }
    }

    #[test]
    fn only_the_key_opens_and_an_empty_one_never_does() {
        let sound = settings("a long random key");
        assert!(sound.knows(Some(b"a long random key")));
        assert!(!sound.knows(Some(b"a long random kez")));
        assert!(!sound.knows(Some(b"a long random key ")));
        assert!(!sound.knows(Some(b"")));
        assert!(!sound.knows(None));
        assert!(!settings("").knows(Some(b"")));
    }

    #[test]
    fn a_mapped_source_is_the_ipv4_one() {
        let settings = settings("key");
        assert!(settings.admits("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!settings.admits("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn answers_are_the_json_that_dovecot_reads() {
        for (leave, status) in [(Leave::Given, 0), (Leave::Refused, -1)] {
            let body: serde_json::Value = serde_json::from_str(answer(leave)).unwrap();
            assert_eq!(body, serde_json::json!({ "status": status, "msg": "" }));
        }
    }
}
