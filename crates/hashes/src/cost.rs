//! What computing a hash costs, estimated from its parameters before anything is computed.
//!
//! The constants are time on one core of a slow server without hash instructions, about half
//! as fast again as measured on current ones: an estimate errs towards refusing.

use super::stored::HashRefused;

/// The most time that one verification may take, in milliseconds (CONTRACT.md 6).
pub const MAX_MILLISECONDS: u64 = 1000;

/// The most memory that one verification may take, in KiB (CONTRACT.md 6).
pub const MAX_MEMORY_KIB: u64 = 64 * 1024;

/// The password length, in bytes, for which an import estimates; a verification estimates for
/// the password it has.
pub(super) const TYPICAL_PASSWORD_BYTES: usize = 32;

/// Filling one argon2 block of 1 KiB once.
pub(super) const ARGON2_BLOCK_NANOSECONDS: u64 = 800;
/// One MD5 compression of 64 bytes.
pub(super) const MD5_NANOSECONDS: u64 = 200;
/// One SHA-1 compression of 64 bytes.
pub(super) const SHA1_NANOSECONDS: u64 = 200;
/// One SHA-256 compression of 64 bytes.
pub(super) const SHA256_NANOSECONDS: u64 = 300;
/// One SHA-512 compression of 128 bytes.
pub(super) const SHA512_NANOSECONDS: u64 = 400;
/// One of bcrypt's `2^cost` rounds, two key expansions.
pub(super) const BCRYPT_ROUND_NANOSECONDS: u64 = 85_000;
/// Filling and mixing 128 bytes of yescrypt's memory.
pub(super) const YESCRYPT_UNIT_NANOSECONDS: u64 = 500;

/// An estimate of what one computation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    nanoseconds: u64,
    memory_kib: u64,
}

impl Cost {
    /// A cost of so much time on one core and so much memory.
    pub(super) fn new(nanoseconds: u64, memory_kib: u64) -> Self {
        Self {
            nanoseconds,
            memory_kib,
        }
    }

    /// A cost of time alone: `count` times `each` nanoseconds.
    pub(super) fn time(count: u64, each: u64) -> Self {
        Self::new(count.saturating_mul(each), 0)
    }

    /// The estimated time on one core, in milliseconds, rounded down.
    pub fn milliseconds(self) -> u64 {
        self.nanoseconds / 1_000_000
    }

    /// The memory needed, in KiB.
    pub fn memory_kib(self) -> u64 {
        self.memory_kib
    }

    /// Holds the cost against [`MAX_MILLISECONDS`] and [`MAX_MEMORY_KIB`].
    ///
    /// # Errors
    /// [`HashRefused::TooMuchMemory`] or [`HashRefused::TooSlow`], with the estimate.
    pub fn check(self) -> Result<(), HashRefused> {
        if self.memory_kib > MAX_MEMORY_KIB {
            return Err(HashRefused::TooMuchMemory {
                memory_kib: self.memory_kib,
            });
        }
        if self.nanoseconds > MAX_MILLISECONDS * 1_000_000 {
            return Err(HashRefused::TooSlow {
                milliseconds: self.milliseconds(),
            });
        }
        Ok(())
    }
}
