//! Simple paged results (RFC 2696): the control's value, both ways.

use super::Malformed;
use crate::decode::Control;
use crate::decode::ber;
use crate::decode::ber::{BerError, Reader, tag};

/// The paged results control, request and response.
pub const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";

/// The largest page that can be asked for, `maxInt`.
const LARGEST: u32 = 0x7fff_ffff;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagedRequest {
    /// The most entries of the page.
    pub size: u32,
    /// What the last page's response carried; empty for the first page.
    pub cookie: Vec<u8>,
}

impl PagedRequest {
    /// Reads the value of the request control.
    ///
    /// # Errors
    /// It is not what RFC 2696 section 2 defines.
    pub fn read(value: Option<&[u8]>) -> Result<Self, Malformed> {
        value
            .and_then(|value| read(value).ok())
            .ok_or(Malformed("the value of the paged results control is wrong"))
    }
}

fn read(value: &[u8]) -> Result<PagedRequest, BerError> {
    let mut outside = Reader::new(value);
    let mut inside = outside.sequence()?;
    outside.finish()?;
    let size = u32::try_from(inside.integer()?).map_err(|_| BerError::BadContent)?;
    let cookie = inside.octets()?.to_vec();
    inside.finish()?;
    if size > LARGEST {
        return Err(BerError::BadContent);
    }
    Ok(PagedRequest { size, cookie })
}

/// The response control: how to ask for the next page; an empty cookie where there is none. Its
/// estimate of the whole is 0, which says that there is none.
pub fn paged_response(cookie: &[u8]) -> Control {
    let mut inside = vec![tag::INTEGER, 1, 0];
    ber::write(&mut inside, tag::OCTET_STRING, cookie);
    let mut value = Vec::new();
    ber::write(&mut value, tag::SEQUENCE, &inside);
    Control {
        oid: PAGED_RESULTS.to_owned(),
        critical: false,
        value: Some(value),
    }
}
