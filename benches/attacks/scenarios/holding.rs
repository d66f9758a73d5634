//! Connections that are held and hardly used.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use crate::arguments::Arguments;
use crate::crowd::{self, Talker};
use crate::measuring::{Attack, measure};
use crate::raw_ldap::bind;
use crate::wire::{made_up, user_dn};
use crate::world::{Needs, World};

/// Descriptors of the daemon whose status page is held: more than LDAP's connections need.
const DESCRIPTORS: u32 = 8192;

pub(super) fn metrics(arguments: &Arguments) {
    let world = World::begin(
        arguments,
        &Needs {
            descriptors: Some(DESCRIPTORS),
            ..Needs::default()
        },
    );
    let to = world.gateway.status;
    measure("metrics-hold", &world, arguments, move |attack| {
        crowd::run(&attack, 10_000, move |number, attack| async move {
            let last = u8::try_from(number % 8).unwrap_or_default();
            let from = Ipv4Addr::new(127, 7, 0, 1 + last);
            attack.sent();
            let mut talker = Talker::open(from, to).await?;
            let half = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n";
            talker.stream.write_all(half).await.ok()?;
            attack.answered();
            until_closed(&mut talker, &attack).await
        });
    });
}

/// Holds it until the daemon hangs up.
async fn until_closed(talker: &mut Talker, attack: &Attack) -> Option<()> {
    use tokio::io::AsyncReadExt as _;
    let mut buffer = [0; 512];
    loop {
        let read = talker.stream.read(&mut buffer).await;
        if !matches!(read, Ok(1..)) {
            attack.refused();
            return None;
        }
    }
}

pub(super) fn idle(arguments: &Arguments) {
    hold(arguments, "idle-connections", eight, Habit::Idle);
}

/// More connections than there is room for, so that all of them take turns.
pub(super) fn scattered(arguments: &Arguments) {
    let from = |number: usize| {
        let part = |number: usize| u8::try_from(number % 250).unwrap_or_default();
        Ipv4Addr::new(127, 100 + part(number / 250), part(number), 1)
    };
    hold(arguments, "scattered-connections", from, Habit::Idle);
}

fn eight(number: usize) -> Ipv4Addr {
    let last = u8::try_from(number % 8).unwrap_or_default();
    Ipv4Addr::new(127, 7, 1, 1 + last)
}

pub(super) fn trickling(arguments: &Arguments) {
    hold(arguments, "trickling-connections", eight, Habit::Trickles);
}

pub(super) fn anonymous_binds(arguments: &Arguments) {
    hold(arguments, "anonymous-binds", eight, Habit::BindsAnonymously);
}

pub(super) fn guessing(arguments: &Arguments) {
    hold(arguments, "guessing-connections", eight, Habit::Guesses);
}

/// What is done on a connection that is held.
#[derive(Clone, Copy)]
enum Habit {
    Idle,
    Trickles,
    BindsAnonymously,
    Guesses,
}

fn hold(arguments: &Arguments, title: &str, from: fn(usize) -> Ipv4Addr, habit: Habit) {
    let world = World::begin(arguments, &Needs::default());
    let hosts = world.hosts();
    // It takes seconds to open them: 100 a second of each address.
    let filling = Arguments {
        attack: arguments.attack + Duration::from_secs(6),
        ..arguments.clone()
    };
    measure(title, &world, &filling, move |attack| {
        crowd::run(&attack, 8 * 512, move |number, attack| async move {
            attack.sent();
            let mut talker = Talker::open(from(number), hosts).await?;
            attack.answered();
            match habit {
                Habit::Idle => until_closed(&mut talker, &attack).await,
                Habit::Trickles => trickle(&mut talker, &attack).await,
                Habit::BindsAnonymously => bind_again(&mut talker, &attack, || bind("", "")).await,
                Habit::Guesses => {
                    let guess = || bind(&user_dn(&made_up()), &made_up());
                    bind_again(&mut talker, &attack, guess).await
                }
            }
        });
    });
}

/// A byte a second of a message that never ends.
async fn trickle(talker: &mut Talker, attack: &Attack) -> Option<()> {
    talker
        .stream
        .write_all(&[0x30, 0x82, 0x10, 0x00])
        .await
        .ok()?;
    loop {
        let held = tokio::time::timeout(Duration::from_secs(1), until_closed(talker, attack));
        if held.await.is_ok() {
            return None;
        }
        talker.stream.write_all(&[0]).await.ok()?;
    }
}

async fn bind_again(
    talker: &mut Talker,
    attack: &Attack,
    request: impl Fn() -> Vec<u8>,
) -> Option<()> {
    loop {
        if talker.ask(&request()).await.is_none() {
            attack.refused();
            return None;
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}
