//! A small blocking LDAP client over `ldap3_proto`, for tests that need many binds at once.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use bytes::BytesMut;
use ldap3_proto::LdapCodec;
use ldap3_proto::proto::{
    LdapBindCred, LdapBindRequest, LdapDerefAliases, LdapFilter, LdapMsg, LdapOp,
    LdapSearchRequest, LdapSearchResultEntry, LdapSearchScope,
};
use socket2::{Domain, Socket, Type};
use tokio_util::codec::{Decoder as _, Encoder as _};

use super::BASE;

/// A connection. Everything that goes wrong on it is `None`: the gateway closed it.
pub(crate) struct LdapClient {
    stream: TcpStream,
    received: BytesMut,
    codec: LdapCodec,
    next: i32,
}

impl LdapClient {
    /// Connects.
    pub(crate) fn connect(address: SocketAddr) -> Option<Self> {
        Self::over(TcpStream::connect(address).ok()?)
    }

    /// Connects from an address of loopback of one's choice.
    pub(crate) fn connect_from(source: Ipv4Addr, address: SocketAddr) -> Option<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
        socket.bind(&SocketAddr::from((source, 0)).into()).ok()?;
        socket.connect(&address.into()).ok()?;
        Self::over(TcpStream::from(socket))
    }

    fn over(stream: TcpStream) -> Option<Self> {
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .ok()?;
        Some(Self {
            stream,
            received: BytesMut::new(),
            codec: LdapCodec::new(Some(1 << 24), Some(64)),
            next: 1,
        })
    }

    /// Binds as a user with a password, and says with which result code.
    pub(crate) fn bind(&mut self, user: &str, password: &str) -> Option<i64> {
        self.bind_dn(&format!("uid={user},ou=people,{BASE}"), password)
    }

    /// Binds as a service account.
    pub(crate) fn bind_service(&mut self, service: &str, password: &str) -> Option<i64> {
        self.bind_dn(&format!("cn={service},ou=services,{BASE}"), password)
    }

    /// Binds by DN.
    pub(crate) fn bind_dn(&mut self, dn: &str, password: &str) -> Option<i64> {
        let id = self.send(LdapOp::BindRequest(LdapBindRequest {
            version: 3,
            dn: dn.to_owned(),
            cred: LdapBindCred::Simple(password.to_owned()),
        }))?;
        match self.receive()? {
            LdapMsg {
                msgid,
                op: LdapOp::BindResponse(response),
                ..
            } if msgid == id => Some(response.res.code as i64),
            _ => None,
        }
    }

    /// Searches the whole tree for entries with `attribute=value`; entries and the result code.
    pub(crate) fn search(
        &mut self,
        attribute: &str,
        value: &str,
    ) -> Option<(Vec<LdapSearchResultEntry>, i64)> {
        let filter = LdapFilter::Equality(attribute.to_owned(), value.to_owned());
        let id = self.send(LdapOp::SearchRequest(LdapSearchRequest {
            base: BASE.to_owned(),
            scope: LdapSearchScope::Subtree,
            aliases: LdapDerefAliases::Never,
            sizelimit: 0,
            timelimit: 0,
            typesonly: false,
            filter,
            attrs: vec!["*".to_owned(), "+".to_owned()],
        }))?;
        let mut entries = Vec::new();
        loop {
            match self.receive()? {
                LdapMsg {
                    msgid,
                    op: LdapOp::SearchResultEntry(entry),
                    ..
                } if msgid == id => {
                    entries.push(entry);
                }
                LdapMsg {
                    msgid,
                    op: LdapOp::SearchResultDone(done),
                    ..
                } if msgid == id => {
                    return Some((entries, done.code as i64));
                }
                _ => return None,
            }
        }
    }

    fn send(&mut self, op: LdapOp) -> Option<i32> {
        let id = self.next;
        self.next += 1;
        let mut bytes = BytesMut::new();
        self.codec
            .encode(
                LdapMsg {
                    msgid: id,
                    op,
                    ctrl: Vec::new(),
                },
                &mut bytes,
            )
            .ok()?;
        self.stream.write_all(&bytes).ok()?;
        Some(id)
    }

    fn receive(&mut self) -> Option<LdapMsg> {
        loop {
            if let Some(message) = self.codec.decode(&mut self.received).ok()? {
                return Some(message);
            }
            let mut chunk = [0; 4096];
            let read = self.stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
            self.received.extend_from_slice(&chunk[..read]);
        }
    }
}

/// Whether an entry carries the marks of a refused user (CONTRACT.md 2).
pub(crate) fn is_marked(entry: &LdapSearchResultEntry) -> bool {
    let value = |name: &str| {
        entry
            .attributes
            .iter()
            .find(|attribute| attribute.atype.eq_ignore_ascii_case(name))
            .and_then(|attribute| attribute.vals.first())
            .map(|value| String::from_utf8_lossy(value).into_owned())
    };
    let marks = [
        value("pwdAccountLockedTime").is_some(),
        value("nsAccountLock").is_some_and(|value| value.eq_ignore_ascii_case("true")),
        value("shadowExpire").is_some(),
    ];
    assert!(
        marks.iter().all(|mark| *mark == marks[0]),
        "all marks or none: {entry:?}"
    );
    marks[0]
}
