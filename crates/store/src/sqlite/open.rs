//! Opening the store: the file made or found, its schema checked and brought up to date, and the
//! threads that serve it started.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use doorward_domain::name::GroupName;
use doorward_domain::rules::PolicySettings;
use doorward_files::{Acting, Folder};

use super::fault::Fault;
use super::file::{self, Access, Hold, Identity, StrayJournal};
use super::merge::Merges;
use super::numbers::Numbering;
use super::readers::Readers;
use super::rows::{exists, run};
use super::schema::{self, Found, Schema};
use super::turns::Bounds;
use super::waiting::Waiting;
use super::writer::Writer;
use super::{Sqlite, backup};
use crate::{Engine, Store};

/// How the store is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Make the file where it is missing.
    pub create: bool,
    /// Threads that read: so many for attempts, for who is in, for look-ups, and for what goes over
    /// many records.
    pub readers: usize,
    /// Commands, and as many reads of each kind, that may wait: as many again where a place is to
    /// be settled, of who is in so many for each, and of reports of sessions so many in all and a
    /// quarter for each client.
    pub queue: usize,
    /// How long SQLite waits for another process that writes.
    pub busy: Duration,
    /// How long a caller waits for an answer.
    pub deadline: Duration,
    /// Users' and groups' POSIX numbers start here.
    pub first_id: u32,
    /// The primary group of users to be added; made with the first of them where it is missing.
    pub primary_group: GroupName,
}

impl OpenOptions {
    /// The ordinary values: the file must exist, two readers of each kind, a queue of 1024, numbers
    /// from 20000.
    pub fn new(primary_group: GroupName) -> Self {
        Self {
            create: false,
            readers: 2,
            queue: 1024,
            busy: Duration::from_secs(5),
            deadline: Duration::from_secs(10),
            first_id: 20_000,
            primary_group,
        }
    }

    /// These options, and the file made where it is missing.
    #[must_use]
    pub fn creating(mut self) -> Self {
        self.create = true;
        self
    }
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder does not exist.
    #[error("the folder {} does not exist: create it first", .0.display())]
    FolderMissing(PathBuf),
    /// The file does not exist.
    #[error("there is no store at {}: run 'doorward init' first", .0.display())]
    Missing(PathBuf),
    /// The file or its folder cannot be written.
    #[error("{} cannot be written: {reason}", path.display())]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// There is nothing in the file.
    #[error(
        "{} is empty: restore a backup, or remove it and run 'doorward init'",
        .0.display()
    )]
    Empty(PathBuf),
    /// A rollback journal is beside the file.
    #[error(transparent)]
    Journal(#[from] StrayJournal),
    /// The file is something else.
    #[error("{} is not an SQLite database", .0.display())]
    NotADatabase(PathBuf),
    /// The file is an SQLite database of some other program.
    #[error("{} is an SQLite database, and not one of Doorward's", .0.display())]
    Foreign(PathBuf),
    /// The file was written by a newer Doorward.
    #[error(
        "{} has schema version {found}, and this doorward knows versions up to {known}: \
         run the newer doorward, or restore the backup made before it migrated",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// Another process has the file for itself.
    #[error(
        "another process restores or migrates {}: try again when it is done",
        .0.display()
    )]
    Held(PathBuf),
    /// The file must be migrated, and another process uses it.
    #[error(
        "{} must be brought to a newer schema, and another process uses it: stop it first",
        .0.display()
    )]
    InUse(PathBuf),
    /// The migration failed; the backup is where `backup` says.
    #[error("{} could not be migrated: {reason}", path.display())]
    Migration {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// Anything else.
    #[error("{} cannot be opened: {reason}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
}

impl OpenError {
    pub(super) fn io(path: &Path, error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::PermissionDenied
            | std::io::ErrorKind::ReadOnlyFilesystem
            | std::io::ErrorKind::StorageFull => Self::NotWritable {
                path: path.to_owned(),
                reason: error.to_string(),
            },
            _ => Self::Broken {
                path: path.to_owned(),
                reason: error.to_string(),
            },
        }
    }

    /// The same, with the user who could not write where that is not who ran the command.
    fn met_by(mut self, acting: &Acting) -> Self {
        if let Self::NotWritable { reason, .. } = &mut self {
            *reason = acting.tell(reason);
        }
        self
    }
}

