//! The parser of RFC 4514 section 3.

use super::{DnError, MAX_NORMAL_BYTES, MAX_RDN_ATTRIBUTES, MAX_RDNS, NamePart, Rdn, Value};
use crate::decode::ber::Reader;
use crate::schema::names;

/// Reads a whole name.
pub(super) fn name(text: &str) -> Result<Vec<Rdn>, DnError> {
    let mut cursor = Cursor {
        rest: text.as_bytes(),
        left: MAX_NORMAL_BYTES,
    };
    let mut rdns = Vec::new();
    cursor.skip_spaces();
    if cursor.rest.is_empty() {
        return Ok(rdns);
    }
    let mut parts: Vec<NamePart> = Vec::new();
    loop {
        let part = cursor.part()?;
        if parts.iter().any(|other| other.attribute == part.attribute) {
            return Err(DnError::RepeatedType);
        }
        if parts.len() == MAX_RDN_ATTRIBUTES || rdns.len() == MAX_RDNS {
            return Err(DnError::TooLong);
        }
        parts.push(part);
        match cursor.take() {
            Some(b'+') => {}
            Some(b',') => rdns.push(Rdn::of(std::mem::take(&mut parts))),
            Some(_) => return Err(DnError::Value),
            None => {
                rdns.push(Rdn::of(parts));
                return Ok(rdns);
            }
        }
    }
}

struct Cursor<'a> {
    rest: &'a [u8],
    /// How many bytes the values may still make, as they are compared.
    left: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn take(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn skip_spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.take();
        }
    }

    /// Reads `type=value`, up to a separator that it leaves.
    fn part(&mut self) -> Result<NamePart, DnError> {
        self.skip_spaces();
        let mut attribute = String::new();
        while let Some(byte) = self.peek() {
            if !(byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.') {
                break;
            }
            attribute.push(char::from(byte));
            self.take();
        }
        if !names::is_oid(&attribute) {
            return Err(DnError::AttributeType);
        }
        self.skip_spaces();
        if self.take() != Some(b'=') {
            return Err(DnError::MissingEquals);
        }
        self.skip_spaces();
        let value = if self.peek() == Some(b'#') {
            self.take();
            Value::Ber(self.hexadecimal()?)
        } else {
            Value::Text(self.text()?)
        };
        NamePart::within(&attribute, value, &mut self.left).ok_or(DnError::TooLong)
    }

    fn at_separator(&self) -> bool {
        matches!(self.peek(), None | Some(b',' | b'+'))
    }

    fn hexadecimal(&mut self) -> Result<Vec<u8>, DnError> {
        let mut bytes = Vec::new();
        while let Some(first) = self.peek() {
            if !first.is_ascii_hexdigit() {
                break;
            }
            bytes.push(self.hexadecimal_pair().ok_or(DnError::Hexadecimal)?);
        }
        self.skip_spaces();
        if !self.at_separator() {
            return Err(DnError::Hexadecimal);
        }
        let mut reader = Reader::new(&bytes);
        reader
            .element()
            .and_then(|_| reader.finish())
            .map_err(|_| DnError::Hexadecimal)?;
        Ok(bytes)
    }

    fn hexadecimal_pair(&mut self) -> Option<u8> {
        let pair = self.rest.get(..2)?;
        let byte = names::hexadecimal_byte(pair)?;
        self.rest = self.rest.get(2..)?;
        Some(byte)
    }

    /// Reads a text value; the spaces that end it unescaped are not part of it.
    fn text(&mut self) -> Result<String, DnError> {
        let mut bytes = Vec::new();
        let mut significant = 0;
        while !self.at_separator() {
            let Some(byte) = self.take() else { break };
            match byte {
                b'\\' => {
                    bytes.push(self.escaped()?);
                    significant = bytes.len();
                }
                b' ' => bytes.push(b' '),
                b'"' | b';' | b'<' | b'>' | 0 => return Err(DnError::Value),
                other => {
                    bytes.push(other);
                    significant = bytes.len();
                }
            }
        }
        bytes.truncate(significant);
        String::from_utf8(bytes).map_err(|_| DnError::NotUtf8)
    }

    /// Reads what follows a backslash: a special character or a pair of hexadecimal digits.
    fn escaped(&mut self) -> Result<u8, DnError> {
        match self.peek() {
            Some(
                special @ (b'"' | b'+' | b',' | b';' | b'<' | b'>' | b' ' | b'#' | b'=' | b'\\'),
            ) => {
                self.take();
                Ok(special)
            }
            _ => self.hexadecimal_pair().ok_or(DnError::Value),
        }
    }
}
