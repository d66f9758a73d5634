//! What goes back to a client. An Access-Accept for a user is made of a proof and of nothing else.

use std::sync::Arc;

use tracing::warn;

use super::accounting;
use super::attributes::{AtTimeout, push_attributes};
use super::challenges::MsChapAsked;
use super::client::ClientSettings;
use super::sessions::State;
use super::wire::{
    Authenticator, Code, Draft, Keys, MAX_LENGTH, MAX_VALUE, MppeKey, Oversized, Packet,
    ProxyStates, kind,
};
use doorward_domain::reply::ReplyAttributes;
use doorward_eap::{Challenge, Granted, Method, packet};
use doorward_frontend_api::{AdmittedDevice, Authenticated, Refusal};

/// Octets of an EAP-Failure with its attribute header: the most an Access-Reject needs besides its
/// Proxy-States.
const EAP_FAILURE: usize = 6;
/// Error-Cause for what a server does not do (RFC 5176 §3.5).
const UNSUPPORTED_EXTENSION: u32 = 406;

/// A sealed reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Its code.
    pub code: Code,
    /// The octets to send.
    pub bytes: bytes::Bytes,
    /// The EAP conversation that ends well with it.
    pub eap: Option<EapLogin>,
}

/// How somebody was let in by EAP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EapLogin {
    /// By which method.
    pub method: Method,
    /// Whether a session was taken up again.
    pub resumed: bool,
}

/// What a reply needs to know of its request.
pub struct Envelope {
    client: Arc<ClientSettings>,
    keys: Keys,
    identifier: u8,
    authenticator: Authenticator,
    proxy_states: ProxyStates,
}

impl Envelope {
    /// Keeps what a reply to that request needs.
    ///
    /// # Errors
    /// Where its Proxy-States leave no room for a reply.
    pub fn new(
        packet: &Packet<'_>,
        client: &Arc<ClientSettings>,
        keys: Keys,
    ) -> Result<Self, Oversized> {
        let this = Self {
            client: Arc::clone(client),
            keys,
            identifier: packet.identifier(),
            authenticator: *packet.authenticator(),
            proxy_states: ProxyStates::of(packet),
        };
        let mut longest = this.draft(Code::AccessReject);
        longest.push_proxy_states(&this.proxy_states)?;
        if longest.length() + EAP_FAILURE > MAX_LENGTH {
            return Err(Oversized);
        }
        Ok(this)
    }

    /// The client.
    pub fn client(&self) -> &Arc<ClientSettings> {
        &self.client
    }

    /// An Access-Accept: Message-Authenticator, what MS-CHAPv2 needs where it came by that, the
    /// canonical User-Name, the Class that tells whose the session is, the reply attributes, the
    /// Proxy-States. `salt` is random.
    ///
    /// # Errors
    /// Never, where [`Envelope::new`] succeeded and it did not come by MS-CHAPv2.
    pub fn accept(
        &self,
        proof: &Authenticated,
        ms_chap: Option<&MsChapAsked>,
        salt: u16,
    ) -> Result<Reply, Oversized> {
        let mut bare = self.draft(Code::AccessAccept);
        if let (Some(asked), Some(success)) = (ms_chap, proof.ms_chap_v2()) {
            let hidden_by = (&self.keys, &self.authenticator, salt);
            asked.push_success(&mut bare, success, hidden_by)?;
        }
        let mut named = bare.clone();
        named.push(kind::USER_NAME, proof.username().as_str().as_bytes())?;
        named.push(kind::CLASS, &accounting::class(&self.client, proof))?;
        self.push_reply(&mut named, proof.reply(), proof.username(), AtTimeout::End)?;
        self.accepted(named, bare)
    }

    /// An Access-Accept for a device: Message-Authenticator, the Class that tells whose the session
    /// is, the reply attributes, the Proxy-States.
    ///
    /// # Errors
    /// Never, where [`Envelope::new`] succeeded.
    pub fn accept_device(&self, proof: &AdmittedDevice) -> Result<Reply, Oversized> {
        let mut draft = self.draft(Code::AccessAccept);
        let class = accounting::class_of_device(&self.client, proof);
        draft.push(kind::CLASS, &class)?;
        let at_timeout = AtTimeout::Reauthenticate;
        self.push_reply(&mut draft, proof.reply(), &proof.address(), at_timeout)?;
        self.accepted(draft, self.draft(Code::AccessAccept))
    }

