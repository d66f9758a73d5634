//! MAC authentication bypass: what a switch or an access point asks about a device that speaks no
//! 802.1X, and by what such a request is known from a user's.
//!
//! No RFC says how it looks. Clients agree on the device's address as User-Name and in
//! Calling-Station-Id, and again as the password or none; most send Service-Type Call-Check (RFC
//! 2865 §5.6). The password is no secret and proves nothing; that it is held against the address
//! keeps a person who types an address, or a switch that asks about another, out of this road.

use super::reason::RejectReason;
use super::wire::{chap_response, same};
use doorward_domain::challenge::ChallengeResponse;
use doorward_domain::device::MacAddress;

/// Service-Type Call-Check.
const CALL_CHECK: u32 = 10;

/// The credentials beside a device's address.
#[derive(Clone, Copy)]
pub enum Shown<'a> {
    /// None, or an empty password.
    Nothing,
    /// A password, revealed.
    Password(&'a [u8]),
    /// A response to a challenge.
    Response(&'a ChallengeResponse),
    /// EAP, several at once, or what cannot be read.
    Other,
}

impl std::fmt::Debug for Shown<'_> {
    /// Shows no content: until it is looked at, it may be somebody's password.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Password(_) => "Password",
            Self::Response(_) => "Response",
            Self::Other => "Other",
        })
    }
}

/// What a request says of a device.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Whether its client lets devices in.
    pub mab: bool,
    /// Service-Type.
    pub service_type: Option<u32>,
    /// User-Name.
    pub user_name: &'a [u8],
    /// Calling-Station-Id.
    pub calling_station: Option<&'a str>,
    /// The credentials.
    pub shown: Shown<'a>,
}

/// The device that a request asks about; none where it is a user's.
///
/// # Errors
/// It says that it is about a device, and cannot be answered as one.
pub fn device(asked: &Asked<'_>) -> Result<Option<MacAddress>, RejectReason> {
    let says_so = asked.service_type == Some(CALL_CHECK);
    if !asked.mab {
        return if says_so {
            Err(RejectReason::MabDisabled)
        } else {
            Ok(None)
        };
    }
    let address = read(asked.user_name);
    let seen = asked
        .calling_station
        .and_then(|text| MacAddress::parse(text).ok());
    let shown = match asked.shown {
        Shown::Nothing => true,
        Shown::Password(password) => password == asked.user_name || read(password) == address,
        Shown::Response(ChallengeResponse::Chap {
            identifier,
            challenge,
            response,
        }) => same(
            &chap_response(*identifier, asked.user_name, challenge),
            response,
        ),
        Shown::Response(ChallengeResponse::MsChapV2(_)) | Shown::Other if says_so => {
            return Err(RejectReason::UnsupportedAuthentication);
        }
        Shown::Response(ChallengeResponse::MsChapV2(_)) | Shown::Other => return Ok(None),
    };
    match address {
        Some(address) if Some(address) == seen && shown => Ok(Some(address)),
        _ if says_so => Err(RejectReason::MabMalformed),
        _ => Ok(None),
    }
}

fn read(text: &[u8]) -> Option<MacAddress> {
    MacAddress::parse(std::str::from_utf8(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &[u8] = b"001122aabbcc";
    const STATION: &str = "00-11-22-AA-BB-CC";

    fn call_check(shown: Shown<'_>) -> Asked<'_> {
        Asked {
            mab: true,
            service_type: Some(CALL_CHECK),
            user_name: NAME,
            calling_station: Some(STATION),
            shown,
        }
    }

    fn chap(password: &[u8]) -> ChallengeResponse {
        ChallengeResponse::Chap {
            identifier: 3,
            challenge: vec![7; 16],
            response: chap_response(3, password, &[7; 16]),
        }
    }

    fn address() -> MacAddress {
        MacAddress::parse(STATION).unwrap()
    }

    #[test]
    fn requests_are_known_as_switches_send_them() {
        let chap = chap(NAME);
        for shown in [
            Shown::Nothing,
            Shown::Password(NAME),
            Shown::Password(b"00:11:22:AA:BB:CC"),
            Shown::Response(&chap),
        ] {
            for service_type in [Some(CALL_CHECK), Some(1), Some(2), None] {
                let asked = Asked {
                    service_type,
                    ..call_check(shown)
                };
                assert_eq!(device(&asked), Ok(Some(address())), "{asked:?}");
            }
        }
    }

    #[test]
    fn what_only_resembles_one_is_a_users_unless_it_says_so() {
        let another = chap(b"another");
        let asked = call_check(Shown::Password(NAME));
        for odd in [
            call_check(Shown::Password(b"another")),
            call_check(Shown::Response(&another)),
            Asked {
                user_name: b"alice",
                ..asked
            },
            Asked {
                user_name: b"",
                ..call_check(Shown::Nothing)
            },
            Asked {
                calling_station: Some("00-11-22-AA-BB-CD"),
                ..asked
            },
            Asked {
                calling_station: None,
                ..asked
            },
        ] {
            assert_eq!(device(&odd), Err(RejectReason::MabMalformed), "{odd:?}");
            let login = Asked {
                service_type: Some(2),
                ..odd
            };
            assert_eq!(device(&login), Ok(None), "{login:?}");
        }
    }

    #[test]
    fn eap_is_never_a_device() {
        let asked = call_check(Shown::Other);
        assert_eq!(device(&asked), Err(RejectReason::UnsupportedAuthentication));
        let dot1x = Asked {
            service_type: Some(2),
            ..asked
        };
        assert_eq!(device(&dot1x), Ok(None));
    }

    #[test]
    fn a_client_that_lets_no_device_in_gets_none() {
        let off = Asked {
            mab: false,
            ..call_check(Shown::Password(NAME))
        };
        assert_eq!(device(&off), Err(RejectReason::MabDisabled));
        let login = Asked {
            service_type: None,
            ..off
        };
        assert_eq!(device(&login), Ok(None));
    }
}
