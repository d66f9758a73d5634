//! The new store in the place of the old one, which is kept, or put back where that fails.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use doorward_files as files;
use doorward_files::Folder;

use super::{BackupError, PARTS, file, parts_of, unwritable};

/// How many stores that were restored over are kept beside each other.
const MOST_KEPT: u32 = 1000;

/// What was moved to have a new store in the place of an old one.
pub(super) struct Placed<'a> {
    folder: &'a Folder,
    /// The store as it was named by who asked.
    to: &'a Path,
    /// The new store's name, where it has it.
    new: Option<&'a OsStr>,
    /// What each part of the old one was called, and is called now, in the order they were moved.
    moved: Vec<(OsString, OsString)>,
}

impl<'a> Placed<'a> {
    /// Moves what was there out of the way, and the new store to its name.
    pub(super) fn put(
        workshop: &Folder,
        folder: &'a Folder,
        name: &'a OsStr,
        to: &'a Path,
    ) -> Result<Self, BackupError> {
        let mut placed = Self {
            folder,
            to,
            new: None,
            moved: Vec::new(),
        };
        match placed.try_to_put(workshop, name) {
            Ok(()) => Ok(placed),
            Err(error) => Err(placed.undo(&error)),
        }
    }

    fn try_to_put(&mut self, workshop: &Folder, name: &'a OsStr) -> io::Result<()> {
        let old = parts_of(self.folder, name)?;
        if !old.is_empty() {
            self.set_aside(name)?;
        }
        // Unlike a rename, a second name never replaces what somebody made in the meantime.
        workshop.link(name, self.folder, name)?;
        self.new = Some(name);
        Ok(())
    }

