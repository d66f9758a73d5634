use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use doorward_eap::Settings;

fn bounds() -> Bounds {
    Bounds {
        sessions: 8,
        sessions_per_client: 5,
        sessions_per_device: 2,
        lifetime: Duration::from_mins(1),
    }
}

fn at(seconds: u64) -> Monotonic {
    Monotonic::from_start(Duration::from_secs(seconds))
}

fn settings() -> Arc<Settings> {
    let tls = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_protocol_versions(&[&rustls::version::TLS13])
    .unwrap()
    .with_no_client_auth()
    .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
    Arc::new(Settings {
        inner: Vec::new(),
        methods: Vec::new(),
        tls: Arc::new(tls),
        fragment_size: 1024,
        certificates: None,
        resumption: None,
        bounds: bounds(),
    })
}

fn conversation() -> Conversation {
    Conversation::new(settings(), None)
}

fn binding(client: &str, station: u64) -> Binding {
    Binding {
        client: ClientName::parse(client).unwrap(),
        address: "192.0.2.1".parse().unwrap(),
        user_name: b"anonymous".to_vec(),
        calling_station: Some(format!("02-00-00-00-00-{station:02X}")),
        called_station: None,
    }
}

/// Opens a conversation and parks it under a State.
fn parked(sessions: &mut Sessions, binding: Binding, state: u8, seconds: u64) -> SessionId {
    let id = sessions.open(binding, &bounds(), at(seconds));
    assert!(sessions.park(id, Box::new(conversation()), [state; 16]));
    id
}

#[test]
fn a_state_is_good_once_for_whom_it_was_given_to() {
    let mut sessions = Sessions::default();
    let whose = binding("wlc", 1);
    parked(&mut sessions, whose.clone(), 1, 0);
    let mut strangers = vec![binding("other", 1), binding("wlc", 2)];
    for change in 0..4 {
        let mut stranger = whose.clone();
        match change {
            0 => stranger.address = "192.0.2.2".parse().unwrap(),
            1 => stranger.user_name = b"somebody".to_vec(),
            2 => stranger.called_station = Some("ap:guest".to_owned()),
            _ => stranger.calling_station = None,
        }
        strangers.push(stranger);
    }
    for stranger in &strangers {
        let found = sessions.take(&[1; 16], stranger, at(1));
        assert_eq!(found.unwrap_err(), NotFound::Unknown, "{stranger:?}");
    }
    for state in [&[1_u8; 15][..], &[2; 16], &[]] {
        let found = sessions.take(state, &whose, at(1));
        assert_eq!(found.unwrap_err(), NotFound::Unknown);
    }
    let (id, conversation) = sessions.take(&[1; 16], &whose, at(1)).unwrap();
    let again = sessions.take(&[1; 16], &whose, at(1));
    assert_eq!(again.unwrap_err(), NotFound::Busy);
    assert!(sessions.park(id, conversation, [2; 16]));
    let replayed = sessions.take(&[1; 16], &whose, at(1));
    assert_eq!(replayed.unwrap_err(), NotFound::Unknown);
    assert!(sessions.take(&[2; 16], &whose, at(1)).is_ok());
}

#[test]
fn what_had_no_verdict_is_found_by_the_same_state() {
    let mut sessions = Sessions::default();
    let whose = binding("wlc", 1);
    parked(&mut sessions, whose.clone(), 1, 0);
    let (id, conversation) = sessions.take(&[1; 16], &whose, at(1)).unwrap();
    sessions.put_back(id, conversation);
    assert!(sessions.take(&[1; 16], &whose, at(1)).is_ok());
}

#[test]
fn a_conversation_lapses_however_active_it_is() {
    let mut sessions = Sessions::default();
    let whose = binding("wlc", 1);
    parked(&mut sessions, whose.clone(), 1, 0);
    let (id, conversation) = sessions.take(&[1; 16], &whose, at(59)).unwrap();
    assert!(sessions.park(id, conversation, [2; 16]));
    let late = sessions.take(&[2; 16], &whose, at(60));
    assert_eq!(late.unwrap_err(), NotFound::Unknown);
    assert!(sessions.is_empty());
}

