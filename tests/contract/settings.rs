//! CONTRACT.md 1: the keys of the policy, and what a change carries with it.

use doorward_domain::policy::conditions::expires_at;
use doorward_domain::policy::settings::{KEYS, PolicyKeyError, apply, check, show};
use doorward_domain::rules::{Blocklist, ForcedChange, PolicySettings};
use doorward_domain::time::Timestamp;
use proptest::prelude::*;

use crate::common::{NOON, active, days, minutes};

fn changed(changes: &[(&str, &str)]) -> Result<PolicySettings, PolicyKeyError> {
    apply(&PolicySettings::default(), changes, None, NOON)
}

#[test]
fn contract_1_the_defaults_are_shown_as_the_design_writes_them() {
    let shown: Vec<String> = show(&PolicySettings::default())
        .into_iter()
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    assert_eq!(
        shown,
        [
            "lockout.threshold = 10",
            "lockout.window = 30m",
            "lockout.unlock_after = never",
            "lockout.daily_cap = 100",
            "password.max_age = never",
            "password.warn_before = 7d",
            "password.min_length = 12",
            "password.classes = 0",
            "password.history = 5",
            "password.min_age = 0",
            "password.blocklist = common",
        ]
    );
}

#[test]
fn contract_1_every_key_can_be_set() {
    let settings = changed(&[
        ("lockout.threshold", "5"),
        ("lockout.window", "15m"),
        ("lockout.unlock_after", "1h"),
        ("lockout.daily_cap", "20"),
        ("password.max_age", "90d"),
        ("password.warn_before", "14d"),
        ("password.min_length", "16"),
        ("password.classes", "3"),
        ("password.history", "24"),
        ("password.min_age", "1d"),
        ("password.blocklist", "none"),
    ])
    .unwrap();
    assert_eq!(settings.version, 2);
    assert_eq!(settings.lockout.threshold, 5);
    assert_eq!(settings.lockout.window, minutes(15));
    assert_eq!(settings.lockout.unlock_after, Some(minutes(60)));
    assert_eq!(settings.lockout.daily_cap, 20);
    assert_eq!(settings.password.max_age, Some(days(90)));
    assert_eq!(settings.password.warn_before, days(14));
    assert_eq!(settings.password.min_length, 16);
    assert_eq!(settings.password.classes, 3);
    assert_eq!(settings.password.history, 24);
    assert_eq!(settings.password.min_age, days(1));
    assert_eq!(settings.password.blocklist, Blocklist::None);
}

#[test]
fn contract_1_bad_values_say_what_would_do() {
    for (key, value) in [
        ("lockout.threshold", "0"),
        ("lockout.threshold", "101"),
        ("lockout.threshold", "-1"),
        ("lockout.threshold", "ten"),
        ("lockout.window", "0"),
        ("lockout.window", "30"),
        ("lockout.window", "never"),
        ("lockout.window", "2d"),
        ("lockout.unlock_after", "0"),
        ("lockout.unlock_after", "1s"),
        ("lockout.daily_cap", "0"),
        ("password.max_age", "0"),
        ("password.max_age", "1h"),
        ("password.max_age", "4000d"),
        ("password.warn_before", "never"),
        ("password.min_length", "0"),
        ("password.min_length", "1000"),
        ("password.classes", "5"),
        ("password.history", "25"),
        ("password.min_age", "60d"),
        ("password.blocklist", "yes"),
        ("profile", "strict"),
    ] {
        let refused = changed(&[(key, value)]).unwrap_err();
        assert!(
            matches!(&refused, PolicyKeyError::BadValue { key: named, .. } if *named == key),
            "{key}={value}: {refused}"
        );
        assert!(refused.to_string().contains("write"), "{refused}");
    }
}

#[test]
fn contract_1_an_unknown_key_suggests_the_nearest() {
    for (written, nearest) in [
        ("lockout.treshold", Some("lockout.threshold")),
        ("lockout.unlockafter", Some("lockout.unlock_after")),
        ("max_age", Some("password.max_age")),
        ("Password.Max_Age", Some("password.max_age")),
        ("min_lenght", Some("password.min_length")),
        ("profil", Some("profile")),
        ("frobnicate", None),
        ("", None),
    ] {
        assert_eq!(
            changed(&[(written, "1")]).unwrap_err(),
            PolicyKeyError::UnknownKey {
                key: written.to_owned(),
                nearest
            },
            "{written}"
        );
    }
}

#[test]
fn contract_1_a_change_is_refused_as_a_whole_and_must_be_one() {
    assert_eq!(changed(&[]), Err(PolicyKeyError::Nothing));
    assert!(matches!(
        changed(&[("lockout.threshold", "5"), ("lockout.threshold", "6")]),
        Err(PolicyKeyError::Repeated { .. })
    ));
    assert!(matches!(
        changed(&[("password.max_age", "1d"), ("password.min_age", "1d")]),
        Err(PolicyKeyError::Contradiction(_))
    ));
    assert!(matches!(
        changed(&[("lockout.threshold", "50"), ("lockout.daily_cap", "49")]),
        Err(PolicyKeyError::Contradiction(_))
    ));
}

