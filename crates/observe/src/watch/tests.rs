use proptest::prelude::*;

use super::*;
use doorward_domain::time::Timestamp;
use doorward_fixtures::block_on;

fn line(number: u64, client: &str, words: Words) -> Line {
    Line {
        at: Timestamp::EPOCH,
        topic: Topic::Radius,
        thread: Thread {
            number,
            message: None,
        },
        clients: vec![client.to_owned()],
        step: Step::Request,
        words,
        details: Vec::new(),
        advice: None,
        about: Vec::new(),
    }
}

fn nobody(_: &Name) -> Option<&'static str> {
    None
}

#[test]
fn nobody_watches_until_somebody_does_and_again_when_they_left() {
    let watch = Watch::default();
    assert!(!watch.is_on(Topic::Radius));
    let first = watch.watch(Topic::Radius).unwrap();
    let second = watch.watch(Topic::Radius).unwrap();
    assert!(watch.is_on(Topic::Radius) && !watch.is_on(Topic::Ldap));
    drop(first);
    assert!(watch.is_on(Topic::Radius));
    drop(second);
    assert!(!watch.is_on(Topic::Radius));
}

#[test]
fn watchers_are_bounded() {
    let watch = Watch::default();
    let all: Vec<_> = (0..MAX_WATCHERS)
        .map(|_| watch.watch(Topic::Ldap).unwrap())
        .collect();
    assert_eq!(watch.watch(Topic::Ldap).unwrap_err(), TooMany);
    drop(all);
    assert!(watch.watch(Topic::Ldap).is_ok());
}

#[test]
fn whoever_is_slow_loses_the_oldest_and_is_told_how_many() {
    block_on(async {
        let watch = Watch::default();
        let mut watching = watch.watch(Topic::Radius).unwrap();
        for number in 0..10_000 {
            watch.tell(line(number, "wlc1", Words::of("x".repeat(50))));
        }
        let News::Lost(lost) = watching.next().await else {
            panic!("nothing was lost")
        };
        let News::Line(next) = watching.next().await else {
            panic!("no line")
        };
        assert_eq!(next.thread.number, lost, "the oldest went");
        let mut rest = 1;
        while next_number(&mut watching).await != 9999 {
            rest += 1;
        }
        assert_eq!(lost + rest + 1, 10_000);
    });
}

async fn next_number(watching: &mut Watching) -> u64 {
    match watching.next().await {
        News::Line(line) => line.thread.number,
        News::Lost(_) => panic!("lost again"),
    }
}

#[test]
fn a_watcher_hears_of_its_topic_alone() {
    block_on(async {
        let watch = Watch::default();
        let mut watching = watch.watch(Topic::Ldap).unwrap();
        watch.tell(line(1, "wlc1", Words::of("radius")));
        let mut other = line(2, "hosts", Words::of("ldap"));
        other.topic = Topic::Ldap;
        watch.tell(other);
        assert_eq!(next_number(&mut watching).await, 2);
    });
}

#[test]
fn a_name_never_shows_itself() {
    let name = Name::user("hunter2");
    let words = Words::of("User-Name = ").name(name);
    assert!(!format!("{words:?}").contains("hunter2"));
    assert!(!format!("{:?}", line(1, "a", words)).contains("hunter2"));
}

#[test]
fn a_stranger_cannot_speak_to_the_terminal() {
    assert_eq!(said("a\u{1b}[2Jb\n"), "'a\u{fffd}[2Jb\u{fffd}'");
    assert!(said([b'x'; 5000]).len() < 600);
}

#[test]
fn all_of_a_conversation_is_shown_once_its_user_is_known() {
    let mut sieve = Sieve::new(Wanted {
        user: Some("Alice".to_owned()),
        client: Some("WLC1".to_owned()),
    });
    let mut take = |number, client: &str, words| {
        let line = Arc::new(line(number, client, words));
        let account = |name: &Name| (name.typed == "alice@example.org").then_some("alice");
        let shown = sieve.take(line, account);
        shown
            .iter()
            .map(|line| line.thread.number)
            .collect::<Vec<_>>()
    };
    let outer = || Words::from(Name::user("anonymous"));
    assert!(take(1, "wlc1", outer()).is_empty());
    assert!(take(2, "wlc1", outer()).is_empty());
    assert!(take(2, "wlc1", Words::from(Name::user("bob"))).is_empty());
    // By another name of the same account.
    let inner = Words::from(Name::user("alice@example.org"));
    assert_eq!(take(1, "wlc1", inner.clone()), [1, 1]);
    assert_eq!(take(1, "wlc1", Words::of("accepted")), [1]);
    assert!(take(3, "vpn", inner).is_empty(), "through another client");
    assert!(take(2, "wlc1", Words::of("rejected")).is_empty());
}

#[test]
fn without_a_wish_everything_is_shown() {
    let mut sieve = Sieve::new(Wanted::default());
    let shown = sieve.take(Arc::new(line(1, "a", Words::of("x"))), nobody);
    assert_eq!(shown.len(), 1);
}

proptest! {
    #[test]
    fn the_sieve_stays_bounded(
        threads in prop::collection::vec((0_u64..3000, 0_usize..4000), 0..400),
    ) {
        let mut sieve = Sieve::new(Wanted { user: Some("nobody".to_owned()), client: None });
        for (number, length) in threads {
            let words = Words::of("x".repeat(length));
            let shown = sieve.take(Arc::new(line(number, "a", words)), nobody);
            prop_assert!(shown.is_empty());
            prop_assert!(sieve.held() <= 1 << 20);
        }
    }
}
