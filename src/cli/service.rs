//! `doorward service`: LDAP service accounts.

use std::process::ExitCode;

use clap::Subcommand;
use ipnet::IpNet;
use serde::Serialize;

use doorward_directory::{BindsBy, DirectoryError, NewService, ServicePassword, ServiceView};
use doorward_domain::certificate::CertificateName;
use doorward_domain::name::ServiceName;

use super::context::Context;
use super::output::{Output, moment, names, yes};
use super::prompt;

/// What to do with service accounts.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add a service account; without --password-stdin and --certificate a password is made and
    /// shown once.
    Add {
        /// Its name.
        name: String,
        /// Read the password from standard input.
        #[arg(long)]
        password_stdin: bool,
        /// The name of the client certificate that binds it (SASL EXTERNAL): a subject
        /// alternative name, or the common name of one without any.
        #[arg(long, value_name = "CERTNAME")]
        certificate: Option<CertificateName>,
        /// It may read people and groups.
        #[arg(long)]
        search: bool,
        /// Where it may come from; anywhere unless given.
        #[arg(long, value_name = "CIDR", num_args = 1.., value_parser = network)]
        from: Vec<IpNet>,
    },
    /// List service accounts.
    List,
    /// Give a service account another password; without --password-stdin it is made and shown once.
    SetPassword {
        /// Its name.
        name: String,
        /// Read the password from standard input.
        #[arg(long)]
        password_stdin: bool,
        /// The present password stays live beside the new one, for a rotation.
        #[arg(long)]
        keep_old: bool,
    },
    /// Say which client certificate binds a service account (SASL EXTERNAL); whoever is bound as
    /// it must bind again.
    SetCertificate {
        /// Its name.
        name: String,
        /// The certificate's name: a subject alternative name, or the common name of one without
        /// any.
        #[arg(value_name = "CERTNAME", required_unless_present = "none")]
        certificate: Option<CertificateName>,
        /// No certificate binds it.
        #[arg(long, conflicts_with = "certificate")]
        none: bool,
    },
    /// Remove a service account.
    Remove {
        /// Its name.
        name: String,
    },
}

fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<std::net::IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let network: IpNet = text
        .parse()
        .map_err(|_| "write 10.0.0.0/8, 10.1.2.3 or fd00::/8".to_owned())?;
    if network.trunc() == network {
        Ok(network)
    } else {
        Err(format!(
            "it has address bits beyond its prefix: write {}",
            network.trunc()
        ))
    }
}

/// Runs the command.
pub(super) fn run(verb: Verb, context: &Context) -> anyhow::Result<ExitCode> {
    let output = context.output;
    let opened = context.open()?;
    let directory = &opened.directory;
    match verb {
        Verb::Add {
            name,
            password_stdin,
            certificate,
            search,
            from,
        } => {
            let name = ServiceName::parse(&name).map_err(DirectoryError::from)?;
            let password = password_stdin
                .then(prompt::from_standard_input)
                .transpose()?;
            let new = NewService {
                name,
                binds_by: match certificate {
                    Some(certificate) => BindsBy::Certificate(certificate, password),
                    None => BindsBy::Password(password),
                },
                may_search: search,
                sources: from,
            };
            let added = opened.wait(directory.add_service(&opened.by(), new))?;
            shown(&added, "added", output)?;
        }
        Verb::List => {
            let services = opened.wait(directory.list_services())?;
            output.list(
                &services,
                &[
                    "SERVICE",
                    "SEARCHES",
                    "FROM",
                    "PASSWORDS",
                    "CERTIFICATE",
                    "CREATED",
                ],
                |service| {
                    vec![
                        service.name.to_string(),
                        yes(service.may_search),
                        names(&service.sources),
                        service.passwords.to_string(),
                        service
                            .certificate
                            .as_ref()
                            .map_or_else(|| "-".to_owned(), ToString::to_string),
                        moment(service.created),
                    ]
                },
            )?;
        }
        Verb::SetPassword {
            name,
            password_stdin,
            keep_old,
        } => {
            let password = password_stdin
                .then(prompt::from_standard_input)
                .transpose()?;
            let by = opened.by();
            let set = directory.set_service_password(&by, &name, password, keep_old);
            shown(&opened.wait(set)?, "set the password of", output)?;
        }
        Verb::SetCertificate {
            name, certificate, ..
        } => {
            let by = opened.by();
            let set = directory.set_service_certificate(&by, &name, certificate);
            let set = opened.wait(set)?;
            output.value(&set, |set| match &set.certificate {
                Some(certificate) => {
                    format!(
                        "the certificate of {certificate} binds service account {}",
                        set.name
                    )
                }
                None => format!("no certificate binds service account {}", set.name),
            })?;
            if set.certificate.is_none() && set.passwords == 0 {
                output.note(&format!(
                    "{} has no password either: nothing binds it",
                    set.name
                ));
            }
        }
        Verb::Remove { name } => {
            let removed = opened.wait(directory.remove_service(&opened.by(), &name))?;
            output.value(&removed, |name| format!("removed service account {name}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    service: &'a ServiceView,
    /// Only where it was made here.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
}

fn shown(set: &ServicePassword, done: &str, output: Output) -> anyhow::Result<()> {
    let password = set
        .generated
        .as_ref()
        .and_then(|password| password.as_str());
    let shown = Shown {
        service: &set.service,
        password,
    };
    output.value(&shown, |shown| match shown.password {
        // The password alone, so that it can be piped to where it belongs.
        Some(password) => password.to_owned(),
        None => format!("{done} service account {}", shown.service.name),
    })?;
    if password.is_some() {
        output.note(&format!(
            "{done} service account {}; the password is not shown again",
            set.service.name
        ));
    }
    Ok(())
}
