//! A blocking LDAP client that writes and reads its own BER, and nothing of ours.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One BER element.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..=127 => out.push(u8::try_from(short).unwrap()),
        long => {
            out.push(0x84);
            out.extend_from_slice(&u32::try_from(long).unwrap().to_be_bytes());
        }
    }
    out.extend_from_slice(content);
    out
}

pub(crate) fn octets(text: impl AsRef<[u8]>) -> Vec<u8> {
    tlv(0x04, text.as_ref())
}

pub(crate) fn integer(number: i32) -> Vec<u8> {
    tlv(0x02, &number.to_be_bytes())
}

pub(crate) fn message(id: i32, operation: &[u8], controls: &[Vec<u8>]) -> Vec<u8> {
    let mut content = integer(id);
    content.extend_from_slice(operation);
    if !controls.is_empty() {
        content.extend_from_slice(&tlv(0xa0, &controls.concat()));
    }
    tlv(0x30, &content)
}

pub(crate) fn control(oid: &str, critical: bool) -> Vec<u8> {
    control_with(oid, critical, None)
}

pub(crate) fn control_with(oid: &str, critical: bool, value: Option<&[u8]>) -> Vec<u8> {
    let mut content = octets(oid);
    if critical {
        content.extend_from_slice(&tlv(0x01, &[0xff]));
    }
    content.extend(value.map(octets).unwrap_or_default());
    tlv(0x30, &content)
}

/// The paged results control of RFC 2696.
pub(crate) fn paged(critical: bool, size: i32, cookie: &[u8]) -> Vec<u8> {
    let value = tlv(0x30, &[integer(size), octets(cookie)].concat());
    control_with("1.2.840.113556.1.4.319", critical, Some(&value))
}

/// The sort control of RFC 2891, each key an attribute, a rule and whether it is reversed.
pub(crate) fn sorted(critical: bool, keys: &[(&str, Option<&str>, bool)]) -> Vec<u8> {
    let key = |(attribute, rule, reverse): &(&str, Option<&str>, bool)| {
        let mut key = octets(attribute);
        key.extend(
            rule.map(|rule| tlv(0x80, rule.as_bytes()))
                .unwrap_or_default(),
        );
        if *reverse {
            key.extend(tlv(0x81, &[0xff]));
        }
        tlv(0x30, &key)
    };
    let keys: Vec<Vec<u8>> = keys.iter().map(key).collect();
    let value = tlv(0x30, &keys.concat());
    control_with("1.2.840.113556.1.4.473", critical, Some(&value))
}

pub(crate) fn bind(name: &str, password: &str) -> Vec<u8> {
    bind_version(3, name, password)
}

pub(crate) fn bind_version(version: i32, name: &str, password: &str) -> Vec<u8> {
    let simple = tlv(0x80, password.as_bytes());
    tlv(0x60, &[integer(version), octets(name), simple].concat())
}

pub(crate) fn sasl_bind(mechanism: &str) -> Vec<u8> {
    sasl_bind_with(mechanism, None)
}

pub(crate) fn sasl_bind_with(mechanism: &str, credentials: Option<&[u8]>) -> Vec<u8> {
    let credentials = credentials.map(octets).unwrap_or_default();
    let sasl = tlv(0xa3, &[octets(mechanism), credentials].concat());
    tlv(0x60, &[integer(3), octets(""), sasl].concat())
}

pub(crate) fn unbind() -> Vec<u8> {
    tlv(0x42, b"")
}

pub(crate) fn abandon(id: i32) -> Vec<u8> {
    tlv(0x50, &id.to_be_bytes())
}

pub(crate) fn present(attribute: &str) -> Vec<u8> {
    tlv(0x87, attribute.as_bytes())
}

pub(crate) fn equals(attribute: &str, value: &str) -> Vec<u8> {
    tlv(0xa3, &[octets(attribute), octets(value)].concat())
}