    /// With its Proxy-States: whole, or bare where they leave no room.
    fn accepted(&self, mut full: Draft, mut bare: Draft) -> Result<Reply, Oversized> {
        if full.push_proxy_states(&self.proxy_states).is_ok() {
            return self.seal(&full);
        }
        // User-Name and Class are a courtesy, Proxy-State a duty.
        bare.push_proxy_states(&self.proxy_states)?;
        self.seal(&bare)
    }

    /// An Access-Accept that ends an EAP conversation: EAP-Success, the keys of the session, the
    /// canonical User-Name, the Class that tells whose the session is, the reply attributes, the
    /// Proxy-States. `salt` is random.
    ///
    /// # Errors
    /// Where the Proxy-States leave no room.
    pub fn accept_eap(&self, granted: &Granted, salt: u16) -> Result<Reply, Oversized> {
        let mut draft = self.draft(Code::AccessAccept);
        push_eap(&mut draft, &granted.packet)?;
        let key = &granted.key;
        for (which, key, salt) in [
            (MppeKey::Receive, key.receive_key(), salt),
            (MppeKey::Send, key.send_key(), salt ^ 1),
        ] {
            let value = self.keys.mppe_key(which, key, salt, &self.authenticator);
            draft.push(kind::VENDOR_SPECIFIC, &value)?;
        }
        let name = granted.proof.username().as_str().as_bytes();
        draft.push(kind::USER_NAME, name)?;
        let class = accounting::class(&self.client, &granted.proof);
        draft.push(kind::CLASS, &class)?;
        let (reply, user) = (granted.proof.reply(), granted.proof.username());
        self.push_reply(&mut draft, reply, user, AtTimeout::Reauthenticate)?;
        draft.push_proxy_states(&self.proxy_states)?;
        let login = EapLogin {
            method: granted.method,
            resumed: granted.resumed,
        };
        Ok(Reply {
            eap: Some(login),
            ..self.seal(&draft)?
        })
    }

    /// An Access-Challenge: an EAP-Request, the State that its answer must bring, and how long the
    /// user may take where that is longer than a machine needs (RFC 3579 §2.3).
    ///
    /// # Errors
    /// Where the Proxy-States leave no room.
    pub fn challenge(&self, challenge: &Challenge, state: &State) -> Result<Reply, Oversized> {
        let mut draft = self.draft(Code::AccessChallenge);
        push_eap(&mut draft, &challenge.packet)?;
        draft.push(kind::STATE, state)?;
        if let Some(patience) = challenge.patience {
            let seconds = u32::try_from(patience.as_secs()).unwrap_or(u32::MAX);
            draft.push(kind::SESSION_TIMEOUT, &seconds.to_be_bytes())?;
        }
        draft.push_proxy_states(&self.proxy_states)?;
        self.seal(&draft)
    }

    /// An Access-Reject: Message-Authenticator, an EAP-Failure where the request carries EAP
    /// (RFC 3579 §2.6.3), the Proxy-States, and nothing that tells why (CONTRACT.md 5.2).
    ///
    /// # Errors
    /// Never, where [`Envelope::new`] succeeded.
    pub fn reject(&self, eap: Option<u8>) -> Result<Reply, Oversized> {
        let mut draft = self.draft(Code::AccessReject);
        if let Some(identifier) = eap {
            draft.push(kind::EAP_MESSAGE, &packet::failure(identifier))?;
        }
        draft.push_proxy_states(&self.proxy_states)?;
        self.seal(&draft)
    }

