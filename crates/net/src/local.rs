//! Listening on Unix sockets (unix(7)), and who is at their other end.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{Uid, User};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::warn;

use super::socket::BACKLOG;
use doorward_domain::origin::{PeerUser, Source};

/// How long a user's name is looked for. The system may ask a directory for it, which may be this
/// very daemon.
const LOOK_UP: Duration = Duration::from_secs(1);
/// How many names are looked for at once, each in a thread.
static LOOKING_UP: Semaphore = Semaphore::const_new(4);

/// A Unix socket that is listened on; its file goes with it.
pub struct LocalListener {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of the file, so that only what was made here is removed.
    file: (u64, u64),
}

/// Listens on a Unix socket with these permissions. The file of one that nobody listens on any
/// more is replaced; anything else in its place is left alone and told.
///
/// Must be called inside the runtime that will accept from it.
///
/// # Errors
/// What the system says; somebody listens there, or something that is no socket has the name.
pub fn listen_local(path: &Path, mode: u32) -> io::Result<LocalListener> {
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Nobody can connect before it listens, and by then it has its permissions.
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    socket.listen(BACKLOG)?;
    let file = fs::symlink_metadata(path)?;
    let listener = UnixListener::from_std(std::os::unix::net::UnixListener::from(socket))?;
    Ok(LocalListener {
        listener,
        path: path.to_owned(),
        file: (file.dev(), file.ino()),
    })
}

fn remove_stale(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "something that is no socket has this name: remove it, or choose another",
        ));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another process listens on this socket",
        )),
        Err(fault) if fault.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(fault) => Err(fault),
    }
}

impl LocalListener {
    /// Takes the next connection.
    ///
    /// # Errors
    /// What the system says.
    pub async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for LocalListener {
    fn drop(&mut self) {
        let still = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == self.file);
        if still && let Err(error) = fs::remove_file(&self.path) {
            warn!(%error, path = %self.path.display(), "the socket's file was not removed");
        }
    }
}

/// Who is at the other end, as the system says (`SO_PEERCRED`): the user who connected.
///
/// The number stands for the user only where the system knows no name for it. Whoever could shed
/// the name by keeping the system busy would pass every rule that names the user.
///
/// # Errors
/// The system does not say who it is, or not in time whether the user has a name.
pub async fn peer(stream: &UnixStream) -> io::Result<Source> {
    let number = stream.peer_cred()?.uid();
    let name = timeout(LOOK_UP, name_of(number, &LOOKING_UP, registered_name)).await??;
    Ok(Source::Local(PeerUser::new(number, name.as_deref())))
}

/// The user's name in the system's databases (getpwuid(3)); none where there is no such user.
fn registered_name(number: u32) -> io::Result<Option<String>> {
    Ok(User::from_uid(Uid::from_raw(number))?.map(|user| user.name))
}

/// Looks for a name in a thread of its own. The turn is the thread's: one that hangs keeps it,
/// also when nobody waits for it any more.
async fn name_of(
    number: u32,
    turns: &'static Semaphore,
    look_up: impl FnOnce(u32) -> io::Result<Option<String>> + Send + 'static,
) -> io::Result<Option<String>> {
    let turn = turns.acquire().await.map_err(io::Error::other)?;
    let looked = tokio::task::spawn_blocking(move || {
        let found = look_up(number);
        drop(turn);
        found
    });
    looked.await?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_comes_with_its_permissions_and_goes_with_its_listener() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ldapi");
        let listener = listen_local(&path, 0o640).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        let taken = listen_local(&path, 0o640).err().unwrap();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ldapi");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let listener = listen_local(&path, 0o600).unwrap();
        // Whoever put another file in its place keeps it.
        fs::remove_file(&path).unwrap();
        fs::write(&path, "mine").unwrap();
        drop(listener);
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        let taken = listen_local(&path, 0o600).err().unwrap();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[tokio::test]
    async fn the_other_end_is_known_by_its_user() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ldapi");
        let listener = listen_local(&path, 0o600).unwrap();
        let _client = UnixStream::connect(&path).await.unwrap();
        let stream = listener.accept().await.unwrap();
        let own = Uid::effective();
        let name = User::from_uid(own).unwrap().map(|user| user.name);
        let expected = PeerUser::new(own.as_raw(), name.as_deref());
        assert_eq!(peer(&stream).await.unwrap(), Source::Local(expected));
    }

    fn turns(count: usize) -> &'static Semaphore {
        Box::leak(Box::new(Semaphore::new(count)))
    }

    #[tokio::test]
    async fn only_a_user_whom_nobody_knows_is_a_number() {
        let turns = turns(1);
        let known = name_of(7, turns, |_| Ok(Some("guest".to_owned()))).await;
        assert_eq!(known.unwrap().as_deref(), Some("guest"));
        assert_eq!(name_of(7, turns, |_| Ok(None)).await.unwrap(), None);
        let fault = name_of(7, turns, |_| Err(io::ErrorKind::NotConnected.into())).await;
        assert_eq!(fault.unwrap_err().kind(), io::ErrorKind::NotConnected);
        assert_eq!(turns.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_look_up_that_hangs_names_nobody_and_keeps_its_turn() {
        let turns = turns(1);
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let hanging = name_of(7, turns, move |_| {
            let _ = ended.recv();
            Ok(None)
        });
        let short = Duration::from_millis(50);
        assert!(timeout(short, hanging).await.is_err());
        // Nor is whoever finds no turn taken for somebody without a name.
        let waiting = name_of(8, turns, |_| Ok(None));
        assert!(timeout(short, waiting).await.is_err());
        drop(end);
        let next = name_of(8, turns, |_| Ok(Some("next".to_owned()))).await;
        assert_eq!(next.unwrap().as_deref(), Some("next"));
    }
}
