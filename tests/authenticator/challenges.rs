//! Responses to challenges (CHAP, MS-CHAPv2) and the network passwords they are computed of:
//! CONTRACT.md 3, 5 and 6.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use doorward_domain::challenge::{ChallengeResponse, MsChapV2Response};
use doorward_domain::id::AccountId;
use doorward_domain::name::Username;
use doorward_domain::origin::Protocol;
use doorward_domain::secret::Secret;
use doorward_frontend_api::{Attempt, Authenticated, Decide as _, Evidence, Refusal, Verdict};
use doorward_hashes::network_password::{NetworkPassword, SealingKey};
use doorward_store::changes::Change;
use doorward_store::records::{Binding, BoundTo};

use crate::common_challenges::{MsChapV2, chap};
use crate::world::{RIGHT, World, refusal_of, resource_name, sealing_key, settings};

/// A response of CHAP over a challenge that no two attempts share.
fn by_chap(password: &str) -> Evidence {
    let mut challenge = vec![0; 16];
    getrandom::fill(&mut challenge).unwrap();
    Evidence::Response(ChallengeResponse::Chap {
        identifier: 7,
        response: chap(7, password, &challenge),
        challenge,
    })
}

/// One of MS-CHAPv2, and what the client expects.
fn by_ms_chap(name: &str, password: &str) -> (Evidence, MsChapV2) {
    let mut random = [0; 32];
    getrandom::fill(&mut random).unwrap();
    let (challenge, peer) = random.split_at(16);
    let (challenge, peer) = (challenge.try_into().unwrap(), peer.try_into().unwrap());
    let client = MsChapV2::answer(name, password, challenge, peer);
    let evidence = Evidence::Response(ChallengeResponse::MsChapV2(MsChapV2Response {
        authenticator_challenge: client.challenge,
        peer_challenge: client.peer_challenge,
        name: name.as_bytes().to_vec(),
        response: client.response,
    }));
    (evidence, client)
}

impl World {
    async fn with_network_password() -> (Self, AccountId, String) {
        let world = Self::with_alice().await;
        world.bind("vpn", "alice").await;
        world.bind("wifi", "alice").await;
        let account = world.user("alice").await.account;
        let password = world.make_network_password(account).await;
        (world, account, password)
    }

    async fn make_network_password(&self, account: AccountId) -> String {
        let password = NetworkPassword::generate().unwrap();
        let sealed = sealing_key().seal(account, &password).unwrap();
        self.set_network_password(account, Some(sealed)).await;
        password.as_str().to_owned()
    }

    async fn set_network_password(
        &self,
        account: AccountId,
        password: Option<doorward_domain::secret::SealedNetworkPassword>,
    ) {
        self.apply(Change::SetNetworkPassword { account, password })
            .await;
    }

    fn response(&self, resource: &str, user: &str, evidence: Evidence) -> Attempt {
        let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Attempt {
            protocol: Protocol::Radius,
            evidence,
            ..self.attempt_from(resource, user, "x", source)
        }
    }

    async fn answered(&self, resource: &str, user: &str, evidence: Evidence) -> Option<Refusal> {
        let attempt = self.response(resource, user, evidence);
        refusal_of(self.decide(attempt).await.unwrap())
    }

