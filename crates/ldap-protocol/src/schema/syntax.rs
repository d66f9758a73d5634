//! The syntaxes of values (RFC 4517 section 3.3), and values read for comparison.

use super::names::hexadecimal_byte;

macro_rules! syntaxes {
    ($($name:ident = $oid:literal, $description:literal;)+) => {
        /// The syntaxes that our attributes and rules use.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Syntax {
            $(#[doc = concat!("`", $description, "`")] $name,)+
        }

        impl Syntax {
            /// Every syntax, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The object identifier.
            pub const fn oid(self) -> &'static str {
                match self {
                    $(Self::$name => $oid,)+
                }
            }

            /// The description in RFC 4517.
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$name => $description,)+
                }
            }
        }
    };
}

syntaxes! {
    AttributeTypeDescription = "1.3.6.1.4.1.1466.115.121.1.3", "Attribute Type Description";
    Boolean = "1.3.6.1.4.1.1466.115.121.1.7", "Boolean";
    DirectoryString = "1.3.6.1.4.1.1466.115.121.1.15", "Directory String";
    DistinguishedName = "1.3.6.1.4.1.1466.115.121.1.12", "DN";
    GeneralizedTime = "1.3.6.1.4.1.1466.115.121.1.24", "Generalized Time";
    Ia5String = "1.3.6.1.4.1.1466.115.121.1.26", "IA5 String";
    Integer = "1.3.6.1.4.1.1466.115.121.1.27", "INTEGER";
    LdapSyntaxDescription = "1.3.6.1.4.1.1466.115.121.1.54", "LDAP Syntax Description";
    MatchingRuleDescription = "1.3.6.1.4.1.1466.115.121.1.30", "Matching Rule Description";
    ObjectClassDescription = "1.3.6.1.4.1.1466.115.121.1.37", "Object Class Description";
    OctetString = "1.3.6.1.4.1.1466.115.121.1.40", "Octet String";
    Oid = "1.3.6.1.4.1.1466.115.121.1.38", "OID";
    SubstringAssertion = "1.3.6.1.4.1.1466.115.121.1.58", "Substring Assertion";
    SubtreeSpecification = "1.3.6.1.4.1.1466.115.121.1.45", "SubtreeSpecification";
    Uuid = "1.3.6.1.1.16.1", "UUID";
}

/// Reads `TRUE` or `FALSE` (RFC 4517 section 3.3.3).
pub(super) fn boolean(bytes: &[u8]) -> Option<bool> {
    match bytes {
        b"TRUE" => Some(true),
        b"FALSE" => Some(false),
        _ => None,
    }
}

/// Reads an integer without leading zeros (RFC 4517 section 3.3.16), of up to 128 bits.
pub(super) fn integer(bytes: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(bytes).ok()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = digits == "0" && text.len() == 1 || !digits.starts_with('0');
    if !canonical || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Reads the 36 characters of a UUID (RFC 4530 section 2.1).
pub(super) fn uuid(bytes: &[u8]) -> Option<[u8; 16]> {
    let mut out = [0; 16];
    if bytes.len() != 36 {
        return None;
    }
    let mut rest = bytes;
    for (position, slot) in out.iter_mut().enumerate() {
        if matches!(position, 4 | 6 | 8 | 10) {
            rest = rest.strip_prefix(b"-")?;
        }
        let (pair, after) = rest.split_at_checked(2)?;
        *slot = hexadecimal_byte(pair)?;
        rest = after;
    }
    Some(out)
}

/// A moment: seconds since 1970 in UTC and nanoseconds within the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    seconds: i64,
    nanoseconds: u32,
}

/// Reads a GeneralizedTime (RFC 4517 section 3.3.13). The year 0000 is a year, since
/// `000001010000Z` marks a lock without end.
pub(super) fn generalized_time(bytes: &[u8]) -> Option<Moment> {
    let mut cursor = Digits { rest: bytes };
    let year = cursor.number(4)?;
    let month = cursor.number(2).filter(|month| (1..=12).contains(month))?;
    let day = cursor
        .number(2)
        .filter(|day| (1..=days_in_month(year, month)).contains(day))?;
    let hour = cursor.number(2).filter(|hour| *hour < 24)?;
    let mut unit = 3600;
    let mut seconds = hour * 3600;
    if cursor.at_digit() {
        unit = 60;
        seconds += cursor.number(2).filter(|minute| *minute < 60)? * 60;
        if cursor.at_digit() {
            unit = 1;
            // Second 60 is a leap second.
            seconds += cursor.number(2).filter(|second| *second <= 60)?;
        }
    }
    let fraction = cursor.fraction()?;
    let offset = cursor.zone()?;
    let nanoseconds = i128::from(unit) * i128::from(fraction);
    let whole = i64::try_from(nanoseconds / 1_000_000_000).ok()?;
    let nanoseconds = u32::try_from(nanoseconds % 1_000_000_000).ok()?;
    let seconds = days_from_epoch(year, month, day) * 86_400 + seconds + whole - offset;
    Some(Moment {
        seconds,
        nanoseconds,
    })
}

