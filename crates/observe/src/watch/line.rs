//! One line: words in which names are still names, and details under them.

use std::borrow::Cow;
use std::fmt;

use super::{Step, Thread, Topic};
use doorward_domain::time::Timestamp;

/// The longest piece of anything a stranger said that is shown, in characters.
const LONGEST: usize = 512;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// Over what.
    pub topic: Topic,
    /// What it belongs to.
    pub thread: Thread,
    /// By which the client is known: the name of its entry, its address, a resource, a service
    /// account. The first is shown.
    pub clients: Vec<String>,
    /// What kind of thing it is.
    pub step: Step,
    /// What happened.
    pub words: Words,
    /// What it consists of, such as attributes.
    pub details: Vec<Detail>,
    /// What can be done about it.
    pub advice: Option<Cow<'static, str>>,
    /// Whom it is about besides the names that it shows.
    pub about: Vec<Name>,
}

impl Line {
    /// Every name in it, shown or not.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        let details = self.details.iter().map(|detail| &detail.value);
        std::iter::once(&self.words)
            .chain(details)
            .flat_map(Words::names)
            .chain(&self.about)
    }

    /// About how much memory it takes, in octets.
    pub fn size(&self) -> usize {
        let details = self.details.iter().map(|detail| detail.value.size() + 64);
        let clients = self.clients.iter().map(|client| client.len() + 32);
        let about = self.about.iter().map(|name| name.typed.len() + 32);
        256 + self.words.size() + details.chain(clients).chain(about).sum::<usize>()
    }
}

/// A part of a line, under a name of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// What it is, such as the name of an attribute.
    pub name: Cow<'static, str>,
    /// Its value.
    pub value: Words,
}

impl Detail {
    /// A value under a name.
    pub fn new(name: impl Into<Cow<'static, str>>, value: impl Into<Words>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

/// Whose name it is meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// A user's.
    User,
    /// A service account's.
    Service,
    /// A user's or a group's.
    Entry,
}

/// What somebody typed for a name. It is shown only where an account has it: it may be a password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name {
    /// Whose it is meant to be.
    pub who: Who,
    /// As it was typed.
    pub typed: String,
}

impl Name {
    /// A name from the wire, which a user is meant to have.
    pub fn user(typed: impl AsRef<[u8]>) -> Self {
        Self::new(Who::User, typed.as_ref())
    }

    /// A name from the wire, which a service account is meant to have.
    pub fn service(typed: impl AsRef<[u8]>) -> Self {
        Self::new(Who::Service, typed.as_ref())
    }

    /// Something from the wire that is compared with names of users and groups.
    pub fn entry(typed: impl AsRef<[u8]>) -> Self {
        Self::new(Who::Entry, typed.as_ref())
    }

    fn new(who: Who, typed: &[u8]) -> Self {
        let typed = String::from_utf8_lossy(typed);
        Self {
            who,
            typed: typed.chars().take(LONGEST).collect(),
        }
    }
}

impl fmt::Debug for Name {
    /// Shows no name.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Name")
            .field("who", &self.who)
            .finish_non_exhaustive()
    }
}

/// A piece of a sentence: text that may be shown, or a name, which may not be one.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Cow<'static, str>),
    Name(Name),
}

/// A sentence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words(Vec<Piece>);

impl Words {
    /// A sentence that begins with this.
    pub fn of(text: impl Into<Cow<'static, str>>) -> Self {
        Self::default().and(text)
    }

    /// What is there and not shown.
    pub fn hidden(octets: usize) -> Self {
        Self::of(format!("hidden, {octets} octets"))
    }

    /// The same, going on with this.
    #[must_use]
    pub fn and(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.0.push(Piece::Text(text.into()));
        self
    }

    /// The same, going on with a name.
    #[must_use]
    pub fn name(mut self, name: Name) -> Self {
        self.0.push(Piece::Name(name));
        self
    }

    /// The same, going on with other words.
    #[must_use]
    pub fn then(mut self, words: Self) -> Self {
        self.0.extend(words.0);
        self
    }

    /// The sentence as text, with each name as `name` writes it.
    pub fn written(&self, name: impl Fn(&Name) -> String) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Name(typed) => text.push_str(&name(typed)),
            }
        }
        text
    }

    /// Its names.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Name(name) => Some(name),
            Piece::Text(_) => None,
        })
    }

    fn size(&self) -> usize {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Name(name) => name.typed.len(),
        };
        self.0.iter().map(|one| piece(one) + 32).sum()
    }
}

impl From<Name> for Words {
    fn from(name: Name) -> Self {
        Self::default().name(name)
    }
}

impl From<String> for Words {
    fn from(text: String) -> Self {
        Self::of(text)
    }
}

impl From<&'static str> for Words {
    fn from(text: &'static str) -> Self {
        Self::of(text)
    }
}

/// What a stranger said, in quotation marks: cut where it is too long, and without what a terminal
/// would obey.
pub fn said(octets: impl AsRef<[u8]>) -> String {
    let text = String::from_utf8_lossy(octets.as_ref());
    let mut shown = String::from("'");
    shown.extend(
        text.chars()
            .take(LONGEST)
            .map(|c| if c.is_control() { '\u{fffd}' } else { c }),
    );
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown.push('\'');
    shown
}
