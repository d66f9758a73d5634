//! Writing packets. Every one of RADIUS/1.0 carries a Message-Authenticator, as its first attribute: what
//! stands before it could be chosen by an attacker who forges MD5 prefixes (CVE-2024-3596).

use super::integrity::{message_authenticator, response_authenticator};
use super::{Authenticator, Code, HEADER_LENGTH, MAX_LENGTH, MAX_VALUE, Packet, Token, kind};
use doorward_domain::secret::Secret;

/// Octets of a Message-Authenticator with its header.
const MESSAGE_AUTHENTICATOR_LENGTH: usize = 18;

/// The packet, or one of its attributes, would be longer than RADIUS allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("longer than RADIUS allows")]
pub struct Oversized;

/// Every Proxy-State of a request, in order: a reply must repeat them (RFC 2865 §5.33).
#[derive(Clone)]
pub struct ProxyStates(Vec<u8>);

impl ProxyStates {
    /// Copies them out of a request.
    pub fn of(request: &Packet<'_>) -> Self {
        let mut copied = Vec::new();
        for value in request.all(kind::PROXY_STATE) {
            // A parsed attribute is at most 253 octets long.
            let length = u8::try_from(value.len() + 2).unwrap_or(u8::MAX);
            copied.extend_from_slice(&[kind::PROXY_STATE, length]);
            copied.extend_from_slice(value);
        }
        Self(copied)
    }

    /// How many octets they take in a reply.
    pub fn length(&self) -> usize {
        self.0.len()
    }
}

/// A packet being written: its attributes but for the Message-Authenticator.
#[derive(Clone)]
pub struct Draft {
    code: Code,
    identifier: u8,
    attributes: Vec<u8>,
}

impl Draft {
    /// Starts a packet without attributes.
    pub fn new(code: Code, identifier: u8) -> Self {
        Self {
            code,
            identifier,
            attributes: Vec::new(),
        }
    }

    /// Appends one attribute.
    ///
    /// # Errors
    /// Where the value is longer than 253 octets, or the packet would pass 4096.
    pub fn push(&mut self, kind: u8, value: &[u8]) -> Result<(), Oversized> {
        if value.len() > MAX_VALUE || self.length() + 2 + value.len() > MAX_LENGTH {
            return Err(Oversized);
        }
        let length = u8::try_from(value.len() + 2).map_err(|_| Oversized)?;
        self.attributes.extend_from_slice(&[kind, length]);
        self.attributes.extend_from_slice(value);
        Ok(())
    }

    /// Appends one attribute of a vendor's own, in a Vendor-Specific one.
    ///
    /// # Errors
    /// Where the value is longer than 247 octets, or the packet would pass 4096.
    pub fn push_vendor(
        &mut self,
        vendor: [u8; 4],
        number: u8,
        value: &[u8],
    ) -> Result<(), Oversized> {
        let length = u8::try_from(value.len() + 2).map_err(|_| Oversized)?;
        let whole = [&vendor[..], &[number, length], value].concat();
        self.push(kind::VENDOR_SPECIFIC, &whole)
    }

    /// Appends the Proxy-States of a request, unchanged and in order.
    ///
    /// # Errors
    /// Where the packet would pass 4096 octets.
    pub fn push_proxy_states(&mut self, states: &ProxyStates) -> Result<(), Oversized> {
        if self.length() + states.0.len() > MAX_LENGTH {
            return Err(Oversized);
        }
        self.attributes.extend_from_slice(&states.0);
        Ok(())
    }

    /// Its code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// How long the sealed packet will be, in octets.
    pub fn length(&self) -> usize {
        HEADER_LENGTH + MESSAGE_AUTHENTICATOR_LENGTH + self.attributes.len()
    }

