//! Dictionaries of RADIUS attributes, from their files; and whether what was mapped by them still
//! means what it did.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::config::{Config, ConfigError, ConfigErrors, Subject};
use doorward_directory::{Directory, DirectoryError, ReplyMappingView};
use doorward_radius_protocol::dictionary::{Dictionary, Files, Source};

/// The key that names them.
const KEY: &str = "radius.dictionaries";
/// The most octets of one file; FreeRADIUS's largest has 50,000.
const LARGEST: u64 = 4 << 20;
/// How many mappings that mean nothing any more are told of.
const MOST_TOLD: usize = 10;

/// Reads the dictionaries of the configuration above those that are built in.
///
/// # Errors
/// A file cannot be read, or a line of it cannot be understood; each is named with its line.
pub fn load(config: &Config) -> Result<Dictionary, ConfigErrors> {
    let paths = config
        .radius
        .as_ref()
        .map_or(&[][..], |section| &section.sockets.dictionaries);
    let mut sources = Vec::new();
    let mut folders = Vec::new();
    for path in paths {
        let opened = path.canonicalize().map_err(|error| error.to_string());
        let opened = opened.and_then(|path| Ok((read(&path)?, path)));
        let (source, path) = opened.map_err(|error| {
            let message = format!("the dictionary {}: {error}", path.display());
            config.cite(Subject::Key(KEY), message)
        })?;
        folders.extend(path.parent().map(Path::to_path_buf));
        sources.push(source);
    }
    let refused = |message: String| ConfigErrors::from(config.cite(Subject::Key(KEY), message));
    Dictionary::read(sources, &mut Folders(folders)).map_err(|faults| refused(faults.to_string()))
}

/// Whether every reply attribute that is mapped still means what it meant when it was set.
///
/// # Errors
/// Each that does not, with what to do; or the store cannot answer.
pub async fn check(
    config: &Config,
    directory: &Directory,
) -> Result<Result<(), ConfigErrors>, DirectoryError> {
    let dictionary = match load(config) {
        Ok(dictionary) => dictionary,
        Err(errors) => return Ok(Err(errors)),
    };
    let mut errors: Vec<ConfigError> = Vec::new();
    let mappings = directory.list_reply().await?;
    let lost = mappings
        .iter()
        .flat_map(|mapping| lost(&dictionary, mapping));
    for message in lost.take(MOST_TOLD) {
        errors.push(config.cite(Subject::Key(KEY), message));
    }
    Ok(ConfigErrors::from_list(errors))
}

/// What of a mapping means nothing any more, or something else.
fn lost<'a>(
    dictionary: &'a Dictionary,
    mapping: &'a ReplyMappingView,
) -> impl Iterator<Item = String> + 'a {
    let of = match (&mapping.user, &mapping.group) {
        (Some(user), _) => format!("--user {user}"),
        (None, Some(group)) => format!("--group {group}"),
        (None, None) => String::new(),
    };
    let at = mapping
        .resource
        .as_ref()
        .map(|resource| format!(" --resource {resource}"))
        .unwrap_or_default();
    mapping.stored.iter().filter_map(move |attribute| {
        let why = dictionary.still(attribute).err()?;
        let name = attribute.name();
        Some(format!(
            "a reply attribute that is mapped ({of}{at}) cannot be kept: {why}; bring its dictionary \
             back, set it anew, or remove it with 'doorward reply unset {of}{at} {name}'"
        ))
    })
}

/// The folders that the dictionaries of the configuration lie in: what they include lies there too.
struct Folders(Vec<PathBuf>);

impl Files for Folders {
    fn include(&mut self, from: &str, name: &str) -> Result<Source, String> {
        let beside = Path::new(from).parent().unwrap_or(Path::new("/"));
        let path = beside.join(name);
        let path = path
            .canonicalize()
            .map_err(|error| format!("{}: {error}", path.display()))?;
        if !self.0.iter().any(|folder| path.starts_with(folder)) {
            return Err(format!(
                "{} lies outside the folder of the dictionary that includes it",
                path.display()
            ));
        }
        read(&path)
    }
}

fn read(path: &Path) -> Result<Source, String> {
    let shown = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(shown)?;
    if !file.metadata().map_err(shown)?.is_file() {
        return Err(format!("{} is no file", path.display()));
    }
    let mut octets = Vec::new();
    file.take(LARGEST + 1)
        .read_to_end(&mut octets)
        .map_err(shown)?;
    if octets.len() as u64 > LARGEST {
        return Err(format!(
            "{} is longer than {LARGEST} octets",
            path.display()
        ));
    }
    Ok(Source {
        name: path.display().to_string(),
        // Comments may be in any encoding; nothing else has letters beyond ASCII.
        text: String::from_utf8_lossy(&octets).into_owned(),
    })
}
