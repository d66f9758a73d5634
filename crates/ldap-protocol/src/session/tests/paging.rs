//! Cookies of paged results, without a connection.

use super::super::paging::{OPEN_PAGED_SEARCHES, PagedSearches, Turn};
use super::*;
use crate::controls::{PAGED_RESULTS, PagedRequest, paged_response};
use crate::search::{Ended, Position, Rest, Sorted, Turned};

fn wanted() -> Search {
    match search() {
        Operation::Search(search) => search,
        other => panic!("{other:?}"),
    }
}

fn asked(size: u32, cookie: &[u8]) -> PagedRequest {
    PagedRequest {
        size,
        cookie: cookie.to_vec(),
    }
}

fn goes_on(paged: &mut PagedSearches, cookie: &[u8]) -> bool {
    match paged.turn(&asked(1, cookie), &wanted(), &[]) {
        Turn::Page(page) => page.sent > 0,
        Turn::Abandoned => panic!("not asked to"),
        Turn::Unknown => false,
    }
}

/// Keeps a search with a sorted list of so many entries.
fn keep(paged: &mut PagedSearches, length: usize) -> [u8; 8] {
    let Turn::Page(first) = paged.turn(&asked(1, b""), &wanted(), &[]) else {
        panic!("the first page was refused");
    };
    assert_eq!((first.sent, &first.rest), (0, &Rest::Behind(None)));
    let list = Rest::Sorted(Sorted::of_length(length));
    paged.keep(first.request, list, 1, 100)
}

#[test]
fn sorted_lists_push_out_the_oldest() {
    assert!(size_of::<Position>() <= 24, "docs/ldap.md says so");
    let mut paged = PagedSearches::default();
    let [first, second, third] = [60, 40, 50].map(|length| keep(&mut paged, length));
    assert!(!goes_on(&mut paged, &first), "150 are too many, 90 are not");
    assert!(goes_on(&mut paged, &second));
    assert!(goes_on(&mut paged, &third));
    let large = keep(&mut paged, 1000);
    assert!(goes_on(&mut paged, &large), "one may always be open");
}

#[test]
fn so_many_are_open_and_no_more() {
    let mut paged = PagedSearches::default();
    let cookies: Vec<_> = (0..1000).map(|_| keep(&mut paged, 1)).collect();
    let open = cookies
        .iter()
        .filter(|cookie| goes_on(&mut paged, &cookie[..]));
    assert_eq!(open.count(), OPEN_PAGED_SEARCHES);
}

#[test]
fn the_order_of_attributes_and_other_controls_belong_to_the_request() {
    let mut paged = PagedSearches::default();
    let cookie = keep(&mut paged, 1);
    let mut other = wanted();
    other.attributes = vec!["cn".to_owned()];
    let unknown = |turn| matches!(turn, Turn::Unknown);
    assert!(unknown(paged.turn(&asked(1, &cookie), &other, &[])));
    assert!(unknown(paged.turn(
        &asked(1, &cookie),
        &wanted(),
        &[password_policy()]
    )));
    assert!(unknown(paged.turn(&asked(0, &cookie[1..]), &wanted(), &[])));
    assert!(matches!(
        paged.turn(&asked(0, &cookie), &wanted(), &[]),
        Turn::Abandoned
    ));
    assert!(unknown(paged.turn(&asked(0, &cookie), &wanted(), &[])));
}

/// A request for a page of one entry.
fn request_value(cookie: &[u8]) -> Vec<u8> {
    let length = |more: usize| u8::try_from(cookie.len() + more).unwrap();
    [&[0x30, length(5), 2, 1, 1, 4, length(0)], cookie].concat()
}

/// A page of a search whose session may have ended while it ran: asking for the next one.
fn next_page(between: impl FnOnce(&mut Conversation)) -> Step {
    let page = |number, cookie: &[u8]| Request {
        controls: vec![Control {
            oid: PAGED_RESULTS.to_owned(),
            critical: true,
            value: Some(request_value(cookie)),
        }],
        ..request(number, search())
    };
    let mut talk = bound();
    let Step::Confirm(_, confirmation) = talk.receive(page(2, b""), arrival()) else {
        panic!("not asked about")
    };
    let Step::Run(work) = talk.confirmed(*confirmation, Ok(true)) else {
        panic!("not run")
    };
    let Job::Search(wanted) = work.job else {
        panic!("no search")
    };
    between(&mut talk);
    let ended = Ended {
        turned: Some(Turned {
            request: wanted.page.unwrap().request,
            rest: Some((Rest::Behind(None), 1)),
        }),
        ..Ended::from(ResultCode::Success)
    };
    let reply = sent(talk.finished(work.id, RequestKind::Search, Ok(ended)));
    let cookie = 1_u64.to_be_bytes();
    assert_eq!(reply.controls, [paged_response(&cookie)]);
    talk.receive(page(3, &cookie), arrival())
}

#[test]
fn the_cookie_of_a_session_that_ended_meanwhile_is_worth_nothing() {
    assert!(matches!(next_page(|_| ()), Step::Confirm(..)));
    let refused = next_page(|talk| {
        drop(talk.refused(&DecodeError {
            reason: Reason::Malformed,
            answer: Answer::Respond {
                id: id(9),
                kind: RequestKind::Bind,
            },
        }));
    });
    assert_eq!(code(refused), ResultCode::UnwillingToPerform);
}
