//! `doorward reply`: what RADIUS clients are told about users they let in.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;

use crate::runtime::dictionaries;
use doorward_directory::{ReplyFate, ReplyGrantView, ReplyMappingView, ReplyOfUser};
use doorward_domain::name::{ResourceName, Username};
use doorward_domain::reply::{ReplyAttribute, ReplyAttributes};
use doorward_radius_protocol::attributes::{AtTimeout, Encoded, ROOM, fit};

use super::context::{Context, Opened};
use super::failure::{self, Failure};
use super::grantee::GranteeArgs;
use super::output::warn;
use super::table::Table;

/// What to do with reply attributes.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Set attributes of a user or a group, each in the place of all of its name there.
    ///
    /// The VLAN, the timeout, the filter and the class have names of their own (vlan=20); any other
    /// goes by its name in a dictionary.
    Set {
        #[command(flatten)]
        of: Of,
        /// Of two groups that a user is in, the one with the higher number holds; 0 unless set.
        #[arg(
            long,
            value_name = "NUMBER",
            conflicts_with = "user",
            allow_negative_numbers = true
        )]
        priority: Option<i32>,
        /// The attributes, such as vlan=20 or Cisco-AVPair=shell:priv-lvl=15.
        #[arg(value_name = "NAME=VALUE", required_unless_present = "priority")]
        attributes: Vec<String>,
    },
    /// Remove attributes of a user or a group.
    Unset {
        #[command(flatten)]
        of: Of,
        /// All of them.
        #[arg(long, conflicts_with = "names")]
        all: bool,
        /// Their names.
        #[arg(value_name = "NAME", required_unless_present = "all")]
        names: Vec<String>,
    },
    /// List what is mapped to users and groups.
    List,
    /// Show what an Access-Accept for a user at a resource would carry, and where it comes from.
    Show {
        /// The user.
        #[arg(long, value_name = "USER")]
        user: String,
        /// The resource.
        #[arg(long, value_name = "RESOURCE")]
        resource: String,
    },
}

/// Whose attributes, and where.
#[derive(Debug, clap::Args)]
pub(super) struct Of {
    #[command(flatten)]
    whom: GranteeArgs,
    /// At this resource; at every one unless given.
    #[arg(long, value_name = "RESOURCE")]
    resource: Option<String>,
}