    async fn granted(&self, resource: &str, user: &str, evidence: Evidence) -> Authenticated {
        let attempt = self.response(resource, user, evidence);
        match self.decide(attempt).await.unwrap() {
            Verdict::Granted(proof) => proof,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_password_opens_wifi_and_vpn_and_the_proof_answers_the_client() {
    let (world, _, password) = World::with_network_password().await;
    for resource in ["vpn", "wifi"] {
        let proof = world.granted(resource, "alice", by_chap(&password)).await;
        assert!(proof.ms_chap_v2().is_none());
        // The name is the one that was typed, the account's case or not, the domain aside.
        for name in ["alice", "ALICE", "EXAMPLE\\alice"] {
            let typed = name.rsplit('\\').next().unwrap();
            let (mut evidence, client) = by_ms_chap(typed, &password);
            if let Evidence::Response(ChallengeResponse::MsChapV2(response)) = &mut evidence {
                response.name = name.as_bytes().to_vec();
            }
            let proof = world.granted(resource, name, evidence).await;
            let success = proof.ms_chap_v2().unwrap();
            assert_eq!(success.authenticator_response(), client.expected);
            assert_eq!(success.receive_key(), client.send_key);
            assert_eq!(success.send_key(), client.receive_key);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_opens_nothing_else_and_the_password_opens_nothing_by_challenge() {
    let (world, _, password) = World::with_network_password().await;
    for resource in ["hosts", "mail", "app"] {
        assert_eq!(
            world.answered(resource, "alice", by_chap(&password)).await,
            Some(Refusal::NetworkPasswordNotAdmitted)
        );
        // Nor is it a password that could be sent.
        assert!(world.refusal(resource, "alice", &password).await.is_some());
    }
    assert!(world.refusal("vpn", "alice", &password).await.is_some());
    assert_eq!(
        world.answered("vpn", "alice", by_chap(RIGHT)).await,
        Some(Refusal::WrongPassword)
    );
    assert_eq!(
        world.answered("vpn", "nobody", by_chap(&password)).await,
        Some(Refusal::UnknownUser)
    );
    world.add("bob", Some(RIGHT)).await;
    world.bind("vpn", "bob").await;
    assert_eq!(
        world.answered("vpn", "bob", by_chap(&password)).await,
        Some(Refusal::NoNetworkPassword)
    );
}

/// CONTRACT.md 3.1, 3.2: two responses cannot be told to come of one wrong password, so each is a
/// guess where failures count; where they do not, none locks.
#[tokio::test(flavor = "multi_thread")]
async fn contract_3_2_wrong_responses_are_guesses_and_lock() {
    let (world, _, password) = World::with_network_password().await;
    for _ in 0..12 {
        let refused = world.answered("wifi", "alice", by_chap("wrong")).await;
        assert_eq!(refused, Some(Refusal::WrongPassword));
    }
    assert!(world.user("alice").await.facts.locked_since.is_none());
    world.granted("wifi", "alice", by_chap(&password)).await;
    for guess in 0..10 {
        assert!(world.user("alice").await.facts.locked_since.is_none());
        let evidence = if guess % 2 == 0 {
            by_chap("wrong")
        } else {
            by_ms_chap("alice", "wrong").0
        };
        assert_eq!(
            world.answered("vpn", "alice", evidence).await,
            Some(Refusal::WrongPassword)
        );
    }
    assert!(world.user("alice").await.facts.locked_since.is_some());
    for resource in ["vpn", "wifi"] {
        let refused = world.answered(resource, "alice", by_chap(&password)).await;
        assert_eq!(refused, Some(Refusal::Locked));
    }
    assert_eq!(
        world.refusal("hosts", "alice", RIGHT).await,
        Some(Refusal::Locked)
    );
}

/// CONTRACT.md 3.4: a NAS that sends the same response under another identifier guesses once.
#[tokio::test(flavor = "multi_thread")]
async fn contract_3_4_the_same_response_again_is_one_guess() {
    let (world, _, password) = World::with_network_password().await;
    let (wrong, _) = by_ms_chap("alice", "wrong");
    let refused = world.answered("vpn", "alice", wrong.clone()).await;
    assert_eq!(refused, Some(Refusal::WrongPassword));
    for _ in 0..20 {
        let refused = world.answered("vpn", "alice", wrong.clone()).await;
        assert_eq!(refused, Some(Refusal::RepeatedWrongPassword));
    }
    world.granted("vpn", "alice", by_chap(&password)).await;
}

/// What was right under one challenge is wrong under another: a replayed response proves nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_response_replayed_under_another_challenge_is_wrong_and_counts() {
    let (world, _, password) = World::with_network_password().await;
    for octet in 0..10 {
        let (mut evidence, _) = by_ms_chap("alice", &password);
        if let Evidence::Response(ChallengeResponse::MsChapV2(response)) = &mut evidence {
            response.authenticator_challenge[octet] ^= 1;
        }
        assert_eq!(
            world.answered("vpn", "alice", evidence).await,
            Some(Refusal::WrongPassword)
        );
    }
    assert!(world.user("alice").await.facts.locked_since.is_some());
}

/// CONTRACT.md 3.5: a device that still has the former one neither gets in nor locks its owner.
#[tokio::test(flavor = "multi_thread")]
async fn contract_3_5_a_former_network_password_is_stale_and_no_guess() {
    let (world, account, former) = World::with_network_password().await;
    let present = world.make_network_password(account).await;
    for _ in 0..12 {
        let refused = world.answered("vpn", "alice", by_chap(&former)).await;
        assert_eq!(refused, Some(Refusal::WrongPassword));
    }
    world.granted("vpn", "alice", by_chap(&present)).await;
    assert!(world.user("alice").await.facts.locked_since.is_none());
    // What it was is written after the answer.
    world.authenticator.drained().await;
    let reasons = world.reasons().await;
    let stale = reasons.iter().filter(|reason| **reason == "stale_password");
    assert_eq!(stale.count(), 12, "{reasons:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_one_is_over_at_once_and_a_reset_of_the_password_leaves_it() {
    let (world, account, password) = World::with_network_password().await;
    world.granted("vpn", "alice", by_chap(&password)).await;
    let (again, _) = by_ms_chap("alice", &password);
    let proof = world.granted("vpn", "alice", again.clone()).await;
    world.set_password("alice", "velvet lantern orchard").await;
    world.granted("vpn", "alice", by_chap(&password)).await;
    world.set_network_password(account, None).await;
    for evidence in [by_chap(&password), again] {
        assert_eq!(
            world.answered("vpn", "alice", evidence).await,
            Some(Refusal::NoNetworkPassword)
        );
    }
    // Neither does a TLS session that it opened outlive it.
    assert_eq!(
        world
            .answered("vpn", "alice", Evidence::Resumed(proof.resumption_grant()))
            .await,
        Some(Refusal::SessionOver)
    );
    assert!(!world.authenticator.still_granted(&proof).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_6_a_tls_session_that_it_opened_opens_no_door_that_it_does_not() {
    let (world, _, password) = World::with_network_password().await;
    let by_password = world
        .granted("app", "alice", Evidence::password(RIGHT.as_bytes()))
        .await;
    let (response, _) = by_ms_chap("alice", &password);
    let proof = world.granted("wifi", "alice", response).await;
    let again = Evidence::Resumed(proof.resumption_grant());
    let taken_up = world.granted("vpn", "alice", again.clone()).await;
    for ground in [again, Evidence::Resumed(taken_up.resumption_grant())] {
        assert_eq!(
            world.answered("app", "alice", ground).await,
            Some(Refusal::NetworkPasswordNotAdmitted)
        );
    }
    let ground = Evidence::Resumed(by_password.resumption_grant());
    world.granted("app", "alice", ground).await;
}

/// CONTRACT.md 5.1, 5.3: what else stands in the way is found, and so told, only once the response
/// turned out to be right.
#[tokio::test(flavor = "multi_thread")]
async fn contract_5_1_the_state_of_an_account_is_judged_after_its_response() {
    let (world, account, password) = World::with_network_password().await;
    let created = world.user("alice").await.created;
    let unbind = Change::Unbind(Binding {
        resource: resource_name("vpn"),
        to: BoundTo::User(Username::parse("alice").unwrap()),
    });
    let steps = [
        (unbind, Refusal::NotBound),
        (
            Change::Expire {
                account,
                by: created,
            },
            Refusal::Expired,
        ),
        (Change::Suspend { account }, Refusal::Suspended),
    ];
    for (change, reason) in steps {
        world.apply(change).await;
        let wrong = by_ms_chap("alice", "wrong").0;
        assert_eq!(
            world.answered("vpn", "alice", wrong).await,
            Some(Refusal::WrongPassword)
        );
        let right = by_ms_chap("alice", &password).0;
        assert_eq!(world.answered("vpn", "alice", right).await, Some(reason));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_key_nobody_gets_in_and_under_another_nothing_counts() {
    let (world, _, password) = World::with_network_password().await;
    let mut settings = settings();
    settings.network_passwords = None;
    world.authenticator.set_settings(settings.clone());
    assert_eq!(
        world.answered("vpn", "alice", by_chap(&password)).await,
        Some(Refusal::NetworkPasswordNotAdmitted)
    );
    let other = SealingKey::new(&Secret::new(vec![9; 32])).unwrap();
    settings.network_passwords = Some(Arc::new(other));
    world.authenticator.set_settings(settings.clone());
    for _ in 0..12 {
        assert_eq!(
            world.answered("vpn", "alice", by_chap("whatever")).await,
            Some(Refusal::NetworkPasswordUnreadable)
        );
    }
    settings.network_passwords = Some(Arc::new(sealing_key()));
    world.authenticator.set_settings(settings);
    world.granted("vpn", "alice", by_chap(&password)).await;
}

/// CONTRACT.md 3.3: with any number of responses in parallel no more than the threshold are ever
/// held against the network password.
#[tokio::test(flavor = "multi_thread")]
async fn contract_3_3_parallel_responses_share_the_places() {
    let (world, _, password) = World::with_network_password().await;
    let guesses = (0..50).map(|_| {
        let attempt = world.response("vpn", "alice", by_chap("wrong"));
        let authenticator = Arc::clone(&world.authenticator);
        tokio::spawn(async move { authenticator.decide(attempt).await })
    });
    let guesses: Vec<_> = guesses.collect();
    let mut wrong = 0;
    for guess in guesses {
        if let Ok(Verdict::Refused(Refusal::WrongPassword)) = guess.await.unwrap() {
            wrong += 1;
        }
    }
    assert_eq!(wrong, 10);
    assert_eq!(
        world.answered("vpn", "alice", by_chap(&password)).await,
        Some(Refusal::Locked)
    );
    // And a hundred of one right response are one comparison.
    world
        .apply(Change::Unlock {
            account: world.user("alice").await.account,
        })
        .await;
    let (right, client) = by_ms_chap("alice", &password);
    let logins: Vec<_> = (0..100)
        .map(|_| {
            let attempt = world.response("vpn", "alice", right.clone());
            let authenticator = Arc::clone(&world.authenticator);
            tokio::spawn(async move { authenticator.decide(attempt).await })
        })
        .collect();
    for login in logins {
        let Ok(Verdict::Granted(proof)) = login.await.unwrap() else {
            panic!("refused")
        };
        let success = proof.ms_chap_v2().unwrap();
        assert_eq!(success.authenticator_response(), client.expected);
    }
}
