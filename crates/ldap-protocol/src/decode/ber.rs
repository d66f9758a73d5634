//! Reads the part of BER that LDAP uses (RFC 4511 section 5.1), borrowing from the message.
//!
//! Definite lengths only, single-octet tags only, strings primitive only. It knows no operation.

use crate::limits::Limits;

/// Identifier octets of the universal types that LDAP uses.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const ENUMERATED: u8 = 0x0a;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
}

const CONSTRUCTED: u8 = 0x20;
const TAG_NUMBER: u8 = 0x1f;

/// Why bytes are not the BER that LDAP uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BerError {
    /// An element claims more bytes than its container has.
    Truncated,
    /// The indefinite form, which RFC 4511 section 5.1 forbids.
    IndefiniteLength,
    /// More than eight length octets, or the reserved first octet.
    LengthTooLong,
    /// A tag number above 30, which no part of LDAP uses.
    LongTag,
    /// Another element stands where the type's rule wants this one.
    UnexpectedTag,
    /// The content does not fit the type.
    BadContent,
}

/// The start of an element: what it is and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) identifier: u8,
    pub(crate) prefix_bytes: usize,
    pub(crate) content_bytes: usize,
}

/// Reads an element's header; `None` means that more bytes are needed to tell.
pub(crate) fn header(bytes: &[u8]) -> Result<Option<Header>, BerError> {
    let Some((&identifier, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    if identifier & TAG_NUMBER == TAG_NUMBER {
        return Err(BerError::LongTag);
    }
    let Some((&first, rest)) = rest.split_first() else {
        return Ok(None);
    };
    if first < 0x80 {
        let content_bytes = usize::from(first);
        return Ok(Some(Header {
            identifier,
            prefix_bytes: 2,
            content_bytes,
        }));
    }
    let octets = usize::from(first & 0x7f);
    match octets {
        0 => return Err(BerError::IndefiniteLength),
        // Not minimal is legal BER, and Windows always sends four octets.
        1..=8 => {}
        _ => return Err(BerError::LengthTooLong),
    }
    let Some(length) = rest.get(..octets) else {
        return Ok(None);
    };
    let length = length
        .iter()
        .fold(0u64, |sum, &octet| (sum << 8) | u64::from(octet));
    let content_bytes = usize::try_from(length).map_err(|_| BerError::LengthTooLong)?;
    Ok(Some(Header {
        identifier,
        prefix_bytes: 2 + octets,
        content_bytes,
    }))
}

/// One element and its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) identifier: u8,
    pub(crate) content: &'a [u8],
}

impl<'a> Element<'a> {
    pub(crate) fn is_constructed(self) -> bool {
        self.identifier & CONSTRUCTED != 0
    }

    /// The elements inside.
    pub(crate) fn reader(self) -> Reader<'a> {
        Reader::new(self.content)
    }

    fn require(self, identifier: u8) -> Result<&'a [u8], BerError> {
        if self.identifier == identifier {
            Ok(self.content)
        } else {
            Err(BerError::UnexpectedTag)
        }
    }
}

/// Takes elements from the front of a run of bytes.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element's identifier octet, without taking it.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes the next element, which must be there whole.
    pub(crate) fn element(&mut self) -> Result<Element<'a>, BerError> {
        let header = header(self.rest)?.ok_or(BerError::Truncated)?;
        let (_, body) = self
            .rest
            .split_at_checked(header.prefix_bytes)
            .ok_or(BerError::Truncated)?;
        let (content, rest) = body
            .split_at_checked(header.content_bytes)
            .ok_or(BerError::Truncated)?;
        self.rest = rest;
        Ok(Element {
            identifier: header.identifier,
            content,
        })
    }

    /// Takes the next element if it has this identifier octet.
    pub(crate) fn optional(&mut self, identifier: u8) -> Result<Option<&'a [u8]>, BerError> {
        if self.peek() == Some(identifier) {
            Ok(Some(self.element()?.content))
        } else {
            Ok(None)
        }
    }

    pub(crate) fn octets(&mut self) -> Result<&'a [u8], BerError> {
        self.element()?.require(tag::OCTET_STRING)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, BerError> {
        std::str::from_utf8(self.octets()?).map_err(|_| BerError::BadContent)
    }

    pub(crate) fn sequence(&mut self) -> Result<Reader<'a>, BerError> {
        Ok(Reader::new(self.element()?.require(tag::SEQUENCE)?))
    }

    pub(crate) fn set(&mut self) -> Result<Reader<'a>, BerError> {
        Ok(Reader::new(self.element()?.require(tag::SET)?))
    }

    pub(crate) fn integer(&mut self) -> Result<i64, BerError> {
        integer(self.element()?.require(tag::INTEGER)?)
    }

    pub(crate) fn enumerated(&mut self) -> Result<i64, BerError> {
        integer(self.element()?.require(tag::ENUMERATED)?)
    }

    pub(crate) fn boolean(&mut self) -> Result<bool, BerError> {
        boolean(self.element()?.require(tag::BOOLEAN)?)
    }

    /// Refuses anything left over.
    pub(crate) fn finish(&self) -> Result<(), BerError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(BerError::UnexpectedTag)
        }
    }
}

