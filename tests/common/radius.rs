//! A small blocking RADIUS client written from RFC 2865 and RFC 3579, none of the gateway's code in
//! it.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};

use super::SECRET;

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Access-Accept (2).
    Accept,
    /// Access-Reject (3).
    Reject,
    /// Nothing within the time.
    Silence,
}

/// One PAP Access-Request with a Message-Authenticator, its bytes.
pub(crate) fn access_request(
    identifier: u8,
    authenticator: [u8; 16],
    user: &str,
    password: &str,
) -> Vec<u8> {
    access_request_saying(identifier, authenticator, user, password, &[])
}

/// As [`access_request`], with these attributes besides.
pub(crate) fn access_request_saying(
    identifier: u8,
    authenticator: [u8; 16],
    user: &str,
    password: &str,
    said: &[(u8, &[u8])],
) -> Vec<u8> {
    let hidden = hidden(password.as_bytes(), &authenticator);
    let mut attributes = vec![(1, user.as_bytes()), (2, &hidden[..])];
    attributes.extend_from_slice(said);
    sealed_request(identifier, authenticator, &attributes)
}

/// An Access-Request of these attributes with a Message-Authenticator, its bytes.
pub(crate) fn sealed_request(
    identifier: u8,
    authenticator: [u8; 16],
    attributes: &[(u8, &[u8])],
) -> Vec<u8> {
    let mut packet = vec![1, identifier, 0, 0];
    packet.extend_from_slice(&authenticator);
    for (kind, value) in attributes.iter().chain(&[(80, &[0; 16][..])]) {
        packet.push(*kind);
        packet.push(u8::try_from(value.len() + 2).unwrap());
        packet.extend_from_slice(value);
    }
    let length = u16::try_from(packet.len()).unwrap().to_be_bytes();
    packet[2..4].copy_from_slice(&length);
    let mut mac = Hmac::<Md5>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&packet);
    let start = packet.len() - 16;
    packet[start..].copy_from_slice(&mac.finalize().into_bytes());
    packet
}

/// RFC 2865 5.2.
fn hidden(password: &[u8], authenticator: &[u8; 16]) -> Vec<u8> {
    let mut padded = password.to_vec();
    padded.resize(password.len().max(1).div_ceil(16) * 16, 0);
    let mut before = authenticator.to_vec();
    for block in padded.chunks_mut(16) {
        let key = Md5::new()
            .chain_update(SECRET)
            .chain_update(&before)
            .finalize();
        block
            .iter_mut()
            .zip(key)
            .for_each(|(byte, key)| *byte ^= key);
        before = block.to_vec();
    }
    padded
}

/// Asks once and waits.
pub(crate) fn ask(server: SocketAddr, user: &str, password: &str, patience: Duration) -> Reply {
    ask_saying(server, user, password, &[], patience)
}

/// As [`ask`], with these attributes besides.
pub(crate) fn ask_saying(
    server: SocketAddr,
    user: &str,
    password: &str,
    said: &[(u8, &[u8])],
    patience: Duration,
) -> Reply {
    let mut authenticator = [0; 16];
    getrandom::fill(&mut authenticator).unwrap();
    let request = access_request_saying(authenticator[0], authenticator, user, password, said);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(patience)).unwrap();
    socket.send_to(&request, server).unwrap();
    let mut reply = [0; 4096];
    match socket.recv(&mut reply) {
        Ok(_) if reply[0] == 2 => Reply::Accept,
        Ok(_) if reply[0] == 3 => Reply::Reject,
        Ok(_) => panic!("an answer of code {}", reply[0]),
        Err(_) => Reply::Silence,
    }
}

/// Whether a Status-Server (RFC 5997) is answered within the time.
pub(crate) fn status_server(server: SocketAddr, patience: Duration) -> bool {
    let mut authenticator = [0; 16];
    getrandom::fill(&mut authenticator).unwrap();
    let mut packet = vec![12, authenticator[0], 0, 38];
    packet.extend_from_slice(&authenticator);
    packet.extend_from_slice(&[80, 18]);
    packet.extend_from_slice(&[0; 16]);
    let mut mac = Hmac::<Md5>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&packet);
    packet.truncate(22);
    packet.extend_from_slice(&mac.finalize().into_bytes());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(patience)).unwrap();
    socket.send_to(&packet, server).unwrap();
    let mut reply = [0; 4096];
    socket.recv(&mut reply).is_ok() && reply[0] == 2
}