struct Digits<'a> {
    rest: &'a [u8],
}

impl Digits<'_> {
    fn at_digit(&self) -> bool {
        self.rest.first().is_some_and(u8::is_ascii_digit)
    }

    fn digit(&mut self) -> Option<i64> {
        let (&first, rest) = self.rest.split_first()?;
        if !first.is_ascii_digit() {
            return None;
        }
        self.rest = rest;
        Some(i64::from(first - b'0'))
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        (0..digits).try_fold(0, |sum, _| Some(sum * 10 + self.digit()?))
    }

    /// Reads a fraction as billionths, ignoring digits past the ninth.
    fn fraction(&mut self) -> Option<i64> {
        match self.rest.split_first() {
            Some((b'.' | b',', rest)) => self.rest = rest,
            _ => return Some(0),
        }
        if !self.at_digit() {
            return None;
        }
        let mut scale = 1_000_000_000;
        let mut sum = 0;
        while self.at_digit() {
            scale /= 10;
            sum += self.digit()? * scale;
        }
        Some(sum)
    }

    /// Reads the zone that ends a time, as seconds east of UTC.
    fn zone(&mut self) -> Option<i64> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        let sign = match first {
            b'Z' if rest.is_empty() => return Some(0),
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let hours = self.number(2).filter(|hours| *hours < 24)?;
        let minutes = if self.at_digit() {
            self.number(2).filter(|minutes| *minutes < 60)?
        } else {
            0
        };
        self.rest
            .is_empty()
            .then_some(sign * (hours * 3600 + minutes * 60))
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a day of the proleptic Gregorian calendar.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    // Days before the year, counted from the year 0, which is a leap year.
    let before = |year: i64| {
        let past = year - 1;
        365 * year + past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400) + 1
    };
    let months: i64 = (1..month).map(|month| days_in_month(year, month)).sum();
    before(year) - before(1970) + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_canonical() {
        assert_eq!(integer(b"0"), Some(0));
        assert_eq!(integer(b"-12"), Some(-12));
        assert_eq!(integer(b"340282366920938463463374607431768211456"), None);
        for bad in ["", "-", "-0", "007", "1 ", "+1", "0x1", "one"] {
            assert_eq!(integer(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn uuids_need_their_hyphens() {
        let text = b"597ae2f6-16a6-1027-98f4-ABCDEFabcdef";
        let bytes = uuid(text).unwrap();
        assert_eq!(bytes[0], 0x59);
        assert_eq!(bytes[15], 0xef);
        assert_eq!(uuid(b"597ae2f616a6102798f4abcdefabcdef"), None);
        assert_eq!(uuid(b"597ae2f6-16a6-1027-98f4-abcdefabcde-"), None);
    }

    #[test]
    fn times_are_moments() {
        let at = |text: &str| generalized_time(text.as_bytes());
        assert_eq!(
            at("19700101000000Z"),
            Some(Moment {
                seconds: 0,
                nanoseconds: 0
            })
        );
        assert_eq!(at("20240229120000Z").unwrap().seconds, 1_709_208_000);
        assert_eq!(at("199412161032Z"), at("19941216103200Z"));
        assert_eq!(at("199412160532-0500"), at("199412161032Z"));
        assert_eq!(at("1994121611.5+01"), at("19941216103000Z"));
        assert_eq!(at("19941216103200.25Z").unwrap().nanoseconds, 250_000_000);
        assert_eq!(at("000001010000Z").unwrap().seconds, -62_167_219_200);
        assert!(at("20231231235959Z") < at("20240101000000Z"));
        for bad in [
            "",
            "1994121610",
            "19941316103200Z",
            "20230229000000Z",
            "19941216103200",
            "19941216103200ZZ",
            "19941216103200.Z",
            "1994121624Z",
        ] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }
}
