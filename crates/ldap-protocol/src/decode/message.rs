//! Reads one whole `LDAPMessage` (RFC 4511 section 4.1.1).

use std::num::NonZeroU32;

use super::ber::{self, BerError, Element, Reader, ShapeError, tag};
use super::{
    Authentication, Bind, ChangeKind, Compare, Control, DecodeError, Deref, Extended, MAX_INT,
    MessageId, Modify, ModifyChange, Operation, Reason, Request, RequestKind, Scope, Search,
    UnparsedDn,
};
use crate::filter::{Filter, FilterDecodeError};
use crate::limits::{Limits, Phase};
use doorward_domain::secret::Secret;

/// Identifier octets of the requests (RFC 4511 appendix B).
mod request_tag {
    pub(super) const BIND: u8 = 0x60;
    pub(super) const UNBIND: u8 = 0x42;
    pub(super) const SEARCH: u8 = 0x63;
    pub(super) const MODIFY: u8 = 0x66;
    pub(super) const ADD: u8 = 0x68;
    pub(super) const DELETE: u8 = 0x4a;
    pub(super) const MODIFY_DN: u8 = 0x6c;
    pub(super) const COMPARE: u8 = 0x6e;
    pub(super) const ABANDON: u8 = 0x50;
    pub(super) const EXTENDED: u8 = 0x77;
}

const CONTROLS: u8 = 0xa0;
const SIMPLE: u8 = 0x80;
const SASL: u8 = 0xa3;
const EXTENDED_NAME: u8 = 0x80;
const EXTENDED_VALUE: u8 = 0x81;
/// Bits of an identifier octet that hold the class, and the context-specific class.
const CLASS: u8 = 0xc0;
const CONTEXT_SPECIFIC: u8 = 0x80;

/// Says how long the message at the front of `buffered` is, header included; `None` means that
/// more bytes are needed to tell.
///
/// # Errors
/// What cannot be the start of a message, and a message longer than `limits` allow in `phase`:
/// refused by its header, before its body is waited for.
pub fn frame_bytes(
    buffered: &[u8],
    limits: &Limits,
    phase: Phase,
) -> Result<Option<usize>, DecodeError> {
    let malformed = || DecodeError::disconnect(Reason::Malformed, None);
    match buffered.first() {
        None => return Ok(None),
        Some(&tag::SEQUENCE) => {}
        Some(_) => return Err(malformed()),
    }
    let Some(header) = ber::header(buffered).map_err(|_| malformed())? else {
        return Ok(None);
    };
    let total = header.prefix_bytes.saturating_add(header.content_bytes);
    if total > limits.message_bytes(phase) {
        return Err(DecodeError::disconnect(Reason::Oversized, None));
    }
    Ok(Some(total))
}

/// Reads one whole message, as long as [`frame_bytes`] said.
///
/// # Errors
/// Why it is refused, and what its sender must be sent: where the id, the kind of request and
/// the nesting of lengths are sound, a response of that kind, else a Notice of Disconnection
/// (RFC 4511 section 4.1.1).
pub fn decode(message: &[u8], limits: &Limits) -> Result<Request, DecodeError> {
    let envelope = Envelope::open(message)?;
    let Envelope {
        id,
        kind,
        operation,
        mut rest,
    } = envelope;
    let respond = |reason| DecodeError::respond(reason, id, kind);
    match ber::check_shape(message, limits) {
        Ok(()) => {}
        Err(ShapeError::Malformed) => {
            return Err(DecodeError::disconnect(Reason::Malformed, Some(id)));
        }
        Err(ShapeError::TooDeep) => return Err(respond(Reason::TooDeep)),
        Err(ShapeError::TooManyNodes) => return Err(respond(Reason::TooManyNodes)),
    }
    // The operation first: where both are wrong, its reason is the one to hear.
    let operation = read_operation(kind, operation, limits).map_err(respond)?;
    let controls = read_controls(&mut rest, limits).map_err(respond)?;
    Ok(Request {
        id,
        operation,
        controls,
    })
}

/// The parts of a message, its operation still unread.
struct Envelope<'a> {
    id: MessageId,
    kind: RequestKind,
    operation: Element<'a>,
    rest: Reader<'a>,
}

