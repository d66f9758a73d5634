use proptest::prelude::*;

use super::*;

const ED25519: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIh2OUnFV4SUWvRG9POqDGXlUAdv/HnLloMWorepVRc5 alice@laptop";
const P256: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBJ2zE3I9ZljkExeaoP+zBI3Ylw+S7AypwQnCPAymYoHbQRFaO/Aa0/+njYDj84zR1LLfKmaW7PWte9laTEUCnJk= alice@laptop";
const P384: &str = "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBERv5L5inW1NJ+F8C5RTto++V4klCMhsr8R0HUmjrsISKKm29pxeFZq27amc2YpfFuifeOPVLphcaNizDghuXQPJcz8HS5UwTcfVl3L5emgAo0nRhjHLCc6Y6bwCBGUWrQ== alice@laptop";
const P521: &str = "ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBACYock5Q1lY+u/z00yqyP+kOZk/UtPuldyvBApF4bPyMPDw6t4sIe9e1gFHhwyU/Mg07B7LFpefBZZcKHSOk1kj0gGH8dGX9ZZoVY19MdYMbboZR+wFjdAizRJ5IrlAWTJTEKMrR0DIoM/EIx3NRJI5e1nB+brVetQd/F8Wplo497xZuw== alice@laptop";
const RSA_2048: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDx9GFBQQzBgP6XFq5Okxu8PhCcvMjZiHNSAMnmeMcD3rXmZVkTHanPo5IA4e2ArsEho5UFP5qH/IVLLJ5xz5xgltX7TKONfNnZcqObpkZ6r/8iXfQ3+Wu9OdReP6v8pWghWQJSgtMtMFjpzs0P6r3Nl/VR8KRzIv2XJoXrAuZ1w2j4WpCHznUFQRRJxOLfQhhOV45YP//EnJYUIDFQ9fymjVNA8IwhW9Z14ImLEM06HzC4AZYayfFNEMEh3zNcwAzBZXe9yH+bO1aenXZZEcbZz5f9fI9fK5wdavFO/9KhPjCTF9TwNjMWltq5+Qk8P7/bo/Dxm4vNUPzHOxM5um83 alice@laptop";
const RSA_1024: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQCgQYI7FcwPszWSpmjdHKbUVs59whjSDq2ZHMsvNhLvTFHmnzEtpyxBSb0GLbTQpzHkozA6h0uqaOB9QbOOgBfUYQgybTIMKaZQQWs3TOQeTDLs5VULlCViMPliTa2BQVf1GNPbv51JQN0dVgZHkpqlXDPD0RPeiyC++YbLmZz7WQ== alice@laptop";

fn refused(line: &str) -> NotASshKey {
    SshPublicKey::parse(line).unwrap_err()
}

/// A line of this type around these strings.
fn line(kind: &str, strings: &[&[u8]]) -> String {
    let mut blob = Vec::new();
    for string in strings {
        blob.extend(u32::try_from(string.len()).unwrap().to_be_bytes());
        blob.extend(*string);
    }
    format!("{kind} {}", STANDARD.encode(blob))
}

/// An odd number of this many bits, as a blob holds it.
fn number(bits: usize) -> Vec<u8> {
    let mut bytes = vec![0xff; bits.div_ceil(8)];
    match bits % 8 {
        0 => bytes.insert(0, 0),
        used => bytes[0] = (1 << used) - 1,
    }
    bytes
}

#[test]
fn fingerprints_are_those_of_ssh_keygen() {
    for (line, expected) in [
        (
            ED25519,
            "SHA256:1RZK7looVlJRtlTHFeATnTKbdnZbmhOciVXpR7ZLP1g",
        ),
        (P256, "SHA256:T1owy+Y9rgNR7wvENDiTAIPA+qOmGq6aIu0NPnwhZQI"),
        (P384, "SHA256:F1y4fQqv3J/j6lg02Xea1Ug/RyIe1z1D/pYfC92Jto8"),
        (P521, "SHA256:NdnIXzsNBf9D3TODfUpdIwauGEaXJhRA6YxGB1hsiRE"),
        (
            RSA_2048,
            "SHA256:YcgJ0DU+/G0bvYpmilV81UYpLf4cwZiFaLubVmcZtDE",
        ),
    ] {
        let key = SshPublicKey::parse(line).unwrap();
        assert_eq!(key.fingerprint().to_string(), expected);
        assert_eq!(key.comment(), "alice@laptop");
        assert_eq!(key.to_string(), line);
    }
}

