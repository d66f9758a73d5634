use proptest::prelude::*;

use super::*;

fn all_are<T, E: fmt::Debug>(parse: fn(&str) -> Result<T, E>, texts: &[&str]) {
    for text in texts {
        assert!(parse(text).is_ok(), "{text}");
    }
}

fn none_is<T, E>(parse: fn(&str) -> Result<T, E>, texts: &[&str]) {
    for text in texts {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn hosts_are_names_patterns_addresses_and_netgroups() {
    all_are(
        SudoHost::parse,
        &[
            "ALL",
            "!db1",
            "web1.example.org",
            "web*",
            "db[0-9]?",
            "192.0.2.1",
            "192.0.2.0/24",
            "192.0.2.0/255.255.255.0",
            "2001:db8::1",
            "2001:db8::/32",
            "+webservers",
            "!+old",
        ],
    );
    none_is(
        SudoHost::parse,
        &[
            "",
            "!",
            "!!db1",
            "a b",
            "web1,web2",
            "192.0.2.0/33",
            "192.0.2.0/1.2.3.4",
            "+",
            "-x",
            "h\u{e4}st",
            "web1 ",
            "a\n",
            "(x)",
        ],
    );
    assert!(SudoHost::parse(&"a".repeat(256)).is_err());
}

#[test]
fn commands_are_whole_paths_or_words_of_sudo() {
    let digest = format!("sha256:{}", "0f".repeat(32));
    all_are(
        SudoCommand::parse,
        &[
            "ALL",
            "!ALL",
            "list",
            "/bin/ls",
            "!/bin/sh",
            "/usr/bin/systemctl restart nginx",
            "/usr/bin/",
            "/usr/bin/*",
            "sudoedit /etc/hosts /etc/motd",
            "sudoedit",
            "^/usr/bin/(a|b)$",
            "/bin/cat \"\"",
            &format!("{digest} /bin/ls"),
            &format!("{digest},{digest} ALL"),
            &format!("!{digest} /bin/ls -l"),
            "sha224:0GomF8mNN3wlDt1HD9XldjJ3SNgpFdbjO1+NsQ== /bin/ls",
        ],
    );
    none_is(
        SudoCommand::parse,
        &[
            "",
            "!",
            "ls",
            "bin/ls",
            "./ls",
            "ALL ALL",
            "sudoedit etc/hosts",
            "/usr/bin/sudoedit /etc/hosts",
            "NOPASSWD: ALL",
            "sha256:00 /bin/ls",
            &digest,
            "md5:00 /bin/ls",
            "/bin/ls\n/bin/sh",
            " /bin/ls",
            "^/usr/bin/x",
        ],
    );
    assert!(SudoCommand::parse(&format!("/{}", "a".repeat(1024))).is_err());
}

#[test]
fn whom_to_run_as_is_a_name_a_number_a_group_or_a_netgroup() {
    all_are(
        SudoRunAsUser::parse,
        &[
            "ALL", "root", "www-data", "#0", "%adm", "%#4", "+people", "!root", "_apt", "host$",
        ],
    );
    none_is(
        SudoRunAsUser::parse,
        &[
            "",
            "#",
            "#-1",
            "#4294967296",
            "%",
            "a b",
            "a,b",
            "+",
            "%+x",
            "!!root",
        ],
    );
    all_are(SudoRunAsGroup::parse, &["ALL", "adm", "#4", "!adm"]);
    none_is(SudoRunAsGroup::parse, &["", "%adm", "+adm", "#x", "a b"]);
}

#[test]
fn options_are_words_with_or_without_a_value() {
    all_are(
        SudoOption::parse,
        &[
            "authenticate",
            "!authenticate",
            "env_keep+=SSH_AUTH_SOCK",
            "env_keep-=HOME",
            "secure_path=/usr/sbin:/usr/bin",
            "timestamp_timeout=0",
            "badpass_message=No, not so",
            "log_year",
        ],
    );
    none_is(
        SudoOption::parse,
        &[
            "",
            "!",
            "NOPASSWD",
            "!authenticate=1",
            "env_keep += X",
            "x=",
            "=x",
            "two words",
            "env_keep+= X",
        ],
    );
}

#[test]
fn a_user_called_as_everybody_is_never_stands_for_everybody() {
    let named = |name: &str| SudoSubject::User(Username::parse(name).unwrap());
    assert_eq!(named("ALL").value(), None);
    assert_eq!(named("all").value().as_deref(), Some("all"));
    assert_eq!(SudoSubject::Everybody.value().as_deref(), Some("ALL"));
    let group = SudoSubject::Group(GroupName::parse("ALL").unwrap());
    assert_eq!(group.value().as_deref(), Some("%ALL"));
}

fn rule(name: &str) -> SudoRule {
    SudoRule {
        name: SudoRuleName::parse(name).unwrap(),
        subjects: vec![SudoSubject::Everybody],
        terms: SudoTerms {
            hosts: vec![SudoHost::parse("ALL").unwrap()],
            commands: vec![SudoCommand::parse("/bin/ls").unwrap()],
            ..SudoTerms::default()
        },
    }
}

#[test]
fn a_rule_says_who_where_and_what() {
    assert_eq!(rule("ls").check(), Ok(()));
    let but = |change: fn(&mut SudoRule)| {
        let mut rule = rule("ls");
        change(&mut rule);
        rule.check()
    };
    assert_eq!(
        but(|rule| rule.subjects.clear()),
        Err(NotASudoRule::NoSubject)
    );
    assert_eq!(
        but(|rule| rule.terms.hosts.clear()),
        Err(NotASudoRule::NoHost)
    );
    assert_eq!(
        but(|rule| rule.terms.commands.clear()),
        Err(NotASudoRule::NoCommand)
    );
    let many = but(|rule| rule.terms.hosts = vec![SudoHost::parse("a").unwrap(); 65]);
    assert_eq!(many, Err(NotASudoRule::TooMany));
    let backwards = but(|rule| {
        rule.terms.not_before = Some(Timestamp::from_millis(2));
        rule.terms.not_after = Some(Timestamp::from_millis(2));
    });
    assert_eq!(backwards, Err(NotASudoRule::EndsBeforeStart));
}

#[test]
fn the_defaults_hold_options_and_nothing_else() {
    for name in ["defaults", "Defaults"] {
        assert_eq!(rule(name).check(), Err(NotASudoRule::MoreThanDefaults));
        let mut defaults = rule(name);
        defaults.subjects.clear();
        defaults.terms = SudoTerms::default();
        assert_eq!(defaults.check(), Err(NotASudoRule::NoDefault));
        defaults.terms.options = vec![SudoOption::parse("!lecture").unwrap()];
        assert_eq!(defaults.check(), Ok(()));
        defaults.terms.order = Some(1);
        assert_eq!(defaults.check(), Err(NotASudoRule::MoreThanDefaults));
    }
}

#[test]
fn terms_survive_the_store() {
    let mut terms = rule("ls").terms;
    terms.options = vec![SudoOption::parse("!authenticate").unwrap()];
    terms.order = Some(-3);
    terms.not_after = Some(Timestamp::from_millis(1_800_000_000_000));
    let text = serde_json::to_string(&terms).unwrap();
    assert_eq!(serde_json::from_str::<SudoTerms>(&text).unwrap(), terms);
    let forged = text.replace("/bin/ls", "ls");
    assert!(serde_json::from_str::<SudoTerms>(&forged).is_err());
}

proptest! {
    #[test]
    fn no_value_spans_lines_or_panics(text in ".{0,80}") {
        let parsed = [
            SudoHost::parse(&text).map(|value| value.to_string()),
            SudoCommand::parse(&text).map(|value| value.to_string()),
            SudoRunAsUser::parse(&text).map(|value| value.to_string()),
            SudoRunAsGroup::parse(&text).map(|value| value.to_string()),
            SudoOption::parse(&text).map(|value| value.to_string()),
        ];
        for value in parsed.into_iter().flatten() {
            prop_assert_eq!(&value, &text);
            prop_assert!(!value.is_empty() && !value.chars().any(char::is_control));
        }
    }
}