impl<'a> Envelope<'a> {
    fn open(message: &'a [u8]) -> Result<Self, DecodeError> {
        let malformed = |id| DecodeError::disconnect(Reason::Malformed, id);
        let mut outside = Reader::new(message);
        let mut rest = outside.sequence().map_err(|_| malformed(None))?;
        outside.finish().map_err(|_| malformed(None))?;
        let id = rest.integer().ok().and_then(MessageId::new);
        // Zero belongs to what the server sends unasked; an answer under it would be taken for
        // a notice.
        let id = id
            .filter(|id| *id != MessageId::UNSOLICITED)
            .ok_or(DecodeError::disconnect(Reason::MessageId, None))?;
        let operation = rest.element().map_err(|_| malformed(Some(id)))?;
        let kind = request_kind(operation.identifier)
            .ok_or(DecodeError::disconnect(Reason::UnknownOperation, Some(id)))?;
        Ok(Self {
            id,
            kind,
            operation,
            rest,
        })
    }
}

fn request_kind(identifier: u8) -> Option<RequestKind> {
    Some(match identifier {
        request_tag::BIND => RequestKind::Bind,
        request_tag::UNBIND => RequestKind::Unbind,
        request_tag::SEARCH => RequestKind::Search,
        request_tag::MODIFY => RequestKind::Modify,
        request_tag::ADD => RequestKind::Add,
        request_tag::DELETE => RequestKind::Delete,
        request_tag::MODIFY_DN => RequestKind::ModifyDn,
        request_tag::COMPARE => RequestKind::Compare,
        request_tag::ABANDON => RequestKind::Abandon,
        request_tag::EXTENDED => RequestKind::Extended,
        _ => return None,
    })
}

impl From<BerError> for Reason {
    fn from(_: BerError) -> Self {
        Self::Malformed
    }
}

impl From<FilterDecodeError> for Reason {
    fn from(error: FilterDecodeError) -> Self {
        match error {
            FilterDecodeError::Malformed => Self::Malformed,
            FilterDecodeError::TooLarge => Self::FilterTooLarge,
            FilterDecodeError::TooDeep => Self::FilterTooDeep,
        }
    }
}

fn read_operation(
    kind: RequestKind,
    operation: Element<'_>,
    limits: &Limits,
) -> Result<Operation, Reason> {
    let mut inside = operation.reader();
    // Components after those read are ignored: RFC 4511 section 4 asks for that where a
    // sequence may be extended, and every request may.
    Ok(match kind {
        RequestKind::Bind => Operation::Bind(read_bind(&mut inside)?),
        RequestKind::Unbind => Operation::Unbind,
        RequestKind::Search => Operation::Search(read_search(&mut inside, limits)?),
        RequestKind::Modify => Operation::Modify(read_modify(&mut inside)?),
        RequestKind::Add => Operation::Add {
            target: read_dn(&mut inside)?,
        },
        RequestKind::Delete => Operation::Delete {
            target: UnparsedDn::new(operation.content),
        },
        RequestKind::ModifyDn => Operation::ModifyDn {
            target: read_dn(&mut inside)?,
        },
        RequestKind::Compare => Operation::Compare(read_compare(&mut inside)?),
        RequestKind::Abandon => {
            let number = ber::integer(operation.content)?;
            Operation::Abandon(MessageId::new(number).ok_or(Reason::Malformed)?)
        }
        RequestKind::Extended => Operation::Extended(read_extended(&mut inside)?),
    })
}

fn read_dn(reader: &mut Reader<'_>) -> Result<UnparsedDn, Reason> {
    Ok(UnparsedDn::new(reader.octets()?))
}

fn read_bind(reader: &mut Reader<'_>) -> Result<Bind, Reason> {
    let version = u8::try_from(reader.integer()?).map_err(|_| Reason::Malformed)?;
    if !(1..=127).contains(&version) {
        return Err(Reason::Malformed);
    }
    let name = read_dn(reader)?;
    let choice = reader.element()?;
    let authentication = match choice.identifier {
        SIMPLE => Authentication::Simple(Secret::new(choice.content.to_vec())),
        SASL => {
            let mut inside = choice.reader();
            let mechanism = inside.text()?.to_owned();
            let credentials = inside.optional(tag::OCTET_STRING)?;
            let credentials = credentials.map(|bytes| Secret::new(bytes.to_vec()));
            Authentication::Sasl {
                mechanism,
                credentials,
            }
        }
        other if other & CLASS == CONTEXT_SPECIFIC => Authentication::Unknown,
        _ => return Err(Reason::Malformed),
    };
    Ok(Bind {
        version,
        name,
        authentication,
    })
}