impl Store {
    /// Opens the store at `path`: checks the schema, migrates an older one after a backup beside
    /// it, and starts the threads. Blocks for as long as that takes. Where root runs it and the
    /// folder is somebody else's, all that touches the store has that somebody's rights.
    ///
    /// # Errors
    /// Says what stands in the way.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self, OpenError> {
        Self::open_as(path, options, &Schema::ours())
    }

    /// Opens the store as a program would that knows these versions of the schema.
    pub(super) fn open_as(
        path: &Path,
        options: &OpenOptions,
        schema: &Schema,
    ) -> Result<Self, OpenError> {
        let (_, _, acting) = file::enter(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                OpenError::FolderMissing(file::folder(path).to_owned())
            }
            _ => OpenError::io(path, &error),
        })?;
        // The threads that are started here keep the rights that this one has meanwhile.
        Self::open_there(path, options, schema).map_err(|error| error.met_by(&acting))
    }

    fn open_there(path: &Path, options: &OpenOptions, schema: &Schema) -> Result<Self, OpenError> {
        let lock = prepare(path, options, schema)?;
        let broken = |error: std::io::Error| OpenError::io(path, &error);
        let connection = file::connect(path, Access::Write, options.busy)
            .map_err(|fault| file::explain(path, &fault))?;
        ensure_policy(&connection).map_err(|fault| file::explain(path, &fault))?;
        let identity = Identity::at(path).map_err(broken)?;

        let merges = Arc::new(Merges::default());
        let room = options.queue.max(1);
        let reports = Bounds {
            each: room.div_ceil(4),
            in_all: room,
        };
        // As much again for attempts that have a place.
        let commands = Bounds {
            each: room,
            in_all: room.saturating_mul(2),
        };
        let queue = Arc::new(Waiting::new(commands, reports));
        let writer = Writer {
            path: path.to_owned(),
            busy: options.busy,
            queue: Arc::clone(&queue),
            merges: Arc::clone(&merges),
            connection: Some((connection, identity)),
            failing: false,
        };
        let thread = std::thread::Builder::new()
            .name("store-write".to_owned())
            .spawn(move || writer.serve())
            .map_err(broken)?;
        let readers =
            Readers::start(path, options.busy, options.readers, room).map_err(|error| {
                queue.close();
                broken(error)
            })?;
        Ok(Self(Arc::new(Engine::Sqlite(Sqlite {
            readers: Some(readers),
            queue,
            writer: Some(thread),
            merges,
            deadline: options.deadline,
            numbering: Arc::new(Numbering {
                first: options.first_id,
                primary_group: options.primary_group.clone(),
            }),
            path: path.to_owned(),
            _lock: lock,
        }))))
    }
}

/// Makes or finds the file and brings it to the known schema; the lock given back is shared.
fn prepare(path: &Path, options: &OpenOptions, schema: &Schema) -> Result<File, OpenError> {
    let broken = |error: std::io::Error| OpenError::io(path, &error);
    let (folder, name) = Folder::of(path).map_err(broken)?;
    if !folder.has_file(&name).map_err(broken)? {
        if !options.create {
            return Err(OpenError::Missing(path.to_owned()));
        }
        match folder.create(&name, file::OWNERS_ALONE) {
            Ok(made) => {
                made.sync_all().map_err(broken)?;
                folder.sync().map_err(broken)?;
            }
            // Another process was faster.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(broken(error)),
        }
    }
    let lock = file::open_lock(&folder, &name).map_err(broken)?;
    let mut refusal = OpenError::Held(path.to_owned());
    for _ in 0..file::tries(options.busy) {
        if file::hold(&lock, Hold::Shared).map_err(broken)? {
            if look(path, options, schema)? {
                return Ok(lock);
            }
            lock.unlock().map_err(broken)?;
            // Several may come to this point at once: the first alone migrates, the others look
            // again.
            if file::hold(&lock, Hold::Alone).map_err(broken)? {
                if !look(path, options, schema)? {
                    migrate(path, options, schema)?;
                }
                lock.unlock().map_err(broken)?;
                continue;
            }
            refusal = OpenError::InUse(path.to_owned());
        }
        std::thread::park_timeout(file::STEP);
    }
    Err(refusal)
}

/// Whether the file has the known schema; false where it is older or empty.
fn look(path: &Path, options: &OpenOptions, schema: &Schema) -> Result<bool, OpenError> {
    let (folder, name) = Folder::of(path).map_err(|error| OpenError::io(path, &error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = file::open(&folder, &name, flags, options.busy)
        .map_err(|fault| file::explain(path, &fault))?;
    let known = schema.known();
    match schema::found(&connection).map_err(|fault| file::explain(path, &fault))? {
        Found::Foreign => Err(OpenError::Foreign(path.to_owned())),
        Found::Version(found) if found > known => Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known,
        }),
        Found::Version(found) => Ok(found == known),
        Found::Empty if options.create => Ok(false),
        Found::Empty => Err(OpenError::Empty(path.to_owned())),
    }
}

/// Brings the file to the known schema; an older one is backed up first.
fn migrate(path: &Path, options: &OpenOptions, schema: &Schema) -> Result<(), OpenError> {
    let mut connection = file::connect(path, Access::Write, options.busy)
        .map_err(|fault| file::explain(path, &fault))?;
    let known = schema.known();
    let found = schema::found(&connection).map_err(|fault| file::explain(path, &fault))?;
    let failed = |reason: String| OpenError::Migration {
        path: path.to_owned(),
        reason,
    };
    if let Found::Version(version) = found {
        let kept = file::beside(path, &format!(".before-migration-{known}.db"));
        // One that stands there was made before an earlier try, from the same older schema.
        if std::fs::symlink_metadata(&kept).is_err() {
            backup::copy(&connection, &kept).map_err(|error| failed(error.to_string()))?;
        }
        tracing::info!(from = version, to = known, backup = %kept.display(), "migrating the store");
    }
    schema.migrate(&mut connection).map_err(failed)
}

/// Puts the default policy in force where there is none yet.
fn ensure_policy(connection: &Connection) -> Result<(), Fault> {
    if exists(connection, "SELECT 1 FROM policies", [])? {
        return Ok(());
    }
    let policy = PolicySettings::default();
    let version = i64::try_from(policy.version).unwrap_or(i64::MAX);
    run(
        connection,
        "INSERT INTO policies (version, settings) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        (version, serde_json::to_string(&policy)?),
    )?;
    Ok(())
}
