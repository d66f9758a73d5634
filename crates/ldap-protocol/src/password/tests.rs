use super::*;
use crate::decode::ModifyChange;

#[test]
fn hashes_are_told_from_passwords() {
    for hash in ["{SSHA}abc", "{CRYPT}$6$x", "{PBKDF2-SHA256}1", "{x}"] {
        assert!(names_a_scheme(hash.as_bytes()), "{hash}");
    }
    for password in [
        "",
        "{",
        "{}x",
        "{SSHA",
        "SSHA}",
        "{two words}",
        "{a-scheme-far-too-long-for-one}x",
    ] {
        assert!(!names_a_scheme(password.as_bytes()), "{password}");
    }
}

#[test]
fn no_password_of_a_modify_is_shown() {
    let modify = Modify {
        target: UnparsedDn::new("uid=alice"),
        changes: vec![ModifyChange {
            kind: ChangeKind::Replace,
            attribute: "userPassword".to_owned(),
            values: vec![Secret::new(b"hunter2".to_vec())],
        }],
    };
    assert!(!format!("{modify:?}").contains("hunter2"));
    let meant = Modification::of(modify);
    assert!(matches!(&meant, Modification::Password(_)));
    assert!(!format!("{meant:?}").contains("hunter2"));
}

#[test]
fn an_option_makes_another_attribute() {
    let modify = Modify {
        target: UnparsedDn::new("uid=alice"),
        changes: vec![ModifyChange {
            kind: ChangeKind::Replace,
            attribute: "userPassword;binary".to_owned(),
            values: vec![Secret::new(b"x".to_vec())],
        }],
    };
    assert!(matches!(Modification::of(modify), Modification::Other));
}
