//! Paged results (RFC 2696) and server-side sorting (RFC 2891) of people and groups.

use super::client::{paged, sorted};
use super::*;
use doorward_domain::id::{GroupId, SudoRuleId};
use doorward_domain::name::{GroupName, SudoRuleName};
use doorward_domain::sudo::{SudoRule, SudoTerms};
use doorward_ldap_protocol::settings::SearchLimits;

/// Turns the pages of a search to its end: the names of each page.
fn turn(client: &mut Client, search: &Search, size: i32, more: &[Vec<u8>]) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut cookie = Vec::new();
    loop {
        let mut controls = vec![paged(true, size, &cookie)];
        controls.extend_from_slice(more);
        let (entries, end) = client.search_with(search, &controls);
        assert_eq!(end.code(), 0, "{end:?}");
        pages.push(names(&entries));
        let (estimate, next) = end.page().unwrap();
        assert_eq!(estimate, [0]);
        if next.is_empty() {
            return pages;
        }
        cookie = next;
    }
}

fn lengths(pages: &[Vec<String>]) -> Vec<usize> {
    pages.iter().map(Vec::len).collect()
}

fn uid(number: u32) -> String {
    format!("uid=u{number},{PEOPLE}")
}

#[test]
fn pages_together_are_the_whole_in_the_same_order() {
    let mut world = crowd(600);
    let group = world.groups[0].clone();
    world.groups = (1..=5)
        .map(|number| doorward_frontend_api::Group {
            group: GroupId::from_uuid(uuid::Uuid::from_u128(number)),
            name: GroupName::parse(&format!("g{number}")).unwrap(),
            ..group.clone()
        })
        .collect();
    world.sudo_roles = (1..=3)
        .map(|number| doorward_frontend_api::SudoRole {
            id: SudoRuleId::from_uuid(uuid::Uuid::from_u128(number)),
            rule: SudoRule {
                name: SudoRuleName::parse(&format!("r{number}")).unwrap(),
                subjects: Vec::new(),
                terms: SudoTerms::default(),
            },
            created: group.created,
            modified: group.modified,
        })
        .collect();
    let served = Served::with(world, settings());
    let mut client = served.bound_as(SSSD);
    let all = Search::new(BASE, Scope::Sub);
    let whole = found(&mut client, &all);
    assert_eq!(whole.len(), 7 + 600 + 5 + 3);
    for size in [1_i32, 7, 255, 256, 257, 615, 616, i32::MAX] {
        let pages = turn(&mut client, &all, size, &[]);
        assert_eq!(pages.concat(), whole, "{size}");
        let expected = 615_usize.div_ceil(usize::try_from(size).unwrap());
        assert_eq!(pages.len(), expected, "no page is empty");
    }
    let filtered = Search::new(PEOPLE, Scope::One).filter(equals("uid", "u300"));
    assert_eq!(turn(&mut client, &filtered, 1, &[]), [[uid(300)]]);
    let none = Search::new(PEOPLE, Scope::One).filter(equals("uid", "nobody"));
    assert_eq!(turn(&mut client, &none, 1, &[]), [[] as [String; 0]]);
}

#[test]
fn what_several_questions_find_comes_once_also_over_pages() {
    let served = Served::with(crowd(40), settings());
    let mut client = served.bound_as(SSSD);
    let member = equals("memberOf", STAFF);
    let branches: Vec<Vec<u8>> = (1..=30)
        .map(|number| equals("uid", &format!("u{number}")))
        .chain([member])
        .collect();
    let search = Search::new(BASE, Scope::Sub).filter(tlv(0xa1, &branches.concat()));
    let whole = found(&mut client, &search);
    assert_eq!(whole, (1..=40).map(uid).collect::<Vec<_>>());
    let pages = turn(&mut client, &search, 9, &[]);
    assert_eq!(pages.concat(), whole);
    assert_eq!(lengths(&pages), [9, 9, 9, 9, 4]);
}

#[test]
fn a_page_reads_about_as_much_as_it_sends_and_holds_nothing_after() {
    let served = Served::with(crowd(600), settings());
    let mut client = served.bound_as(SSSD);
    let pages = turn(&mut client, &Search::new(PEOPLE, Scope::One), 100, &[]);
    assert_eq!(lengths(&pages), [100; 6]);
    // Each page two batches of 64, the second of which shows whether there is more.
    assert_eq!(served.world.reads.load(Ordering::SeqCst), 6 * 2);
}

