//! The way to a folder, gone step by step: links are followed where root or who runs this made
//! them; whose folders it leads through, and where others could put something else on it, is
//! remembered.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::Mode;
use nix::unistd::geteuid;

/// How many links may be followed, as the kernel has it.
const MOST_LINKS: usize = 40;
/// As whom files appear whose owner has no number in this user namespace, root outside included.
const NOBODY: u32 = 65_534;

/// Whom a folder belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) user: u32,
    pub(super) group: u32,
}

/// Where a way led.
pub(super) struct Reached {
    pub(super) folder: File,
    /// Without a link.
    pub(super) path: PathBuf,
    /// Who, being neither root nor who runs this, decides what is found there: the owner of the
    /// folder, else of the nearest above it.
    pub(super) stranger: Option<Owner>,
    /// A folder of root's or of who runs this, on the way, in which others may take names away and
    /// so have the way lead elsewhere.
    pub(super) shared: Option<PathBuf>,
}

/// Whether others than its owner may take away names that are not theirs from a folder of this
/// mode.
pub(super) const fn is_shared(mode: u32) -> bool {
    mode & 0o022 != 0 && mode & 0o1000 == 0
}

/// Whether someone is root or who runs this.
fn is_trusted(user: u32) -> bool {
    user == 0 || user == geteuid().as_raw()
}

/// Goes to a folder.
pub(super) fn go(path: &Path) -> io::Result<Reached> {
    let here = root()?;
    let mut way = Way {
        nobody_is_root: here.metadata()?.uid() == NOBODY,
        here,
        path: PathBuf::from("/"),
        stranger: None,
        shared: None,
        links: 0,
    };
    let mut ahead = VecDeque::new();
    if !path.is_absolute() {
        ahead.extend(steps(&std::env::current_dir()?));
    }
    ahead.extend(steps(path));
    while let Some(step) = ahead.pop_front() {
        if let Some(target) = way.step(&step)? {
            for step in steps(&target).into_iter().rev() {
                ahead.push_front(step);
            }
        }
    }
    let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let folder = File::from(openat(&way.here, ".", flags, Mode::empty())?);
    let found = folder.metadata()?;
    let owner = Owner {
        user: found.uid(),
        group: found.gid(),
    };
    Ok(Reached {
        folder,
        path: way.path,
        stranger: Some(owner)
            .filter(|owner| !is_trusted(owner.user))
            .or(way.stranger),
        shared: way.shared,
    })
}

fn root() -> io::Result<File> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    Ok(nix::fcntl::open("/", flags, Mode::empty())?.into())
}

fn steps(path: &Path) -> Vec<OsString> {
    let steps = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    steps.collect()
}

struct Way {
    here: File,
    path: PathBuf,
    stranger: Option<Owner>,
    shared: Option<PathBuf>,
    links: usize,
    /// Root outside has no number in this user namespace.
    nobody_is_root: bool,
}

impl Way {
    /// Goes into the folder of a name; where it is a link, tells where that leads.
    fn step(&mut self, name: &OsStr) -> io::Result<Option<PathBuf>> {
        if name != ".." {
            self.look_around()?;
        }
        let there = self.open(name)?;
        let found = there.metadata()?;
        if found.is_symlink() {
            return self.follow(&there, found.uid()).map(Some);
        }
        if !found.is_dir() {
            return Err(Errno::ENOTDIR.into());
        }
        if self.is_strange(found.uid()) {
            self.stranger = Some(Owner {
                user: found.uid(),
                group: found.gid(),
            });
        }
        if name == ".." {
            self.path.pop();
        } else {
            self.path.push(name);
        }
        self.here = there;
        Ok(None)
    }

    fn is_strange(&self, user: u32) -> bool {
        let is_root = user == NOBODY && self.nobody_is_root;
        !(is_root || is_trusted(user))
    }

    /// Remembers the folder where the way is where others could change the next step.
    fn look_around(&mut self) -> io::Result<()> {
        let here = self.here.metadata()?;
        // A stranger's folder is theirs to share: whoever goes on has the stranger's rights alone.
        if self.shared.is_none() && is_shared(here.mode()) && !self.is_strange(here.uid()) {
            self.shared = Some(self.path.clone());
        }
        Ok(())
    }

