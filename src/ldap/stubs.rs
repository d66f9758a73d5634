//! A world small enough for tests: some users, one group, two service accounts, and switches for
//! what can go wrong.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::authenticator::{
    Answer, Attempt, Authenticated, AuthenticatedService, ChangeProof, Claim, Decide, Evidence,
    Refusal, ServiceAttempt, ServiceEvidence, ServiceVerdict, Undecided, Verdict,
};
use crate::directory::{
    ChangeOwnPassword, Changed, Group, GroupQuery, NotChanged, Owner, Person, PersonQuery, Read,
    Standing, SudoQuery, SudoRole, Viewer,
};
use crate::domain::account::{Condition, Conditions};
use crate::domain::id::{AccountId, GroupId, SudoRuleId};
use crate::domain::name::{GroupName, ListenerName, MailAddress, ResourceName, Username};
use crate::domain::names::{Lists, Members, NameList, Part, Portion};
use crate::domain::resource::Asking;
use crate::domain::secret::Password;
use crate::domain::time::{Clock, Monotonic, Now, Timestamp};
use crate::ldap::decode::{Deref, Scope, Search, UnparsedDn};
use crate::ldap::dn::DistinguishedName;
use crate::ldap::settings::{PlaintextBind, Settings, TlsMode};
use crate::ldap::tree::Tree;

/// 2026-11-22T12:00:00Z.
pub(crate) const NOON: Timestamp = Timestamp::from_millis(1_795_348_800_000);

pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) fn now() -> Now {
    Now {
        wall: NOON,
        mono: Monotonic::default(),
        clock_suspect: false,
    }
}

pub(crate) struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Now {
        now()
    }
}

pub(crate) fn settings() -> Settings {
    let base = DistinguishedName::parse("dc=example,dc=org").unwrap();
    let listener = ListenerName::parse("hosts").unwrap();
    let mut settings = Settings::new(listener, TlsMode::StartTls, Tree::new(base, "Example"));
    settings.plaintext_bind = PlaintextBind::Loopback;
    settings
}

pub(crate) fn person(name: &str, uid_number: u32) -> Person {
    Person {
        account: AccountId::from_uuid(uuid::Uuid::from_u128(u128::from(uid_number))),
        username: Username::parse(name).unwrap(),
        full_name: Some(format!("{name} van Example")),
        email: MailAddress::parse(&format!("{name}@example.org")).unwrap(),
        uid_number,
        gid_number: 20_000,
        home: format!("/home/{name}"),
        shell: "/bin/bash".to_owned(),
        groups: Part::Here(NameList::sorted(["staff"]).into()),
        ssh_keys: Vec::new(),
        created: NOON.minus(Duration::from_hours(24)),
        modified: NOON,
        standing: Standing {
            refused: None,
            conditions: Conditions::NONE,
            password_set_at: Some(NOON.minus(Duration::from_hours(1))),
            expires_at: None,
            warned_before: Duration::from_hours(7 * 24),
            failures: Vec::new(),
            ends_at: None,
        },
    }
}

/// What is in a group.
pub(crate) fn members<'a>(
    users: impl IntoIterator<Item = &'a str>,
    groups: impl IntoIterator<Item = &'a str>,
) -> Part<Members> {
    Part::Here(Arc::new(Members {
        users: NameList::sorted(users),
        groups: NameList::sorted(groups),
    }))
}

/// A search request.
pub(crate) fn search(base: &str, scope: Scope, filter: &str, attributes: &[&str]) -> Search {
    Search {
        base: UnparsedDn::new(base.as_bytes().to_vec()),
        scope,
        deref: Deref::Never,
        size_limit: None,
        time_limit: None,
        types_only: false,
        filter: filter.parse().unwrap(),
        attributes: attributes.iter().map(ToString::to_string).collect(),
    }
}

