//! `[mail]`: how mail leaves. Read and checked by this version, sent by a later one.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use doorward_domain::name::MailAddress;

/// The mail server that takes what Doorward has to say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// The server.
    pub smtp: SmtpUrl,
    /// Who the mail is from.
    pub from: Mailbox,
    /// The name to sign in with, where the server asks for one.
    pub username: Option<String>,
    /// The file with its password.
    pub password_file: Option<PathBuf>,
}

impl Mail {
    pub(super) fn resolve(&mut self, folder: &Path) {
        if let Some(path) = &mut self.password_file {
            *path = folder.join(&*path);
        }
    }
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// `smtp://`: STARTTLS where the server offers it (RFC 3207).
    Opportunistic,
    /// `smtps://`: TLS from the first byte (RFC 8314).
    Implicit,
}

/// `smtp://host[:port]` or `smtps://host[:port]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SmtpUrl {
    /// How the connection is protected.
    pub security: SmtpSecurity,
    /// A name or an address.
    pub host: String,
    /// 25, or 465 with TLS from the first byte, where the address names none.
    pub port: u16,
}

impl TryFrom<String> for SmtpUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // Where people put a password into the address it is not repeated.
        let refused = || {
            "this is not a mail server: write smtp://mail.example.org:25 or \
             smtps://mail.example.org, and a name to sign in with as `username` and \
             `password_file`"
                .to_owned()
        };
        let (security, rest) = match text.split_once("://").ok_or_else(refused)? {
            ("smtp", rest) => (SmtpSecurity::Opportunistic, rest),
            ("smtps", rest) => (SmtpSecurity::Implicit, rest),
            _ => return Err(refused()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let after_address = rest.rfind(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match rest.split_at_checked(after_address) {
            Some((host, tail)) if tail.contains(':') => {
                let (name, port) = tail.split_once(':').ok_or_else(refused)?;
                let port = port.parse().map_err(|_| refused())?;
                (format!("{host}{name}"), port)
            }
            _ => (
                rest.to_owned(),
                match security {
                    SmtpSecurity::Opportunistic => 25,
                    SmtpSecurity::Implicit => 465,
                },
            ),
        };
        let shaped = !host.is_empty()
            && port != 0
            && host
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || ".-_[]:".contains(c));
        if shaped {
            Ok(Self {
                security,
                host,
                port,
            })
        } else {
            Err(refused())
        }
    }
}

/// `it@example.org` or `Example IT <it@example.org>`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Mailbox {
    /// The name that is shown.
    pub name: Option<String>,
    /// The address.
    pub address: MailAddress,
}

impl TryFrom<String> for Mailbox {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (name, address) = match text.strip_suffix('>').and_then(|t| t.split_once('<')) {
            Some((name, address)) => (name.trim().trim_matches('"'), address),
            None => ("", text.as_str()),
        };
        let address = MailAddress::parse(address).map_err(|fault| fault.to_string())?;
        if name.chars().any(char::is_control) {
            return Err("the name of the sender holds a control character".to_owned());
        }
        Ok(Self {
            name: (!name.is_empty()).then(|| name.to_owned()),
            address,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_servers_are_read() {
        let read = |text: &str| SmtpUrl::try_from(text.to_owned());
        let plain = read("smtp://127.0.0.1:25").unwrap();
        assert_eq!((plain.host.as_str(), plain.port), ("127.0.0.1", 25));
        let secure = read("smtps://mail.example.org").unwrap();
        assert_eq!(
            (secure.security, secure.port),
            (SmtpSecurity::Implicit, 465)
        );
        let six = read("smtp://[::1]:2525/").unwrap();
        assert_eq!((six.host.as_str(), six.port), ("[::1]", 2525));
        assert_eq!(read("smtp://[::1]").unwrap().host, "[::1]");
        for bad in [
            "mail",
            "http://x",
            "smtp://",
            "smtp://a:b@c",
            "smtp://a:99999",
            "smtp://a b",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let leaked = read("smtp://alice:hunter2@mail").unwrap_err();
        assert!(!leaked.contains("hunter2"));
    }

    #[test]
    fn senders_are_read() {
        let read = |text: &str| Mailbox::try_from(text.to_owned());
        let named = read("Example IT <it@example.org>").unwrap();
        assert_eq!(named.name.as_deref(), Some("Example IT"));
        assert_eq!(named.address.as_str(), "it@example.org");
        assert_eq!(read("it@example.org").unwrap().name, None);
        assert!(read("Example IT").is_err());
        assert!(read("Example <it>").is_err());
    }
}
