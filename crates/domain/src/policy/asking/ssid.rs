//! The SSID in a `Called-Station-Id` (RFC 3580 3.20): the access point's MAC address, a colon, the
//! SSID.
//!
//! Vendors write the MAC with hyphens, colons, dots or nothing between its digits, and an SSID may
//! hold colons itself; so the MAC is taken off first, and only what has another form is cut at its
//! last colon.

/// What a `Called-Station-Id` says of the SSID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ssid<'a> {
    /// No attribute, a bare MAC address, or nothing after its colon (a wired port).
    NotSent,
    /// The SSID.
    Sent(&'a str),
    /// Something that is no MAC address and has no colon.
    Unreadable,
}

/// Reads the SSID.
pub(super) fn of(called_station: Option<&str>) -> Ssid<'_> {
    let Some(text) = called_station.filter(|text| !text.is_empty()) else {
        return Ssid::NotSent;
    };
    let tail = match after_mac(text) {
        Some("") => return Ssid::NotSent,
        Some(after) => after.strip_prefix(':'),
        None => text.rsplit_once(':').map(|(_, tail)| tail),
    };
    match tail {
        Some("") => Ssid::NotSent,
        Some(ssid) => Ssid::Sent(ssid),
        None => Ssid::Unreadable,
    }
}

/// What follows a leading MAC address, where there is one that ends there: six pairs of
/// hexadecimal digits with one separator throughout, three groups of four with dots, or twelve
/// digits.
fn after_mac(text: &str) -> Option<&str> {
    [
        (2, "-"),
        (2, ":"),
        (2, "."),
        (4, "."),
        (4, "-"),
        (4, ":"),
        (12, ""),
    ]
    .into_iter()
    .filter_map(|(group, separator)| after_groups(text, group, separator))
    .find(|after| after.is_empty() || after.starts_with(':'))
}

fn after_groups<'a>(text: &'a str, group: usize, separator: &str) -> Option<&'a str> {
    let mut rest = text;
    for place in 0..12 / group {
        if place > 0 {
            rest = rest.strip_prefix(separator)?;
        }
        let (digits, after) = rest.split_at_checked(group)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        rest = after;
    }
    Some(rest)
}
