use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;

/// Reads a stream as the listener does, and says where the header ended.
fn walk(stream: &[u8]) -> Result<(Behind, usize), Malformed> {
    let mut taken = 0;
    for _ in 0..=LONGEST {
        match read(&stream[..taken])? {
            Progress::Whole(behind) => return Ok((behind, taken)),
            Progress::Needs(more) => {
                assert!(more > 0);
                taken += more;
                assert!(taken <= LONGEST);
                if taken > stream.len() {
                    return Err(Malformed);
                }
            }
        }
    }
    panic!("a header has an end");
}

fn text(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    format!(
        "PROXY {family} {} {} {} {}\r\n",
        source.ip(),
        destination.ip(),
        source.port(),
        destination.port()
    )
    .into_bytes()
}

fn binary(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = SIGNATURE.to_vec();
    bytes.extend([0x20 | command, family]);
    bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

fn addresses(source: SocketAddr, destination: SocketAddr) -> (u8, Vec<u8>) {
    let octets = |address: IpAddr| match address {
        IpAddr::V4(four) => four.octets().to_vec(),
        IpAddr::V6(six) => six.octets().to_vec(),
    };
    let mut body = octets(source.ip());
    body.extend(octets(destination.ip()));
    body.extend(source.port().to_be_bytes());
    body.extend(destination.port().to_be_bytes());
    (if source.is_ipv4() { 0x11 } else { 0x21 }, body)
}

fn pair() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
    let four = any::<([u8; 4], [u8; 4])>().prop_map(|(a, b)| (IpAddr::from(a), IpAddr::from(b)));
    let six = any::<([u8; 16], [u8; 16])>().prop_map(|(a, b)| (IpAddr::from(a), IpAddr::from(b)));
    (prop_oneof![four, six], any::<(u16, u16)>()).prop_map(|((from, to), (one, other))| {
        (SocketAddr::new(from, one), SocketAddr::new(to, other))
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_nothing_behind_it(
        (source, destination) in pair(),
        values in proptest::collection::vec(any::<u8>(), 0..64),
        behind in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let expected = Behind::Client(source.ip().to_canonical());
        let (family, mut body) = addresses(source, destination);
        body.extend(values);
        for header in [text(source, destination), binary(1, family, &body)] {
            let length = header.len();
            let mut stream = header;
            stream.extend(&behind);
            prop_assert_eq!(walk(&stream), Ok((expected, length)));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2200)) {
        let _ = walk(&bytes);
        let _ = read(&bytes);
        let mut signed = SIGNATURE.to_vec();
        signed.extend(&bytes);
        let _ = walk(&signed);
        let mut text = TEXT.to_vec();
        text.extend(&bytes);
        let _ = walk(&text);
    }

    #[test]
    fn a_local_command_is_the_proxy_whatever_else_it_says(
        family: u8,
        body in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let header = binary(0, family, &body);
        prop_assert_eq!(walk(&header), Ok((Behind::Proxy, header.len())));
    }
}

#[test]
fn who_is_not_named_is_the_proxy() {
    let long = format!("PROXY UNKNOWN {}\r\n", "f".repeat(107 - 16));
    for header in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff:f 1 2\r\n", &long] {
        let expected = Ok((Behind::Proxy, header.len()));
        assert_eq!(walk(header.as_bytes()), expected, "{header:?}");
    }
    for header in [
        binary(1, 0x00, &[]),
        binary(1, 0x00, &[1, 2, 3]),
        binary(1, 0x31, &[0; 216]),
    ] {
        assert_eq!(walk(&header), Ok((Behind::Proxy, header.len())));
    }
}

#[test]
fn a_mapped_address_is_its_ipv4_address() {
    let header = b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 389\r\n";
    let expected = Behind::Client("192.0.2.7".parse().unwrap());
    assert_eq!(walk(header), Ok((expected, header.len())));
}

#[test]
fn malformed_headers_are_refused() {
    let too_long = format!("PROXY UNKNOWN {}\r\n", "f".repeat(107 - 15));
    let texts = [
        "GET / HTTP/1.1\r\n\r\n",
        "proxy UNKNOWN\r\n",
        "PROXY\r\n            \r\n",
        "PROXY  UNKNOWN\r\n",
        "PROXY UNKNOWN\n        \r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 1000\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 1000 389 \r\n",
        "PROXY TCP4 192.0.2.7  192.0.2.1 1000 389\r\n",
        "PROXY TCP4 192.0.2.07 192.0.2.1 1000 389\r\n",
        "PROXY TCP4 192.0.2 192.0.2.1 1000 389\r\n",
        "PROXY TCP4 ::1 ::1 1000 389\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 65536 389\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 01000 389\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 +1000 389\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 1000 \r\n",
        "PROXY TCP6 192.0.2.7 192.0.2.1 1000 389\r\n",
        "PROXY TCP6 fe80::1%eth0 ::1 1000 389\r\n",
        "PROXY UDP4 192.0.2.7 192.0.2.1 1000 389\r\n",
        "PROXY TCP4 192.0.2.7\r192.0.2.1 1000 389\r\n",
        &too_long,
    ];
    for header in texts {
        assert_eq!(walk(header.as_bytes()), Err(Malformed), "{header:?}");
    }
    let mut version_one = binary(1, 0x11, &[0; 12]);
    version_one[12] = 0x11;
    let binaries = [
        version_one,
        // Command, family, protocol.
        binary(2, 0x11, &[0; 12]),
        binary(1, 0x10, &[0; 12]),
        binary(1, 0x12, &[0; 12]),
        binary(1, 0x22, &[0; 36]),
        binary(1, 0x32, &[0; 216]),
        binary(1, 0x41, &[0; 36]),
        // Shorter than the addresses, longer than the bound.
        binary(1, 0x11, &[0; 11]),
        binary(1, 0x21, &[0; 35]),
        binary(1, 0x31, &[0; 215]),
        binary(1, 0x11, &[0; LONGEST_BODY + 1]),
        b"\r\n\r\n\0\r\nQUIT\r\n\r\n\r\n".to_vec(),
        b"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n".to_vec(),
    ];
    for header in binaries {
        assert_eq!(walk(&header), Err(Malformed), "{header:02x?}");
    }
}

#[test]
fn ldap_and_tls_are_no_headers() {
    for first in [0x30, 0x16, 0x00, 0x80, 0xff] {
        assert_eq!(read(&[first]), Err(Malformed));
    }
}