#[test]
fn a_line_is_written_in_one_form() {
    let (kind, rest) = ED25519.split_once(' ').unwrap();
    let (encoded, _) = rest.split_once(' ').unwrap();
    let bare = SshPublicKey::parse(&format!("  {kind}\t {encoded}\r\n")).unwrap();
    assert_eq!(bare.to_string(), format!("{kind} {encoded}"));
    assert_eq!(bare.comment(), "");
    let words = SshPublicKey::parse(&format!("{kind} {encoded}  Alice's laptop, ünder ")).unwrap();
    assert_eq!(words.comment(), "Alice's laptop, ünder");
    assert_eq!(bare.fingerprint(), words.fingerprint());
}

#[test]
fn keys_of_tokens_are_taken() {
    let coordinates = [&[4][..], &[7; 64]].concat();
    let ed25519 = "sk-ssh-ed25519@openssh.com";
    let ecdsa = "sk-ecdsa-sha2-nistp256@openssh.com";
    let whole = line(ed25519, &[ed25519.as_bytes(), &[7; 32], b"ssh:"]);
    assert_eq!(
        SshPublicKey::parse(&whole).unwrap().kind(),
        SshKeyType::TokenEd25519
    );
    let whole = line(
        ecdsa,
        &[ecdsa.as_bytes(), b"nistp256", &coordinates, b"ssh:"],
    );
    assert_eq!(
        SshPublicKey::parse(&whole).unwrap().kind(),
        SshKeyType::TokenEcdsaP256
    );
    for cut in [
        line(ed25519, &[ed25519.as_bytes(), &[7; 32]]),
        line(ed25519, &[ed25519.as_bytes(), &[7; 32], b""]),
        line(ecdsa, &[ecdsa.as_bytes(), b"nistp256", &coordinates]),
        line(
            ecdsa,
            &[ecdsa.as_bytes(), b"nistp384", &coordinates, b"ssh:"],
        ),
    ] {
        assert_eq!(refused(&cut), NotASshKey::Damaged);
    }
}

#[test]
fn what_is_no_key_to_keep_is_told_apart() {
    let private = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA";
    assert_eq!(refused(private), NotASshKey::Private);
    assert_eq!(
        refused("-----BEGIN RSA PRIVATE KEY-----"),
        NotASshKey::Private
    );
    assert_eq!(
        refused("PuTTY-User-Key-File-3: ssh-ed25519"),
        NotASshKey::Private
    );
    assert_eq!(
        refused("---- BEGIN SSH2 PUBLIC KEY ----"),
        NotASshKey::ForeignForm
    );
    assert_eq!(
        refused("-----BEGIN PUBLIC KEY-----"),
        NotASshKey::ForeignForm
    );
    assert_eq!(refused(" \n"), NotASshKey::Empty);
    assert_eq!(refused("hello"), NotASshKey::UnknownType);
    for options in [
        "restrict",
        "command=\"/bin/true x\"",
        "from=\"10.0.0.0/8\",no-pty",
    ] {
        assert_eq!(
            refused(&format!("{options} {ED25519}")),
            NotASshKey::Options
        );
    }
    assert_eq!(refused("ssh-dss AAAAB3NzaC1kc3MAAACBAJCm"), NotASshKey::Dsa);
    let certificate = "ssh-ed25519-cert-v01@openssh.com AAAA";
    assert_eq!(refused(certificate), NotASshKey::Certificate);
    assert_eq!(refused("ssh-ed25519 ***"), NotASshKey::NotBase64);
    assert_eq!(refused("ssh-ed25519"), NotASshKey::Damaged);
    let (_, rest) = ED25519.split_once(' ').unwrap();
    assert_eq!(refused(&format!("ssh-rsa {rest}")), NotASshKey::OtherType);
    assert_eq!(
        refused(&format!("{ED25519}{}", "x".repeat(300))),
        NotASshKey::Comment
    );
    assert_eq!(refused(&format!("{ED25519} \u{7}")), NotASshKey::Comment);
    assert_eq!(
        refused(&format!("ssh-rsa {}", "A".repeat(5000))),
        NotASshKey::TooLong
    );
    assert_eq!(
        refused(&format!("{ED25519}\nssh-rsa AAAA")),
        NotASshKey::Comment,
        "one line at a time"
    );
}

