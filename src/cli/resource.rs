//! `doorward resource`.

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;

use doorward_directory::{DirectoryError, Matched, ResourceView};
use doorward_domain::certificate::CertificateName;
use doorward_domain::name::{ServiceName, ViewName};
use doorward_domain::nearest::nearest;
use doorward_domain::origin::{PeerUser, Source};
use doorward_domain::resource::{AccessContext, ConnectionContext};
use doorward_store::records::{Binding, BoundTo};

use super::context::{Context, Opened};
use super::failure::NO;
use super::grantee::GranteeArgs;
use super::output::{names, warn, yes};
use super::table::Table;

/// What to do with resources.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List the resources of the configuration, and those that only bindings still name.
    List,
    /// Show a resource.
    Show {
        /// Its name.
        name: String,
    },
    /// Bind a resource to a user or a group.
    Bind(Bound),
    /// Unbind a resource from a user or a group.
    Unbind(Bound),
    /// Say which resource is asking, and why.
    Match(Match),
}

/// A resource and to whom it is bound.
#[derive(Debug, clap::Args)]
pub(super) struct Bound {
    /// The resource.
    resource: String,
    #[command(flatten)]
    to: GranteeArgs,
}

/// A request to be matched.
#[derive(Debug, clap::Args)]
pub(super) struct Match {
    /// The LDAP listener it comes in by.
    #[arg(
        long,
        value_name = "LISTENER",
        required_unless_present = "client",
        conflicts_with = "client"
    )]
    listener: Option<String>,
    /// The RADIUS client it comes through.
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
    /// Where it comes from; 127.0.0.1 unless given.
    #[arg(long, value_name = "IP", requires = "listener")]
    from: Option<IpAddr>,
    /// The Unix user at the other end of a local socket.
    #[arg(
        long,
        value_name = "USER",
        requires = "listener",
        conflicts_with = "from"
    )]
    peer_user: Option<PeerUser>,
    /// A name of the client's certificate; may be given several times.
    #[arg(long, value_name = "NAME", requires = "listener")]
    certificate: Vec<CertificateName>,
    /// The service account bound on the connection.
    #[arg(long, value_name = "NAME", requires = "listener")]
    service: Option<String>,
    /// The view in which the request's name lies, as ou=mail.
    #[arg(long, value_name = "ou=NAME", requires = "listener")]
    base: Option<ViewName>,
    /// The SSID asked for.
    #[arg(long, value_name = "SSID", requires = "client")]
    ssid: Option<String>,
}

/// Runs the command.
pub(super) fn run(verb: Verb, context: &Context) -> anyhow::Result<ExitCode> {
    let output = context.output;
    let opened = context.open()?;
    let directory = &opened.directory;
    match verb {
        Verb::List => {
            let resources = opened.wait(directory.list_resources())?;
            output.list(
                &resources,
                &["RESOURCE", "KIND", "USERS", "GROUPS", "ASKS WHEN"],
                |resource| {
                    vec![
                        resource.name.to_string(),
                        resource
                            .kind
                            .map_or_else(|| "?".to_owned(), |kind| kind.to_string()),
                        names(&resource.users),
                        names(&resource.groups),
                        resource.asks_when.clone(),
                    ]
                },
            )?;
        }
        Verb::Show { name } => {
            let resource = opened.wait(directory.resource(&name))?;
            output.value(&resource, show)?;
        }
        Verb::Bind(bound) => {
            let done =
                opened.wait(directory.bind(&opened.by(), &bound.resource, &bound.to.grantee()))?;
            warn(&done.warnings);
            output.value(&done.value, |binding| format!("bound {}", said(binding)))?;
        }
        Verb::Unbind(bound) => {
            let (by, to) = (opened.by(), bound.to.grantee());
            let binding = opened.wait(directory.unbind(&by, &bound.resource, &to))?;
            output.value(&binding, |binding| format!("unbound {}", said(binding)))?;
        }
        Verb::Match(request) => {
            let matched = directory.explain_asking(&asking(&request, &opened)?);
            output.value(&matched, explain)?;
            if matched.resource.is_none() {
                return Ok(ExitCode::from(NO));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn said(binding: &Binding) -> String {
    match &binding.to {
        BoundTo::User(user) => format!("{} to user {user}", binding.resource),
        BoundTo::Group(group) => format!("{} to group {group}", binding.resource),
    }
}

fn asking(request: &Match, opened: &Opened) -> Result<AccessContext, DirectoryError> {
    let settings = opened.directory.settings();
    let doors = &settings.doors;
    let unknown = |kind, name: &str, known: Vec<&str>| DirectoryError::NotFound {
        kind,
        name: name.to_owned(),
        nearest: nearest(name, known).map(str::to_owned),
    };
    if let Some(name) = &request.client {
        let folded = name.to_ascii_lowercase();
        let found = doors
            .clients
            .iter()
            .map(|door| &door.resources)
            .find(|client| client.client.folded() == folded);
        let client = found.ok_or_else(|| {
            let known = doors
                .clients
                .iter()
                .map(|door| door.resources.client.as_str());
            unknown("RADIUS client", name, known.collect())
        })?;
        return Ok(AccessContext::Radius {
            client: Arc::new(client.clone()),
            // The form of RFC 3580 3.20: the access point's address, then the SSID.
            called_station: request
                .ssid
                .as_ref()
                .map(|ssid| format!("00-00-5E-00-53-00:{ssid}")),
        });
    }
    let name = request.listener.as_deref().unwrap_or_default();
    let folded = name.to_ascii_lowercase();
    let found = doors
        .listeners
        .iter()
        .find(|door| door.name.folded() == folded);
    let listener = found.ok_or_else(|| {
        let known = doors.listeners.iter().map(|door| door.name.as_str());
        unknown("listener", name, known.collect())
    })?;
    let service = request
        .service
        .as_deref()
        .map(ServiceName::parse)
        .transpose()?;
    let source = match &request.peer_user {
        Some(user) => Source::Local(user.clone()),
        None => request
            .from
            .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
            .into(),
    };
    let mut circumstances = ConnectionContext::new(listener.name.clone(), source);
    circumstances.service = service;
    circumstances.view.clone_from(&request.base);
    if !request.certificate.is_empty() {
        circumstances.certificate = Some(Arc::new(request.certificate.iter().cloned().collect()));
    }
    Ok(AccessContext::Connection(circumstances))
}

fn explain(matched: &Matched) -> String {
    let mut text = match (&matched.resource, matched.kind) {
        (Some(name), Some(kind)) => format!("{name} ({kind})\n"),
        _ => "no resource: refused\n".to_owned(),
    };
    for step in &matched.steps {
        text.push_str("  ");
        text.push_str(&super::table::plain(step));
        text.push('\n');
    }
    text
}

fn show(resource: &ResourceView) -> String {
    let mut table = Table::facts();
    table.fact("resource", Some(resource.name.as_str()));
    table.fact("kind", resource.kind.map(|kind| kind.to_string()));
    table.fact("asks when", Some(resource.asks_when.as_str()));
    table.fact(
        "on locked",
        resource
            .on_locked
            .map(|word| format!("{word:?}").to_lowercase()),
    );
    table.fact(
        "on expired",
        resource
            .on_expired
            .map(|word| format!("{word:?}").to_lowercase()),
    );
    table.fact("counts failures", Some(yes(resource.counts_failures)));
    table.fact("users", Some(names(&resource.users)));
    table.fact("groups", Some(names(&resource.groups)));
    table.render()
}
