//! What hosts ask for beyond passwords, by the filters that SSSD and nslcd send: SSH keys, sudo
//! rules, groups in groups under both schemas.

use std::collections::BTreeSet;

use crate::common::{BASE, Gateway, PASSWORD, Ran, Setting, client};

const SSSD: &str = "cn=sssd,ou=services,dc=example,dc=org";
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIh2OUnFV4SUWvRG9POqDGXlUAdv/HnLloMWorepVRc5 laptop";

fn gateway() -> Gateway {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    gateway.add_service("sssd");
    gateway
}

fn search(gateway: &Gateway, dn: &str, base: &str, filter: &str, wanted: &[&str]) -> Ran {
    let url = format!("ldap://{}", gateway.hosts);
    let mut arguments = vec!["-x", "-LLL", "-o", "ldif-wrap=no", "-H", &url];
    arguments.extend(["-D", dn, "-w", PASSWORD, "-b", base, filter]);
    arguments.extend(wanted);
    client("ldapsearch", "ldap-utils", &arguments)
}

/// The values of one attribute of all that SSSD finds.
fn values(gateway: &Gateway, filter: &str, attribute: &str) -> BTreeSet<String> {
    let ran = search(gateway, SSSD, BASE, filter, &[attribute]);
    ran.assert_success();
    let prefix = format!("{attribute}: ");
    ran.stdout
        .lines()
        .filter_map(|line| line.strip_prefix(&prefix))
        .map(str::to_owned)
        .collect()
}

fn set<const N: usize>(texts: [&str; N]) -> BTreeSet<String> {
    texts.into_iter().map(str::to_owned).collect()
}

#[test]
fn contract_2_keys_are_there_as_long_as_the_user_would_be_let_in() {
    let gateway = gateway();
    let add = ["user", "ssh-key", "add", "alice"];
    gateway.run_with_input(&add, KEY).assert_success();
    let lookup = "(&(uid=alice)(objectclass=posixAccount)(uid=*)(&(uidNumber=*)(!(uidNumber=0))))";
    let keys = || values(&gateway, lookup, "sshPublicKey");
    let marks = || values(&gateway, lookup, "nsAccountLock");
    assert_eq!(keys(), set([KEY]));
    for (close, open) in [
        (
            &["user", "suspend", "alice"][..],
            &["user", "resume", "alice"][..],
        ),
        (
            &["resource", "unbind", "hosts", "--group", "staff"],
            &["resource", "bind", "hosts", "--group", "staff"],
        ),
        (
            &["user", "set", "alice", "start_date=2099-01-01"],
            &["user", "set", "alice", "start_date="],
        ),
    ] {
        gateway.run(close).assert_success();
        assert_eq!((keys(), marks()), (set([]), set(["TRUE"])), "{close:?}");
        gateway.run(open).assert_success();
        assert_eq!((keys(), marks()), (set([KEY]), set([])), "{open:?}");
    }
    let reset = [
        "user",
        "set-password",
        "alice",
        "--password-stdin",
        "--must-change",
    ];
    gateway
        .run_with_input(&reset, "velvet lantern orchard")
        .assert_success();
    assert_eq!((keys(), marks()), (set([]), set([])), "led to a change");
}

/// The conditions on hosts that SSSD 2.8 sends, for web1.example.org at 192.0.2.7.
const SSSD_HOSTS: &str = "(|(&(!(sudoHost=*))(cn=defaults))(sudoHost=ALL)\
    (sudoHost=web1)(sudoHost=web1.example.org)(sudoHost=192.0.2.7)(sudoHost=192.0.2.0/24)\
    (sudoHost=+*)(|(sudoHost=*\\5c*)(sudoHost=*?*)(sudoHost=*\\2a*)\
    (&(sudoHost=*[*)(sudoHost=*]*))))";