    fn open(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        // Only where a folder is asked for is one mounted that is mounted when it is needed.
        let folder = openat(&self.here, name, flags | OFlag::O_DIRECTORY, Mode::empty());
        let opened = match folder {
            Err(Errno::ENOTDIR | Errno::ELOOP) => openat(&self.here, name, flags, Mode::empty()),
            opened => opened,
        };
        Ok(opened?.into())
    }

    fn follow(&mut self, link: &File, owner: u32) -> io::Result<PathBuf> {
        if !is_trusted(owner) {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "a link of somebody else's leads there",
            ));
        }
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(Errno::ELOOP.into());
        }
        // The very link that was looked at, whatever has its name by now.
        let target = PathBuf::from(readlinkat(link, "")?);
        if target.is_absolute() {
            self.here = root()?;
            self.path = PathBuf::from("/");
        }
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};

    use super::*;

    #[test]
    fn a_way_leads_where_the_kernel_says() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        fs::create_dir_all(real.join("a/b")).unwrap();
        symlink(real.join("a"), real.join("absolute")).unwrap();
        symlink("../a/b", real.join("a/relative")).unwrap();
        symlink("loop", real.join("loop")).unwrap();
        fs::write(real.join("file"), "").unwrap();
        for way in [
            "a/b",
            "absolute/b",
            "a/relative",
            "absolute/relative/../b/.",
            "a/../a//b/",
        ] {
            let reached = go(&real.join(way)).unwrap();
            assert_eq!(reached.path, real.join("a/b"), "{way}");
            let (there, here) = (
                reached.folder.metadata().unwrap(),
                fs::metadata(real.join("a/b")).unwrap(),
            );
            assert_eq!((there.dev(), there.ino()), (here.dev(), here.ino()));
        }
        assert_eq!(
            go(Path::new("")).unwrap().path,
            std::env::current_dir().unwrap()
        );
        for (way, expected) in [
            ("loop", Errno::ELOOP),
            ("file", Errno::ENOTDIR),
            ("none", Errno::ENOENT),
        ] {
            let fault = go(&real.join(way)).err().unwrap();
            assert_eq!(fault.raw_os_error(), Some(expected as i32), "{way}");
        }
    }

    #[test]
    fn a_link_of_somebody_elses_is_followed_nowhere_on_the_way() {
        if !geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        symlink("a", at("link")).unwrap();
        go(&at("link/b")).unwrap();
        lchown(at("link"), Some(4242), Some(4242)).unwrap();
        for way in ["link", "link/b"] {
            let fault = go(&at(way)).err().unwrap();
            assert_eq!(fault.kind(), io::ErrorKind::PermissionDenied, "{way}");
        }
    }

    #[test]
    fn where_others_could_change_the_way_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        let at = |name: &str| real.join(name);
        fs::create_dir_all(at("open/inner")).unwrap();
        symlink("open/inner", at("link")).unwrap();
        symlink(&real, at("open/back")).unwrap();
        let allow = |mode| {
            let permissions = fs::Permissions::from_mode(mode);
            fs::set_permissions(at("open"), permissions).unwrap();
        };
        for (mode, shared) in [
            (0o755, false),
            (0o775, true),
            (0o2775, true),
            (0o757, true),
            (0o1777, false),
        ] {
            allow(mode);
            for way in ["open/inner", "link", "open/../open/inner", "open/back"] {
                let found = go(&at(way)).unwrap().shared;
                assert_eq!(found, shared.then(|| at("open")), "{mode:o} {way}");
            }
            // Itself, it is the end of the way and no step of it.
            assert_eq!(go(&at("open")).unwrap().shared, None, "{mode:o}");
        }
        if geteuid().is_root() {
            allow(0o777);
            chown(at("open"), Some(4242), Some(4242)).unwrap();
            let reached = go(&at("open/inner")).unwrap();
            assert_eq!(reached.shared, None);
            assert_eq!(reached.stranger.unwrap().user, 4242);
        }
    }

    #[test]
    fn nobody_is_a_stranger_where_root_has_a_number() {
        if !geteuid().is_root() || fs::metadata("/").unwrap().uid() == NOBODY {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("inner")).unwrap();
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        let reached = go(&folder.path().join("inner")).unwrap();
        assert_eq!(reached.stranger.unwrap().user, NOBODY);
    }
}
