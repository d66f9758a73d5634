//! The scenarios, by name.

mod forging;
mod holding;
mod large_group;
mod locking_out;
mod names;
mod oracle;
mod rebinding;
mod searches;
mod telling_apart;

use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::arguments::Arguments;
use crate::clock::pause;
use crate::common::BINARY;

/// One way to attack.
struct Scenario {
    name: &'static str,
    what: &'static str,
    run: fn(&Arguments),
}

const SCENARIOS: [Scenario; 23] = [
    Scenario {
        name: "schema-search-20",
        what: "20 anonymous connections search cn=subschema by 250 extensible terms",
        run: searches::schema_20,
    },
    Scenario {
        name: "schema-search-500",
        what: "500 of them",
        run: searches::schema_500,
    },
    Scenario {
        name: "own-entry-search",
        what: "a user on 32 connections searches its own entry by 240 terms, 16 at once",
        run: searches::own_entry,
    },
    Scenario {
        name: "scan",
        what: "a service account on 16 connections scans 50,000 users, 16 at once",
        run: searches::scan,
    },
    Scenario {
        name: "large-group",
        what: "200 connections ask 16 times each for a group of 50,000 and read nothing",
        run: large_group::run,
    },
    Scenario {
        name: "made-up-names",
        what: "40 made-up names a second over RADIUS, through the victims' NAS",
        run: names::forty,
    },
    Scenario {
        name: "made-up-names-10x",
        what: "ten times as many as can be hashed",
        run: names::ten_times,
    },
    Scenario {
        name: "made-up-names-ldap",
        what: "made-up names from 400 addresses over LDAP at hosts",
        run: names::ldap,
    },
    Scenario {
        name: "oracle",
        what: "70 binds as X with one wrong password, then one's own: is it refused?",
        run: oracle::run,
    },
    Scenario {
        name: "wifi-lockout",
        what: "guesses over Wi-Fi from stations that change: when is the owner shut out?",
        run: locking_out::wifi,
    },
    Scenario {
        name: "spray",
        what: "30 users guessed over the VPN from one address",
        run: locking_out::spray_from_one,
    },
    Scenario {
        name: "spray-from-none",
        what: "the same, with no address told",
        run: locking_out::spray_from_none,
    },
    Scenario {
        name: "auc",
        what: "which refusals time tells apart, idle and at 80 % of hashing",
        run: telling_apart::run,
    },
    Scenario {
        name: "rebind-flood",
        what: "one valid user binds again and again: what the store grows by",
        run: rebinding::valid,
    },
    Scenario {
        name: "unknown-flood",
        what: "40 unknown names a second over RADIUS: what the store grows by",
        run: rebinding::unknown,
    },
    Scenario {
        name: "metrics-hold",
        what: "10,000 half-sent requests to the status page, of a daemon with 8,192 descriptors",
        run: holding::metrics,
    },
    Scenario {
        name: "idle-connections",
        what: "8 addresses with 512 idle connections each",
        run: holding::idle,
    },
    Scenario {
        name: "trickling-connections",
        what: "the same, with a byte a second",
        run: holding::trickling,
    },
    Scenario {
        name: "anonymous-binds",
        what: "the same, with an anonymous bind every five seconds",
        run: holding::anonymous_binds,
    },
    Scenario {
        name: "guessing-connections",
        what: "the same, with a guess at a made-up name every five seconds",
        run: holding::guessing,
    },
    Scenario {
        name: "scattered-connections",
        what: "4096 idle connections, each from a network of its own, made again when they end",
        run: holding::scattered,
    },
    Scenario {
        name: "forged-datagrams",
        what: "40,000 forged Access-Requests a second from the NAS's address",
        run: forging::run,
    },
    Scenario {
        name: "forged-without-mac",
        what: "the same, without a Message-Authenticator",
        run: forging::without,
    },
];

/// What one scenario may take beside its attack: making its world, and letting all end.
const BESIDE: Duration = Duration::from_mins(4);

/// Runs those that are asked for.
pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(fault) => return usage(&fault),
    };
    if let Some(binary) = &arguments.binary
        && std::env::var_os(BINARY).is_none_or(|named| named != *binary)
    {
        return again_with(binary);
    }
    if arguments.scenarios.is_empty() {
        return usage("which scenario?");
    }
    let mut chosen = Vec::new();
    for name in &arguments.scenarios {
        let known = SCENARIOS.iter().find(|scenario| scenario.name == name);
        match (known, name.as_str()) {
            (Some(scenario), _) => chosen.push(scenario),
            (None, "all") => chosen.extend(&SCENARIOS),
            (None, _) => return usage(&format!("there is no scenario {name}")),
        }
    }
    let samples = u32::try_from(arguments.samples).unwrap_or(u32::MAX);
    let each = BESIDE + arguments.attack * 4 + Duration::from_millis(500) * samples;
    let in_all = each * u32::try_from(chosen.len()).unwrap_or(u32::MAX);
    std::thread::spawn(move || {
        pause(in_all);
        println!("the attacks take too long: given up");
        // Whatever was started is of this process's group and hears of it.
        let _ = Command::new("pkill")
            .args(["-KILL", "-P", &std::process::id().to_string()])
            .status();
        std::process::exit(1);
    });
    for scenario in chosen {
        (scenario.run)(&arguments);
    }
    ExitCode::SUCCESS
}

/// Runs this program once more, with another daemon.
fn again_with(binary: &std::path::Path) -> ExitCode {
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(std::env::args().skip(1))
        .env(BINARY, binary)
        .status();
    match ran {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn usage(fault: &str) -> ExitCode {
    println!(
        "{fault}\n\nattacks [--binary PATH] [--seconds N] [--idle N] [--refusal-delay SPAN]\n        \
         [--remember-for SPAN] [--samples N] [--samplers N] [--hashes N]\n        \
         [--memory-limit MIB]\n        \
         SCENARIO... | all\n"
    );
    for scenario in &SCENARIOS {
        println!("{:<22} {}", scenario.name, scenario.what);
    }
    ExitCode::from(2)
}
