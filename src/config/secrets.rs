//! Secrets and keys in files of their own: reads them, and refuses what others can read.
//!
//! The only part of the configuration that looks at other files, so that everything else can be
//! checked anywhere. Called by the start and by `check`.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::Config;
use super::check::{SHORT_SECRET, short_key, short_secret};
use super::citation::{Citation, ConfigError, ConfigErrors, ConfigWarning};
use super::radius::SecretSource;
use doorward_domain::name::ClientName;
use doorward_domain::secret::Secret;

/// The longest secret a file may hold, in bytes.
const MAX_SECRET: u64 = 4096;

/// Octets of the key of network passwords.
const KEY_OCTETS: usize = 32;

/// What the files held.
#[derive(Debug, Clone)]
pub struct Secrets {
    clients: Vec<(ClientName, Secret)>,
    disconnects: Vec<(ClientName, Secret)>,
    auth_policy: Option<Secret>,
    network_password_key: Option<Secret>,
    warnings: Vec<ConfigWarning>,
}

impl Secrets {
    /// The shared secret of a RADIUS client.
    pub fn client(&self, name: &ClientName) -> Option<&Secret> {
        self.clients
            .iter()
            .find(|(client, _)| client == name)
            .map(|(_, secret)| secret)
    }

    /// The secret for ending sessions of a RADIUS client, where it has one for that.
    pub fn disconnect(&self, name: &ClientName) -> Option<&Secret> {
        self.disconnects
            .iter()
            .find(|(client, _)| client == name)
            .map(|(_, secret)| secret)
    }

    /// The key of auth-policy requests, where they are served.
    pub fn auth_policy(&self) -> Option<&Secret> {
        self.auth_policy.as_ref()
    }

    /// The key of network passwords, where there is one: 32 octets.
    pub fn network_password_key(&self) -> Option<&Secret> {
        self.network_password_key.as_ref()
    }

    /// What works and is unwise.
    pub fn warnings(&self) -> &[ConfigWarning] {
        &self.warnings
    }
}

/// Reads every shared secret, and looks at the private keys' files.
///
/// # Errors
/// A file cannot be read, can be read by everyone, or holds no secret; each fault cites the key
/// that names the file.
pub fn read(config: &Config) -> Result<Secrets, ConfigErrors> {
    let source = &config.source;
    let mut errors = Vec::new();
    let mut secrets = Secrets {
        clients: Vec::new(),
        disconnects: Vec::new(),
        auth_policy: None,
        network_password_key: None,
        warnings: Vec::new(),
    };
    let mut inline = None;
    for (index, client) in config.radius_clients().iter().enumerate() {
        let secret = client.secret.as_ref().map(|secret| match secret {
            SecretSource::Inline(secret) => {
                inline.get_or_insert(format!("radius.client[{index}].secret"));
                Ok(secret.clone())
            }
            SecretSource::File(path) => {
                let key = format!("radius.client[{index}].secret_file");
                let cite = |message| source.cite_value(&key, message);
                let secret = read_secret(path, cite);
                if let Ok(secret) = &secret
                    && secret.len() < SHORT_SECRET
                {
                    let warning = cite(short_secret(secret.len()));
                    secrets.warnings.push(ConfigWarning(warning));
                }
                secret
            }
        });
        match secret {
            Some(Ok(secret)) => secrets.clients.push((client.name.clone(), secret)),
            Some(Err(error)) => errors.push(error),
            None => {}
        }
        if let Some(path) = &client.disconnect.secret_file {
            let key = format!("radius.client[{index}].disconnect.secret_file");
            match read_secret(path, |message| source.cite_value(&key, message)) {
                Ok(secret) => secrets.disconnects.push((client.name.clone(), secret)),
                Err(error) => errors.push(error),
            }
        }
    }
    if let Some(section) = &config.auth_policy {
        let cite = |message| source.cite_value("auth_policy.api_key_file", message);
        match read_secret(&section.api_key_file, cite) {
            Ok(key) => {
                if key.len() < SHORT_SECRET {
                    let warning = ConfigWarning(cite(short_key(key.len())));
                    secrets.warnings.push(warning);
                }
                secrets.auth_policy = Some(key);
            }
            Err(error) => errors.push(error),
        }
    }
    match network_password_key(config) {
        Ok(key) => secrets.network_password_key = key,
        Err(error) => errors.push(error),
    }
    if let Some(key) = inline
        && let Ok(file) = File::open(source.path())
        && let Err(fault) = private(&file, source.path())
    {
        errors.push(ConfigError(source.cite_value(&key, fault)));
    }
    let mut look = |key: &str, path: &Path| {
        if let Err(fault) = open(path) {
            errors.push(ConfigError(source.cite_value(key, fault)));
        }
    };
    if let Some(tls) = &config.tls {
        look("tls.private_key", &tls.private_key);
    }
    if let Some(eap) = &config.eap {
        look("eap.private_key", &eap.private_key);
    }
    if let Some(tls) = config.radius_tls() {
        look("radius.tls.private_key", &tls.private_key);
    }
    if let Some(path) = config.mail.as_ref().and_then(|m| m.password_file.as_ref()) {
        look("mail.password_file", path);
    }
    ConfigErrors::from_list(errors)?;
    Ok(secrets)
}

