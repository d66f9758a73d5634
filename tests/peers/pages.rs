//! Paged results and server-side sorting with OpenLDAP's `ldapsearch`.

use crate::common::{BASE, Gateway, PASSWORD, Ran, Setting, client};
use crate::raw_ldap::{Answer, Client, Scope, Search, bind, equals, paged, sorted};

const NAMES: [&str; 5] = ["delta", "alpha", "echo", "bravo", "charlie"];

fn gateway() -> Gateway {
    let gateway = Gateway::start(&Setting::default());
    for name in NAMES {
        gateway.add_user(name);
    }
    gateway.add_service("sssd");
    gateway
}

fn search(gateway: &Gateway, extensions: &[&str], filter: &str) -> Ran {
    let url = format!("ldap://{}", gateway.hosts);
    let service = format!("cn=sssd,ou=services,{BASE}");
    let base = format!("ou=people,{BASE}");
    let mut arguments = vec![
        "-x", "-H", &url, "-D", &service, "-w", PASSWORD, "-b", &base,
    ];
    for extension in extensions {
        arguments.extend(["-E", extension]);
    }
    arguments.extend(["-s", "one", filter, "uid"]);
    client("ldapsearch", "ldap-utils", &arguments)
}

fn uids(ran: &Ran) -> Vec<&str> {
    let lines = ran.stdout.lines();
    lines
        .filter_map(|line| line.strip_prefix("uid: "))
        .collect()
}

fn count(ran: &Ran, line: &str) -> usize {
    ran.stdout
        .lines()
        .filter(|own| own.starts_with(line))
        .count()
}

#[test]
fn ldapsearch_reads_pages_and_orders() {
    let gateway = gateway();
    let everybody = "(objectClass=posixAccount)";

    let ran = search(&gateway, &["!pr=2/noprompt"], everybody);
    ran.assert_success();
    assert_eq!(uids(&ran), NAMES, "in the order of their making");
    assert_eq!(count(&ran, "pagedresults: cookie="), 3, "{}", ran.stdout);
    assert_eq!(count(&ran, "result: 0 Success"), 3);

    let ran = search(&gateway, &["!sss=uid"], everybody);
    ran.assert_success();
    assert_eq!(uids(&ran), ["alpha", "bravo", "charlie", "delta", "echo"]);
    assert_eq!(count(&ran, "sortResult: (0) Success"), 1, "{}", ran.stdout);
    let ran = search(&gateway, &["!sss=-uidNumber"], everybody);
    assert_eq!(uids(&ran), ["charlie", "bravo", "echo", "alpha", "delta"]);

    let both = ["!sss=-uid:caseIgnoreOrderingMatch", "!pr=2/noprompt"];
    let ran = search(&gateway, &both, everybody);
    ran.assert_success();
    assert_eq!(uids(&ran), ["echo", "delta", "charlie", "bravo", "alpha"]);
    assert_eq!(count(&ran, "result: 0 Success"), 3);

    let ran = search(&gateway, &["!sss=memberOf"], everybody);
    assert_eq!(
        (ran.code, uids(&ran).len()),
        (Some(12), 0),
        "{}",
        ran.stdout
    );
    let ran = search(&gateway, &["sss=memberOf"], everybody);
    assert_eq!((ran.code, uids(&ran).len()), (Some(0), 5), "{}", ran.stdout);
    assert_eq!(count(&ran, "sortResult: (18)"), 1, "{}", ran.stdout);
}

/// One page of everybody in `staff`: their usernames, and the cookie of the next.
fn page(client: &mut Client, cookie: &[u8], more: &[Vec<u8>]) -> (Vec<String>, Vec<u8>) {
    let staff = equals("memberOf", &format!("cn=staff,ou=groups,{BASE}"));
    let search = Search::new(BASE, Scope::Sub).filter(staff);
    let mut controls = vec![paged(true, 2, cookie)];
    controls.extend_from_slice(more);
    let (entries, end) = client.search_with(&search, &controls);
    assert_eq!(end.code(), 0, "{end:?}");
    let name = |entry: &Answer| entry.values("uid").concat();
    (entries.iter().map(name).collect(), end.page().unwrap().1)
}

#[test]
fn what_changes_between_pages_comes_neither_twice_nor_is_it_missed() {
    let by_name = [sorted(true, &[("uid", None, false)])];
    for (order, first, rest) in [
        (
            &[][..],
            ["delta", "alpha"],
            ["bravo", "charlie", "foxtrot"].as_slice(),
        ),
        // The list was made for the first page, and whoever is new is not on it.
        (
            &by_name,
            ["alpha", "bravo"],
            ["charlie", "delta"].as_slice(),
        ),
    ] {
        let gateway = gateway();
        let service = format!("cn=sssd,ou=services,{BASE}");
        let mut client = Client::connect(gateway.hosts);
        assert_eq!(client.ask(&bind(&service, PASSWORD)).code(), 0);
        let (names, mut cookie) = page(&mut client, b"", order);
        assert_eq!(names, first);
        let group = |verb, name| {
            let ran = gateway.run(&["group", verb, "staff", name]);
            ran.assert_success();
        };
        // One that was sent goes and comes back, one that was not goes, another is new.
        group("leave", first[0]);
        group("join", first[0]);
        group("leave", "echo");
        gateway.add_user("foxtrot");
        let mut sent = Vec::new();
        while !cookie.is_empty() {
            let (names, next) = page(&mut client, &cookie, order);
            sent.extend(names);
            cookie = next;
        }
        assert_eq!(sent, rest);
    }
}