    /// Writes a reply to the request with that authenticator: Message-Authenticator first, then
    /// the attributes, then the Response Authenticator over all of it.
    ///
    /// # Errors
    /// Where the packet is longer than 4096 octets.
    pub(crate) fn seal_reply(
        &self,
        request: &Authenticator,
        secret: &Secret,
    ) -> Result<Vec<u8>, Oversized> {
        let mut bytes = self.seal_request(request, secret)?;
        let response = response_authenticator(&bytes, request, secret);
        overwrite(&mut bytes, 4, &response);
        Ok(bytes)
    }

    /// Writes an Accounting-Request, a Disconnect-Request or a CoA-Request, which prove their sender
    /// themselves (RFC 2866 §3, RFC 5176 §2.3).
    ///
    /// # Errors
    /// Where the packet is longer than 4096 octets.
    pub fn seal_signed(&self, secret: &Secret) -> Result<Vec<u8>, Oversized> {
        self.seal_reply(&[0; 16], secret)
    }

    /// Writes an Accounting-Response, which has no Message-Authenticator: no RFC says whether one
    /// covers the request's authenticator or zeroes, and clients that look at it differ. Its
    /// Response Authenticator answers no packet that an attacker could choose: the request was
    /// proven.
    ///
    /// # Errors
    /// Where the packet is longer than 4096 octets.
    pub(crate) fn seal_accounting_reply(
        &self,
        request: &Authenticator,
        secret: &Secret,
    ) -> Result<Vec<u8>, Oversized> {
        let length = HEADER_LENGTH + self.attributes.len();
        let [high, low] = u16::try_from(length).map_err(|_| Oversized)?.to_be_bytes();
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&[self.code as u8, self.identifier, high, low]);
        bytes.extend_from_slice(&[0; 16]);
        bytes.extend_from_slice(&self.attributes);
        let response = response_authenticator(&bytes, request, secret);
        overwrite(&mut bytes, 4, &response);
        Ok(bytes)
    }

    /// Writes a packet of RADIUS/1.1 (RFC 9765 §4.1): the Token, and nothing that proves or hides.
    ///
    /// # Errors
    /// Where the packet is longer than 4096 octets.
    pub fn seal_with_token(&self, token: Token) -> Result<Vec<u8>, Oversized> {
        let length = HEADER_LENGTH + self.attributes.len();
        let [high, low] = u16::try_from(length).map_err(|_| Oversized)?.to_be_bytes();
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&[self.code as u8, 0, high, low]);
        bytes.extend_from_slice(&token);
        bytes.extend_from_slice(&[0; 12]);
        bytes.extend_from_slice(&self.attributes);
        Ok(bytes)
    }

    /// Writes an Access-Request or Status-Server with that random authenticator.
    ///
    /// # Errors
    /// Where the packet is longer than 4096 octets.
    pub fn seal_request(
        &self,
        authenticator: &Authenticator,
        secret: &Secret,
    ) -> Result<Vec<u8>, Oversized> {
        let length = self.length();
        if length > MAX_LENGTH {
            return Err(Oversized);
        }
        let [high, low] = u16::try_from(length).map_err(|_| Oversized)?.to_be_bytes();
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&[self.code as u8, self.identifier, high, low]);
        bytes.extend_from_slice(authenticator);
        bytes.extend_from_slice(&[kind::MESSAGE_AUTHENTICATOR, 18]);
        bytes.extend_from_slice(&[0; 16]);
        bytes.extend_from_slice(&self.attributes);
        let proof = message_authenticator(&bytes, authenticator, 2, secret).ok_or(Oversized)?;
        overwrite(&mut bytes, HEADER_LENGTH + 2, &proof);
        Ok(bytes)
    }
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Draft")
            .field("code", &self.code.string())
            .field("identifier", &self.identifier)
            .finish_non_exhaustive()
    }
}

fn overwrite(bytes: &mut [u8], start: usize, with: &Authenticator) {
    bytes
        .iter_mut()
        .skip(start)
        .zip(with)
        .for_each(|(to, from)| *to = *from);
}
