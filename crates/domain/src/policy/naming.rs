//! What a typed login name may stand for (CONTRACT.md 8).
//!
//! `alice`, `EXAMPLE\alice`, `alice@example.org` and the account's mail address are one account.
//! Nothing is trimmed or repaired: a name with a space in front is no name.

use std::collections::HashSet;

use crate::login::LoginName;
use crate::name::{MailAddress, Username};
use crate::user_certificate::NamedBy;

/// The longest login name looked at, in bytes: the longest mail address with room for a realm
/// (RFC 3696 errata 1690 count 64 + 1 + 255).
pub const MAX_LOGIN_BYTES: usize = 320;

/// The realms the configuration names; compared without regard to case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Realms(HashSet<String>);

impl Realms {
    /// Takes the realms as configured.
    pub fn new<R: AsRef<str>>(realms: impl IntoIterator<Item = R>) -> Self {
        Self(
            realms
                .into_iter()
                .map(|realm| realm.as_ref().to_lowercase())
                .filter(|realm| !realm.is_empty())
                .collect(),
        )
    }

    /// Whether `realm` is one of them.
    pub fn contains(&self, realm: &str) -> bool {
        self.0.contains(&realm.to_lowercase())
    }
}

/// Interprets a login name; nothing where it cannot belong to an account.
///
/// `name@realm` may be a username of the realm and a mail address both; a lookup tries the
/// username first. An unknown `REALM\name` is no name at all, since only the realm's owner could
/// say whose it is.
pub fn interpret(typed: &str, realms: &Realms) -> Option<LoginName> {
    if typed.len() > MAX_LOGIN_BYTES {
        return None;
    }
    if let Some((realm, name)) = typed.split_once('\\') {
        if !realms.contains(realm) {
            return None;
        }
        return by_username(name);
    }
    let Some((name, realm)) = typed.rsplit_once('@') else {
        return by_username(typed);
    };
    let username = Username::parse(name)
        .ok()
        .filter(|_| realms.contains(realm))
        .map(|name| name.folded());
    let mail = MailAddress::parse(typed).ok().map(|mail| mail.folded());
    (username.is_some() || mail.is_some()).then_some(LoginName { username, mail })
}

/// Interprets the name in a user's certificate; nothing where it cannot belong to an account.
///
/// A name means one thing: a mail address is never tried as a username of a realm, nor the other
/// way round, so that no two accounts can be meant by one certificate.
pub fn certified(named_by: NamedBy, name: &str, realms: &Realms) -> Option<LoginName> {
    match named_by {
        NamedBy::Mail => MailAddress::parse(name).ok().map(|mail| LoginName {
            username: None,
            mail: Some(mail.folded()),
        }),
        NamedBy::Upn => {
            let (name, realm) = name.rsplit_once('@')?;
            if !realms.contains(realm) {
                return None;
            }
            by_username(name)
        }
        NamedBy::CommonName => by_username(name),
    }
}

fn by_username(name: &str) -> Option<LoginName> {
    Username::parse(name).ok().map(|name| LoginName {
        username: Some(name.folded()),
        mail: None,
    })
}