/// Runs the command.
pub(super) fn run(verb: Verb, context: &Context) -> anyhow::Result<ExitCode> {
    let output = context.output;
    let opened = context.open()?;
    let directory = &opened.directory;
    match verb {
        Verb::Set {
            of,
            priority,
            attributes,
        } => {
            let attributes = parsed(&attributes, &opened)?;
            let (by, whom) = (opened.by(), of.whom.grantee());
            let resource = of.resource.as_deref();
            let done = directory.set_reply(&by, &whom, resource, attributes, priority);
            let done = opened.wait(done)?;
            warn(&done.warnings);
            warn(too_long(&done.value.stored).as_slice());
            output.value(&done.value, |mapping| format!("set {}", said(mapping)))?;
        }
        Verb::Unset { of, names, .. } => {
            let (by, whom) = (opened.by(), of.whom.grantee());
            let left = directory.unset_reply(&by, &whom, of.resource.as_deref(), names);
            let left = opened.wait(left)?;
            output.value(&left, |mapping| format!("left {}", said(mapping)))?;
        }
        Verb::List => {
            let mappings = opened.wait(directory.list_reply())?;
            let headings = ["OF", "PRIORITY", "RESOURCE", "ATTRIBUTES"];
            output.list(&mappings, &headings, |mapping| {
                vec![
                    whose(mapping),
                    or_dash(mapping.priority),
                    resource(mapping.resource.as_ref()),
                    attributes(mapping),
                ]
            })?;
        }
        Verb::Show {
            user,
            resource: asked,
        } => {
            let reply = opened.wait(directory.reply_of(&user, &asked))?;
            output.value(&Shown::new(reply), Shown::people)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads NAME=VALUE, by the dictionaries of the configuration.
fn parsed(texts: &[String], opened: &Opened) -> anyhow::Result<Vec<ReplyAttribute>> {
    let dictionary = dictionaries::load(&opened.config)?;
    texts
        .iter()
        .map(|text| {
            let (name, value) = text.split_once('=').ok_or_else(|| {
                let message = format!("'{text}' is no attribute: write NAME=VALUE, as in vlan=20");
                Failure::error(failure::USAGE, message)
            })?;
            dictionary
                .reply_attribute(name.trim(), value.trim())
                .map_err(|refused| Failure::error(failure::DATA, refused.to_string()))
        })
        .collect()
}

/// What is wrong with attributes that fit no packet together.
fn too_long(attributes: &[ReplyAttribute]) -> Option<String> {
    let attributes = ReplyAttributes::new(attributes.to_vec());
    let left_out = fit(&attributes, AtTimeout::Reauthenticate, ROOM).left_out;
    let first = left_out.first()?;
    Some(format!(
        "an Access-Accept has {ROOM} octets for these attributes, less what a proxy adds: from \
         {first} on they will be left out"
    ))
}

fn whose(mapping: &ReplyMappingView) -> String {
    match (&mapping.user, &mapping.group) {
        (Some(user), _) => format!("user {user}"),
        (None, Some(group)) => format!("group {group}"),
        (None, None) => "-".to_owned(),
    }
}

fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn resource(resource: Option<&ResourceName>) -> String {
    resource.map_or_else(|| "every".to_owned(), ToString::to_string)
}

fn attributes(mapping: &ReplyMappingView) -> String {
    if mapping.attributes.is_empty() {
        return "nothing".to_owned();
    }
    let texts: Vec<String> = mapping.stored.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

fn said(mapping: &ReplyMappingView) -> String {
    let place = match &mapping.resource {
        None => "at every resource".to_owned(),
        Some(resource) => format!("at {resource}"),
    };
    format!("{} {place}: {}", whose(mapping), attributes(mapping))
}

/// What an Access-Accept would carry, for people and scripts.
#[derive(Debug, Serialize)]
struct Shown {
    username: Username,
    resource: ResourceName,
    /// Everything that is mapped, what holds first.
    attributes: Vec<ReplyGrantView>,
    /// What is in the packet, in order; where the client authenticates users again.
    packet: Vec<InPacket>,
    /// What there is no room for.
    left_out: Vec<String>,
}

/// One attribute of a packet.
#[derive(Debug, Serialize)]
struct InPacket {
    number: u8,
    /// In hexadecimal.
    value: String,
}

impl From<&Encoded> for InPacket {
    fn from(encoded: &Encoded) -> Self {
        let mut value = "0x".to_owned();
        for octet in &encoded.value {
            // Text takes whatever is written into it.
            let _ = write!(value, "{octet:02x}");
        }
        Self {
            number: encoded.kind,
            value,
        }
    }
}

impl Shown {
    fn new(reply: ReplyOfUser) -> Self {
        let fitted = fit(&reply.attributes, AtTimeout::Reauthenticate, ROOM);
        let packet = fitted.carried.iter().flat_map(|(_, encoded)| encoded);
        Self {
            packet: packet.map(InPacket::from).collect(),
            left_out: fitted.left_out.iter().map(ToString::to_string).collect(),
            username: reply.username,
            resource: reply.resource,
            attributes: reply.grants,
        }
    }

    fn people(&self) -> String {
        if self.attributes.is_empty() {
            return format!(
                "nothing is mapped to {} at {}",
                self.username, self.resource
            );
        }
        let mut table = Table::new(&["ATTRIBUTE", "VALUE", "FROM", "PRIORITY", "FOR", ""]);
        for grant in &self.attributes {
            let text = format!("{}={}", grant.attribute.name, grant.attribute.value);
            let fate = match grant.fate {
                ReplyFate::Holds if self.left_out.contains(&text) => "no room",
                ReplyFate::Holds => "holds",
                ReplyFate::Overruled => "overruled",
                ReplyFate::OverruledByName => "overruled, by nothing but the groups' names",
            };
            table.row(vec![
                grant.attribute.name.clone(),
                grant.attribute.value.clone(),
                grant
                    .group
                    .as_ref()
                    .map_or_else(|| "the user".to_owned(), |group| format!("group {group}")),
                or_dash(grant.priority),
                resource(grant.resource.as_ref()),
                fate.to_owned(),
            ]);
        }
        let mut text = table.render();
        text.push('\n');
        let mut packet = Table::new(&["IN THE PACKET", "OCTETS"]);
        for attribute in &self.packet {
            packet.row(vec![attribute.number.to_string(), attribute.value.clone()]);
        }
        text.push_str(&packet.render());
        text
    }
}
