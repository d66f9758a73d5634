//! Files and folders as this program makes them: with the permissions that are said, whatever the
//! umask is; never through a link that somebody planted under the name; and, where root makes
//! them, given to the owner of the folder. A command of root may write in a folder of the daemon's
//! user, and must write nowhere else because of what that user put there.
//!
//! It knows nothing of what is in them.

mod acting;
mod way;

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat, mkdirat};
use nix::unistd::{Gid, LinkatFlags, Uid, UnlinkatFlags, fchownat, geteuid, linkat, unlinkat};

pub use acting::Acting;
use way::Owner;

/// What somebody else must not meddle with in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Any name: new ones would do harm as well.
    Names,
    /// One name, made by who runs this.
    OneName,
}

/// A folder that is open: names in it stay names in it, whatever becomes of the path to it.
#[derive(Debug)]
pub struct Folder {
    file: File,
    path: PathBuf,
    stranger: Option<Owner>,
    /// Where others could change the way to it ([`way::Reached::shared`]).
    shared: Option<PathBuf>,
}

impl Folder {
    /// Opens a folder.
    ///
    /// # Errors
    /// It is not there, or no folder, or the way to it leads over a link that belongs to somebody
    /// who is neither root nor who runs this.
    pub fn open(path: &Path) -> io::Result<Self> {
        let reached = way::go(path)?;
        Ok(Self {
            file: reached.folder,
            path: reached.path,
            stranger: reached.stranger,
            shared: reached.shared,
        })
    }

    /// Refuses to have root work in a folder of its own where others may write: nothing tells whose
    /// rights would do there. A name that others cannot take away (in `/tmp`) may be wanted alone.
    /// Refuses a folder of whomever where others may put another in its place, after it was looked
    /// at whose it is.
    ///
    /// # Errors
    /// Others may write there, or in a folder of root's on the way there.
    pub fn refuse_company(&self, wanted: Wanted) -> io::Result<()> {
        if !geteuid().is_root() {
            return Ok(());
        }
        let mode = self.file.metadata()?.mode();
        let shared = match wanted {
            Wanted::Names => mode & 0o022 != 0,
            Wanted::OneName => way::is_shared(mode),
        };
        let message = if let Some(above) = &self.shared {
            format!(
                "others than root may write in root's folder {}, and so put another in the place \
                 of {}: take that from them (chmod go-w), or have them take away nothing but what \
                 is theirs (chmod +t)",
                above.display(),
                self.path.display()
            )
        } else if shared && self.stranger.is_none() {
            format!(
                "others than root may write in root's folder {}: take that from them (chmod go-w), \
                 or give it to the daemon's user (chown)",
                self.path.display()
            )
        } else {
            return Ok(());
        };
        Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
    }

    /// Whether what lies in it is there by the will of who runs this, or of root, alone.
    ///
    /// # Errors
    /// What the system says.
    pub fn is_ones_own(&self) -> io::Result<bool> {
        let closed = self.file.metadata()?.mode() & 0o022 == 0;
        Ok(closed && self.stranger.is_none() && self.shared.is_none())
    }

    /// Makes an empty folder in which nobody else can do anything, for as long as the file `of` is
    /// being made; what a crash left of an earlier one is taken away.
    ///
    /// # Errors
    /// Others could take it away ([`Folder::refuse_company`]), there is something else in it
    /// ([`Folder::remove_workshop`]), or what the system says.
    pub fn make_workshop(&self, name: &OsStr, of: &OsStr) -> io::Result<Self> {
        self.refuse_company(Wanted::OneName)?;
        self.remove_workshop(name, of)?;
        mkdirat(&self.file, name, Mode::S_IRWXU)?;
        Ok(Self {
            file: self.open_folder(name)?,
            path: self.path.join(name),
            stranger: self.stranger,
            shared: self.shared.clone(),
        })
    }

    /// Takes a folder away with the file `of` in it and what stands beside that, or whatever else has
    /// the name.
    ///
    /// # Errors
    /// There is something of another name in it, and nothing was removed; or what the system says.
    pub fn remove_workshop(&self, name: &OsStr, of: &OsStr) -> io::Result<()> {
        let Ok(file) = self.open_folder(name) else {
            return self.remove(name);
        };
        let workshop = Self {
            file,
            path: self.path.join(name),
            stranger: self.stranger,
            shared: self.shared.clone(),
        };
        let names = workshop.names()?;
        let is_left = |name: &OsString| name.as_bytes().starts_with(of.as_bytes());
        if let Some(strange) = names.iter().find(|name| !is_left(name)) {
            return Err(io::Error::other(format!(
                "{} has the name of a folder for what is half done, and holds something else: move \
                 it away",
                workshop.path(strange).display()
            )));
        }
        for name in names {
            let told = |error: io::Error| {
                let path = workshop.path(&name).display().to_string();
                io::Error::new(error.kind(), format!("{path}: {error}"))
            };
            workshop.remove(&name).map_err(told)?;
        }
        Ok(unlinkat(&self.file, name, UnlinkatFlags::RemoveDir)?)
    }

