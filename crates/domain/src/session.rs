//! Sessions of users as RADIUS clients report them (RFC 2866): which, whose, where, how much.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

use super::device::MacAddress;
use super::id::{AccountId, DeviceId};
use super::login::LoginName;
use super::name::{ClientName, ResourceName};
use super::time::Timestamp;

/// Octets that a client chose and must get back as they were; text nearly always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Kept", into = "Kept")]
pub enum Octets {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl Octets {
    /// The octets.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// How much of them events keep, in characters.
    pub const BRIEF: usize = 64;

    /// As much of the text as events keep, with a sign in the place of what is no text: a client
    /// chooses what it is, and none of it may fill a log or speak to a terminal.
    pub fn in_brief(&self) -> String {
        String::from_utf8_lossy(self.as_bytes())
            .chars()
            .take(Self::BRIEF)
            .map(|c| {
                if c.is_control() {
                    char::REPLACEMENT_CHARACTER
                } else {
                    c
                }
            })
            .collect()
    }

    /// As text, with a sign in the place of what is none.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(self.as_bytes()).into_owned()
    }
}

impl From<&[u8]> for Octets {
    fn from(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Bytes(bytes.to_vec()),
        }
    }
}

/// Octets as they are kept. JSON has six characters for an octet that it must escape, and up to
/// four for a number.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Kept {
    /// Text that needs no such escapes.
    Text(String),
    /// Anything else.
    Base64 { base64: String },
    /// As earlier versions kept what is no text.
    Numbers(Vec<u8>),
}

impl From<Octets> for Kept {
    fn from(octets: Octets) -> Self {
        match octets {
            Octets::Text(text) if !text.bytes().any(|byte| byte < b' ') => Self::Text(text),
            other => Self::Base64 {
                base64: STANDARD_NO_PAD.encode(other.as_bytes()),
            },
        }
    }
}

impl TryFrom<Kept> for Octets {
    type Error = base64::DecodeError;

    fn try_from(kept: Kept) -> Result<Self, Self::Error> {
        Ok(match kept {
            Kept::Text(text) => Self::Text(text),
            Kept::Base64 { base64 } => Self::from(STANDARD_NO_PAD.decode(base64)?.as_slice()),
            Kept::Numbers(bytes) => Self::from(bytes.as_slice()),
        })
    }
}

/// The NAS that reports, as one client entry may be many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nas {
    /// The client's entry.
    pub client: ClientName,
    /// Its NAS-Identifier, else its NAS-IP-Address or NAS-IPv6-Address, else where it sends from.
    pub identity: Octets,
}

/// What happened to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// It began (Start).
    Began,
    /// It goes on (Interim-Update).
    GoesOn,
    /// It is over (Stop).
    Over,
}

/// How much a session has moved, as the user sees it: received is downstream, the NAS's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Seconds of service (Acct-Session-Time).
    pub seconds: u64,
    /// Octets that the user sent (Acct-Input-Octets with its gigawords).
    pub sent_octets: u64,
    /// Octets that the user received (Acct-Output-Octets with its gigawords).
    pub received_octets: u64,
    /// Packets that the user sent.
    pub sent_packets: u64,
    /// Packets that the user received.
    pub received_packets: u64,
}

/// What a client says of a session besides its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Particulars {
    /// User-Name, which may be an outer identity.
    pub user_name: Octets,
    /// Where the report came from, which is where to ask for the session's end.
    pub source: IpAddr,
    /// Our address that it came to, where that is known.
    pub server: Option<IpAddr>,
    /// NAS-IP-Address or NAS-IPv6-Address.
    pub nas_address: Option<IpAddr>,
    /// NAS-Identifier.
    pub nas_identifier: Option<Octets>,
    /// NAS-Port.
    pub nas_port: Option<u32>,
    /// Calling-Station-Id: the user's device.
    pub calling_station: Option<Octets>,
    /// Called-Station-Id: on Wi-Fi the access point and the SSID.
    pub called_station: Option<Octets>,
    /// Framed-IP-Address or Framed-IPv6-Address: what the user was given.
    pub address: Option<IpAddr>,
    /// How much was moved so far.
    pub usage: Usage,
    /// Acct-Terminate-Cause, once it is over.
    pub terminate_cause: Option<u32>,
}

/// Whose a session is, as far as its report tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionOwner {
    /// This account's: a Class of ours says so.
    Account(AccountId),
    /// This device's: a Class of ours says so.
    Device(DeviceId),
    /// The account's that User-Name may stand for.
    Login(LoginName),
    /// The device's that has this address.
    Address(MacAddress),
    /// Nobody's that is known.
    Unknown,
}

/// A report about one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionReport {
    /// Who reports.
    pub nas: Nas,
    /// Acct-Session-Id.
    pub session: Octets,
    /// What happened.
    pub happened: Happened,
    /// When it happened: Acct-Delay-Time before it came.
    pub at: Timestamp,
    /// When it came.
    pub received: Timestamp,
    /// Whose it is.
    pub owner: SessionOwner,
    /// The resource that the user got into.
    pub resource: Option<ResourceName>,
    /// All else.
    pub particulars: Particulars,
}

/// What a session's client is asked for (RFC 5176).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// To end it (Disconnect-Request).
    Disconnect,
    /// To apply the reply attributes that hold now (CoA-Request).
    Reauthorize,
}