/// Everything that the LDAP front end can ask, with an answer.
pub(crate) struct World {
    pub(crate) people: Vec<Person>,
    pub(crate) groups: Vec<Group>,
    pub(crate) sudo_roles: Vec<SudoRole>,
    pub(crate) attempts: Mutex<Vec<Attempt>>,
    pub(crate) service_attempts: Mutex<Vec<ServiceAttempt>>,
    pub(crate) asked_by: Mutex<Vec<Asking>>,
    pub(crate) person_queries: Mutex<Vec<PersonQuery>>,
    pub(crate) undecided: Mutex<Option<Undecided>>,
    pub(crate) not_changed: Mutex<Option<NotChanged>>,
    pub(crate) passwords_set: Mutex<Vec<String>>,
    pub(crate) stands: AtomicBool,
    pub(crate) panics: AtomicBool,
    pub(crate) hangs: AtomicBool,
    /// Whether decisions wait, and how many have begun.
    pub(crate) ponders: AtomicBool,
    pub(crate) decisions: AtomicUsize,
    pub(crate) reads: AtomicUsize,
    pub(crate) member_reads: AtomicUsize,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut suspended = person("susan", 20_002);
        suspended.standing.refused = Some(Refusal::Suspended);
        suspended.standing.conditions = Conditions::NONE.with(Condition::Suspended);
        let people = vec![person("Alice", 20_001), suspended, person("bob", 20_003)];
        let staff = Group {
            group: GroupId::from_uuid(uuid::Uuid::from_u128(1)),
            name: GroupName::parse("staff").unwrap(),
            gid_number: 30_000,
            description: Some("Everybody".to_owned()),
            members: members(
                people.iter().map(|person| person.username.as_str()),
                ["interns"],
            ),
            created: NOON,
            modified: NOON,
        };
        Self {
            people,
            groups: vec![staff],
            sudo_roles: Vec::new(),
            attempts: Mutex::default(),
            service_attempts: Mutex::default(),
            asked_by: Mutex::default(),
            person_queries: Mutex::default(),
            undecided: Mutex::default(),
            not_changed: Mutex::default(),
            passwords_set: Mutex::default(),
            stands: AtomicBool::new(true),
            panics: AtomicBool::new(false),
            hangs: AtomicBool::new(false),
            ponders: AtomicBool::new(false),
            decisions: AtomicUsize::new(0),
            reads: AtomicUsize::new(0),
            member_reads: AtomicUsize::new(0),
        }
    }

    fn broken(&self) -> Result<(), Undecided> {
        self.undecided.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    async fn ponder(&self) -> Result<(), Undecided> {
        self.decisions.fetch_add(1, Ordering::SeqCst);
        while self.ponders.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.broken()
    }

    async fn mishap(&self) {
        self.reads.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics.load(Ordering::SeqCst), "asked to");
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

/// A list as a read brings it along.
fn apart<T>(list: Part<T>, lists: Lists, count: impl Fn(&T) -> usize) -> Part<T> {
    match (list, lists) {
        (_, Lists::Unasked) => Part::Unasked,
        (Part::Here(list), Lists::UpTo(most)) if count(&list) > most => Part::Apart {
            bytes: NameList::room(count(&list), 64),
        },
        (list, _) => list,
    }
}

fn is_right(evidence: &Evidence) -> bool {
    matches!(evidence, Evidence::Password(password) if password.as_str() == Some(PASSWORD))
}

impl Decide for World {
    fn decide(&self, attempt: Attempt) -> Answer<'_, Result<Verdict, Undecided>> {
        Box::pin(async move {
            self.attempts.lock().unwrap().push(attempt.clone());
            self.ponder().await?;
            let Claim::Typed(name) = &attempt.claim else {
                return Ok(Verdict::Refused(Refusal::MalformedName));
            };
            if !is_right(&attempt.evidence) {
                return Ok(Verdict::Refused(Refusal::WrongPassword));
            }
            if name.eq_ignore_ascii_case("mona") {
                let account = AccountId::from_uuid(uuid::Uuid::from_u128(9));
                return Ok(Verdict::ChangeOnly(ChangeProof::for_tests(account, "mona")));
            }
            let found = self
                .people
                .iter()
                .find(|person| person.username.folded() == name.to_lowercase());
            Ok(match found {
                Some(person) if person.standing.refused.is_none() => {
                    Verdict::Granted(Authenticated::for_tests(
                        person.account,
                        person.username.as_str(),
                        Some("hosts"),
                    ))
                }
                _ => Verdict::Refused(Refusal::UnknownUser),
            })
        })
    }

    fn decide_service(
        &self,
        attempt: ServiceAttempt,
    ) -> Answer<'_, Result<ServiceVerdict, Undecided>> {
        Box::pin(async move {
            self.service_attempts.lock().unwrap().push(attempt.clone());
            self.ponder().await?;
            let ServiceEvidence::Password { name, password } = attempt.evidence else {
                return Ok(ServiceVerdict::Refused(Refusal::UnknownCertificate));
            };
            let may_search = name.eq_ignore_ascii_case("sssd");
            let known = may_search || name == "dovecot";
            let right = password.is_ok_and(|password| password.as_str() == Some(PASSWORD));
            Ok(if known && right {
                let proof = AuthenticatedService::for_tests(&name, may_search);
                ServiceVerdict::Granted(proof)
            } else {
                ServiceVerdict::Refused(Refusal::WrongPassword)
            })
        })
    }

    fn still_granted<'a>(&'a self, _: &'a Authenticated) -> Answer<'a, Result<bool, Undecided>> {
        Box::pin(async {
            self.ponder().await?;
            Ok(self.stands.load(Ordering::SeqCst))
        })
    }

    fn still_change_only<'a>(&'a self, _: &'a ChangeProof) -> Answer<'a, Result<bool, Undecided>> {
        Box::pin(async {
            self.ponder().await?;
            Ok(self.stands.load(Ordering::SeqCst))
        })
    }

    fn still_bound<'a>(
        &'a self,
        _: &'a AuthenticatedService,
    ) -> Answer<'a, Result<bool, Undecided>> {
        Box::pin(async {
            self.ponder().await?;
            Ok(self.stands.load(Ordering::SeqCst))
        })
    }
}