    /// Moves a store, or what is left of one, out of the way under a name that is free.
    fn set_aside(&mut self, name: &OsStr) -> io::Result<()> {
        let kept = free(self.folder, name)?;
        // The log first: found under its new name without its database it is nothing, and a
        // database without its log would be an older one.
        for suffix in PARTS.into_iter().rev() {
            let (was, is) = (files::beside(name, suffix), files::beside(&kept, suffix));
            match self.folder.rename(&was, &is) {
                Ok(()) => self.moved.push((was, is)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What the old store is called now: its database, or what there was besides.
    pub(super) fn kept(&self) -> Option<PathBuf> {
        let (_, kept) = self.moved.last()?;
        Some(self.beside(kept))
    }

    /// Puts everything back as it was; says what became of it.
    pub(super) fn undo(mut self, reason: &dyn std::fmt::Display) -> BackupError {
        match self.put_back() {
            Ok(()) => unwritable(self.to, reason),
            Err(back) => BackupError::Displaced {
                path: self.to.to_owned(),
                reason: reason.to_string(),
                back: back.to_string(),
                parts: self
                    .moved
                    .iter()
                    .map(|(was, is)| (self.beside(is), self.beside(was)))
                    .collect(),
            },
        }
    }

    fn put_back(&mut self) -> io::Result<()> {
        if let Some(new) = self.new {
            self.folder.remove(new)?;
        }
        while let Some((was, is)) = self.moved.last() {
            if self.folder.has(was)? {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            self.folder.rename(is, was)?;
            self.moved.pop();
        }
        // Names that a crash of the machine leaves moved are no worse than before this.
        let _ = self.folder.sync();
        Ok(())
    }

    fn beside(&self, name: &OsStr) -> PathBuf {
        file::folder(self.to).join(name)
    }
}

/// A name that nothing of a store has.
fn free(folder: &Folder, name: &OsStr) -> io::Result<OsString> {
    for number in 1..MOST_KEPT {
        let free = match number {
            1 => files::beside(name, ".before-restore"),
            _ => files::beside(name, &format!(".before-restore.{number}")),
        };
        if parts_of(folder, &free)?.is_empty() {
            return Ok(free);
        }
    }
    Err(io::Error::other(
        "too many stores are kept from earlier restores",
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

    use super::*;
    use doorward_files::Acting;

    const NAME: &str = "doorward.db";

    /// A folder with a store and its log, and a workshop in it.
    struct Made {
        place: tempfile::TempDir,
        folder: Folder,
        workshop: Folder,
    }

    impl Made {
        fn new() -> Self {
            let place = tempfile::tempdir().unwrap();
            let folder = Folder::open(place.path()).unwrap();
            let workshop = folder
                .make_workshop(OsStr::new("workshop"), OsStr::new("doorward.db"))
                .unwrap();
            for part in [NAME, "doorward.db-wal"] {
                fs::write(place.path().join(part), part).unwrap();
            }
            Self {
                place,
                folder,
                workshop,
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.place.path().join(name)
        }

        fn put<'a>(&'a self, to: &'a Path) -> Result<Placed<'a>, BackupError> {
            Placed::put(&self.workshop, &self.folder, OsStr::new(NAME), to)
        }

        #[track_caller]
        fn is_as_before(&self) {
            let mut names = self.folder.names().unwrap();
            names.sort();
            assert_eq!(names, [NAME, "doorward.db-wal", "workshop"]);
            for part in [NAME, "doorward.db-wal"] {
                assert_eq!(fs::read_to_string(self.path(part)).unwrap(), part);
            }
        }
    }

    #[test]
    fn where_the_new_store_gets_no_name_the_old_one_is_as_it_was() {
        let made = Made::new();
        let to = made.path(NAME);
        // There is none in the workshop.
        let failed = made.put(&to).err().unwrap();
        assert!(matches!(failed, BackupError::Unwritable { .. }), "{failed}");
        made.is_as_before();
        // It has its name, and something fails after that.
        fs::write(made.path("workshop/doorward.db"), "new").unwrap();
        let placed = made.put(&to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "new");
        let failed = placed.undo(&"the disk is gone");
        assert!(failed.to_string().contains("the disk is gone"), "{failed}");
        made.is_as_before();
    }

    #[test]
    fn where_a_part_cannot_be_moved_those_before_it_are_as_they_were() {
        if fs::metadata("/proc/self").unwrap().uid() != 0 {
            return;
        }
        let made = Made::new();
        fs::write(made.path("workshop/doorward.db"), "new").unwrap();
        // Where each takes away their own: the log is somebody's, the database root's.
        let sticky = fs::Permissions::from_mode(0o1777);
        fs::set_permissions(made.place.path(), sticky).unwrap();
        chown(made.path("doorward.db-wal"), Some(4242), Some(4242)).unwrap();
        let somebodys = tempfile::tempdir().unwrap();
        chown(somebodys.path(), Some(4242), Some(4242)).unwrap();
        let acting = Acting::as_owner_of(&Folder::open(somebodys.path()).unwrap()).unwrap();
        let to = made.path(NAME);
        let failed = made.put(&to).err().unwrap();
        drop(acting);
        assert!(matches!(failed, BackupError::Unwritable { .. }), "{failed}");
        made.is_as_before();
    }

    #[test]
    fn where_the_old_store_cannot_be_put_back_it_is_said_where_it_is() {
        let made = Made::new();
        fs::write(made.path("workshop/doorward.db"), "new").unwrap();
        let to = made.path(NAME);
        let placed = made.put(&to).unwrap();
        fs::create_dir(made.path("doorward.db-wal")).unwrap();
        let failed = placed.undo(&"the disk is gone");
        let told = failed.to_string();
        let left = format!(
            "rename {} to {}",
            made.path("doorward.db.before-restore-wal").display(),
            made.path("doorward.db-wal").display()
        );
        assert!(told.contains("the disk is gone"), "{told}");
        assert!(told.ends_with(&left), "{told}");
        assert_eq!(fs::read_to_string(&to).unwrap(), NAME);
    }
}