/// Reads the content of an INTEGER or ENUMERATED of at most eight octets.
pub(crate) fn integer(content: &[u8]) -> Result<i64, BerError> {
    let Some(&first) = content.first() else {
        return Err(BerError::BadContent);
    };
    if content.len() > 8 {
        return Err(BerError::BadContent);
    }
    let sign = if first & 0x80 == 0 { 0 } else { -1 };
    Ok(content
        .iter()
        .fold(sign, |sum, &octet| (sum << 8) | i64::from(octet)))
}

/// Reads the content of a BOOLEAN. Any octet but zero is true: a criticality must not vanish
/// because a client writes 1 for it.
pub(crate) fn boolean(content: &[u8]) -> Result<bool, BerError> {
    match content {
        [octet] => Ok(*octet != 0),
        _ => Err(BerError::BadContent),
    }
}

/// Why a message is refused before it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShapeError {
    /// Lengths that do not nest, or an encoding LDAP does not use.
    Malformed,
    /// Elements nested beyond [`Limits::depth`].
    TooDeep,
    /// More elements than [`Limits::nodes`].
    TooManyNodes,
}

/// Checks that every element inside `message` ends exactly where its container does, and that
/// there are not too many nor too deep. Uses no recursion.
pub(crate) fn check_shape(message: &[u8], limits: &Limits) -> Result<(), ShapeError> {
    let mut open = vec![Reader::new(message)];
    let mut nodes = 0usize;
    while let Some(innermost) = open.last_mut() {
        if innermost.is_empty() {
            open.pop();
            continue;
        }
        let element = innermost.element().map_err(|_| ShapeError::Malformed)?;
        nodes += 1;
        if nodes > limits.nodes {
            return Err(ShapeError::TooManyNodes);
        }
        // The outermost reader stands for the message's surroundings and is no level itself.
        if open.len() > limits.depth {
            return Err(ShapeError::TooDeep);
        }
        if element.is_constructed() {
            open.push(element.reader());
        }
    }
    Ok(())
}

/// Appends one element to `out`, in the definite form with the fewest length octets.
pub(crate) fn write(out: &mut Vec<u8>, identifier: u8, content: &[u8]) {
    out.push(identifier);
    match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let octets = content.len().to_be_bytes();
            let significant = octets.iter().skip_while(|&&octet| octet == 0);
            // At most eight, so the count fits beside the form bit.
            let count = u8::try_from(significant.clone().count()).unwrap_or(8);
            out.push(0x80 | count);
            out.extend(significant);
        }
    }
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_wait_for_their_bytes_and_refuse_other_forms() {
        assert_eq!(header(&[]), Ok(None));
        assert_eq!(header(&[0x30]), Ok(None));
        assert_eq!(header(&[0x30, 0x82, 0x01]), Ok(None));
        assert_eq!(header(&[0x30, 0x80]), Err(BerError::IndefiniteLength));
        assert_eq!(header(&[0x3f, 0x01]), Err(BerError::LongTag));
        assert_eq!(header(&[0x30, 0x89]), Err(BerError::LengthTooLong));
        assert_eq!(header(&[0x30, 0xff]), Err(BerError::LengthTooLong));
        let windows = header(&[0x30, 0x84, 0, 0, 0, 5]).unwrap().unwrap();
        assert_eq!((windows.prefix_bytes, windows.content_bytes), (6, 5));
    }

    #[test]
    fn integers_keep_their_sign_and_booleans_one_octet() {
        assert_eq!(integer(&[0x7f]), Ok(127));
        assert_eq!(integer(&[0xff, 0x7f]), Ok(-129));
        assert_eq!(integer(&[0x00, 0x80]), Ok(128));
        assert_eq!(integer(&[]), Err(BerError::BadContent));
        assert_eq!(integer(&[0; 9]), Err(BerError::BadContent));
        assert_eq!(boolean(&[0xff]), Ok(true));
        assert_eq!(boolean(&[1]), Ok(true));
        assert_eq!(boolean(&[0]), Ok(false));
        assert_eq!(boolean(&[0, 0]), Err(BerError::BadContent));
    }

    #[test]
    fn written_lengths_are_read_back() {
        for length in [0usize, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let mut out = Vec::new();
            write(&mut out, tag::OCTET_STRING, &vec![7; length]);
            let mut reader = Reader::new(&out);
            assert_eq!(reader.octets().unwrap().len(), length);
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn shape_counts_every_element_and_every_level() {
        let limits = Limits {
            depth: 3,
            nodes: 4,
            ..Limits::default()
        };
        let three_deep = [0x30, 0x04, 0x30, 0x02, 0x04, 0x00];
        assert_eq!(check_shape(&three_deep, &limits), Ok(()));
        let four_deep = [0x30, 0x06, 0x30, 0x04, 0x30, 0x02, 0x04, 0x00];
        assert_eq!(check_shape(&four_deep, &limits), Err(ShapeError::TooDeep));
        let wide = [0x30, 0x08, 4, 0, 4, 0, 4, 0, 4, 0];
        assert_eq!(check_shape(&wide, &limits), Err(ShapeError::TooManyNodes));
        let short_child = [0x30, 0x04, 0x04, 0x01, 0x61, 0x04];
        assert_eq!(
            check_shape(&short_child, &limits),
            Err(ShapeError::Malformed)
        );
    }
}
