//! TLS messages cut into EAP packets and put together again (RFC 5216 §2.1.5, §3.1): the framing
//! that EAP-TLS, EAP-TTLS and PEAP share.
//!
//! A message is never longer than [`MAX_MESSAGE`], and never other than announced.

/// The longest message put together, in octets. A client's whole flight with its certificates is
/// a tenth of it.
pub const MAX_MESSAGE: usize = 65_536;

const LENGTH_INCLUDED: u8 = 0x80;
const MORE: u8 = 0x40;
const START: u8 = 0x20;
/// The version of TTLS and of PEAP; both are 0.
const VERSION: u8 = 0x07;

/// The data of the request that begins a method: the S flag, no length, no octets.
pub const START_DATA: [u8; 1] = [START];
/// The data of a packet that only acknowledges.
pub const ACKNOWLEDGEMENT: [u8; 1] = [0];

/// Why a fragment is refused. Each ends the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FragmentFault {
    /// There are no flags, or no length where the flags announce one.
    #[error("the fragment is truncated")]
    Truncated,
    /// A peer does not start a method.
    #[error("the peer set the start flag")]
    Start,
    /// Another version than 0.
    #[error("the method's version is not 0")]
    Version,
    /// The first of several fragments does not say how long the message is.
    #[error("the first fragment announces no length")]
    NoLength,
    /// The message would be longer than [`MAX_MESSAGE`].
    #[error("the message is too long")]
    TooLong,
    /// A later fragment announces another length.
    #[error("the announced length changed")]
    LengthChanged,
    /// More or fewer octets than announced.
    #[error("the message has another length than announced")]
    LengthWrong,
    /// A fragment with more to come that brings nothing.
    #[error("the fragment is empty")]
    Empty,
}

/// One fragment, as it came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// How long the whole message is said to be.
    pub announced: Option<u32>,
    /// Whether more fragments follow.
    pub more: bool,
    /// Its part of the message.
    pub octets: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// Reads what follows the type in a peer's response.
    ///
    /// # Errors
    /// Names what is wrong with it.
    pub fn parse(data: &'a [u8]) -> Result<Self, FragmentFault> {
        let (&flags, rest) = data.split_first().ok_or(FragmentFault::Truncated)?;
        if flags & START != 0 {
            return Err(FragmentFault::Start);
        }
        if flags & VERSION != 0 {
            return Err(FragmentFault::Version);
        }
        let (announced, octets) = if flags & LENGTH_INCLUDED == 0 {
            (None, rest)
        } else {
            let (length, octets) = rest
                .split_first_chunk::<4>()
                .ok_or(FragmentFault::Truncated)?;
            (Some(u32::from_be_bytes(*length)), octets)
        };
        Ok(Self {
            announced,
            more: flags & MORE != 0,
            octets,
        })
    }

    /// Whether it only acknowledges: nothing announced, nothing brought, nothing to come.
    pub fn is_acknowledgement(&self) -> bool {
        self.octets.is_empty() && !self.more && self.announced.is_none_or(|length| length == 0)
    }
}

/// A message being put together.
#[derive(Default)]
pub struct Assembly {
    octets: Vec<u8>,
    announced: Option<usize>,
}

impl Assembly {
    /// Takes a fragment; the whole message where it was the last one.
    ///
    /// # Errors
    /// Names what is wrong with it; the assembly is then of no use.
    pub fn push(&mut self, fragment: &Fragment<'_>) -> Result<Option<Vec<u8>>, FragmentFault> {
        if fragment.more && fragment.octets.is_empty() {
            return Err(FragmentFault::Empty);
        }
        if let Some(length) = fragment.announced {
            let length = usize::try_from(length).map_err(|_| FragmentFault::TooLong)?;
            if length > MAX_MESSAGE {
                return Err(FragmentFault::TooLong);
            }
            if !self.octets.is_empty() && self.announced != Some(length) {
                return Err(FragmentFault::LengthChanged);
            }
            self.announced = Some(length);
        } else if fragment.more && self.octets.is_empty() {
            return Err(FragmentFault::NoLength);
        }
        let reached = self.octets.len() + fragment.octets.len();
        if reached > self.announced.unwrap_or(MAX_MESSAGE) {
            return Err(FragmentFault::LengthWrong);
        }
        self.octets.extend_from_slice(fragment.octets);
        if fragment.more {
            return Ok(None);
        }
        if self.announced.is_some_and(|length| length != reached) {
            return Err(FragmentFault::LengthWrong);
        }
        Ok(Some(std::mem::take(self).octets))
    }
}

/// A message being sent, fragment by fragment.
pub struct Outgoing {
    octets: Vec<u8>,
    sent: usize,
    /// Room for flags, length and octets in one packet.
    room: usize,
}

