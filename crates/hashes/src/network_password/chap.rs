//! CHAP's response (RFC 1994 4.1, RFC 2865 5.3).

use md5::{Digest as _, Md5};
use subtle::ConstantTimeEq as _;

use super::NetworkPassword;

/// Whether the response is MD5 of identifier, password and challenge.
pub(super) fn verify(
    password: &NetworkPassword,
    identifier: u8,
    challenge: &[u8],
    response: &[u8; 16],
) -> bool {
    let expected: [u8; 16] = Md5::new()
        .chain_update([identifier])
        .chain_update(password.as_str())
        .chain_update(challenge)
        .finalize()
        .into();
    expected.ct_eq(response).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2865 7.2, where the Request Authenticator is the challenge.
    #[test]
    fn rfc_2865_7_2_flopsy() {
        let challenge = 0x2aee_86f0_8d0d_5596_9ca5_978e_0d33_67a2_u128.to_be_bytes();
        let response = 0xe975_57c3_1618_5895_f293_ff63_4407_7275_u128.to_be_bytes();
        let password = NetworkPassword::for_tests("arctangent");
        assert!(verify(&password, 22, &challenge, &response));
        assert!(!verify(&password, 23, &challenge, &response));
        assert!(!verify(&password, 22, &challenge[1..], &response));
        let other = NetworkPassword::for_tests("arctangenT");
        assert!(!verify(&other, 22, &challenge, &response));
    }
}