#[test]
fn contract_1_a_profile_sets_several_and_keys_beside_it_override_it() {
    for profile in ["nist", "cis", "classic"] {
        let before = changed(&[("profile", profile)]).unwrap();
        for order in [
            [("profile", profile), ("password.min_length", "20")],
            [("password.min_length", "20"), ("profile", profile)],
        ] {
            let settings = changed(&order).unwrap();
            assert_eq!(settings.password.min_length, 20);
            assert_eq!(settings.lockout, before.lockout);
        }
    }
    let nist = changed(&[("profile", "nist")]).unwrap();
    assert_eq!((nist.password.max_age, nist.password.classes), (None, 0));
    let classic = changed(&[("profile", "classic")]).unwrap();
    assert_eq!(classic.password.max_age, Some(days(90)));
}

#[test]
fn contract_1_switching_ageing_on_or_shortening_it_expires_nobody_at_once() {
    let old = PolicySettings::default();
    assert_eq!(old.ageing_since, Timestamp::EPOCH);
    let set = |settings: &PolicySettings, value, now| {
        apply(settings, &[("password.max_age", value)], None, now).unwrap()
    };
    let on = set(&old, "90d", NOON);
    assert_eq!(on.ageing_since, NOON);
    assert_eq!(expires_at(&active(), &on), Some(NOON.plus(days(90))));

    let later = NOON.plus(days(10));
    assert_eq!(set(&on, "120d", later).ageing_since, NOON);
    assert_eq!(set(&on, "90d", later).ageing_since, NOON);
    assert_eq!(set(&on, "never", later).ageing_since, NOON);
    assert_eq!(set(&on, "30d", later).ageing_since, later);
    // Other keys do not touch it.
    let other = apply(&on, &[("lockout.threshold", "9")], None, later).unwrap();
    assert_eq!(other.ageing_since, NOON);
    assert_eq!(other.version, on.version + 1);
}

#[test]
fn contract_1_a_date_expires_whoever_kept_a_password_of_older_rules() {
    let old = PolicySettings::default();
    let by = NOON.plus(days(30));
    let tighter = apply(&old, &[("password.min_length", "16")], Some(by), NOON).unwrap();
    assert_eq!(
        tighter.forced_changes,
        [ForcedChange {
            set_before: NOON,
            by
        }]
    );
    assert_eq!(expires_at(&active(), &tighter), Some(by));

    // A date needs no key; one that asks for more sooner stands alone, a later one joins.
    let sooner = NOON.plus(days(5));
    let nothing: [(&str, &str); 0] = [];
    let next = NOON.plus(days(1));
    let replaced = apply(&tighter, &nothing, Some(sooner), next).unwrap();
    assert_eq!(replaced.forced_changes.len(), 1);
    assert_eq!(expires_at(&active(), &replaced), Some(sooner));
    let joined = apply(&tighter, &nothing, Some(by.plus(days(9))), next).unwrap();
    assert_eq!(joined.forced_changes.len(), 2);
    assert_eq!(expires_at(&active(), &joined), Some(by));

    assert_eq!(
        apply(&old, &nothing, Some(NOON.minus(days(1))), NOON),
        Err(PolicyKeyError::ChangeByPassed(NOON.minus(days(1))))
    );
}

/// Some change of every key, within bounds.
fn changes() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let span = |least: u64, most: u64| (least..=most).prop_map(|count| format!("{count}m"));
    let number = |least: u32, most: u32| (least..=most).prop_map(|n| n.to_string());
    (
        (
            number(1, 100),
            span(1, 1440),
            span(1, 10_000),
            number(100, 10_000),
        ),
        (
            span(44_641, 500_000),
            span(0, 10_000),
            number(1, 128),
            number(0, 4),
        ),
        (
            number(0, 24),
            span(0, 43_200),
            proptest::sample::select(vec!["common", "none"]),
        ),
    )
        .prop_map(|((a, b, c, d), (e, f, g, h), (i, j, k))| {
            KEYS.into_iter()
                .zip([a, b, c, d, e, f, g, h, i, j, k.to_owned()])
                .collect()
        })
}

#[test]
fn contract_1_what_could_not_be_set_is_found_in_a_store() {
    let mut settings = PolicySettings::default();
    assert_eq!(check(&settings), Ok(()));
    settings.lockout.daily_cap = 9;
    let told = check(&settings).unwrap_err().to_string();
    assert!(told.contains("at least lockout.threshold"), "{told}");
    settings.lockout.threshold = 0;
    let told = check(&settings).unwrap_err().to_string();
    assert!(
        told.contains("'0' is no value for lockout.threshold"),
        "{told}"
    );
}

proptest! {
    #[test]
    fn contract_1_what_is_shown_can_be_set_again(changes in changes()) {
        let settings = apply(&PolicySettings::default(), &changes, None, NOON).unwrap();
        prop_assert_eq!(check(&settings), Ok(()));
        let again = apply(&PolicySettings::default(), &show(&settings), None, NOON).unwrap();
        prop_assert_eq!(settings, again);
    }
}