#[test]
fn a_cookie_belongs_to_its_connection_its_request_and_its_session() {
    let served = Served::with(crowd(20), settings());
    let mut client = served.bound_as(SSSD);
    let search = Search::new(PEOPLE, Scope::One).attributes(&["uid"]);
    let first = |client: &mut Client| {
        let (entries, end) = client.search_with(&search, &[paged(true, 5, b"")]);
        assert_eq!((entries.len(), end.code()), (5, 0));
        end.page().unwrap().1
    };
    let refused = |client: &mut Client, search: &Search, controls: &[Vec<u8>]| {
        let (entries, end) = client.search_with(search, controls);
        assert!(entries.is_empty());
        assert_eq!((end.code(), end.page()), (53, None));
        assert!(!end.diagnostic().is_empty());
    };
    let cookie = first(&mut client);
    let mut other = served.bound_as(SSSD);
    refused(&mut other, &search, &[paged(true, 5, &cookie)]);
    let mut changed = vec![
        Search::new(BASE, Scope::One).attributes(&["uid"]),
        Search::new(PEOPLE, Scope::Sub).attributes(&["uid"]),
        Search::new(PEOPLE, Scope::One).attributes(&["uid", "cn"]),
        Search::new(PEOPLE, Scope::One)
            .attributes(&["uid"])
            .filter(present("uid")),
    ];
    for change in [
        (|search| search.types_only = true) as fn(&mut Search),
        |search| search.size = 15,
        |search| search.time = 15,
    ] {
        let mut other = Search::new(PEOPLE, Scope::One).attributes(&["uid"]);
        change(&mut other);
        changed.push(other);
    }
    for other in &changed {
        refused(&mut client, other, &[paged(true, 5, &cookie)]);
    }
    let by_name = sorted(false, &[("uid", None, false)]);
    refused(&mut client, &search, &[paged(true, 5, &cookie), by_name]);
    // The right one still goes on, with another size and criticality, and only once.
    let (entries, end) = client.search_with(&search, &[paged(false, 7, &cookie)]);
    assert_eq!(names(&entries), (6..=12).map(uid).collect::<Vec<_>>());
    refused(&mut client, &search, &[paged(true, 5, &cookie)]);
    let cookie = end.page().unwrap().1;
    for again in [bind(SSSD, PASSWORD), bind(SSSD, "wrong"), bind("", "")] {
        let mut client = served.bound_as(SSSD);
        let own = first(&mut client);
        client.ask(&again);
        refused(&mut client, &search, &[paged(true, 5, &own)]);
    }
    // Size zero says that no more is wanted.
    let (entries, end) = client.search_with(&search, &[paged(true, 0, &cookie)]);
    assert_eq!((entries.len(), end.code()), (0, 0));
    assert_eq!(end.page(), Some((vec![0], vec![])));
    refused(&mut client, &search, &[paged(true, 5, &cookie)]);
}

