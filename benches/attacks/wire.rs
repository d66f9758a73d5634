//! What is sent, and from where: LDAP and RADIUS over loopback addresses of one's choice.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use socket2::{Domain, Socket, Type};

use crate::common::{BASE, PASSWORD, SECRET};
use crate::raw_ldap::{Scope, Search, bind, element, equals, message, tlv};

/// How long anything is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The name of a user's entry.
pub(crate) fn user_dn(user: &str) -> String {
    format!("uid={user},ou=people,{BASE}")
}

/// The name of a service account's entry.
pub(crate) fn service_dn(service: &str) -> String {
    format!("cn={service},ou=services,{BASE}")
}

/// A matching rule, and the beginning of values by it that nothing has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rule {
    /// Every text of a user's entry has to be prepared for it.
    CaseIgnore,
    /// Every description of the schema has to be parsed for it.
    FirstComponent,
}

/// Any of so many terms by a matching rule alone, as in `(:caseIgnoreMatch:=value)`.
pub(crate) fn any_of(terms: usize, rule: Rule) -> Vec<u8> {
    let (rule, value) = match rule {
        Rule::CaseIgnore => ("caseIgnoreMatch", "nothing that is there "),
        Rule::FirstComponent => ("objectIdentifierFirstComponentMatch", "2.5.99."),
    };
    let term = |number| {
        let value = format!("{value}{number}");
        let parts = [tlv(0x81, rule.as_bytes()), tlv(0x83, value.as_bytes())];
        tlv(0xa9, &parts.concat())
    };
    tlv(0xa1, &(0..terms).map(term).collect::<Vec<_>>().concat())
}

/// A blocking connection; whatever goes wrong on it is nothing.
pub(crate) struct Connection {
    stream: TcpStream,
    next: i32,
}

impl Connection {
    pub(crate) fn open(from: Ipv4Addr, to: SocketAddr) -> Option<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
        socket.bind(&SocketAddr::from((from, 0)).into()).ok()?;
        socket.connect_timeout(&to.into(), PATIENCE).ok()?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_write_timeout(Some(PATIENCE)).ok()?;
        stream.set_nodelay(true).ok()?;
        Some(Self { stream, next: 0 })
    }

    /// Asks, and says with which result it ended and after how many entries.
    pub(crate) fn ask(&mut self, operation: &[u8]) -> Option<(u8, usize)> {
        self.next += 1;
        let bytes = message(self.next, operation, &[]);
        self.stream.write_all(&bytes).ok()?;
        let mut entries = 0;
        loop {
            let (tag, content) = self.read()?;
            if tag == 0x64 {
                entries += 1;
                continue;
            }
            return Some((result(&content)?, entries));
        }
    }

    /// Binds, and says with which result.
    pub(crate) fn bind(&mut self, dn: &str, password: &str) -> Option<u8> {
        Some(self.ask(&bind(dn, password))?.0)
    }

    fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut header = [0; 2];
        self.stream.read_exact(&mut header).ok()?;
        let mut length = usize::from(header[1]);
        if length >= 128 {
            let mut digits = vec![0; length - 128];
            self.stream.read_exact(&mut digits).ok()?;
            length = digits
                .iter()
                .fold(0, |sum, digit| sum << 8 | usize::from(*digit));
        }
        let mut content = vec![0; length];
        self.stream.read_exact(&mut content).ok()?;
        Some(operation(&content))
    }
}

/// The operation in a message's content.
pub(crate) fn operation(content: &[u8]) -> (u8, Vec<u8>) {
    let mut content = content;
    let _id = element(&mut content);
    let (tag, operation) = element(&mut content);
    (tag, operation.to_vec())
}

/// The result code in an operation.
pub(crate) fn result(content: &[u8]) -> Option<u8> {
    let mut content = content;
    element(&mut content).1.first().copied()
}

