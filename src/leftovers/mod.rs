//! What a TLS library leaves in its buffers, and how it is wiped.
//!
//! rustls decrypts a record where it was received, and keeps that buffer as it is until the next
//! record is read into it: the last request of a connection, a password maybe, would stay in memory
//! for as long as the connection, and after it. Whatever the buffer holds beyond what is still to
//! be decrypted is lent to whoever reads ciphertext; [`Wiping`] wipes it before it reads. The next
//! read begins when a request is answered, so that nothing is left while a connection waits.

use std::io::{self, IoSlice, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use zeroize::Zeroize as _;

/// Wipes what it is to read into, and then reads. It belongs between TLS and its ciphertext.
#[derive(Debug)]
pub struct Wiping<S>(S);

impl<S> Wiping<S> {
    /// Around where ciphertext comes from.
    pub fn new(inner: S) -> Self {
        Self(inner)
    }

    /// Where ciphertext comes from.
    pub const fn get_ref(&self) -> &S {
        &self.0
    }
}

impl<R: Read> Read for Wiping<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.zeroize();
        self.0.read(buffer)
    }
}

/// The longest plaintext of a record (RFC 8446 5.1).
const LONGEST_RECORD: usize = 16_384;

/// Up to which size glibc keeps what a thread frees for that thread, how many of each size, and how
/// far apart sizes are. A record may be a little longer than its plaintext.
const CACHED: usize = 900;
const KEPT: usize = 7;
const STEP: usize = 16;
const FURTHER: usize = 4;

/// Overwrites what the library has just given back to the allocator. The plaintext of a record is
/// copied into memory of its own, which is freed unwiped when it is read, and no other reach to it
/// is left. An allocator that hands out first what a thread freed lately, as that of glibc does, gives
/// it back here. It is no promise, as another allocator or thread may do otherwise; it is to be
/// called right after `length` bytes of plaintext were read.
pub fn overwrite_freed(length: usize) {
    let rooms = if length <= CACHED {
        (0..FURTHER)
            .flat_map(|more| [length + more * STEP; KEPT])
            .collect()
    } else {
        vec![length.min(LONGEST_RECORD)]
    };
    // All at once, so that none is given out twice.
    let mut rooms: Vec<Vec<u8>> = rooms.into_iter().map(Vec::with_capacity).collect();
    for room in &mut rooms {
        // All of its room, and by writes that are not optimised away.
        room.zeroize();
    }
}

/// Reads nothing, and says that there may be more: for one that is to be wiped and has nothing to
/// read.
#[derive(Debug)]
pub struct NothingYet;

impl Read for NothingYet {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wiping<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        buffer.initialize_unfilled().zeroize();
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wiping<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[test]
    fn what_was_in_the_buffer_is_wiped_though_nothing_comes() {
        let mut buffer = *b"a password of before";
        let read = Read::read(&mut Wiping::new(NothingYet), &mut buffer);
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(buffer, [0; 20]);
        let mut buffer = *b"a password of before";
        let read = Read::read(&mut Wiping::new(&b"new"[..]), &mut buffer);
        assert_eq!(read.unwrap(), 3);
        assert_eq!(&buffer[..4], b"new\0");
        assert_eq!(buffer[4..], [0; 16]);
    }

    #[tokio::test]
    async fn streams_pass_through_it() {
        let (near, far) = tokio::io::duplex(64);
        let mut far = Wiping::new(far);
        let mut near = near;
        near.write_all(b"question").await.unwrap();
        let mut buffer = *b"a password of before";
        assert_eq!(far.read(&mut buffer).await.unwrap(), 8);
        assert_eq!(&buffer[..8], b"question");
        assert_eq!(buffer[8..], [0; 12]);
        far.write_all(b"answer").await.unwrap();
        assert_eq!(near.read(&mut buffer).await.unwrap(), 6);
    }
}