/// Reads the key of network passwords alone, for commands that need no other secret.
///
/// # Errors
/// The file cannot be read, can be read by everyone, or holds something else than 32 octets in
/// hexadecimal digits; the fault cites the key that names the file.
pub fn network_password_key(config: &Config) -> Result<Option<Secret>, ConfigError> {
    let sockets = config.radius.as_ref().map(|radius| &radius.sockets);
    let Some(path) = sockets.and_then(|sockets| sockets.network_password_key_file.as_ref()) else {
        return Ok(None);
    };
    let cite = |message| {
        let key = "radius.network_password_key_file";
        config.source.cite_value(key, message)
    };
    let text = read_secret(path, cite)?;
    let key = from_hexadecimal(text.expose()).ok_or_else(|| {
        ConfigError(cite(format!(
            "{0} is no key: it must hold {1} hexadecimal digits, as written by 'openssl rand -hex \
             {2} > {0}'",
            path.display(),
            2 * KEY_OCTETS,
            KEY_OCTETS
        )))
    })?;
    Ok(Some(key))
}

fn from_hexadecimal(text: &[u8]) -> Option<Secret> {
    let digit = |octet: u8| char::from(octet).to_digit(16);
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != KEY_OCTETS || !rest.is_empty() {
        return None;
    }
    // Exactly as large as it will be: growing would leave unwiped copies behind.
    let mut key = Vec::with_capacity(KEY_OCTETS);
    for &[high, low] in pairs {
        key.push(u8::try_from(digit(high)? << 4 | digit(low)?).ok()?);
    }
    Some(Secret::new(key))
}

fn read_secret(path: &Path, cite: impl Fn(String) -> Citation) -> Result<Secret, ConfigError> {
    let cite = |message: String| ConfigError(cite(message));
    let file = open(path).map_err(&cite)?;
    // Room for the longest secret up front: growing would leave unwiped copies behind.
    let mut content = Vec::with_capacity(usize::try_from(MAX_SECRET).unwrap_or(4096) + 32);
    file.take(MAX_SECRET + 1)
        .read_to_end(&mut content)
        .map_err(|fault| cite(unreadable(path, &fault)))?;
    if content.len() as u64 > MAX_SECRET {
        let message = format!("{} is longer than a secret can be", path.display());
        return Err(cite(message));
    }
    // Editors end a file with a line break that is no part of the secret.
    if content.last() == Some(&b'\n') {
        content.pop();
        if content.last() == Some(&b'\r') {
            content.pop();
        }
    }
    if content.is_empty() {
        return Err(cite(format!("{} is empty", path.display())));
    }
    Ok(Secret::new(content))
}

/// Opens a file that only its owner and group may read.
fn open(path: &Path) -> Result<File, String> {
    let file = File::open(path).map_err(|fault| unreadable(path, &fault))?;
    private(&file, path)?;
    Ok(file)
}

fn private(file: &File, path: &Path) -> Result<(), String> {
    let metadata = file.metadata().map_err(|fault| unreadable(path, &fault))?;
    if metadata.is_dir() {
        return Err(format!("{} is a folder", path.display()));
    }
    if metadata.mode() & 0o007 != 0 {
        return Err(format!(
            "everyone on this machine can read or change {0}: chmod o= {0}",
            path.display()
        ));
    }
    Ok(())
}

fn unreadable(path: &Path, fault: &io::Error) -> String {
    format!("{} cannot be read: {fault}", path.display())
}
