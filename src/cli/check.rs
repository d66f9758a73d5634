//! `doorward check`: the configuration, and what it refers to.

use std::fs;
use std::process::ExitCode;

use serde::Serialize;

use crate::config::store::StoreUrl;
use crate::config::{Config, ConfigError, ConfigErrors, Subject, secrets};
use crate::runtime::assemble;
use crate::runtime::certificates::Certificate;
use crate::runtime::clock::SystemClock;
use crate::runtime::dictionaries;
use doorward_directory::audit;
use doorward_directory::{DirectoryError, Warning};
use doorward_domain::policy::settings;
use doorward_domain::time::Clock as _;
use doorward_ldap_protocol::dn::DistinguishedName;

use super::context::{Context, Opened};
use super::failure::{self, CONFIG};
use super::output;

#[derive(Serialize, Default)]
struct Report {
    file: String,
    ok: bool,
    errors: Vec<String>,
    warnings: Vec<String>,
    notes: Vec<String>,
}

/// How far `check` looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Secrets, certificates and the store as well.
    Everything,
    /// The file by itself, wherever it is to be used.
    FileAlone,
}

/// Runs the command; 78 where the daemon would refuse to start.
pub(super) fn run(context: &Context, reach: Reach) -> anyhow::Result<ExitCode> {
    let output = context.output;
    let mut report = Report {
        file: context
            .file()
            .map(|file| file.display().to_string())
            .unwrap_or_default(),
        ..Report::default()
    };
    match context.config() {
        Ok(config) => {
            report.file = config.path().display().to_string();
            look(&config, &mut report);
            if reach == Reach::Everything {
                look_further(&config, &mut report);
            }
        }
        Err(error) => match error.downcast_ref::<ConfigErrors>() {
            Some(errors) => report.add(errors),
            None => return Err(error),
        },
    }
    report.ok = report.errors.is_empty();
    if output.is_json() {
        output.value(&report, |_| String::new())?;
    } else {
        output::warn(&report.warnings);
        for note in &report.notes {
            output.note(note);
        }
        for error in &report.errors {
            failure::say(error);
        }
        if report.ok {
            output::text(&format!("{}: sound", report.file))?;
        }
    }
    Ok(if report.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(CONFIG)
    })
}

impl Report {
    fn add(&mut self, errors: &ConfigErrors) {
        self.errors
            .extend(errors.iter().map(ConfigError::to_string));
    }
}

/// Everything that the file says by itself.
fn look(config: &Config, report: &mut Report) {
    report
        .warnings
        .extend(config.warnings().iter().map(ToString::to_string));
    if let Err(errors) = assemble::check_resources(config) {
        report.add(&errors);
    }
    if let Err(refused) = DistinguishedName::parse(config.directory.base_dn.as_str()) {
        let cited = config.cite(Subject::Key("directory.base_dn"), refused.to_string());
        report.errors.push(cited.to_string());
    }
}

/// Everything that it refers to and that can be looked at without serving.
fn look_further(config: &Config, report: &mut Report) {
    match secrets::read(config) {
        Ok(secrets) => {
            report
                .warnings
                .extend(secrets.warnings().iter().map(ToString::to_string));
        }
        Err(errors) => report.add(&errors),
    }
    match assemble::protection(config) {
        Err(errors) => report.add(&errors),
        Ok(None) => {}
        Ok(Some(protection)) => {
            certificate(config, "tls.certificate", protection.certificate(), report);
        }
    }
    match assemble::eap_protection(config) {
        Err(errors) => report.add(&errors),
        Ok(None) => {}
        Ok(Some(protection)) => {
            certificate(config, "eap.certificate", protection.certificate(), report);
        }
    }
    if let Err(errors) = dictionaries::load(config) {
        report.add(&errors);
    }
    stored(config, report);
}

/// Whether the certificate holds now.
fn certificate(config: &Config, key: &str, certificate: &Certificate, report: &mut Report) {
    let now = SystemClock::start().now().wall;
    let validity = certificate.validity();
    if validity.is_some_and(|validity| !validity.holds(now)) {
        let message = "the certificate does not hold today: clients will refuse it";
        let warning = config.cite_warning(Subject::Key(key), message);
        report.warnings.push(warning.to_string());
    }
}

/// What the store holds and the file does not define; a store that is not there yet has nothing.
fn stored(config: &Config, report: &mut Report) {
    let StoreUrl::Sqlite(path) = &config.store.url;
    if fs::symlink_metadata(path).is_err() {
        report
            .notes
            .push(format!("there is no store at {} yet", path.display()));
        return;
    }
    let clock = SystemClock::start();
    let opened = assemble::store(config, false)
        .map_err(anyhow::Error::from)
        .and_then(|store| Opened::new(config.clone(), store, clock));
    let looked = opened.and_then(|opened| Ok(look_into(&opened, report)?));
    if let Err(error) = looked {
        let cited = config.cite(Subject::Key("store.url"), format!("{error:#}"));
        report.errors.push(cited.to_string());
    }
}

fn look_into(opened: &Opened, report: &mut Report) -> Result<(), DirectoryError> {
    let (config, directory) = (&opened.config, &opened.directory);
    let bound = opened.wait(directory.unknown_bindings())?;
    let mapped = opened.wait(directory.unknown_reply_resources())?;
    let bound = bound.into_iter().map(Warning::UnknownResource);
    let mapped = mapped.into_iter().map(Warning::UnknownReplyResource);
    for warning in bound.chain(mapped) {
        let cited = config.cite_warning(Subject::Key("resource"), warning.to_string());
        report.warnings.push(cited.to_string());
    }
    let policy = opened
        .wait(opened.store.policy())
        .map_err(DirectoryError::from)?;
    if let Err(error) = settings::check(&policy) {
        let message = format!("its policy is none that could be set: {error}");
        let cited = config.cite(Subject::Key("store.url"), message);
        report.errors.push(cited.to_string());
    }
    let most = config.audit.max_bytes;
    let fill = opened
        .wait(audit::fill(&opened.store, most))
        .map_err(DirectoryError::from)?;
    let taken = format!("the audit log is full to {} %", fill.percent());
    if fill.is_nearly_full() {
        let message = format!("{taken}: events will go before audit.retention");
        let cited = config.cite_warning(Subject::Key("audit.max_bytes"), message);
        report.warnings.push(cited.to_string());
    } else {
        report.notes.push(taken);
    }
    // Dictionaries that cannot be read are named already.
    if dictionaries::load(config).is_ok()
        && let Err(errors) = opened.wait(dictionaries::check(config, directory))?
    {
        report.add(&errors);
    }
    Ok(())
}
