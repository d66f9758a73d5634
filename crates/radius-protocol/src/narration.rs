//! What happens to a request, in words for whoever watches: EAP's packets and notes, drops, rejects.
//!
//! Must not know who watches, sockets or clocks.

use super::reason::{DropReason, RejectReason};
use doorward_eap::seen::{Content, Record, SeenInside, SeenPacket, Side};
use doorward_eap::{Failure, Note, packet};
use doorward_observe::watch::{Alert, Name, Step, Told, Words};

/// The name of an EAP type.
fn method(number: u8) -> String {
    let name = match number {
        1 => "Identity",
        2 => "Notification",
        3 => "Nak",
        4 => "EAP-MD5",
        5 => "EAP-OTP",
        6 => "EAP-GTC",
        13 => "EAP-TLS",
        17 => "LEAP",
        18 => "EAP-SIM",
        21 => "EAP-TTLS",
        23 => "EAP-AKA",
        25 => "PEAP",
        26 => "EAP-MSCHAPv2",
        33 => "Result",
        43 => "EAP-FAST",
        50 => "EAP-AKA'",
        52 => "EAP-PWD",
        55 => "TEAP",
        254 => "an expanded type",
        _ => return format!("EAP type {number}"),
    };
    name.to_owned()
}

/// An EAP packet.
pub fn packet(seen: &SeenPacket) -> Words {
    let code = match seen.code {
        packet::Code::Request => "Request",
        packet::Code::Response => "Response",
        packet::Code::Success => "Success",
        packet::Code::Failure => "Failure",
    };
    let mut text = code.to_owned();
    if let Some(identifier) = seen.identifier {
        text.extend([format!(" {identifier}")]);
    }
    let Some(kind) = seen.kind else {
        return Words::of(text);
    };
    text.extend([", ".to_owned(), method(kind)]);
    match &seen.content {
        Content::Identity(name) => Words::of(text).and(" ").name(Name::user(name)),
        Content::Wants(wanted) if wanted.is_empty() || *wanted == [0] => {
            Words::of(text).and(": the device wants no other method")
        }
        Content::Wants(wanted) => {
            let wanted: Vec<String> = wanted.iter().map(|kind| method(*kind)).collect();
            Words::of(text).and(format!(": the device wants {}", wanted.join(", ")))
        }
        Content::Start => Words::of(text).and(", start"),
        Content::Fragment {
            announced: None,
            more: false,
            octets: 0,
        } => Words::of(text).and(", acknowledgement"),
        Content::Fragment {
            announced,
            more,
            octets,
        } => {
            let whole = announced.map_or_else(String::new, |all| format!(" of {all}"));
            let more = if *more { ", more to come" } else { "" };
            Words::of(text).and(format!(", {octets}{whole} octets of TLS{more}"))
        }
        Content::Result(true) => Words::of(text).and(": success"),
        Content::Result(false) => Words::of(text).and(": failure"),
        Content::Hidden(0) => Words::of(text),
        Content::Hidden(_) => Words::of(text).and(", hidden"),
    }
}

/// What a conversation noted, in lines.
pub fn notes(notes: Vec<Note>) -> Vec<Told> {
    notes.into_iter().filter_map(note).collect()
}

fn note(note: Note) -> Option<Told> {
    Some(match note {
        Note::Message {
            from,
            octets,
            records,
        } => {
            let alert = records.iter().find_map(|record| match record {
                Record::Alert(number) => Some(Alert(*number)),
                _ => None,
            });
            match (from, alert) {
                // What TLS makes of it follows.
                (Side::Peer, Some(_)) => return None,
                (Side::Server, Some(alert)) => {
                    Told::new(Step::Tls, format!("TLS alert to the device: {alert}"))
                }
                (from, None) => {
                    let direction = match from {
                        Side::Peer => "from",
                        Side::Server => "to",
                    };
                    let records: Vec<String> = records.into_iter().map(record).collect();
                    let text = format!(
                        "TLS {direction} the device, {octets} octets: {}",
                        records.join(", ")
                    );
                    Told::new(Step::Tls, text)
                }
            }
        }
        Note::Established {
            version,
            cipher,
            resumed,
        } => {
            let again = if resumed {
                ", a session of before taken up again"
            } else {
                ""
            };
            let text = format!("TLS is established: {version}, {cipher}{again}");
            Told::new(Step::Tls, text)
        }
        Note::Fault {
            received: Some(number),
            ..
        } => {
            let alert = Alert(number);
            let text = format!("TLS alert from the device: {alert}");
            Told::new(Step::Tls, text).advise(alert.advice())
        }
        Note::Fault { said, .. } => Told::new(Step::Tls, format!("TLS failed here: {said}")),
        Note::Inside { from, said } => {
            let who = match from {
                Side::Peer => "inside, the device says: ",
                Side::Server => "inside, it is told: ",
            };
            Told::new(Step::Inside, Words::of(who).then(inside(&said)))
        }
        // Told already, as the alert, the fault or the verdict.
        Note::Failed(Failure::Refused | Failure::Tls(_)) => return None,
        Note::Failed(failure) => {
            let advice = matches!(failure, Failure::NoCommonMethod).then_some(
                "choose a method on the device that eap.methods has; what is asked for inside the \
                 tunnel counts too",
            );
            let text = format!("the conversation failed: {failure}");
            Told::new(Step::Eap, text).advise(advice)
        }
    })
}