#[test]
fn whoever_opens_many_pushes_out_their_own_oldest() {
    let mut sessions = Sessions::default();
    let other = binding("quiet", 9);
    parked(&mut sessions, other.clone(), 200, 0);
    for number in 0..50 {
        let station = u64::from(number);
        parked(&mut sessions, binding("loud", station), number, 1);
    }
    assert_eq!(sessions.len(), 6);
    assert!(sessions.take(&[200; 16], &other, at(2)).is_ok());
    assert!(
        sessions
            .take(&[49; 16], &binding("loud", 49), at(2))
            .is_ok()
    );
    let gone = sessions.take(&[44; 16], &binding("loud", 44), at(2));
    assert_eq!(gone.unwrap_err(), NotFound::Unknown);

    // One device of a client leaves the others alone.
    let mut sessions = Sessions::default();
    parked(&mut sessions, binding("wlc", 1), 100, 0);
    for number in 0..20 {
        parked(&mut sessions, binding("wlc", 2), number, 1);
    }
    assert_eq!(sessions.len(), 3);
    assert!(sessions.take(&[100; 16], &binding("wlc", 1), at(2)).is_ok());
}

#[test]
fn a_full_table_takes_from_whoever_has_most() {
    let mut sessions = Sessions::default();
    for number in 0..5 {
        parked(&mut sessions, binding("loud", u64::from(number)), number, 1);
    }
    for number in 10..13 {
        parked(
            &mut sessions,
            binding("quiet", u64::from(number)),
            number,
            2,
        );
    }
    parked(&mut sessions, binding("new", 20), 20, 3);
    assert_eq!(sessions.len(), 8);
    assert!(sessions.take(&[0; 16], &binding("loud", 0), at(4)).is_err());
    assert!(
        sessions
            .take(&[10; 16], &binding("quiet", 10), at(4))
            .is_ok()
    );
}

#[test]
fn what_was_let_go_while_it_was_worked_on_stays_gone() {
    let mut sessions = Sessions::default();
    let id = sessions.open(binding("wlc", 1), &bounds(), at(0));
    sessions.close(id);
    assert!(!sessions.park(id, Box::new(conversation()), [1; 16]));
    sessions.put_back(id, Box::new(conversation()));
    assert!(sessions.is_empty());
}

proptest! {
    /// Whatever happens in whatever order: bounded, and the indexes agree.
    #[test]
    fn the_table_stays_whole(steps in prop::collection::vec((0_u8..5, 0_u64..4, 0_u8..12, 0_u64..9), 1..120)) {
        let mut sessions = Sessions::default();
        let mut open = Vec::new();
        let mut now = 0;
        for (action, station, state, wait) in steps {
            now += wait;
            let whose = binding(if station == 0 { "one" } else { "two" }, station);
            match action {
                0 | 1 => open.push(sessions.open(whose, &bounds(), at(now))),
                2 => if let Some(id) = open.pop() {
                    let _ = sessions.park(id, Box::new(conversation()), [state; 16]);
                },
                3 => if let Ok((id, conversation)) = sessions.take(&[state; 16], &whose, at(now)) {
                    sessions.put_back(id, conversation);
                },
                _ => if let Some(id) = open.pop() {
                    sessions.close(id);
                },
            }
            prop_assert!(sessions.len() <= 8);
            prop_assert_eq!(sessions.by_deadline.len(), sessions.len());
            let clients: usize = sessions.by_client.values().map(BTreeMap::len).sum();
            let devices: usize = sessions.by_device.values().map(BTreeMap::len).sum();
            prop_assert_eq!(clients, sessions.len());
            prop_assert_eq!(devices, sessions.len());
            prop_assert!(sessions.by_state.values().all(|id| sessions.entries.contains_key(id)));
        }
        sessions.expire(at(now + 61));
        prop_assert!(sessions.is_empty() && sessions.by_state.is_empty());
    }
}
