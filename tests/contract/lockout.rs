//! CONTRACT.md 3.1 to 3.3 and 10: what a store may grant.

use doorward_domain::policy::lockout::{is_known, place_limits, remember_wrong};
use doorward_domain::resource::ResourceKind;
use doorward_domain::rules::PlaceLimits;
use proptest::prelude::*;

use crate::common::{NOON, at, days, instant, minutes, policy, resource, suspect};

#[test]
fn contract_3_1_failures_count_where_the_contract_says() {
    for (kind, counts) in [
        (ResourceKind::Endpoint, true),
        (ResourceKind::Vpn, true),
        (ResourceKind::Wifi, false),
        (ResourceKind::App, true),
        (ResourceKind::Email, false),
    ] {
        let mut door = resource("r", kind);
        assert_eq!(
            place_limits(&policy(), &door, false, at(NOON)).counting,
            counts
        );
        door.count_failures = Some(!counts);
        assert_eq!(
            place_limits(&policy(), &door, false, at(NOON)).counting,
            !counts
        );
    }
}

#[test]
fn contract_3_2_windows_slide_with_now() {
    let mut policy = policy();
    policy.lockout.threshold = 5;
    policy.lockout.daily_cap = 50;
    policy.lockout.window = minutes(15);
    let door = resource("hosts", ResourceKind::Endpoint);
    assert_eq!(
        place_limits(&policy, &door, false, at(NOON)),
        PlaceLimits {
            counting: true,
            threshold: 5,
            window_start: NOON.minus(minutes(15)),
            daily_cap: 50,
            day_start: NOON.minus(days(1)),
            slow_since: Some(NOON.minus(minutes(15))),
            lapsed_before: NOON.minus(std::time::Duration::from_secs(30)),
        }
    );
}

#[test]
fn contract_3_2_nobody_is_slowed_where_the_account_is_known() {
    let door = resource("mail", ResourceKind::Email);
    let limits = |known| place_limits(&policy(), &door, known, at(NOON));
    assert!(limits(false).slow_since.is_some());
    assert_eq!(limits(true).slow_since, None);
    assert!(!is_known(None, at(NOON)));
    assert!(is_known(Some(NOON.minus(days(29))), at(NOON)));
    assert!(!is_known(Some(NOON.minus(days(30))), at(NOON)));
}

#[test]
fn contract_3_4_a_wrong_password_is_remembered_as_long_as_it_counts() {
    let mut policy = policy();
    policy.lockout.window = minutes(15);
    assert_eq!(remember_wrong(&policy), days(1));
    policy.lockout.window = days(2);
    assert_eq!(remember_wrong(&policy), days(2));
}

proptest! {
    #[test]
    fn contract_10_a_suspect_clock_forgets_no_failure_and_frees_no_place(
        wall in instant(),
        earlier in instant(),
    ) {
        let door = resource("mail", ResourceKind::Email);
        let limits = place_limits(&policy(), &door, false, suspect(wall));
        prop_assert!(earlier >= limits.window_start);
        prop_assert!(earlier >= limits.day_start);
        prop_assert!(earlier >= limits.lapsed_before);
        prop_assert_eq!(limits.slow_since, Some(wall.minus(minutes(15))));
    }
}
