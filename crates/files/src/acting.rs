//! Acting as the owner of a folder: what lies there can then have a command of root do no more
//! than its owner could do anyway.

use std::fmt::Display;
use std::io;
use std::marker::PhantomData;

use rustix::process::{Gid, Uid, getegid, geteuid, getgroups};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::Folder;

/// A group that has no rights, where the folder's group is root's, which its owner need not be in.
const NO_GROUP: u32 = 65_534;

/// While this lives, the thread that made it has the rights of a folder's owner where it had
/// root's; a thread that it starts meanwhile keeps them. Linux gives rights to each thread, so that
/// the others stay as they are.
///
/// The effective rights alone are changed: to the owner's other processes this one stays root's,
/// which they can neither trace nor signal.
#[derive(Debug)]
#[must_use = "the rights are given back where it is dropped"]
pub struct Acting {
    /// What this thread had, where it has others now.
    before: Option<Rights>,
    /// The rights are this thread's.
    _here: PhantomData<*const ()>,
}

#[derive(Debug)]
struct Rights {
    user: Uid,
    group: Gid,
    groups: Vec<Gid>,
}

impl Acting {
    /// Takes the rights of whom the folder belongs to. Whoever is not root keeps their own, and so
    /// does root in a folder of root's.
    ///
    /// # Errors
    /// The system lets this process be nobody else.
    pub fn as_owner_of(folder: &Folder) -> io::Result<Self> {
        let unchanged = Self {
            before: None,
            _here: PhantomData,
        };
        let Some(owner) = folder.stranger.filter(|_| geteuid().is_root()) else {
            return Ok(unchanged);
        };
        let group = if owner.group == 0 {
            NO_GROUP
        } else {
            owner.group
        };
        Self::become_one(Uid::from_raw(owner.user), Gid::from_raw(group)).map_err(|fault| {
            io::Error::new(
                fault.kind(),
                format!(
                    "its folder belongs to user {}, as whom this process cannot act ({fault}): \
                     run it as that user",
                    owner.user
                ),
            )
        })
    }

    fn become_one(user: Uid, group: Gid) -> io::Result<Self> {
        let acting = Self {
            before: Some(Rights {
                user: geteuid(),
                group: getegid(),
                groups: getgroups()?,
            }),
            _here: PhantomData,
        };
        // The user last: after that the others can no longer be changed.
        set_thread_groups(&[])?;
        set_thread_res_gid(None, group, None)?;
        set_thread_res_uid(None, user, None)?;
        Ok(acting)
    }

    /// What went wrong, with the user who met it where that is not who runs this.
    pub fn tell(&self, fault: &dyn Display) -> String {
        match self.user() {
            Some(user) => format!("{fault} (as user {user}, to whom its folder belongs)"),
            None => fault.to_string(),
        }
    }

    /// The user whose rights this thread took.
    fn user(&self) -> Option<u32> {
        self.before.as_ref().map(|_| geteuid().as_raw())
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        let Some(before) = self.before.take() else {
            return;
        };
        // What cannot be had back is a right less.
        let _ = set_thread_res_uid(None, before.user, None);
        let _ = set_thread_res_gid(None, before.group, None);
        let _ = set_thread_groups(&before.groups);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, chown};

    use super::*;

    const STRANGER: u32 = 4242;

    #[test]
    fn root_acts_as_the_owner_and_its_other_threads_do_not() {
        if !geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        chown(folder.path(), Some(STRANGER), Some(STRANGER)).unwrap();
        let before = (getegid(), getgroups().unwrap());
        let elsewhere = || {
            let asked = std::thread::spawn(|| (geteuid().as_raw(), getgroups().unwrap()));
            asked.join().unwrap()
        };
        let opened = Folder::open(folder.path()).unwrap();
        let (say, said) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || {
            said.recv().unwrap();
            geteuid().as_raw()
        });
        let acting = Acting::as_owner_of(&opened).unwrap();
        assert_eq!(acting.user(), Some(STRANGER));
        assert_eq!(elsewhere(), (STRANGER, Vec::new()));
        say.send(()).unwrap();
        assert_eq!(other.join().unwrap(), 0);
        let made = folder.path().join("made");
        fs::write(&made, "").unwrap();
        let made = fs::metadata(&made).unwrap();
        assert_eq!((made.uid(), made.gid()), (STRANGER, STRANGER));
        drop(acting);
        assert!(geteuid().is_root());
        assert_eq!((getegid(), getgroups().unwrap()), before);
        assert_eq!(elsewhere().0, 0);
    }

    #[test]
    fn the_group_of_root_is_not_taken_along() {
        if !geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        chown(folder.path(), Some(STRANGER), Some(0)).unwrap();
        let opened = Folder::open(folder.path()).unwrap();
        let _acting = Acting::as_owner_of(&opened).unwrap();
        assert_eq!(getegid().as_raw(), NO_GROUP);
    }

    #[test]
    fn a_folder_of_roots_in_one_of_somebody_else_is_theirs() {
        if !geteuid().is_root() {
            return;
        }
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("inner");
        fs::create_dir(&inner).unwrap();
        chown(outer.path(), Some(STRANGER), Some(STRANGER)).unwrap();
        let opened = Folder::open(&inner).unwrap();
        let acting = Acting::as_owner_of(&opened).unwrap();
        assert_eq!(acting.user(), Some(STRANGER));
    }
}