impl ChangeOwnPassword for World {
    fn change_own_password<'a>(
        &'a self,
        owner: Owner<'a>,
        password: Password,
        _: Now,
    ) -> Answer<'a, Result<Changed, NotChanged>> {
        Box::pin(async move {
            self.ponder().await.map_err(NotChanged::Undecided)?;
            if let Some(reason) = self.not_changed.lock().unwrap().clone() {
                return Err(reason);
            }
            let text = password.as_str().unwrap().to_owned();
            self.passwords_set.lock().unwrap().push(text);
            Ok(match owner {
                Owner::User(proof) => Changed::SessionGoesOn(Authenticated::for_tests(
                    proof.account(),
                    proof.username().as_str(),
                    Some("hosts"),
                )),
                Owner::ChangeOnly(_) => Changed::SessionOver,
            })
        })
    }
}

impl Read for World {
    fn resource_asking(&self, _: &Asking) -> Option<ResourceName> {
        None
    }

    fn people<'a>(
        &'a self,
        viewer: Viewer<'a>,
        asking: &'a Asking,
        query: &'a PersonQuery,
        after: Option<AccountId>,
        portion: Portion,
        _: Now,
    ) -> Answer<'a, Result<Vec<Person>, Undecided>> {
        Box::pin(async move {
            self.mishap().await;
            self.broken()?;
            self.asked_by.lock().unwrap().push(asking.clone());
            self.person_queries.lock().unwrap().push(query.clone());
            let visible = |person: &&Person| match viewer {
                Viewer::Service(proof) => proof.may_search(),
                Viewer::User(proof) => proof.account() == person.account,
                Viewer::ChangeOnly(proof) => proof.username().folded() == person.username.folded(),
            };
            let wanted = |person: &&Person| match query {
                PersonQuery::Id(id) => person.account == *id,
                PersonQuery::Username(name) => person.username.folded() == name.to_lowercase(),
                PersonQuery::UidNumber(number) => person.uid_number == *number,
                PersonQuery::Mail(mail) => person.email.folded() == mail.to_lowercase(),
                PersonQuery::MemberOf(name) => {
                    let groups = person.groups.here().unwrap();
                    groups.iter().any(|group| group.eq_ignore_ascii_case(name))
                }
                PersonQuery::All => true,
            };
            let later = |person: &&Person| after.is_none_or(|after| person.account > after);
            Ok(self
                .people
                .iter()
                .filter(visible)
                .filter(wanted)
                .filter(later)
                .take(portion.records)
                .cloned()
                .map(|mut person| {
                    person.groups = apart(person.groups, portion.lists, NameList::len);
                    person
                })
                .collect())
        })
    }

    fn groups_of<'a>(
        &'a self,
        _: Viewer<'a>,
        account: AccountId,
    ) -> Answer<'a, Result<NameList, Undecided>> {
        Box::pin(async move {
            self.mishap().await;
            let found = self.people.iter().find(|person| person.account == account);
            let groups = found.and_then(|person| person.groups.here());
            Ok(groups.map(|list| NameList::clone(list)).unwrap_or_default())
        })
    }

    fn members_of<'a>(
        &'a self,
        _: Viewer<'a>,
        group: GroupId,
    ) -> Answer<'a, Result<Members, Undecided>> {
        Box::pin(async move {
            self.mishap().await;
            self.member_reads.fetch_add(1, Ordering::SeqCst);
            let found = self.groups.iter().find(|own| own.group == group);
            let members = found.and_then(|group| group.members.here());
            Ok(members.map(|list| Members::clone(list)).unwrap_or_default())
        })
    }

    fn groups<'a>(
        &'a self,
        viewer: Viewer<'a>,
        query: &'a GroupQuery,
        after: Option<GroupId>,
        portion: Portion,
    ) -> Answer<'a, Result<Vec<Group>, Undecided>> {
        Box::pin(async move {
            self.mishap().await;
            self.broken()?;
            if !matches!(viewer, Viewer::Service(proof) if proof.may_search()) {
                return Ok(Vec::new());
            }
            let holds = |list: fn(&Members) -> &NameList, group: &Group, name: &str| {
                let members = group.members.here().unwrap();
                list(members)
                    .iter()
                    .any(|own| own.eq_ignore_ascii_case(name))
            };
            let wanted = |group: &&Group| match query {
                GroupQuery::Id(id) => group.group == *id,
                GroupQuery::Name(name) => group.name.folded() == *name,
                GroupQuery::GidNumber(number) => group.gid_number == *number,
                GroupQuery::HasUser(name) => holds(|members| &members.users, group, name),
                GroupQuery::HasGroup(name) => holds(|members| &members.groups, group, name),
                GroupQuery::All => true,
            };
            let later = |group: &&Group| after.is_none_or(|after| group.group > after);
            Ok(self
                .groups
                .iter()
                .filter(wanted)
                .filter(later)
                .take(portion.records)
                .cloned()
                .map(|mut group| {
                    let count = |list: &Members| list.users.len() + list.groups.len();
                    group.members = apart(group.members, portion.lists, count);
                    group
                })
                .collect())
        })
    }

    fn sudo_roles<'a>(
        &'a self,
        viewer: Viewer<'a>,
        query: &'a SudoQuery,
        after: Option<SudoRuleId>,
        limit: usize,
    ) -> Answer<'a, Result<Vec<SudoRole>, Undecided>> {
        Box::pin(async move {
            self.mishap().await;
            self.broken()?;
            if !matches!(viewer, Viewer::Service(proof) if proof.may_search()) {
                return Ok(Vec::new());
            }
            let wanted = |role: &&SudoRole| match query {
                SudoQuery::Id(id) => role.id == *id,
                SudoQuery::Name(name) => role.rule.name.folded() == *name,
                SudoQuery::All => true,
            };
            let later = |role: &&SudoRole| after.is_none_or(|after| role.id > after);
            let found = self.sudo_roles.iter().filter(wanted).filter(later);
            Ok(found.take(limit).cloned().collect())
        })
    }
}
