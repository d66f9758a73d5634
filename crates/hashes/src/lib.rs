//! Password hashes: the one place that knows their formats. In [`network_password`], the passwords
//! that are kept to answer challenges.
//!
//! New hashes are argon2id in PHC strings; imported ones verify until they are hashed anew
//! (CONTRACT.md 6). Knows no accounts, and no clock but a caller's: who may try, and until when, is
//! decided by the callers.

mod argon2id;
mod base64_variants;
mod bcrypt_hash;
mod cost;
mod digest;
mod md5_crypt;
pub mod network_password;
mod pbkdf2_hash;
mod sha_crypt_hash;
mod stored;
mod yescrypt_hash;

pub use argon2id::{
    Argon2Parameters, Memory, ParametersRefused, SaltUnavailable, hash_dummy, hash_password,
};
pub use cost::{Cost, MAX_MEMORY_KIB, MAX_MILLISECONDS};
pub use stored::{HashRefused, MAX_HASH_BYTES, StoredHash};