#[test]
fn sssd_finds_the_sudo_rules_of_its_host_and_nobody_else_finds_any() {
    let gateway = gateway();
    for (name, host) in [
        ("everywhere", "ALL"),
        ("byname", "web1.example.org"),
        ("bynetwork", "192.0.2.0/24"),
        ("pattern", "web?"),
        ("star", "db*"),
        ("bracket", "web[0-9]"),
        ("netgroup", "+webservers"),
        ("elsewhere", "db1.example.org"),
    ] {
        let add = [
            "sudo",
            "add",
            name,
            "--group",
            "staff",
            "--command",
            "ALL",
            "--host",
            host,
        ];
        gateway.run(&add).assert_success();
    }
    gateway
        .run(&["sudo", "add", "defaults", "--option", "!lecture"])
        .assert_success();
    let full = format!("(&(objectClass=sudoRole){SSSD_HOSTS})");
    let here = [
        "bracket",
        "byname",
        "bynetwork",
        "defaults",
        "everywhere",
        "netgroup",
        "pattern",
        "star",
    ];
    assert_eq!(values(&gateway, &full, "cn"), set(here));
    assert_eq!(values(&gateway, &full, "sudoUser"), set(["%staff"]));
    assert_eq!(values(&gateway, &full, "sudoOption"), set(["!lecture"]));

    // Incremental: what changed since the newest that is known. Stamps are whole seconds, so this
    // waits for the next one.
    let newest = values(&gateway, "(objectClass=sudoRole)", "modifyTimestamp");
    let newest = newest.last().unwrap();
    let smart = format!(
        "(&(&(objectclass=sudoRole)(modifyTimestamp>={newest})(!(modifyTimestamp={newest})))\
         {SSSD_HOSTS})"
    );
    assert_eq!(values(&gateway, &smart, "cn"), set([]));
    crate::common::eventually(
        || format!("{smart} never found the change"),
        || {
            gateway
                .run(&["sudo", "set", "byname", "--user", "alice"])
                .assert_success();
            gateway
                .run(&["sudo", "set", "byname", "--group", "staff"])
                .assert_success();
            values(&gateway, &smart, "cn") == set(["byname"])
        },
    );

    // A rename reaches the rules that name the user.
    gateway
        .run(&["sudo", "set", "byname", "--user", "alice"])
        .assert_success();
    gateway
        .run(&["user", "rename", "alice", "alicia"])
        .assert_success();
    let by_user = "(&(objectClass=sudoRole)(sudoUser=alicia))";
    assert_eq!(values(&gateway, by_user, "cn"), set(["byname"]));

    let alicia = format!("uid=alicia,ou=people,{BASE}");
    let own = search(&gateway, &alicia, BASE, "(objectClass=sudoRole)", &["cn"]);
    own.assert_success();
    assert_eq!(own.stdout.trim(), "");
    let rule = format!("cn=byname,ou=sudoers,{BASE}");
    let direct = search(&gateway, &alicia, &rule, "(objectClass=*)", &["cn"]);
    assert_eq!(direct.code, Some(32), "as if it were not there: {direct:?}");
    let direct = search(&gateway, SSSD, &rule, "(objectClass=*)", &["sudoHost"]);
    assert!(
        direct.stdout.contains("sudoHost: web1.example.org"),
        "{direct:?}"
    );
    let people = values(&gateway, "(&(objectClass=posixAccount)(uid=*))", "cn");
    assert_eq!(people, set(["alicia"]), "rules are no users");
}

#[test]
fn groups_nest_eight_levels_under_both_schemas_at_once() {
    let gateway = gateway();
    let level = |number: usize| format!("level{number}");
    for number in 1..=9 {
        gateway
            .run(&["group", "add", &level(number)])
            .assert_success();
    }
    for number in 2..=8 {
        let (outer, inner) = (level(number - 1), level(number));
        gateway
            .run(&["group", "join", &outer, "--group", &inner])
            .assert_success();
    }
    let ninth = gateway.run(&["group", "join", "level8", "--group", "level9"]);
    assert!(ninth.stderr.contains("eight levels"), "{ninth:?}");
    let cycle = gateway.run(&["group", "join", "level8", "--group", "level1"]);
    assert!(cycle.stderr.contains("cannot contain itself"), "{cycle:?}");
    gateway
        .run(&["group", "join", "level8", "alice"])
        .assert_success();

    let alice = format!("uid=alice,ou=people,{BASE}");
    let group = |name: &str| format!("cn={name},ou=groups,{BASE}");
    let levels: BTreeSet<String> = (1..=8).map(level).collect();
    let mut all = levels.clone();
    all.insert("staff".to_owned());
    // rfc2307, as SSSD and nslcd ask.
    let by_name = "(&(memberuid=alice)(objectClass=posixGroup)(cn=*)\
                   (&(gidNumber=*)(!(gidNumber=0))))";
    assert_eq!(values(&gateway, by_name, "cn"), all);
    // rfc2307bis: the user's groups, then a group's parents one level a question.
    let by_dn = format!("(&(member={alice})(objectClass=posixGroup)(cn=*))");
    assert_eq!(values(&gateway, &by_dn, "cn"), all);
    let nslcd = format!("(&(objectClass=posixGroup)(|(memberUid=alice)(member={alice})))");
    assert_eq!(values(&gateway, &nslcd, "cn"), all);
    for number in 2..=8 {
        let inner = group(&level(number));
        let parents = format!("(&(member={inner})(objectClass=posixGroup)(cn=*))");
        assert_eq!(values(&gateway, &parents, "cn"), set([&level(number - 1)]));
    }
    // Members of the outermost: the users of all, and the group directly inside.
    let outermost = "(&(cn=level1)(objectClass=posixGroup)(cn=*))";
    assert_eq!(values(&gateway, outermost, "memberUid"), set(["alice"]));
    let members = BTreeSet::from([alice.clone(), group("level2")]);
    assert_eq!(values(&gateway, outermost, "member"), members);
    let of: BTreeSet<String> = all.iter().map(|name| group(name)).collect();
    assert_eq!(values(&gateway, "(uid=alice)", "memberOf"), of);
    let by_group = format!(
        "(&(objectClass=posixAccount)(memberOf={}))",
        group("level1")
    );
    assert_eq!(values(&gateway, &by_group, "uid"), set(["alice"]));
}