impl Demand {
    /// Each, in declaration order.
    pub const ALL: [Self; 2] = [Self::Disconnect, Self::Reauthorize];

    /// The name in the store and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disconnect => "disconnect",
            Self::Reauthorize => "reauthorize",
        }
    }

    /// The demand of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|demand| demand.as_str() == name)
    }
}

/// What came of asking a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// It did what it was asked (ACK).
    Acknowledged,
    /// It did not (NAK), with its Error-Cause.
    Refused(Option<u32>),
    /// It said nothing.
    Unanswered,
}

impl Answered {
    /// Error-Cause Session-Context-Not-Found (RFC 5176 section 3.5).
    const UNKNOWN_SESSION: u32 = 503;

    /// The name in events, metrics and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Refused(_) => "refused",
            Self::Unanswered => "unanswered",
        }
    }

    /// The answer of that name, with its Error-Cause.
    pub fn read(name: &str, error_cause: Option<u32>) -> Option<Self> {
        let all = [
            Self::Acknowledged,
            Self::Refused(error_cause),
            Self::Unanswered,
        ];
        all.into_iter().find(|answered| answered.as_str() == name)
    }

    /// The Error-Cause of a refusal.
    pub const fn error_cause(self) -> Option<u32> {
        match self {
            Self::Refused(cause) => cause,
            Self::Acknowledged | Self::Unanswered => None,
        }
    }

    /// Whether the client knows the session no more.
    pub const fn is_of_unknown_session(self) -> bool {
        matches!(self, Self::Refused(Some(Self::UNKNOWN_SESSION)))
    }
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The client said so.
    Stopped,
    /// Its NAS restarted (Accounting-On, Accounting-Off).
    NasRestarted,
    /// Nothing was heard of it for too long.
    Silent,
    /// The gateway asked for it, and the client agreed or knew the session no more.
    Disconnected,
    /// Its key was given to another user's session.
    Replaced,
}

impl Ending {
    /// Each, in declaration order.
    pub const ALL: [Self; 5] = [
        Self::Stopped,
        Self::NasRestarted,
        Self::Silent,
        Self::Disconnected,
        Self::Replaced,
    ];

    /// The name in the store and in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::NasRestarted => "nas_restarted",
            Self::Silent => "silent",
            Self::Disconnected => "disconnected",
            Self::Replaced => "replaced",
        }
    }

    /// The ending of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ending| ending.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn octets_survive_being_kept(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let octets = Octets::from(bytes.as_slice());
            let kept = serde_json::to_string(&octets).unwrap();
            let back: Octets = serde_json::from_str(&kept).unwrap();
            prop_assert_eq!(back.as_bytes(), bytes.as_slice());
            prop_assert_eq!(back, octets);
            prop_assert!(kept.len() <= bytes.len() * 2 + 20, "{}", kept);
        }
    }

    #[test]
    fn what_events_keep_of_octets_is_short_and_takes_no_escapes() {
        let brief = |bytes: &[u8]| Octets::from(bytes).in_brief();
        assert_eq!(brief(b"0001"), "0001");
        assert_eq!(brief(b"x\n\x1b[31m"), "x\u{fffd}\u{fffd}[31m");
        for octet in 0..=u8::MAX {
            let kept = serde_json::to_string(&brief(&[octet; 253])).unwrap();
            assert!(kept.len() <= 3 * Octets::BRIEF + 2, "{kept}");
        }
    }

    #[test]
    fn octets_take_little_room_and_are_read_as_earlier_versions_kept_them() {
        let longest = Octets::from([1; 253].as_slice());
        assert_eq!(serde_json::to_string(&longest).unwrap().len(), 351);
        let text = Octets::Text("nas-1 \u{fc}".to_owned());
        assert_eq!(serde_json::to_string(&text).unwrap(), "\"nas-1 \u{fc}\"");
        for (earlier, octets) in [
            ("[255,0,49]", &[0xff, 0x00, 0x31][..]),
            (r#""a\u0001""#, b"a\x01"),
        ] {
            let back: Octets = serde_json::from_str(earlier).unwrap();
            assert_eq!(back, Octets::from(octets));
        }
        assert!(serde_json::from_str::<Octets>(r#"{"base64":"?"}"#).is_err());
    }

    #[test]
    fn demands_and_answers_are_read_as_they_are_written() {
        for demand in Demand::ALL {
            assert_eq!(Demand::parse(demand.as_str()), Some(demand));
        }
        for answered in [
            Answered::Acknowledged,
            Answered::Refused(None),
            Answered::Refused(Some(503)),
            Answered::Unanswered,
        ] {
            let read = Answered::read(answered.as_str(), answered.error_cause());
            assert_eq!(read, Some(answered));
        }
        assert_eq!((Demand::parse(""), Answered::read("", None)), (None, None));
    }

    #[test]
    fn every_ending_has_its_name() {
        for ending in Ending::ALL {
            assert_eq!(Ending::parse(ending.as_str()), Some(ending));
            assert_eq!(
                serde_json::to_value(ending).unwrap(),
                serde_json::json!(ending.as_str())
            );
        }
        assert_eq!(Ending::parse("nothing"), None);
    }
}