pub(crate) fn not(filter: &[u8]) -> Vec<u8> {
    tlv(0xa2, filter)
}

/// How far a search looks.
#[derive(Clone, Copy)]
pub(crate) enum Scope {
    Base = 0,
    One = 1,
    Sub = 2,
}

/// A search request in the making.
pub(crate) struct Search {
    pub(crate) base: String,
    pub(crate) scope: Scope,
    pub(crate) size: i32,
    pub(crate) time: i32,
    pub(crate) types_only: bool,
    pub(crate) filter: Vec<u8>,
    pub(crate) attributes: Vec<String>,
}

impl Search {
    pub(crate) fn new(base: &str, scope: Scope) -> Self {
        Self {
            base: base.to_owned(),
            scope,
            size: 0,
            time: 0,
            types_only: false,
            filter: present("objectClass"),
            attributes: Vec::new(),
        }
    }

    pub(crate) fn filter(mut self, filter: Vec<u8>) -> Self {
        self.filter = filter;
        self
    }

    pub(crate) fn attributes(mut self, attributes: &[&str]) -> Self {
        self.attributes = attributes.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let enumerated = |number: u8| tlv(0x0a, &[number]);
        let names: Vec<Vec<u8>> = self.attributes.iter().map(octets).collect();
        tlv(
            0x63,
            &[
                octets(&self.base),
                enumerated(self.scope as u8),
                enumerated(0),
                integer(self.size),
                integer(self.time),
                tlv(0x01, &[if self.types_only { 0xff } else { 0 }]),
                self.filter.clone(),
                tlv(0x30, &names.concat()),
            ]
            .concat(),
        )
    }
}

pub(crate) fn compare(name: &str, attribute: &str, value: &str) -> Vec<u8> {
    let assertion = tlv(0x30, &[octets(attribute), octets(value)].concat());
    tlv(0x6e, &[octets(name), assertion].concat())
}

pub(crate) fn extended(oid: &str, value: Option<&[u8]>) -> Vec<u8> {
    let mut content = tlv(0x80, oid.as_bytes());
    if let Some(value) = value {
        content.extend_from_slice(&tlv(0x81, value));
    }
    tlv(0x77, &content)
}

/// A Password Modify request (RFC 3062).
pub(crate) fn password_modify(
    identity: Option<&str>,
    old: Option<&str>,
    new: Option<&str>,
) -> Vec<u8> {
    let part = |tag, text: Option<&str>| text.map(|text| tlv(tag, text.as_bytes()));
    let parts = [part(0x80, identity), part(0x81, old), part(0x82, new)];
    let value = tlv(
        0x30,
        &parts.into_iter().flatten().collect::<Vec<_>>().concat(),
    );
    extended("1.3.6.1.4.1.4203.1.11.1", Some(&value))
}

/// A modify request: each change is its operation, the attribute and the values.
pub(crate) fn modify(name: &str, changes: &[(u8, &str, &[&str])]) -> Vec<u8> {
    let changes: Vec<Vec<u8>> = changes
        .iter()
        .map(|(operation, attribute, values)| {
            let values: Vec<Vec<u8>> = values.iter().map(octets).collect();
            let attribute = [octets(attribute), tlv(0x31, &values.concat())].concat();
            tlv(
                0x30,
                &[tlv(0x0a, &[*operation]), tlv(0x30, &attribute)].concat(),
            )
        })
        .collect();
    tlv(0x66, &[octets(name), tlv(0x30, &changes.concat())].concat())
}

pub(crate) fn delete(name: &str) -> Vec<u8> {
    tlv(0x4a, name.as_bytes())
}

/// A message from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) id: i64,
    pub(crate) tag: u8,
    pub(crate) content: Vec<u8>,
    /// The bytes behind the operation: its controls.
    pub(crate) controls: Vec<u8>,
}

