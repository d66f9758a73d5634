//! What a TLS library leaves in its buffers, and how it is wiped.
//!
//! rustls decrypts a record where it was received, and keeps that buffer as it is until the next
//! record is read into it: the last request of a connection, a password maybe, would stay in memory
//! for as long as the connection, and after it. Whatever the buffer holds beyond what is still to
//! be decrypted is lent to whoever reads ciphertext; [`Wiping`] wipes it before it reads. The next
//! read begins when a request is answered, so that nothing is left while a connection waits.

use std::io::{self, Read};

use zeroize::Zeroize as _;

/// Wipes what it is to read into, and then reads. It belongs between TLS and its ciphertext.
#[derive(Debug)]
pub struct Wiping<S>(S);

impl<S> Wiping<S> {
    /// Around where ciphertext comes from.
    pub fn new(inner: S) -> Self {
        Self(inner)
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

#[cfg(test)]
mod tests {
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
}
