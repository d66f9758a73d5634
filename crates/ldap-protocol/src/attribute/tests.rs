//! Selections of RFC 4511 section 4.5.1.8 and RFC 3673.

use super::*;
use crate::schema::{
    COMMON_NAME, ENTRY_UUID, MEMBER, MEMBER_OF, MODIFY_TIMESTAMP, SURNAME, USER_ID, USER_PASSWORD,
};

fn entry() -> Entry {
    Entry::new("uid=alice,dc=example".parse().unwrap())
        .with(&USER_ID, "alice")
        .with(&COMMON_NAME, "Alice")
        .with(&SURNAME, "A")
        .with(&USER_PASSWORD, "hunter2")
        .with(&ENTRY_UUID, "597ae2f6-16a6-1027-98f4-abcdefabcdef")
        .with(&MODIFY_TIMESTAMP, "20260102030405Z")
}

fn names(requested: &[&str]) -> Vec<String> {
    let selected = select(entry(), requested, false);
    assert_eq!(selected.dn, "uid=alice,dc=example");
    selected
        .attributes
        .into_iter()
        .map(|attribute| attribute.name.to_owned())
        .collect()
}

#[test]
fn stars_pluses_and_nothing() {
    assert_eq!(names(&[]), ["uid", "cn", "sn"]);
    assert_eq!(names(&["*"]), ["uid", "cn", "sn"]);
    assert_eq!(names(&["+"]), ["entryUUID", "modifyTimestamp"]);
    assert_eq!(
        names(&["*", "+"]),
        ["uid", "cn", "sn", "entryUUID", "modifyTimestamp"]
    );
    assert_eq!(names(&["1.1"]), [""; 0]);
    assert_eq!(names(&["1.1", "uid"]), ["uid"]);
    assert_eq!(names(&["*", "entryuuid"]), ["uid", "cn", "sn", "entryUUID"]);
}

#[test]
fn names_oids_aliases_and_supertypes_come_back_in_the_schemas_spelling() {
    assert_eq!(names(&["UID", "commonname"]), ["uid", "cn"]);
    assert_eq!(names(&["0.9.2342.19200300.100.1.1"]), ["uid"]);
    assert_eq!(names(&["uid", "userid", "UID"]), ["uid"]);
    assert_eq!(names(&["name"]), ["cn", "sn"]);
}

#[test]
fn the_unknown_the_optional_and_the_password_select_nothing() {
    assert_eq!(
        names(&["foo", "userCertificate;binary", "uid;binary", "", "dn"]),
        [""; 0]
    );
    assert_eq!(names(&["userPassword"]), [""; 0]);
}

#[test]
fn types_only_leaves_the_values_out() {
    let selected = select(entry(), &["uid"], true);
    assert_eq!(
        selected.attributes,
        [PartialAttribute {
            name: "uid",
            values: ValueSet::Listed(vec![])
        }]
    );
}

#[test]
fn values_keep_their_order_and_are_not_repeated() {
    let mut group = Entry::new(DistinguishedName::root());
    group.add(&MEMBER, "b");
    group.add(&MEMBER, "a");
    group.add(&MEMBER, "b");
    group.add_all(&MEMBER_OF, Vec::<String>::new());
    let listed = ValueSet::Listed(vec![b"b".to_vec(), b"a".to_vec()]);
    assert_eq!(*group.values_of(&MEMBER), listed);
    assert_eq!(group.attributes(), [&MEMBER]);
    group.add_all(&MEMBER, ["c", "d"]);
    assert_eq!(group.values_of(&MEMBER).len(), 4);
    group.remove(&MEMBER);
    assert!(group.values_of(&MEMBER).is_empty());
}

#[test]
fn costly_attributes_are_made_only_when_wanted() {
    let wants = |requested: &[&str]| Selection::new(requested).wants(&MEMBER_OF);
    assert!(wants(&[]) && wants(&["*"]) && wants(&["MEMBEROF"]));
    assert!(!wants(&["uid"]) && !wants(&["+"]) && !wants(&["1.1"]));
}