/// Takes one element off the front.
pub(crate) fn element<'a>(bytes: &mut &'a [u8]) -> (u8, &'a [u8]) {
    let (tag, length) = (bytes[0], usize::from(bytes[1]));
    let (header, length) = if length < 128 {
        (2, length)
    } else {
        let count = length - 128;
        let digits = bytes[2..2 + count].iter();
        (
            2 + count,
            digits.fold(0, |sum, digit| sum << 8 | usize::from(*digit)),
        )
    };
    let content = &bytes[header..header + length];
    *bytes = &bytes[header + length..];
    (tag, content)
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let mut outside = bytes;
        let (tag, mut inside) = element(&mut outside);
        assert_eq!((tag, outside.len()), (0x30, 0), "no LDAP message");
        let (_, id) = element(&mut inside);
        let id = id.iter().fold(0, |sum, digit| sum << 8 | i64::from(*digit));
        let (tag, content) = element(&mut inside);
        Self {
            id,
            tag,
            content: content.to_vec(),
            controls: inside.to_vec(),
        }
    }

    fn result(&self) -> (u8, String, String) {
        let mut content = self.content.as_slice();
        let (tag, code) = element(&mut content);
        assert_eq!(tag, 0x0a, "no result: {self:?}");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let matched = text(element(&mut content).1);
        (code[0], matched, text(element(&mut content).1))
    }

    /// The result code.
    pub(crate) fn code(&self) -> u8 {
        self.result().0
    }

    pub(crate) fn matched(&self) -> String {
        self.result().1
    }

    pub(crate) fn diagnostic(&self) -> String {
        self.result().2
    }

    /// The value of an extended response.
    pub(crate) fn value(&self) -> Option<Vec<u8>> {
        self.tagged(0x8b)
    }

    /// The name of an extended response.
    pub(crate) fn name(&self) -> Option<String> {
        self.tagged(0x8a)
            .map(|name| String::from_utf8(name).unwrap())
    }

    fn tagged(&self, wanted: u8) -> Option<Vec<u8>> {
        let mut content = self.content.as_slice();
        while !content.is_empty() {
            let (tag, value) = element(&mut content);
            if tag == wanted {
                return Some(value.to_vec());
            }
        }
        None
    }

    /// The value of a response control.
    pub(crate) fn control(&self, oid: &str) -> Option<Vec<u8>> {
        let mut controls = self.controls.as_slice();
        if controls.is_empty() {
            return None;
        }
        let (tag, mut list) = element(&mut controls);
        assert_eq!((tag, controls.len()), (0xa0, 0), "no controls: {self:?}");
        while !list.is_empty() {
            let mut control = element(&mut list).1;
            if element(&mut control).1 == oid.as_bytes() {
                let (tag, value) = element(&mut control);
                assert_eq!(tag, 0x04, "no value: {self:?}");
                return Some(value.to_vec());
            }
        }
        None
    }

    /// The estimate and the cookie of a paged results response (RFC 2696).
    pub(crate) fn page(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let value = self.control("1.2.840.113556.1.4.319")?;
        let mut inside = element(&mut value.as_slice()).1;
        let estimate = element(&mut inside).1.to_vec();
        Some((estimate, element(&mut inside).1.to_vec()))
    }

    /// The code and the attribute of a sort response (RFC 2891).
    pub(crate) fn sorted(&self) -> Option<(u8, Option<String>)> {
        let value = self.control("1.2.840.113556.1.4.474")?;
        let mut inside = element(&mut value.as_slice()).1;
        let (tag, code) = element(&mut inside);
        assert_eq!(tag, 0x0a, "no sort result: {self:?}");
        let attribute = (!inside.is_empty()).then(|| {
            let (tag, name) = element(&mut inside);
            assert_eq!(tag, 0x80);
            String::from_utf8(name.to_vec()).unwrap()
        });
        Some((code[0], attribute))
    }

    /// Whether it is the Notice of Disconnection.
    pub(crate) fn is_notice(&self) -> bool {
        self.id == 0 && self.name().as_deref() == Some("1.3.6.1.4.1.1466.20036")
    }

    /// The entry it carries: its name, and its attributes with their values.
    pub(crate) fn entry(&self) -> (String, Vec<(String, Vec<String>)>) {
        assert_eq!(self.tag, 0x64, "no entry: {self:?}");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut content = self.content.as_slice();
        let name = text(element(&mut content).1);
        let mut list = element(&mut content).1;
        let mut attributes = Vec::new();
        while !list.is_empty() {
            let mut attribute = element(&mut list).1;
            let kind = text(element(&mut attribute).1);
            let mut set = element(&mut attribute).1;
            let mut values = Vec::new();
            while !set.is_empty() {
                values.push(text(element(&mut set).1));
            }
            attributes.push((kind, values));
        }
        (name, attributes)
    }

    /// The values of one attribute of the entry it carries.
    pub(crate) fn values(&self, kind: &str) -> Vec<String> {
        let (_, attributes) = self.entry();
        attributes
            .into_iter()
            .find(|(name, _)| name == kind)
            .map_or(vec![], |(_, values)| values)
    }
}