    /// An Access-Reject of MS-CHAPv2: [`Envelope::reject`] with an MS-CHAP-Error, which tells more
    /// than that only to whoever knows the password (CONTRACT.md 5.3).
    ///
    /// # Errors
    /// Never, where [`Envelope::new`] succeeded.
    pub fn reject_ms_chap(
        &self,
        asked: &MsChapAsked,
        refusal: Refusal,
    ) -> Result<Reply, Oversized> {
        let mut draft = self.draft(Code::AccessReject);
        let told = asked
            .push_failure(&mut draft, refusal)
            .and_then(|()| draft.push_proxy_states(&self.proxy_states));
        match told {
            Ok(()) => self.seal(&draft),
            Err(Oversized) => self.reject(None),
        }
    }

    /// An Accounting-Response: the report is safe. The Proxy-States, and nothing else.
    ///
    /// # Errors
    /// Never, where [`Envelope::new`] succeeded.
    pub fn recorded(&self) -> Result<Reply, Oversized> {
        let mut draft = self.draft(Code::AccountingResponse);
        draft.push_proxy_states(&self.proxy_states)?;
        let bytes = self
            .keys
            .seal_accounting_reply(&draft, &self.authenticator)?;
        Ok(Reply {
            code: draft.code(),
            bytes: bytes.into(),
            eap: None,
        })
    }

    /// Appends somebody's reply attributes, as many as leave room for the Proxy-States: what every
    /// Access-Accept for somebody does once all that it cannot do without is in it.
    fn push_reply(
        &self,
        draft: &mut Draft,
        reply: &ReplyAttributes,
        whose: &dyn std::fmt::Display,
        at_timeout: AtTimeout,
    ) -> Result<(), Oversized> {
        let to_come = self.proxy_states.length();
        let left_out = push_attributes(draft, reply, at_timeout, to_come)?;
        if let Some(first) = left_out.first() {
            warn!(
                client.name = %self.client.name(),
                user = %whose,
                attributes = left_out.len(),
                first = first.name(),
                "reply attributes are left out: the Access-Accept has no room for them"
            );
        }
        Ok(())
    }

    fn draft(&self, code: Code) -> Draft {
        Draft::new(code, self.identifier)
    }

    fn seal(&self, draft: &Draft) -> Result<Reply, Oversized> {
        let bytes = self.keys.seal_reply(draft, &self.authenticator)?;
        Ok(Reply {
            code: draft.code(),
            bytes: bytes.into(),
            eap: None,
        })
    }
}

/// Appends an EAP packet in pieces of 253 octets, one after another (RFC 3579 §3.1).
fn push_eap(draft: &mut Draft, packet: &[u8]) -> Result<(), Oversized> {
    packet
        .chunks(MAX_VALUE)
        .try_for_each(|piece| draft.push(kind::EAP_MESSAGE, piece))
}

/// The answer to a Status-Server: this port is alive (RFC 5997 §4.2). It says nothing of any user.
///
/// # Errors
/// Never: it carries one attribute.
pub fn alive(request: &Packet<'_>, keys: &Keys, accounting: bool) -> Result<Reply, Oversized> {
    let code = if accounting {
        Code::AccountingResponse
    } else {
        Code::AccessAccept
    };
    bare(&Draft::new(code, request.identifier()), request, keys)
}

/// The answer to a Disconnect-Request or a CoA-Request on a connection: nothing here is asked that
/// way (RFC 6614 §2.5). Nothing where it is neither.
pub fn unsupported(request: &Packet<'_>, keys: &Keys) -> Option<Result<Reply, Oversized>> {
    let code = match request.code() {
        Code::DisconnectRequest => Code::DisconnectNAK,
        Code::CoARequest => Code::CoANAK,
        _ => return None,
    };
    let mut draft = Draft::new(code, request.identifier());
    let pushed = draft.push(kind::ERROR_CAUSE, &UNSUPPORTED_EXTENSION.to_be_bytes());
    Some(pushed.and_then(|()| bare(&draft, request, keys)))
}

fn bare(draft: &Draft, request: &Packet<'_>, keys: &Keys) -> Result<Reply, Oversized> {
    let bytes = keys.seal_reply(draft, request.authenticator())?;
    Ok(Reply {
        code: draft.code(),
        bytes: bytes.into(),
        eap: None,
    })
}
