//! What goes over the socket, a JSON object a line: an order from who watches, then messages.

use serde::{Deserialize, Serialize};

use doorward_observe::watch::{Line, Name};

/// What somebody wants to watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// `radius` or `ldap`.
    pub topic: String,
    /// What this user does.
    pub user: Option<String>,
    /// What comes through this client.
    pub client: Option<String>,
    /// Whether names are shown that no account has.
    pub show_unknown_names: bool,
}

/// What the daemon says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// From here on it tells.
    Watching,
    /// It will not, and why.
    Refused(String),
    /// Something happened.
    Line(Shown),
    /// So many lines were not taken in time.
    Lost(u64),
}

/// Something that happened, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// When: RFC 3339 in UTC.
    pub at: String,
    /// `radius` or `ldap`.
    pub protocol: String,
    /// What it belongs to: the number of a login or connection, and of the message on it.
    pub conversation: String,
    /// The client.
    pub client: String,
    /// What kind of thing it is.
    pub step: String,
    /// What happened.
    pub text: String,
    /// What it consists of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<ShownDetail>,
    /// What can be done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// A part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownDetail {
    /// What it is.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl Shown {
    /// A line with its names as `name` shows them.
    pub fn of(line: &Line, name: impl Fn(&Name) -> String) -> Self {
        Self {
            at: line.at.rfc3339(),
            protocol: line.topic.as_str().to_owned(),
            conversation: line.thread.to_string(),
            client: line.clients.first().cloned().unwrap_or_default(),
            step: line.step.as_str().to_owned(),
            text: line.words.written(&name),
            details: line
                .details
                .iter()
                .map(|detail| ShownDetail {
                    name: detail.name.to_string(),
                    value: detail.value.written(&name),
                })
                .collect(),
            advice: line.advice.as_ref().map(ToString::to_string),
        }
    }
}