/// A connection.
pub(crate) struct Client<S = TcpStream> {
    pub(crate) stream: S,
    next: i32,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self { stream, next: 0 }
    }

    /// Sends an operation and returns its id.
    pub(crate) fn send(&mut self, operation: &[u8]) -> i32 {
        self.send_with(operation, &[])
    }

    pub(crate) fn send_with(&mut self, operation: &[u8], controls: &[Vec<u8>]) -> i32 {
        self.next += 1;
        self.raw(&message(self.next, operation, controls));
        self.next
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
        self.stream.flush().unwrap();
    }

    /// Reads one message; none where the server has closed.
    pub(crate) fn read(&mut self) -> Option<Answer> {
        let mut header = vec![0; 2];
        if let Err(failure) = self.stream.read_exact(&mut header) {
            let closed = [
                io::ErrorKind::UnexpectedEof,
                io::ErrorKind::ConnectionReset,
                io::ErrorKind::ConnectionAborted,
            ];
            assert!(closed.contains(&failure.kind()), "{failure}");
            return None;
        }
        let length = if header[1] < 128 {
            usize::from(header[1])
        } else {
            let mut digits = vec![0; usize::from(header[1] - 128)];
            self.stream.read_exact(&mut digits).unwrap();
            header.extend_from_slice(&digits);
            digits
                .iter()
                .fold(0, |sum, digit| sum << 8 | usize::from(*digit))
        };
        let mut content = vec![0; length];
        self.stream.read_exact(&mut content).unwrap();
        header.extend_from_slice(&content);
        Some(Answer::read(&header))
    }

    /// Sends an operation and reads its one answer.
    pub(crate) fn ask(&mut self, operation: &[u8]) -> Answer {
        self.ask_with(operation, &[])
    }

    pub(crate) fn ask_with(&mut self, operation: &[u8], controls: &[Vec<u8>]) -> Answer {
        let id = self.send_with(operation, controls);
        let answer = self.read().expect("the server closed");
        assert_eq!(answer.id, i64::from(id), "{answer:?}");
        answer
    }

    /// Searches, and returns the entries and the end.
    pub(crate) fn search(&mut self, search: &Search) -> (Vec<Answer>, Answer) {
        self.search_with(search, &[])
    }

    pub(crate) fn search_with(
        &mut self,
        search: &Search,
        controls: &[Vec<u8>],
    ) -> (Vec<Answer>, Answer) {
        let id = self.send_with(&search.bytes(), controls);
        let mut entries = Vec::new();
        loop {
            let answer = self.read().expect("the server closed");
            assert_eq!(answer.id, i64::from(id), "{answer:?}");
            if answer.tag == 0x65 {
                return (entries, answer);
            }
            entries.push(answer);
        }
    }

    /// Whether the server has nothing more to say.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.read().is_none()
    }
}
