//! The daemon that is attacked, with production's hashing, and its people.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use rusqlite::Connection;

use crate::arguments::Arguments;
use crate::common::{Gateway, SECRET, Setting, doorward};
use crate::daemon;
use crate::victims::{HOSTS_USER, MAIL_USER, SERVICE, VPN_USER};

/// Where access points send from.
pub(crate) const ACCESS_POINT: Ipv4Addr = Ipv4Addr::new(127, 8, 0, 2);

/// Users to be made at once, all with the victims' password.
pub(crate) struct People {
    /// Their names are this and a number from 0.
    pub(crate) prefix: &'static str,
    pub(crate) count: u32,
    /// Whether they are bound to every resource.
    pub(crate) bound: bool,
    /// What is different about them, as assignments of SQL.
    pub(crate) but: &'static str,
}

impl People {
    /// As any user.
    pub(crate) const fn plain(prefix: &'static str, count: u32) -> Self {
        Self {
            prefix,
            count,
            bound: true,
            but: "",
        }
    }
}

/// What a world has beside the victims.
#[derive(Default)]
pub(crate) struct Needs<'a> {
    pub(crate) people: &'a [People],
    /// The group that everybody made at once is a member of, where there is one.
    pub(crate) group: Option<&'static str>,
    /// Keys of the policy.
    pub(crate) policy: &'a [&'a str],
    /// Lines of `[throttle]` beside the refusal delay.
    pub(crate) throttle: &'a str,
    /// Lines of `[ldap]`.
    pub(crate) ldap: &'a str,
    /// The daemon's open files, where they are fewer than this process's.
    pub(crate) descriptors: Option<u32>,
}

/// The daemon, running.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
}

impl World {
    /// Starts it.
    pub(crate) fn begin(arguments: &Arguments, needs: &Needs<'_>) -> Self {
        let mut gateway = Gateway::prepare(&Setting {
            hashing: format!("remember_for = \"{}\"\n", arguments.remember_for),
            throttle: format!(
                "refusal_delay = \"{}\"\n{}",
                arguments.refusal_delay, needs.throttle
            ),
            ldap: needs.ldap.to_owned(),
            vpn_gateway: "\"127.9.0.0/16\"".to_owned(),
            more: format!(
                "[[radius.client]]\nname = \"access-point\"\naddress = \"127.8.0.0/16\"\n\
                 secret = \"{SECRET}\"\nresource = \"wifi\"\n\n\
                 [[resource]]\nname = \"wifi\"\nkind = \"wifi\"\n"
            ),
            ..Setting::default()
        });
        // Its first start makes the store.
        gateway.serve();
        gateway.add_staff();
        gateway
            .run(&["resource", "bind", "wifi", "--group", "staff"])
            .assert_success();
        for name in [HOSTS_USER, VPN_USER, MAIL_USER] {
            gateway.add_user(name);
        }
        gateway.add_service(SERVICE);
        if let Some(group) = needs.group {
            gateway.run(&["group", "add", group]).assert_success();
        }
        for key in needs.policy {
            gateway.run(&["policy", "set", key]).assert_success();
        }
        gateway.kill();
        fill(&gateway.path("doorward.db"), needs);
        match needs.descriptors {
            None => gateway.serve(),
            Some(limit) => {
                let serve = doorward(&gateway.config());
                let mut command = Command::new("sh");
                command
                    .args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")])
                    .arg(serve.get_program())
                    .args(serve.get_args())
                    .arg("serve");
                gateway.serve_by(command);
            }
        }
        Self { gateway }
    }

    pub(crate) fn process(&self) -> u32 {
        self.gateway.process()
    }

    /// What a user's account is said to be.
    pub(crate) fn status(&self, user: &str) -> String {
        let shown = self.gateway.json(&["user", "show", user, "-o", "json"]);
        shown["status"].as_str().unwrap_or_default().to_owned()
    }

    /// How many of a kind of people are locked.
    pub(crate) fn locked(&self, people: &People) -> u32 {
        let store = Connection::open(self.gateway.path("doorward.db")).unwrap();
        let sql = "SELECT count(*) FROM accounts WHERE locked_since IS NOT NULL \
                   AND username GLOB ?1 || '[0-9]*'";
        store
            .query_row(sql, [people.prefix], |row| row.get(0))
            .unwrap()
    }

    /// The bytes of the store's pages, those in its log of writes included.
    pub(crate) fn store_bytes(&self) -> u64 {
        let store = Connection::open(self.gateway.path("doorward.db")).unwrap();
        let number = |sql: &str| -> u64 {
            store
                .query_row(sql, [], |row| row.get::<_, i64>(0))
                .unwrap()
                .try_into()
                .unwrap()
        };
        number("PRAGMA page_count") * number("PRAGMA page_size")
    }

    /// The daemon's memory, in mebibytes.
    pub(crate) fn resident(&self) -> u64 {
        daemon::resident(self.process())
    }

    pub(crate) fn hosts(&self) -> SocketAddr {
        self.gateway.hosts
    }
}

/// Writes people into a store that no daemon has open: copies of a victim, whatever columns there
/// are.
fn fill(store: &Path, needs: &Needs<'_>) {
    if needs.people.is_empty() {
        return;
    }
    let mut store = Connection::open(store).unwrap();
    let writing = store.transaction().unwrap();
    writing
        .execute(
            "CREATE TEMP TABLE template AS SELECT * FROM accounts WHERE username = ?1",
            [HOSTS_USER],
        )
        .unwrap();
    let group = |name: &str| -> Vec<u8> {
        let sql = "SELECT id FROM groups WHERE name = ?1";
        writing.query_row(sql, [name], |row| row.get(0)).unwrap()
    };
    let (staff, common) = (group("staff"), needs.group.map(group));
    let mut number: i64 = 1_000_000;
    for people in needs.people {
        for one in 0..people.count {
            number += 1;
            let id = uuid::Uuid::now_v7().into_bytes();
            let name = format!("{}{one}", people.prefix);
            let email = format!("{name}@example.org");
            writing
                .prepare_cached(
                    "UPDATE template SET id = ?1, username = ?2, username_folded = ?2, \
                     email = ?3, email_folded = ?3, uid_number = ?4, gid_number = ?4",
                )
                .unwrap()
                .execute((&id, &name, &email, number))
                .unwrap();
            writing
                .prepare_cached("INSERT INTO accounts SELECT * FROM template")
                .unwrap()
                .execute([])
                .unwrap();
            writing
                .prepare_cached("INSERT INTO used_numbers (kind, number) VALUES ('uid', ?1)")
                .unwrap()
                .execute([number])
                .unwrap();
            let groups = [people.bound.then_some(&staff), common.as_ref()];
            for group in groups.into_iter().flatten() {
                writing
                    .prepare_cached("INSERT INTO group_users (container, account) VALUES (?1, ?2)")
                    .unwrap()
                    .execute((group, &id))
                    .unwrap();
            }
        }
        if !people.but.is_empty() {
            let sql = format!(
                "UPDATE accounts SET {} WHERE username GLOB ?1 || '[0-9]*'",
                people.but
            );
            writing.execute(&sql, [people.prefix]).unwrap();
        }
    }
    writing.commit().unwrap();
}