fn record(record: Record) -> String {
    match record {
        Record::Handshake(number) => handshake(number),
        Record::ChangeCipherSpec => "ChangeCipherSpec".to_owned(),
        Record::Alert(number) => Alert(number).to_string(),
        Record::Encrypted => "encrypted".to_owned(),
    }
}

/// The name of a message of the handshake (RFC 8446 section 4, RFC 5246 section 7.4).
fn handshake(number: u8) -> String {
    let name = match number {
        1 => "ClientHello",
        2 => "ServerHello",
        4 => "NewSessionTicket",
        8 => "EncryptedExtensions",
        11 => "Certificate",
        12 => "ServerKeyExchange",
        13 => "CertificateRequest",
        14 => "ServerHelloDone",
        15 => "CertificateVerify",
        16 => "ClientKeyExchange",
        20 => "Finished",
        22 => "CertificateStatus",
        _ => return format!("handshake message {number}"),
    };
    name.to_owned()
}

fn inside(seen: &SeenInside) -> Words {
    match seen {
        SeenInside::Packet(seen) => packet(seen),
        SeenInside::Attributes(attributes) => {
            let mut words = Words::default();
            for (number, (code, vendor, name)) in attributes.iter().enumerate() {
                if number > 0 {
                    words = words.and(", ");
                }
                let vendor = vendor.filter(|vendor| *vendor != 0);
                let known = match (vendor, code) {
                    (None, 1) => "User-Name".to_owned(),
                    (None, 2) => "User-Password".to_owned(),
                    (None, 3) => "CHAP-Password".to_owned(),
                    (None, 60) => "CHAP-Challenge".to_owned(),
                    (None, 79) => "EAP-Message".to_owned(),
                    (Some(311), 1) => "MS-CHAP-Response".to_owned(),
                    (Some(311), 11) => "MS-CHAP-Challenge".to_owned(),
                    (Some(311), 25) => "MS-CHAP2-Response".to_owned(),
                    (Some(311), 26) => "MS-CHAP2-Success".to_owned(),
                    (None, code) => format!("AVP {code}"),
                    (Some(vendor), code) => format!("AVP {code} of vendor {vendor}"),
                };
                words = words.and(known);
                words = match name {
                    Some(name) => words.and(" ").name(Name::user(name)),
                    None => words.and(" hidden"),
                };
            }
            words
        }
        SeenInside::Other(_) => Words::of("hidden"),
    }
}

/// Why a request gets no answer, and what can be done about it.
pub fn dropped(reason: DropReason) -> Told {
    let words = Words::of(format!("no answer: {reason}"));
    Told::new(Step::Dropped, words).advise(reason.cure().or_else(|| meaning(reason)))
}

/// What a drop means that nobody need cure.
fn meaning(reason: DropReason) -> Option<&'static str> {
    Some(match reason {
        DropReason::UnexpectedCode => {
            "authentication and accounting have a port each: compare the client's settings"
        }
        DropReason::EapMessageScattered
        | DropReason::RepeatedAttribute
        | DropReason::MalformedPassword
        | DropReason::AccountingMalformed => "the client breaks the RFC here: look for an update",
        DropReason::EapDiscarded => "an answer to an earlier request: often a retransmission",
        DropReason::EapBusy | DropReason::DuplicateInFlight => {
            "the client repeats a request that is being worked on: nothing is lost"
        }
        DropReason::Busy => "the client's retransmission is decided anew",
        DropReason::Unavailable => "the store takes no writes: see the daemon's log",
        _ => return None,
    })
}

/// A reject for which no account was asked.
pub fn rejected(reason: RejectReason) -> Told {
    let advice = match reason {
        RejectReason::UnsupportedAuthentication => Some(
            "it has no password that can be compared here, or EAP where there is no [eap]: choose \
             PAP or EAP on the client",
        ),
        RejectReason::MabDisabled => Some(
            "the client asks about a device (Call-Check): set mab = true in its [[radius.client]] \
             if devices are to be let in by their address",
        ),
        RejectReason::MabMalformed => Some(
            "User-Name, Calling-Station-Id and the password must be one address: leave a common \
             password for MAB unset on the client",
        ),
        RejectReason::EapStateUnknown => Some(
            "the conversation lapsed, or the daemon restarted meanwhile: the device's next try \
             begins anew",
        ),
        _ => None,
    };
    let words = Words::of(format!(
        "rejected without asking about an account: {reason}"
    ));
    Told::new(Step::Verdict, words).advise(advice)
}
