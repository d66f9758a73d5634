//! CHAP (RFC 1994 §4.1, RFC 2865 §5.3).

use md5::{Digest as _, Md5};

/// What a peer that knows a password answers to a challenge.
pub fn chap_response(identifier: u8, password: &[u8], challenge: &[u8]) -> [u8; 16] {
    let mut digest = Md5::new();
    digest.update([identifier]);
    digest.update(password);
    digest.update(challenge);
    digest.finalize().into()
}