    fn open_folder(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(openat(&self.file, name, flags, Mode::empty())?.into())
    }

    /// Opens the folder a file stands in, and tells the file's name in it.
    ///
    /// # Errors
    /// As [`Folder::open`]; the path ends in no name.
    pub fn of(path: &Path) -> io::Result<(Self, OsString)> {
        let name = path
            .file_name()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
        let folder = Self::open(path.parent().unwrap_or_else(|| Path::new(".")))?;
        Ok((folder, name.to_owned()))
    }

    /// The path of a name in it, without a link up to the name.
    pub fn path(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// Makes an empty file, readable and writable here, with exactly these permissions; where root
    /// makes it, it is the folder's owner's.
    ///
    /// # Errors
    /// The name is taken, be it by a link that leads nowhere; or what the system says.
    pub fn create(&self, name: &OsStr, mode: u32) -> io::Result<File> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW;
        let flags = flags | OFlag::O_CLOEXEC;
        let file = openat(&self.file, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
        let file = File::from(file);
        self.give(&file)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        Ok(file)
    }

    /// Opens a file that is there to read and write it, and no link, pipe or device.
    ///
    /// # Errors
    /// It is something else, or what the system says.
    pub fn open_file(&self, name: &OsStr) -> io::Result<File> {
        self.open_with(name, OFlag::O_RDWR)
    }

    /// Opens a file to read it, and no link, pipe or device.
    ///
    /// # Errors
    /// As [`Folder::open_file`].
    pub fn open_to_read(&self, name: &OsStr) -> io::Result<File> {
        self.open_with(name, OFlag::O_RDONLY)
    }

    fn open_with(&self, name: &OsStr, access: OFlag) -> io::Result<File> {
        // Opening a pipe would wait for its other end.
        let flags = access | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = File::from(openat(&self.file, name, flags, Mode::empty())?);
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is no ordinary file",
            ))
        }
    }

    /// Gives a file to the folder's owner, where this process may.
    fn give(&self, file: &File) -> io::Result<()> {
        give(file, &self.file.metadata()?)
    }

    /// Whether anything has this name, a link that leads nowhere included.
    ///
    /// # Errors
    /// What the system says.
    pub fn has(&self, name: &OsStr) -> io::Result<bool> {
        match self.stat(name) {
            Ok(_) => Ok(true),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Whether an ordinary file has this name.
    ///
    /// # Errors
    /// Something else has it, or what the system says.
    pub fn has_file(&self, name: &OsStr) -> io::Result<bool> {
        let kind = match self.stat(name) {
            Ok(found) => SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(fault) => return Err(fault),
        };
        let what = match kind {
            SFlag::S_IFREG => return Ok(true),
            SFlag::S_IFLNK => "it is a link, which may lead anywhere",
            _ => "it is no ordinary file",
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, what))
    }

    /// Whether this very file has the name.
    ///
    /// # Errors
    /// What the system says.
    pub fn is(&self, name: &OsStr, file: &File) -> io::Result<bool> {
        let (found, file) = (self.stat(name)?, file.metadata()?);
        Ok(found.st_dev == file.dev() && found.st_ino == file.ino())
    }

    fn stat(&self, name: &OsStr) -> io::Result<FileStat> {
        Ok(fstatat(&self.file, name, AtFlags::AT_SYMLINK_NOFOLLOW)?)
    }

    /// Takes a name away; one that is not there is no fault.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        match unlinkat(&self.file, name, UnlinkatFlags::NoRemoveDir) {
            Err(Errno::ENOENT) => Ok(()),
            done => Ok(done?),
        }
    }

    /// Gives a file another name; what had it is gone.
    ///
    /// # Errors
    /// What the system says.
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.file, from, &self.file, to)?)
    }

    /// Gives a file a second name, which must be free, in a folder on the same disk.
    ///
    /// # Errors
    /// The name is taken, or what the system says.
    pub fn link(&self, from: &OsStr, folder: &Self, to: &OsStr) -> io::Result<()> {
        let flags = LinkatFlags::empty();
        Ok(linkat(&self.file, from, &folder.file, to, flags)?)
    }

    /// Gives what has a name, a link itself and not where it leads, to a user and a group.
    ///
    /// # Errors
    /// It is a file that has another name as well, and so may be somebody else's; or what the
    /// system says.
    pub fn hand_over(&self, name: &OsStr, user: Option<u32>, group: Option<u32>) -> io::Result<()> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = File::from(openat(&self.file, name, flags, Mode::empty())?);
        let found = file.metadata()?;
        if found.is_file() && found.nlink() != 1 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("{} has another name elsewhere", name.display()),
            ));
        }
        let (user, group) = (user.map(Uid::from_raw), group.map(Gid::from_raw));
        // The very file that was looked at.
        Ok(fchownat(&file, "", user, group, AtFlags::AT_EMPTY_PATH)?)
    }

    /// Gives the folder itself to a user and a group.
    ///
    /// # Errors
    /// What the system says.
    pub fn hand_over_itself(&self, user: u32, group: u32) -> io::Result<()> {
        fchown(&self.file, Some(user), Some(group))
    }

    /// The names in it.
    ///
    /// # Errors
    /// What the system says.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut names = Vec::new();
        for entry in Dir::openat(&self.file, ".", flags, Mode::empty())?.iter() {
            let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Makes names durable.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

/// Gives a file to the owner of something else, where this process may.
fn give(file: &File, owner: &Metadata) -> io::Result<()> {
    let given = file.metadata()?;
    if owner.uid() == given.uid() && owner.gid() == given.gid() {
        return Ok(());
    }
    match fchown(file, Some(owner.uid()), Some(owner.gid())) {
        // Whoever is not root keeps their own files.
        Err(fault) if fault.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

/// Appends to a name: `doorward.db` and `.lock` give `doorward.db.lock`.
pub fn beside(name: &OsStr, suffix: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(suffix);
    name
}

/// Makes a file with exactly these permissions ([`Folder::create`]).
///
/// # Errors
/// As [`Folder::create`].
pub fn create(path: &Path, mode: u32) -> io::Result<File> {
    let (folder, name) = Folder::of(path)?;
    folder.create(&name, mode)
}

/// Writes a file in one step, so that a reader sees the old content or the new one.
///
/// # Errors
/// What the system says; what stood there stays.
pub fn replace(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    use io::Write as _;
    let (folder, name) = Folder::of(path)?;
    let unfinished = beside(&name, ".new");
    // What a crash left behind may have another mode.
    folder.remove(&unfinished)?;
    let mut file = folder.create(&unfinished, mode)?;
    file.write_all(content)?;
    file.sync_all()?;
    folder.rename(&unfinished, &name)
}

/// Makes a folder, and those above it that are missing, with exactly these permissions; each is the
/// owner's of the folder it is in. One that is there stays as it is.
///
/// # Errors
/// What the system says; one that is there is no folder, or a link of somebody else's.
pub fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    if path.try_exists()? {
        return Folder::open(path).map(drop);
    }
    let above = path.parent().unwrap_or_else(|| Path::new("."));
    make_folder(above, mode)?;
    let (above, name) = Folder::of(path)?;
    match mkdirat(&above.file, name.as_os_str(), Mode::S_IRWXU) {
        // Another process was faster.
        Err(Errno::EEXIST) => Folder::open(path).map(drop),
        Err(fault) => Err(fault.into()),
        Ok(()) => {
            let folder = above.open_folder(&name)?;
            above.give(&folder)?;
            folder.set_permissions(Permissions::from_mode(mode))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn what_is_made_has_the_permissions_that_were_said() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        make_folder(&deep, 0o777).unwrap();
        // No umask takes anything away.
        assert_eq!(
            (mode(&deep), mode(&folder.path().join("a"))),
            (0o777, 0o777)
        );
        let file = deep.join("file");
        create(&file, 0o666).unwrap();
        assert_eq!(mode(&file), 0o666);
        replace(&file, 0o622, b"new").unwrap();
        assert_eq!(mode(&file), 0o622);
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(!deep.join("file.new").exists());
    }

    #[test]
    fn a_planted_link_is_followed_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        fs::write(&victim, "untouched").unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, target) in [("link", victim.clone()), ("dangling", at("nothing"))] {
            symlink(target, at(name)).unwrap();
            let fault = create(&at(name), 0o600).unwrap_err();
            assert_eq!(fault.kind(), io::ErrorKind::AlreadyExists);
            let (opened, file) = Folder::of(&at(name)).unwrap();
            assert!(opened.has(&file).unwrap());
            assert!(opened.open_file(&file).is_err());
        }
        assert!(!at("nothing").exists());
        symlink(&victim, at("new.new")).unwrap();
        replace(&at("new"), 0o600, b"content").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
        assert_eq!(fs::read(at("new")).unwrap(), b"content");
    }

    #[test]
    fn a_file_is_known_for_itself() {
        let folder = tempfile::tempdir().unwrap();
        let opened = Folder::open(folder.path()).unwrap();
        let (one, other) = (OsStr::new("one"), OsStr::new("other"));
        let file = opened.create(one, 0o600).unwrap();
        assert!(opened.is(one, &file).unwrap());
        opened.rename(one, other).unwrap();
        opened.create(one, 0o600).unwrap();
        assert!(!opened.is(one, &file).unwrap());
        assert!(opened.link(other, &opened, one).is_err());
        opened.remove(one).unwrap();
        opened.remove(one).unwrap();
        opened.link(other, &opened, one).unwrap();
        assert!(opened.is(one, &file).unwrap());
    }

    #[test]
    fn a_pipe_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
        let (opened, name) = Folder::of(&path).unwrap();
        assert!(opened.open_file(&name).is_err());
    }

    #[test]
    fn a_workshop_is_ones_own_and_cleared_of_what_was_left() {
        let folder = tempfile::tempdir().unwrap();
        let opened = Folder::open(folder.path()).unwrap();
        let name = OsStr::new("shop");
        let path = folder.path().join("shop");
        let victim = folder.path().join("victim");
        fs::write(&victim, "untouched").unwrap();
        symlink(&victim, &path).unwrap();
        for left in ["file", "file-journal"] {
            let shop = opened.make_workshop(name, OsStr::new("file")).unwrap();
            assert_eq!(mode(&path), 0o700);
            assert_eq!(shop.names().unwrap(), Vec::<OsString>::new());
            shop.create(OsStr::new(left), 0o600).unwrap();
            symlink(&victim, path.join("file-link")).unwrap();
        }
        // What nothing of this left stays, and so does all else.
        fs::write(path.join("precious"), "").unwrap();
        for refused in [
            opened.make_workshop(name, OsStr::new("file")).err(),
            opened.remove_workshop(name, OsStr::new("file")).err(),
        ] {
            let told = refused.unwrap().to_string();
            assert!(
                told.contains("shop/precious") && told.contains("move"),
                "{told}"
            );
        }
        assert!(path.join("precious").exists() && path.join("file-journal").exists());
        fs::remove_file(path.join("precious")).unwrap();
        opened.remove_workshop(name, OsStr::new("file")).unwrap();
        assert!(!path.exists());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    }

    #[test]
    fn root_stays_out_of_its_folders_where_others_may_write() {
        if !geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        for (mode, any, one) in [
            (0o755, true, true),
            (0o770, false, false),
            (0o777, false, false),
            (0o1777, false, true),
        ] {
            fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
            let opened = Folder::open(folder.path()).unwrap();
            let found = [Wanted::Names, Wanted::OneName].map(|wanted| {
                let refused = opened.refuse_company(wanted);
                if let Err(fault) = &refused {
                    assert!(fault.to_string().contains("chown"), "{fault}");
                }
                refused.is_ok()
            });
            assert_eq!(found, [any, one], "{mode:o}");
        }
    }

    #[test]
    fn root_stays_out_of_where_others_could_put_another_folder() {
        if !geteuid().is_root() {
            return;
        }
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("inner");
        fs::create_dir(&inner).unwrap();
        for (mode, owner, allowed) in [
            (0o755, 0, true),
            (0o1777, 0, true),
            (0o777, 0, false),
            (0o2775, 0, false),
            (0o755, 4242, true),
            // Whoever has its owner's rights could be shown something else there.
            (0o777, 4242, false),
        ] {
            fs::set_permissions(outer.path(), Permissions::from_mode(mode)).unwrap();
            std::os::unix::fs::chown(&inner, Some(owner), Some(owner)).unwrap();
            let opened = Folder::open(&inner).unwrap();
            for wanted in [Wanted::Names, Wanted::OneName] {
                let refused = opened.refuse_company(wanted);
                assert_eq!(refused.is_ok(), allowed, "{mode:o} {owner}");
                if let Err(fault) = refused {
                    let told = fault.to_string();
                    let named = format!("{},", outer.path().display());
                    assert!(told.contains(&named) && told.contains("chmod +t"), "{told}");
                }
            }
        }
    }

    #[test]
    fn what_is_handed_over_is_a_name_of_its_own_and_no_links_target() {
        if !geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let owner = |name: &str| fs::symlink_metadata(at(name)).unwrap().uid();
        let opened = Folder::open(folder.path()).unwrap();
        for name in ["file", "target", "victim"] {
            fs::write(at(name), "").unwrap();
        }
        symlink("target", at("link")).unwrap();
        fs::hard_link(at("victim"), at("planted")).unwrap();
        let give = |name: &str| opened.hand_over(OsStr::new(name), Some(4242), Some(4242));
        give("file").unwrap();
        give("link").unwrap();
        assert!(give("planted").is_err());
        let owners = ["file", "link", "target", "victim"].map(owner);
        assert_eq!(owners, [4242, 4242, 0, 0]);
    }
}