/// One login over LDAP, connection and all: whether it was let in.
pub(crate) fn login(from: Ipv4Addr, to: SocketAddr, user: &str, password: &str) -> bool {
    let bound = Connection::open(from, to)
        .and_then(|mut connection| connection.bind(&user_dn(user), password));
    bound == Some(0)
}

/// A search for one user.
pub(crate) fn find_user(user: &str) -> Vec<u8> {
    Search::new(BASE, Scope::Sub)
        .filter(equals("uid", user))
        .bytes()
}

/// Attributes of an Access-Request that stand for one login.
#[derive(Debug, Clone, Default)]
pub(crate) struct Login<'a> {
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    /// Calling-Station-Id, where there is one.
    pub(crate) station: Option<&'a str>,
}

impl Login<'_> {
    /// An Access-Request by PAP.
    pub(crate) fn request(&self, identifier: u8, authenticator: [u8; 16]) -> Vec<u8> {
        let mut attributes = vec![
            (1, self.user.as_bytes().to_vec()),
            (2, hidden(self.password.as_bytes(), &authenticator)),
        ];
        attributes.extend(
            self.station
                .map(|station| (31, station.as_bytes().to_vec())),
        );
        packet(1, identifier, authenticator, &attributes)
    }
}

/// A Status-Server.
pub(crate) fn status_server(identifier: u8, authenticator: [u8; 16]) -> Vec<u8> {
    packet(12, identifier, authenticator, &[])
}

/// A packet with a Message-Authenticator.
pub(crate) fn packet(
    code: u8,
    identifier: u8,
    authenticator: [u8; 16],
    attributes: &[(u8, Vec<u8>)],
) -> Vec<u8> {
    let mut packet = vec![code, identifier, 0, 0];
    packet.extend_from_slice(&authenticator);
    packet.extend_from_slice(&[80, 18]);
    packet.extend_from_slice(&[0; 16]);
    for (kind, value) in attributes {
        packet.push(*kind);
        packet.push(u8::try_from(value.len() + 2).unwrap());
        packet.extend_from_slice(value);
    }
    let length = u16::try_from(packet.len()).unwrap().to_be_bytes();
    packet[2..4].copy_from_slice(&length);
    let mut mac = Hmac::<Md5>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&packet);
    packet[22..38].copy_from_slice(&mac.finalize().into_bytes());
    packet
}

/// User-Password as RFC 2865 section 5.2 hides it.
fn hidden(password: &[u8], authenticator: &[u8; 16]) -> Vec<u8> {
    let mut padded = password.to_vec();
    padded.resize(password.len().max(1).div_ceil(16) * 16, 0);
    let mut before = authenticator.to_vec();
    for block in padded.chunks_mut(16) {
        let key = Md5::digest([SECRET.as_bytes(), &before].concat());
        block
            .iter_mut()
            .zip(key)
            .for_each(|(octet, key)| *octet ^= key);
        before = block.to_vec();
    }
    padded
}

/// Octets that nobody else has.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).unwrap();
    octets
}

/// A name or a password that nobody has.
pub(crate) fn made_up() -> String {
    format!("x{:016x}", u64::from_be_bytes(random()))
}

/// Sends one request from a port of its own and waits: the code of the reply.
pub(crate) fn exchange(from: Ipv4Addr, to: SocketAddr, request: &[u8]) -> Option<u8> {
    let socket = UdpSocket::bind((IpAddr::from(from), 0)).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    socket.send_to(request, to).ok()?;
    let mut reply = [0; 4096];
    let length = socket.recv(&mut reply).ok()?;
    (length >= 20 && reply[1] == request[1]).then_some(reply[0])
}

/// One login over RADIUS: the code of the reply.
pub(crate) fn radius_login(from: Ipv4Addr, to: SocketAddr, login: &Login<'_>) -> Option<u8> {
    let authenticator: [u8; 16] = random();
    exchange(from, to, &login.request(authenticator[0], authenticator))
}

/// The victims' password is everybody's.
pub(crate) const RIGHT: &str = PASSWORD;