fn read_search(reader: &mut Reader<'_>, limits: &Limits) -> Result<Search, Reason> {
    let base = read_dn(reader)?;
    let scope = match reader.enumerated()? {
        0 => Scope::Base,
        1 => Scope::OneLevel,
        2 => Scope::Subtree,
        _ => return Err(Reason::Malformed),
    };
    let deref = match reader.enumerated()? {
        0 => Deref::Never,
        1 => Deref::InSearching,
        2 => Deref::FindingBase,
        3 => Deref::Always,
        _ => return Err(Reason::Malformed),
    };
    let size_limit = read_limit(reader)?;
    let time_limit = read_limit(reader)?;
    let types_only = reader.boolean()?;
    let filter = Filter::read(reader.element()?, limits)?;
    let mut names = reader.sequence()?;
    let mut attributes = Vec::new();
    while !names.is_empty() {
        if attributes.len() == limits.requested_attributes {
            return Err(Reason::TooManyAttributes);
        }
        attributes.push(names.text()?.to_owned());
    }
    Ok(Search {
        base,
        scope,
        deref,
        size_limit,
        time_limit,
        types_only,
        filter,
        attributes,
    })
}

/// Reads an `INTEGER (0 .. maxInt)` where zero means no limit.
fn read_limit(reader: &mut Reader<'_>) -> Result<Option<NonZeroU32>, Reason> {
    let number = reader.integer()?;
    if number > MAX_INT {
        return Err(Reason::Malformed);
    }
    u32::try_from(number)
        .map(NonZeroU32::new)
        .map_err(|_| Reason::Malformed)
}

fn read_compare(reader: &mut Reader<'_>) -> Result<Compare, Reason> {
    let entry = read_dn(reader)?;
    let mut assertion = reader.sequence()?;
    let attribute = assertion.text()?.to_owned();
    let value = assertion.octets()?.to_vec();
    assertion.finish()?;
    Ok(Compare {
        entry,
        attribute,
        value,
    })
}

/// Bounded by the number of elements that one message may hold.
fn read_modify(reader: &mut Reader<'_>) -> Result<Modify, Reason> {
    let target = read_dn(reader)?;
    let mut list = reader.sequence()?;
    let mut changes = Vec::new();
    while !list.is_empty() {
        let mut change = list.sequence()?;
        let kind = match change.enumerated()? {
            0 => ChangeKind::Add,
            1 => ChangeKind::Delete,
            2 => ChangeKind::Replace,
            _ => ChangeKind::Other,
        };
        let mut attribute = change.sequence()?;
        let description = attribute.text()?.to_owned();
        let mut set = attribute.set()?;
        let mut values = Vec::new();
        while !set.is_empty() {
            values.push(Secret::new(set.octets()?.to_vec()));
        }
        changes.push(ModifyChange {
            kind,
            attribute: description,
            values,
        });
    }
    Ok(Modify { target, changes })
}

fn read_extended(reader: &mut Reader<'_>) -> Result<Extended, Reason> {
    let name = reader.optional(EXTENDED_NAME)?.ok_or(Reason::Malformed)?;
    let oid = std::str::from_utf8(name)
        .map_err(|_| Reason::Malformed)?
        .to_owned();
    let value = reader
        .optional(EXTENDED_VALUE)?
        .map(|bytes| Secret::new(bytes.to_vec()));
    Ok(Extended { oid, value })
}

/// Reads the controls after the operation. A second list is refused, so that no control can
/// hide behind another list; components with unknown tags are ignored (RFC 4511 section 4).
fn read_controls(rest: &mut Reader<'_>, limits: &Limits) -> Result<Vec<Control>, Reason> {
    let mut controls = Vec::new();
    let mut seen = false;
    while !rest.is_empty() {
        let component = rest.element()?;
        if component.identifier != CONTROLS {
            // A primitive [0] is a list in the wrong form, not an extension.
            if component.identifier == CONTROLS ^ 0x20 {
                return Err(Reason::Malformed);
            }
            continue;
        }
        if seen {
            return Err(Reason::Malformed);
        }
        seen = true;
        let mut list = component.reader();
        while !list.is_empty() {
            if controls.len() == limits.controls {
                return Err(Reason::TooManyControls);
            }
            controls.push(read_control(&mut list.sequence()?)?);
        }
    }
    Ok(controls)
}

fn read_control(reader: &mut Reader<'_>) -> Result<Control, Reason> {
    let oid = reader.text()?.to_owned();
    let critical = reader
        .optional(tag::BOOLEAN)?
        .map(ber::boolean)
        .transpose()?
        .unwrap_or(false);
    let value = reader.optional(tag::OCTET_STRING)?.map(<[u8]>::to_vec);
    reader.finish()?;
    Ok(Control {
        oid,
        critical,
        value,
    })
}
