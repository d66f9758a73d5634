//! CONTRACT.md 3.6: buckets of failed attempts.

use std::time::Duration;

use doorward_domain::policy::buckets::{Bucket, Buckets, Rate, account_rate, give_back, take};
use doorward_domain::time::Monotonic;
use proptest::prelude::*;

const RATE: Rate = Rate {
    capacity: 3,
    refill: Duration::from_secs(10),
};

fn second(count: u64) -> Monotonic {
    Monotonic::from_start(Duration::from_secs(count))
}

#[test]
fn contract_3_6_a_bucket_empties_and_fills_again() {
    let mut bucket = Bucket::fresh(RATE, second(0));
    for _ in 0..3 {
        assert!(take(&mut bucket, RATE, second(0)));
    }
    assert!(!take(&mut bucket, RATE, second(0)));
    assert!(!take(&mut bucket, RATE, second(9)));
    assert!(take(&mut bucket, RATE, second(10)));
    assert!(!take(&mut bucket, RATE, second(19)));
    // Looking in vain delays nothing.
    assert!(take(&mut bucket, RATE, second(20)));
    assert_eq!(bucket.tokens(RATE, second(1000)), 3);
}

#[test]
fn contract_3_6_a_token_given_back_is_there_again() {
    let mut bucket = Bucket::fresh(RATE, second(0));
    for _ in 0..100 {
        assert!(take(&mut bucket, RATE, second(0)));
        give_back(&mut bucket, RATE, second(0));
    }
    give_back(&mut bucket, RATE, second(0));
    assert_eq!(bucket.tokens(RATE, second(0)), 3);
}

#[test]
fn contract_3_6_where_failures_count_the_lock_acts_first() {
    assert_eq!(account_rate(RATE, 10).capacity, 10);
    assert_eq!(account_rate(RATE, 2), RATE);
}

#[test]
fn contract_3_6_keys_do_not_share_tokens_and_each_starts_afresh_alone() {
    let mut buckets = Buckets::new(100);
    let drain = |buckets: &mut Buckets<(u8, u8)>, key| {
        (0..10)
            .filter(|_| buckets.take(key, RATE, second(0)))
            .count()
    };
    assert_eq!(drain(&mut buckets, (1, 1)), 3);
    assert_eq!(drain(&mut buckets, (1, 2)), 3);
    assert_eq!(drain(&mut buckets, (2, 1)), 3);
    buckets.forget(&(1, 1));
    assert_eq!(drain(&mut buckets, (1, 1)), 3);
    assert_eq!(drain(&mut buckets, (1, 2)), 0);
    assert_eq!(drain(&mut buckets, (2, 1)), 0);
}

#[test]
fn contract_3_6_a_flood_of_keys_does_not_refill_an_emptied_bucket() {
    let mut buckets = Buckets::new(64);
    for _ in 0..3 {
        assert!(buckets.take(0, RATE, second(0)));
    }
    for stranger in 1..10_000_u32 {
        assert!(buckets.take(stranger, RATE, second(0)));
        assert!(buckets.len() <= 64);
    }
    assert!(!buckets.take(0, RATE, second(0)));
}

/// Those of the account's at a NAS that tells of many stations fill more slowly than the others.
#[test]
fn contract_3_6_a_flood_of_faster_buckets_does_not_refill_an_emptied_slow_one() {
    let slow = Rate {
        capacity: 3,
        refill: Duration::from_hours(1),
    };
    let fast = Rate {
        capacity: 1,
        refill: Duration::from_secs(1),
    };
    let mut buckets = Buckets::new(64);
    for _ in 0..3 {
        assert!(buckets.take(0, slow, second(0)));
    }
    for stranger in 1..10_000_u32 {
        assert!(buckets.take(stranger, fast, second(10)));
        assert!(buckets.len() <= 64);
    }
    assert!(!buckets.take(0, slow, second(10)));
}

#[test]
fn contract_3_6_full_buckets_are_not_kept() {
    let mut buckets = Buckets::new(8);
    assert!(buckets.take("a", RATE, second(0)));
    buckets.give_back(&"a", RATE, second(0));
    assert!(buckets.is_empty());
    // Giving back to one that is not there makes none.
    buckets.give_back(&"b", RATE, second(0));
    assert!(buckets.is_empty());
}

#[test]
fn contract_3_6_extreme_rates_do_not_break() {
    let never = Rate {
        capacity: 0,
        refill: Duration::from_secs(1),
    };
    assert!(!take(
        &mut Bucket::fresh(never, second(0)),
        never,
        second(9)
    ));
    let always = Rate {
        capacity: 1,
        refill: Duration::ZERO,
    };
    let mut bucket = Bucket::fresh(always, second(0));
    assert!((0..10).all(|_| take(&mut bucket, always, second(0))));
    let slow = Rate {
        capacity: u32::MAX,
        refill: Duration::MAX,
    };
    let mut bucket = Bucket::fresh(slow, second(0));
    assert!(take(
        &mut bucket,
        slow,
        Monotonic::from_start(Duration::MAX)
    ));
}

proptest! {
    #[test]
    fn contract_3_6_no_more_than_the_capacity_and_the_refill_is_ever_taken(
        steps in proptest::collection::vec(0_u64..5_000, 1..200),
        capacity in 0_u32..20,
        refill in 1_u64..10_000,
    ) {
        let rate = Rate { capacity, refill: Duration::from_millis(refill) };
        let mut now = 0;
        let mut bucket = Bucket::fresh(rate, Monotonic::default());
        let mut taken = 0_u64;
        for step in steps {
            now += step;
            let at = Monotonic::from_start(Duration::from_millis(now));
            taken += u64::from(take(&mut bucket, rate, at));
            prop_assert!(taken <= u64::from(capacity) + now / refill);
            prop_assert!(bucket.tokens(rate, at) <= capacity);
        }
    }

    #[test]
    fn contract_3_6_the_map_stays_within_its_bound(
        keys in proptest::collection::vec(0_u16..500, 1..600),
        bound in 0_usize..40,
    ) {
        let mut buckets = Buckets::new(bound);
        for key in keys {
            let _ = buckets.take(key, RATE, second(0));
            prop_assert!(buckets.len() <= bound.max(1));
        }
    }
}
