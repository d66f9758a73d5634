//! Devices that are known by their address alone.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is not a device's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a device's address: write 00-11-22-33-44-55, 00:11:22:33:44:55, \
     0011.2233.4455 or 001122334455; not zero, and not one of a group"
)]
pub struct NotAMacAddress(String);

/// The address of one network interface (IEEE 802 MAC-48). Whoever has the interface can change it:
/// it says which device is meant, and proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddress([u8; 6]);

impl MacAddress {
    /// Hexadecimal digits of one.
    const DIGITS: usize = 12;
    /// The longest spelling, in octets.
    const LONGEST: usize = 17;

    /// Takes the octets; none where all are zero, or where they name a group of devices.
    pub fn from_octets(octets: [u8; 6]) -> Option<Self> {
        let [first, ..] = octets;
        (octets != [0; 6] && first & 1 == 0).then_some(Self(octets))
    }

    /// Parses any spelling that switches and people use: twelve hexadecimal digits in either case,
    /// whole or in two, three or six equal groups with `-`, `:` or `.` between them.
    ///
    /// # Errors
    /// The text has another shape, or is no single device's.
    pub fn parse(text: &str) -> Result<Self, NotAMacAddress> {
        Self::read(text)
            .ok_or_else(|| NotAMacAddress(text.chars().take(Self::DIGITS * 4).collect()))
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() > Self::LONGEST {
            return None;
        }
        let digits: String = match text.chars().find(|c| "-:.".contains(*c)) {
            None => text.to_owned(),
            Some(between) => {
                let groups: Vec<&str> = text.split(between).collect();
                let alike = matches!(groups.len(), 2 | 3 | 6)
                    && groups
                        .iter()
                        .all(|group| group.len() * groups.len() == Self::DIGITS);
                if !alike {
                    return None;
                }
                groups.concat()
            }
        };
        if digits.len() != Self::DIGITS || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let number = u64::from_str_radix(&digits, 16).ok()?;
        let [_, _, octets @ ..] = number.to_be_bytes();
        Self::from_octets(octets)
    }

    /// The octets.
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }
}

impl fmt::Display for MacAddress {
    /// As RFC 3580 section 3.21 writes it: `00-11-22-AA-BB-CC`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.0.map(|octet| format!("{octet:02X}"));
        formatter.pad(&pairs.join("-"))
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl std::str::FromStr for MacAddress {
    type Err = NotAMacAddress;

    fn from_str(text: &str) -> Result<Self, NotAMacAddress> {
        Self::parse(text)
    }
}

impl TryFrom<String> for MacAddress {
    type Error = NotAMacAddress;

    fn try_from(text: String) -> Result<Self, NotAMacAddress> {
        Self::parse(&text)
    }
}

impl From<MacAddress> for String {
    fn from(address: MacAddress) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn addresses() -> impl Strategy<Value = MacAddress> {
        any::<[u8; 6]>().prop_filter_map("a device's", MacAddress::from_octets)
    }

    proptest! {
        #[test]
        fn every_spelling_is_the_same_address(address in addresses(), upper: bool) {
            let whole = address.octets().map(|octet| format!("{octet:02x}")).concat();
            let whole = if upper { whole.to_ascii_uppercase() } else { whole };
            prop_assert_eq!(MacAddress::parse(&whole), Ok(address));
            for width in [2, 4, 6] {
                for between in ["-", ":", "."] {
                    let groups: Vec<String> = whole
                        .as_bytes()
                        .chunks(width)
                        .map(|group| String::from_utf8(group.to_vec()).unwrap())
                        .collect();
                    prop_assert_eq!(MacAddress::parse(&groups.join(between)), Ok(address));
                }
            }
            prop_assert_eq!(MacAddress::parse(&address.to_string()), Ok(address));
            let kept = serde_json::to_string(&address).unwrap();
            prop_assert_eq!(serde_json::from_str::<MacAddress>(&kept).unwrap(), address);
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            if let Ok(address) = MacAddress::parse(&text) {
                prop_assert_eq!(MacAddress::parse(&address.to_string()), Ok(address));
            }
        }
    }

    #[test]
    fn what_is_no_address_of_one_device_is_refused() {
        for text in [
            "",
            "alice",
            "00112233445",
            "0011223344556",
            "00-11-22-33-44",
            "00-11-22-33-44-5",
            "00-11-22-33-44-5g",
            "00-11:22-33-44-55",
            "0-011-22-33-44-55",
            "001-122-334-455",
            "-001122334455",
            "+01122334455",
            "00 11 22 33 44 55",
            "é0112233445",
            // Nobody, and a group of devices.
            "00-00-00-00-00-00",
            "01-00-5e-00-00-01",
            "ff-ff-ff-ff-ff-ff",
        ] {
            assert!(MacAddress::parse(text).is_err(), "{text}");
        }
    }
}
