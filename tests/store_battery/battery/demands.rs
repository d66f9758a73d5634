//! What administrators ask of the clients of open sessions.

use doorward_domain::id::{RequestId, SessionId};
use doorward_domain::session::{Answered, Demand};
use doorward_domain::time::Timestamp;
use doorward_store::Store;
use doorward_store::sessions::{DemandState, DisconnectOutcome, NewDemand};

use super::sessions::{began, disconnected, only, record, seconds};
use crate::world::*;

fn demand(session: SessionId, demand: Demand, at: Timestamp) -> NewDemand {
    NewDemand {
        request: RequestId::new(at),
        session,
        demand,
        actor: admin(),
        at,
        lapses: at.plus(seconds(10)),
    }
}

async fn waiting(store: &Store, now: Timestamp) -> Vec<RequestId> {
    let found = store.waiting_demands(now, 10).await.unwrap();
    found.into_iter().map(|demand| demand.request).collect()
}

pub(crate) async fn a_demand_is_taken_once_and_its_outcome_is_found(fixture: &impl Fixture) {
    let (store, other) = (fixture.open(), fixture.open());
    let alice = add_user(&store, "alice").await;
    record(&store, &began()).await;
    let session = only(&store).await.id;
    let found = store.open_session(session).await.unwrap();
    assert_eq!(found, Some(only(&store).await));
    let asked = demand(session, Demand::Reauthorize, START);
    let request = asked.request;
    assert!(store.ask_of_session(asked).await.unwrap());
    let found = other.waiting_demands(START, 10).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].request, found[0].demand),
        (request, Demand::Reauthorize)
    );
    assert_eq!((&found[0].actor, found[0].session.id), (&admin(), session));
    let state = async || store.demand_state(request).await.unwrap();
    assert_eq!(state().await, Some(DemandState::Waiting));

    assert!(store.take_demand(request, START).await.unwrap());
    assert!(!other.take_demand(request, START).await.unwrap());
    assert_eq!(waiting(&store, START).await, []);
    assert_eq!(state().await, Some(DemandState::Taken));
    for answered in [Answered::Unanswered, Answered::Refused(Some(503))] {
        let outcome = DisconnectOutcome {
            over: false,
            answered,
            answers: Some(request),
            ..disconnected(session, alice, START)
        };
        other.settle_disconnect(outcome).await.unwrap();
        assert_eq!(state().await, Some(DemandState::Answered(answered)));
    }
    assert_eq!(only(&store).await.ended, None);
    let nobody = RequestId::new(START);
    assert_eq!(store.demand_state(nobody).await.unwrap(), None);
}

pub(crate) async fn a_demand_of_a_session_that_is_over_or_long_ago_is_nobodys(
    fixture: &impl Fixture,
) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    record(&store, &began()).await;
    let session = only(&store).await.id;
    let unknown = demand(SessionId::new(START), Demand::Disconnect, START);
    assert!(!store.ask_of_session(unknown).await.unwrap());
    let asked = demand(session, Demand::Disconnect, START);
    let request = asked.request;
    assert!(store.ask_of_session(asked).await.unwrap());
    let late = START.plus(seconds(10));
    assert_eq!(waiting(&store, late).await, []);
    assert!(!store.take_demand(request, late).await.unwrap());

    let settled = store.settle_disconnect(disconnected(session, alice, START));
    settled.await.unwrap();
    assert_eq!(store.open_session(session).await.unwrap(), None);
    assert_eq!(waiting(&store, START).await, [], "it is over");
    let again = demand(session, Demand::Disconnect, START);
    assert!(!store.ask_of_session(again).await.unwrap());
    // Once nobody can wait for its outcome any more it is gone.
    let much_later = START.plus(hours(2));
    let other = demand(session, Demand::Disconnect, much_later);
    assert!(!store.ask_of_session(other).await.unwrap());
    assert_eq!(store.demand_state(request).await.unwrap(), None);
}
