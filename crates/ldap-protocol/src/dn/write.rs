//! The text of names, by RFC 4514 section 2.

use std::fmt;

use super::{Rdn, Value};

pub(super) fn name(formatter: &mut fmt::Formatter<'_>, rdns: &[Rdn]) -> fmt::Result {
    for (position, relative) in rdns.iter().enumerate() {
        if position > 0 {
            formatter.write_str(",")?;
        }
        rdn(formatter, relative)?;
    }
    Ok(())
}

pub(super) fn rdn(formatter: &mut fmt::Formatter<'_>, rdn: &Rdn) -> fmt::Result {
    for (position, part) in rdn.parts.iter().enumerate() {
        if position > 0 {
            formatter.write_str("+")?;
        }
        write!(formatter, "{}=", part.attribute)?;
        match &part.value {
            Value::Text(text) => {
                let mut escaped = String::with_capacity(text.len());
                escape_into(&mut escaped, text);
                formatter.write_str(&escaped)?;
            }
            Value::Ber(bytes) => write!(formatter, "#{}", hexadecimal(bytes))?,
        }
    }
    Ok(())
}

/// Appends `value`, escaped (RFC 4514 section 2.4). Control characters are escaped too, which
/// the RFC allows, so that a name can stand in a log line.
pub(super) fn escape_into(out: &mut String, value: &str) {
    let last = value.chars().count().saturating_sub(1);
    for (position, character) in value.chars().enumerate() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            ' ' if position == 0 || position == last => out.push_str("\\ "),
            '#' if position == 0 => out.push_str("\\#"),
            control if control.is_control() => {
                for byte in control.encode_utf8(&mut [0; 4]).bytes() {
                    out.push('\\');
                    out.push_str(&hexadecimal(&[byte]));
                }
            }
            other => out.push(other),
        }
    }
}

/// Lower-case hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use fmt::Write as _;
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}
