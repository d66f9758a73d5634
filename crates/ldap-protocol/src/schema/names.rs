//! The grammar of names and OIDs (RFC 4512 section 1.4 and 2.5).

/// Whether the text is a short name or a numeric OID.
pub(crate) fn is_oid(text: &str) -> bool {
    is_descriptor(text) || is_numeric_oid(text)
}

/// Whether the text is a short name: a letter, then letters, digits and hyphens.
fn is_descriptor(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Whether the text is a dotted OID of two arcs or more.
pub(crate) fn is_numeric_oid(text: &str) -> bool {
    let is_number = |arc: &str| {
        !arc.is_empty()
            && arc.bytes().all(|byte| byte.is_ascii_digit())
            && (arc == "0" || !arc.starts_with('0'))
    };
    text.contains('.') && text.split('.').all(is_number)
}

/// Whether the text is a name or OID, and options such as `;binary` after it.
pub(crate) fn is_attribute_description(text: &str) -> bool {
    let mut parts = text.split(';');
    parts.next().is_some_and(is_oid)
        && parts.all(|option| {
            !option.is_empty()
                && option
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

/// Reads two hexadecimal digits.
pub(crate) fn hexadecimal_byte(pair: &[u8]) -> Option<u8> {
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oids_and_descriptions() {
        for good in ["cn", "x-y9", "0.9.2342", "2.5.4.3", "1.0"] {
            assert!(is_oid(good), "{good}");
        }
        for bad in [
            "",
            "9cn",
            "a.b",
            "2",
            "2.",
            ".2",
            "2..5",
            "2.05",
            "c n",
            "cn;binary",
            "é",
        ] {
            assert!(!is_oid(bad), "{bad}");
        }
        assert!(is_attribute_description("userCertificate;binary;x-1"));
        assert!(!is_attribute_description("cn;"));
        assert!(!is_attribute_description(";binary"));
    }

    #[test]
    fn hexadecimal_pairs() {
        assert_eq!(hexadecimal_byte(b"fF"), Some(255));
        assert_eq!(hexadecimal_byte(b"0a"), Some(10));
        assert_eq!(hexadecimal_byte(b"+1"), None);
        assert_eq!(hexadecimal_byte(b"1"), None);
    }
}