impl Outgoing {
    /// Cuts a message for packets whose data may be that many octets long; below 16 it is 16.
    pub fn new(octets: Vec<u8>, room: usize) -> Self {
        Self {
            octets,
            sent: 0,
            room: room.max(16),
        }
    }

    /// The next packet's data: the first of several announces the length of all, one alone never
    /// does, since some peers refuse that.
    pub fn next_data(&mut self) -> Vec<u8> {
        let rest = self.octets.get(self.sent..).unwrap_or_default();
        let mut data = Vec::with_capacity(self.room);
        let fits = rest.len() < self.room;
        let first = self.sent == 0;
        let mut flags = 0;
        if !fits {
            flags |= MORE;
        }
        if first && !fits {
            flags |= LENGTH_INCLUDED;
        }
        data.push(flags);
        if first && !fits {
            let length = u32::try_from(self.octets.len()).unwrap_or(u32::MAX);
            data.extend_from_slice(&length.to_be_bytes());
        }
        let part = rest.get(..self.room - data.len()).unwrap_or(rest);
        data.extend_from_slice(part);
        self.sent += part.len();
        data
    }

    /// Whether everything was handed out.
    pub fn is_sent(&self) -> bool {
        self.sent >= self.octets.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn push(assembly: &mut Assembly, data: &[u8]) -> Result<Option<Vec<u8>>, FragmentFault> {
        assembly.push(&Fragment::parse(data)?)
    }

    #[test]
    fn fragments_that_lie_are_refused() {
        let fault = |steps: &[&[u8]]| {
            let mut assembly = Assembly::default();
            steps
                .iter()
                .find_map(|data| push(&mut assembly, data).err())
                .unwrap()
        };
        assert_eq!(fault(&[&[]]), FragmentFault::Truncated);
        assert_eq!(fault(&[&[0x80, 0, 0, 1]]), FragmentFault::Truncated);
        assert_eq!(fault(&[&[0x20]]), FragmentFault::Start);
        assert_eq!(fault(&[&[0x01, 9]]), FragmentFault::Version);
        assert_eq!(fault(&[&[0x40, 9]]), FragmentFault::NoLength);
        assert_eq!(fault(&[&[0xc0, 0, 0, 0, 9]]), FragmentFault::Empty);
        assert_eq!(fault(&[&[0xc0, 0, 1, 0, 1, 9]]), FragmentFault::TooLong);
        assert_eq!(
            fault(&[&[0xc0, 255, 255, 255, 255, 9]]),
            FragmentFault::TooLong
        );
        assert_eq!(fault(&[&[0x80, 0, 0, 0, 2, 9]]), FragmentFault::LengthWrong);
        assert_eq!(
            fault(&[&[0xc0, 0, 0, 0, 2, 9, 9, 9]]),
            FragmentFault::LengthWrong
        );
        let first: &[u8] = &[0xc0, 0, 0, 0, 3, 9];
        assert_eq!(
            fault(&[first, &[0x80, 0, 0, 0, 4, 9, 9]]),
            FragmentFault::LengthChanged
        );
        assert_eq!(fault(&[first, &[0, 9]]), FragmentFault::LengthWrong);
        assert_eq!(fault(&[first, &[0, 9, 9, 9]]), FragmentFault::LengthWrong);
        assert_eq!(fault(&[first, &[0x40]]), FragmentFault::Empty);
    }

    #[test]
    fn one_fragment_may_announce_its_length_or_not() {
        for data in [&[0, 7, 8][..], &[0x80, 0, 0, 0, 2, 7, 8]] {
            let whole = push(&mut Assembly::default(), data).unwrap();
            assert_eq!(whole, Some(vec![7, 8]));
        }
        assert!(Fragment::parse(&[0]).unwrap().is_acknowledgement());
        assert!(!Fragment::parse(&[0x40, 1]).unwrap().is_acknowledgement());
        assert_eq!(Outgoing::new(vec![7], 100).next_data(), [0, 7]);
    }

    proptest! {
        #[test]
        fn whatever_is_cut_is_put_together(
            octets in prop::collection::vec(any::<u8>(), 1..3000),
            room in 0_usize..1500,
        ) {
            let mut outgoing = Outgoing::new(octets.clone(), room);
            let mut assembly = Assembly::default();
            loop {
                let data = outgoing.next_data();
                prop_assert!(data.len() <= room.max(16));
                let whole = push(&mut assembly, &data).unwrap();
                prop_assert_eq!(whole.is_some(), outgoing.is_sent());
                if let Some(whole) = whole {
                    prop_assert_eq!(&whole, &octets);
                    break;
                }
            }
        }

        #[test]
        fn any_fragments_stay_bounded(
            steps in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..30),
        ) {
            let mut assembly = Assembly::default();
            for data in steps {
                if push(&mut assembly, &data).is_err() {
                    break;
                }
                prop_assert!(assembly.octets.len() <= MAX_MESSAGE);
            }
        }
    }
}
