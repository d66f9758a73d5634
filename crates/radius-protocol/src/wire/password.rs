//! User-Password hiding (RFC 2865 §5.2).

use md5::{Digest as _, Md5};
use zeroize::Zeroizing;

use super::Authenticator;
use doorward_domain::secret::Secret;

/// The longest hidden password, in octets (RFC 2865 §5.2).
pub const MAX_HIDDEN_PASSWORD: usize = 128;

const BLOCK: usize = 16;

/// The value of a User-Password is not 16 to 128 octets long in steps of 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the User-Password has an impossible length")]
pub struct MalformedPassword;

/// Reveals a User-Password and strips the NULs that padded it.
///
/// Under a wrong secret the result is garbage, not an error: nothing in the attribute tells.
///
/// # Errors
/// Where the value's length is impossible.
pub fn reveal_password(
    hidden: &[u8],
    authenticator: &Authenticator,
    secret: &Secret,
) -> Result<Zeroizing<Vec<u8>>, MalformedPassword> {
    let (blocks, rest) = hidden.as_chunks::<BLOCK>();
    if blocks.is_empty() || !rest.is_empty() || hidden.len() > MAX_HIDDEN_PASSWORD {
        return Err(MalformedPassword);
    }
    let mut clear = Zeroizing::new(Vec::with_capacity(hidden.len()));
    let mut previous = authenticator;
    for block in blocks {
        let pad = pad(secret, previous);
        clear.extend(
            block
                .iter()
                .zip(pad.iter())
                .map(|(hidden, pad)| hidden ^ pad),
        );
        previous = block;
    }
    let kept = clear
        .iter()
        .rposition(|&octet| octet != 0)
        .map_or(0, |last| last + 1);
    clear.truncate(kept);
    Ok(clear)
}

/// Hides a password as a RADIUS client does: padded with NULs to whole blocks of 16.
///
/// # Errors
/// Where it is longer than 128 octets.
pub fn hide_password(
    clear: &[u8],
    authenticator: &Authenticator,
    secret: &Secret,
) -> Result<Vec<u8>, MalformedPassword> {
    if clear.len() > MAX_HIDDEN_PASSWORD {
        return Err(MalformedPassword);
    }
    let mut padded = Zeroizing::new([0_u8; MAX_HIDDEN_PASSWORD]);
    padded
        .iter_mut()
        .zip(clear)
        .for_each(|(to, from)| *to = *from);
    let blocks = clear.len().div_ceil(BLOCK).max(1);
    let mut hidden = Vec::with_capacity(blocks * BLOCK);
    let mut previous = *authenticator;
    for block in padded.as_chunks::<BLOCK>().0.iter().take(blocks) {
        let pad = pad(secret, &previous);
        previous
            .iter_mut()
            .zip(block.iter().zip(pad.iter()))
            .for_each(|(out, (clear, pad))| {
                *out = clear ^ pad;
            });
        hidden.extend_from_slice(&previous);
    }
    Ok(hidden)
}

fn pad(secret: &Secret, previous: &[u8; BLOCK]) -> Zeroizing<[u8; BLOCK]> {
    let mut digest = Md5::new();
    digest.update(secret.expose());
    digest.update(previous);
    Zeroizing::new(digest.finalize().into())
}
