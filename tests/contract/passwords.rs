//! CONTRACT.md 6: what a new password must be.

use doorward_domain::name::{MailAddress, Username};
use doorward_domain::policy::password::{
    BrokenRule, NewPasswordContext, check_new_password, may_change_now,
};
use doorward_domain::rules::{Blocklist, PasswordRules, PolicySettings};
use doorward_domain::secret::Password;
use proptest::prelude::*;

use crate::common::{MILLISECOND, NOON, days};

fn rules() -> PasswordRules {
    PolicySettings::default().password
}

fn broken_by(text: &str, rules: &PasswordRules) -> Vec<BrokenRule> {
    let username = Username::parse("alice.liddell").unwrap();
    let email = MailAddress::parse("wonder@example.org").unwrap();
    let context = NewPasswordContext {
        username: &username,
        email: Some(&email),
        full_name: Some("Alice Pleasance Liddell"),
    };
    check_new_password(&Password::new(text.as_bytes()).unwrap(), &context, rules)
}

#[test]
fn contract_6_good_passwords_break_no_rule() {
    for good in [
        "correct horse battery",
        "correct horse battery staple",
        "gnu emacs beats vi anyway",
        "Tr0ub4dor&3-zebra",
        "kV9#mQ2$xL7@wR",
        "zwölf Boxkämpfer jagen",
        "долгий пароль сойки",
        "安全なパスワードです長い長い",
        "alice went down a burrow",
    ] {
        assert_eq!(broken_by(good, &rules()), [], "{good}");
    }
}

#[test]
fn contract_6_common_passwords_are_refused() {
    for bad in [
        "password1234",
        "Password1234",
        "P@ssw0rd1234",
        "passwordpassword",
        "qwertyuiop12",
        "qwertzuiop123",
        "1qaz2wsx3edc",
        "asdfghjkl123",
        "poiuytrewq12",
        "123456789012",
        "987654321098",
        "aaaaaaaaaaaa",
        "abababababab",
        "abcabcabcabcabc",
        "abcdefghijkl",
        "zyxwvutsrqpo",
        "111122223333",
        "Welcome12345",
        "letmein123456",
        "Summer2026!!!",
        "MondayTuesday1",
        "iloveyou2024",
        "changeme1234",
        "administrator",
        "Administrator1!",
        "TrustNo1TrustNo1",
        "football2025",
        "dragondragon1",
    ] {
        assert_eq!(broken_by(bad, &rules()), [BrokenRule::Common], "{bad}");
    }
}

#[test]
fn contract_6_the_blocklist_can_be_switched_off() {
    let open = PasswordRules {
        blocklist: Blocklist::None,
        ..rules()
    };
    assert_eq!(broken_by("password1234", &open), []);
}

#[test]
fn contract_6_a_password_is_not_its_owners_name() {
    let open = PasswordRules {
        blocklist: Blocklist::None,
        min_length: 1,
        ..rules()
    };
    for bad in [
        "alice.liddell",
        "Alice.Liddell",
        "alice.liddell2026!",
        "alicealicealice",
        "Liddell123456",
        "lleddil.ecila",
        "wonder@example.org",
        "wonder4711!!",
        "Pleasance1865",
        "xxAlicexx",
    ] {
        assert_eq!(broken_by(bad, &open), [BrokenRule::FromName], "{bad}");
    }
    assert_eq!(broken_by("alice went down a burrow", &open), []);
}

#[test]
fn contract_6_length_counts_characters() {
    let at_least = |min_length| PasswordRules {
        min_length,
        ..rules()
    };
    assert_eq!(broken_by("zwölf Büchsn", &at_least(12)), []);
    assert_eq!(
        broken_by("zwölf Büchsn", &at_least(13)),
        [BrokenRule::TooShort(13)]
    );
}

#[test]
fn contract_6_classes_are_counted() {
    let classes = |classes| PasswordRules { classes, ..rules() };
    for (text, has) in [
        ("gnuemacsbeatsvi", 1),
        ("gnuEmacsBeatsVi", 2),
        ("gnuEmacsBeatsVi7", 3),
        ("gnu Emacs Beats Vi7", 4),
        ("gnu emacs beats vi", 2),
    ] {
        for asked in 0..=4 {
            let broken = broken_by(text, &classes(asked));
            let expected: &[BrokenRule] = if asked > has {
                &[BrokenRule::TooFewClasses(asked)]
            } else {
                &[]
            };
            assert_eq!(broken, expected, "{text}");
        }
    }
}

#[test]
fn contract_6_every_rule_broken_is_named() {
    let strict = PasswordRules {
        classes: 4,
        ..rules()
    };
    let broken = broken_by("alice", &strict);
    assert_eq!(
        broken,
        [
            BrokenRule::TooShort(12),
            BrokenRule::TooFewClasses(4),
            BrokenRule::FromName,
            BrokenRule::Common,
        ]
    );
    for rule in broken {
        assert!(rule.to_string().starts_with("the password"), "{rule}");
        assert!(!rule.to_string().contains("alice"));
    }
}

#[test]
fn contract_6_the_minimum_age_ends_at_its_instant() {
    let rules = PasswordRules {
        min_age: days(1),
        ..rules()
    };
    let from = NOON.plus(days(1));
    assert_eq!(
        may_change_now(Some(NOON), &rules, from.minus(MILLISECOND)),
        Err(BrokenRule::MinAge(from))
    );
    assert_eq!(may_change_now(Some(NOON), &rules, from), Ok(()));
    assert_eq!(may_change_now(None, &rules, NOON), Ok(()));
    // The default is none, whatever the clock says.
    let none = PolicySettings::default().password;
    assert_eq!(
        may_change_now(Some(NOON), &none, NOON.minus(days(9))),
        Ok(())
    );
}

proptest! {
    #[test]
    fn contract_6_no_text_breaks_the_check(text in "\\PC{1,300}") {
        if let Ok(password) = Password::new(text.as_bytes()) {
            let _ = broken_by(password.as_str().unwrap(), &rules());
        }
    }

    #[test]
    fn contract_6_repetition_makes_nothing_stronger(
        block in "[a-z]{1,5}",
        count in 3_usize..40,
    ) {
        prop_assert!(broken_by(&block.repeat(count), &rules()).contains(&BrokenRule::Common));
    }

    #[test]
    fn contract_6_random_passwords_are_not_called_common(text in "[a-zA-Z0-9]{16,24}") {
        // Sixteen characters by chance are neither words nor runs, but a handful of runs may hide
        // in them; so the claim is about the list and the runs, not about luck.
        let distinct: std::collections::HashSet<char> = text.chars().collect();
        prop_assume!(distinct.len() >= 10);
        prop_assert!(!broken_by(&text, &rules()).contains(&BrokenRule::Common));
    }
}
