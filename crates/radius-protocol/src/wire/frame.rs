//! Packets in a stream of octets (RFC 6613 §2.2): each is as long as its Length field says.

use bytes::BytesMut;

use super::{HEADER_LENGTH, MAX_LENGTH, Malformed};

/// Cuts the next packet off the octets that have come; nothing where more must come first. Waits
/// for no more than [`MAX_LENGTH`] octets, and looks at nothing but the Length field.
///
/// # Errors
/// The Length field is out of range: nobody knows where the next packet begins, and the connection
/// must be closed (RFC 6613 §2.6.4).
pub fn next_packet(octets: &mut BytesMut) -> Result<Option<BytesMut>, Malformed> {
    let Some(&[_, _, high, low]) = octets.first_chunk() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if !(HEADER_LENGTH..=MAX_LENGTH).contains(&length) {
        return Err(Malformed::Length);
    }
    if octets.len() < length {
        return Ok(None);
    }
    Ok(Some(octets.split_to(length)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(length: u16) -> Vec<u8> {
        let mut packet = vec![0x5a; usize::from(length)];
        packet[2..4].copy_from_slice(&length.to_be_bytes());
        packet
    }

    #[test]
    fn a_length_out_of_range_is_told_by_four_octets() {
        for length in [0_u16, 19, 4097, u16::MAX] {
            let [high, low] = length.to_be_bytes();
            let mut octets = BytesMut::from(&[1, 7, high, low][..]);
            assert_eq!(next_packet(&mut octets), Err(Malformed::Length), "{length}");
        }
        for length in [20_u16, 4096] {
            let [high, low] = length.to_be_bytes();
            let mut octets = BytesMut::from(&[1, 7, high, low][..]);
            assert_eq!(next_packet(&mut octets), Ok(None), "{length}");
        }
    }

    proptest! {
        /// However the octets are cut on their way, the packets are the same.
        #[test]
        fn packets_survive_the_stream(
            lengths in prop::collection::vec(20_u16..400, 0..12),
            cut in 1_usize..500,
        ) {
            let sent: Vec<Vec<u8>> = lengths.into_iter().map(packet).collect();
            let mut octets = BytesMut::new();
            let mut received = Vec::new();
            for piece in sent.concat().chunks(cut) {
                octets.extend_from_slice(piece);
                while let Some(packet) = next_packet(&mut octets).unwrap() {
                    received.push(packet.to_vec());
                }
            }
            prop_assert_eq!(received, sent);
            prop_assert!(octets.is_empty());
        }

        #[test]
        fn what_is_cut_off_has_the_length_it_says(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut octets = BytesMut::from(&bytes[..]);
            if let Ok(Some(packet)) = next_packet(&mut octets) {
                let length = u16::from_be_bytes([packet[2], packet[3]]);
                prop_assert_eq!(packet.len(), usize::from(length));
                prop_assert_eq!([&packet[..], &octets[..]].concat(), bytes);
            }
        }
    }
}