#[test]
fn rsa_keys_need_two_thousand_bits() {
    assert_eq!(refused(RSA_1024), NotASshKey::RsaBits(1024));
    let rsa = |modulus: &[u8]| line("ssh-rsa", &[b"ssh-rsa", &[1, 0, 1], modulus]);
    for bits in [2048, 3072, 4095, 16_384] {
        assert!(SshPublicKey::parse(&rsa(&number(bits))).is_ok(), "{bits}");
    }
    for bits in [2047, 16_385] {
        assert_eq!(refused(&rsa(&number(bits))), NotASshKey::RsaBits(bits));
    }
    let mut even = number(2048);
    *even.last_mut().unwrap() = 0xfe;
    assert_eq!(refused(&rsa(&even)), NotASshKey::Damaged);
    let padded = [&[0][..], &number(2048)].concat();
    assert_eq!(refused(&rsa(&padded)), NotASshKey::Damaged);
    for exponent in [&[][..], &[0], &[1], &[2], &[0x80, 1]] {
        let weak = line("ssh-rsa", &[b"ssh-rsa", exponent, &number(2048)]);
        assert_eq!(refused(&weak), NotASshKey::Damaged, "{exponent:?}");
    }
}

#[test]
fn errors_never_quote_what_was_given() {
    for text in [
        "s3cr3t",
        "s3cr3t AAAA",
        "ssh-ed25519 s3cr3t",
        "ssh-rsa AAAA s3cr3t\u{1}",
    ] {
        assert!(!refused(text).to_string().contains("s3cr3t"), "{text}");
    }
}

proptest! {
    #[test]
    fn every_cut_and_every_other_byte_is_noticed(position in 0_usize..51, byte in 1_u8..=255) {
        let encoded = ED25519.split(' ').nth(1).unwrap();
        let blob = STANDARD.decode(encoded).unwrap();
        let cut = format!("ssh-ed25519 {}", STANDARD.encode(&blob[..position]));
        prop_assert!(SshPublicKey::parse(&cut).is_err());
        let mut changed = blob.clone();
        changed[position] ^= byte;
        let changed = SshPublicKey::parse(&format!("ssh-ed25519 {}", STANDARD.encode(&changed)));
        // The last 32 bytes are the key itself: another key, with another fingerprint.
        match changed {
            Ok(key) => {
                prop_assert!(position >= 19);
                let own = SshPublicKey::parse(ED25519).unwrap().fingerprint();
                prop_assert_ne!(key.fingerprint(), own);
            }
            Err(_) => prop_assert!(position < 19),
        }
    }

    #[test]
    fn nothing_panics_and_what_is_read_is_written_back(line in ".{0,200}") {
        if let Ok(key) = SshPublicKey::parse(&line) {
            prop_assert_eq!(SshPublicKey::parse(&key.to_string()).unwrap(), key);
        }
    }

    #[test]
    fn blobs_of_any_bytes_do_not_panic(
        kind in proptest::sample::select(SshKeyType::ALL.to_vec()),
        tail in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let mut blob = u32::try_from(kind.as_str().len()).unwrap().to_be_bytes().to_vec();
        blob.extend(kind.as_str().as_bytes());
        blob.extend(tail);
        let line = format!("{kind} {}", STANDARD.encode(blob));
        if let Ok(key) = SshPublicKey::parse(&line) {
            prop_assert_eq!(key.to_string(), line);
        }
    }
}