#[test]
fn so_many_searches_can_be_open_and_the_oldest_is_forgotten() {
    let served = Served::with(crowd(20), settings());
    let mut client = served.bound_as(SSSD);
    let search = Search::new(PEOPLE, Scope::One);
    let open = |client: &mut Client| {
        let (_, end) = client.search_with(&search, &[paged(true, 5, b"")]);
        end.page().unwrap().1
    };
    let cookies: Vec<Vec<u8>> = (0..9).map(|_| open(&mut client)).collect();
    let codes = cookies.iter().map(|cookie| {
        let (_, end) = client.search_with(&search, &[paged(true, 100, cookie)]);
        end.code()
    });
    assert_eq!(codes.collect::<Vec<_>>(), [53, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn the_size_limit_spans_the_pages_the_server_s_and_the_client_s() {
    let mut limited = settings();
    limited.search.size = 12;
    let served = Served::with(crowd(20), limited);
    let mut client = served.bound_as(SSSD);
    let run = |client: &mut Client, limit: i32, size: i32| {
        let mut search = Search::new(PEOPLE, Scope::One);
        search.size = limit;
        let mut sent = Vec::new();
        let mut cookie = Vec::new();
        loop {
            let (entries, end) = client.search_with(&search, &[paged(true, size, &cookie)]);
            sent.push(entries.len());
            match end.page() {
                Some((_, next)) if !next.is_empty() => cookie = next,
                _ => return (sent, end.code()),
            }
        }
    };
    assert_eq!(run(&mut client, 0, 5), (vec![5, 5, 2], 4));
    assert_eq!(run(&mut client, 0, 6), (vec![6, 6], 4));
    assert_eq!(run(&mut client, 7, 5), (vec![5, 2], 4));
    assert_eq!(run(&mut client, 100, 5), (vec![5, 5, 2], 4));
    // A page as large as the limit is no page (RFC 2696 section 3).
    assert_eq!(run(&mut client, 5, 5), (vec![5], 4));
}

#[test]
fn a_user_pages_through_itself() {
    let served = Served::new();
    let mut client = served.bound_as(ALICE);
    let pages = turn(&mut client, &Search::new(BASE, Scope::Sub), 1, &[]);
    assert_eq!(pages, [[ALICE]]);
}

fn sorted_names(client: &mut Client, keys: &[(&str, Option<&str>, bool)]) -> Vec<String> {
    let search = Search::new(PEOPLE, Scope::One);
    let (entries, end) = client.search_with(&search, &[sorted(true, keys)]);
    assert_eq!(end.code(), 0, "{end:?}");
    assert_eq!(end.sorted(), Some((0, None)));
    let name = |entry: &Answer| entry.values("uid").concat();
    entries.iter().map(name).collect()
}

fn mixed() -> World {
    let mut world = World::new();
    let named = |name: &str, number, full_name: Option<&str>| {
        let mut person = person(name, number);
        person.full_name = full_name.map(str::to_owned);
        person
    };
    world.people = vec![
        named("delta", 9, Some("Zoe Adams")),
        named("Alpha", 10, None),
        named("charlie", 100, Some("ada Brown")),
        named("bravo", 2000, Some("Ada  brown")),
    ];
    world
}

#[test]
fn entries_come_in_the_order_of_their_keys() {
    let served = Served::with(mixed(), settings());
    let mut client = served.bound_as(SSSD);
    let mut by = |keys: &[(&str, Option<&str>, bool)]| sorted_names(&mut client, keys).join(" ");
    assert_eq!(by(&[("uid", None, false)]), "Alpha bravo charlie delta");
    assert_eq!(by(&[("USERID", None, true)]), "delta charlie bravo Alpha");
    let rule = Some("caseExactOrderingMatch");
    assert_eq!(by(&[("uid", rule, false)]), "Alpha bravo charlie delta");
    assert_eq!(
        by(&[("uidNumber", None, false)]),
        "delta Alpha charlie bravo"
    );
    assert_eq!(by(&[("mail", None, false)]), "Alpha bravo charlie delta");
    // Equal without regard to case and spaces: the next key decides, else the order found.
    let full_name = ("displayName", None, false);
    assert_eq!(
        by(&[full_name]),
        "charlie bravo delta Alpha",
        "without one comes last"
    );
    assert_eq!(
        by(&[("displayName", None, true)]),
        "Alpha delta charlie bravo"
    );
    assert_eq!(
        by(&[full_name, ("uid", None, false)]),
        "bravo charlie delta Alpha"
    );
    assert_eq!(
        by(&[("gidNumber", None, false), ("uid", None, true)]),
        "delta charlie bravo Alpha"
    );
    assert_eq!(
        by(&[("entryUUID", None, true)]),
        "bravo charlie Alpha delta"
    );
    // The least of several values counts, those of subtypes among them: sn before cn.
    assert_eq!(by(&[("name", None, false)]), "charlie bravo delta Alpha");
}

#[test]
fn what_cannot_be_sorted_comes_unsorted_or_not_at_all() {
    let served = Served::with(mixed(), settings());
    let mut client = served.bound_as(SSSD);
    let search = Search::new(PEOPLE, Scope::One);
    let keys = [("memberOf", None, false)];
    let (entries, end) = client.search_with(&search, &[sorted(false, &keys)]);
    assert_eq!((entries.len(), end.code()), (4, 0));
    assert_eq!(end.sorted(), Some((18, Some("memberOf".to_owned()))));
    let (entries, end) = client.search_with(&search, &[sorted(true, &keys)]);
    assert_eq!((entries.len(), end.code()), (0, 12));
    assert_eq!(end.sorted(), Some((18, Some("memberOf".to_owned()))));
}

#[test]
fn the_size_limit_keeps_the_first_of_the_order() {
    let mut limited = settings();
    limited.search = SearchLimits {
        size: 30,
        ..SearchLimits::default()
    };
    let served = Served::with(crowd(700), limited);
    let mut client = served.bound_as(SSSD);
    let mut search = Search::new(PEOPLE, Scope::One);
    let last = [sorted(true, &[("uidNumber", None, true)])];
    for (limit, expected) in [(0, 30), (5, 5)] {
        search.size = limit;
        let (entries, end) = client.search_with(&search, &last);
        assert_eq!(end.code(), 4);
        assert_eq!(end.sorted(), Some((0, None)));
        let expected: Vec<String> = (0..expected).map(|back| uid(700 - back)).collect();
        assert_eq!(names(&entries), expected);
    }
}

#[test]
fn pages_of_a_sorted_list() {
    let served = Served::with(crowd(300), settings());
    let mut client = served.bound_as(SSSD);
    let search = Search::new(PEOPLE, Scope::One);
    let order = [sorted(true, &[("uidNumber", None, true)])];
    let whole: Vec<String> = (1..=300).rev().map(uid).collect();
    for size in [1, 70, 100, 300] {
        let pages = turn(&mut client, &search, size, &order);
        assert_eq!(pages.concat(), whole, "{size}");
    }
    let mut limited = Search::new(PEOPLE, Scope::One);
    limited.size = 150;
    let (_, end) = client.search_with(&limited, &[paged(true, 100, b""), order[0].clone()]);
    let cookie = end.page().unwrap().1;
    let (entries, end) =
        client.search_with(&limited, &[paged(true, 100, &cookie), order[0].clone()]);
    assert_eq!((entries.len(), end.code(), end.page()), (50, 4, None));
    assert_eq!(names(&entries), whole[100..150]);
}
