//! Why a datagram got no reply, or got an Access-Reject without an account being asked.

use super::wire::{IntegrityFault, Malformed};

macro_rules! reasons {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident => $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every reason, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in metrics and logs.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    };
}

reasons! {
    /// Why a datagram was dropped in silence. Each is counted.
    DropReason {
        /// The source address belongs to no client (RFC 2865 §3).
        UnknownClient => "unknown_client",
        /// The client sends more datagrams than its rate allows.
        RateLimited => "rate_limited",
        /// More comes from the client's address without a proof than its rate allows.
        UnprovenRateLimited => "unproven_rate_limited",
        /// Shorter than a header.
        Short => "short",
        /// The Length field is out of range.
        Length => "length",
        /// The datagram ends before its Length field says.
        Truncated => "truncated",
        /// An attribute with an impossible length.
        MalformedAttribute => "malformed_attribute",
        /// More attributes than any honest packet has.
        TooManyAttributes => "too_many_attributes",
        /// A code that this port does not serve.
        UnexpectedCode => "unexpected_code",
        /// No Message-Authenticator where one is required.
        MessageAuthenticatorMissing => "message_authenticator_missing",
        /// A wrong Message-Authenticator: another secret, or a forged packet.
        MessageAuthenticatorWrong => "message_authenticator_wrong",
        /// A Message-Authenticator that is not 16 octets long.
        MessageAuthenticatorSize => "message_authenticator_size",
        /// More than one Message-Authenticator.
        MessageAuthenticatorRepeated => "message_authenticator_repeated",
        /// Proxy-State without Message-Authenticator: the shape of the Blast-RADIUS attack.
        ProxyStateUnproven => "proxy_state_unproven",
        /// An attribute that decides something stands there twice.
        RepeatedAttribute => "repeated_attribute",
        /// A User-Password of an impossible length.
        MalformedPassword => "malformed_password",
        /// Pieces of an EAP packet with other attributes between them.
        EapMessageScattered => "eap_message_scattered",
        /// An EAP packet that its conversation was not waiting for (RFC 3748 §4.1).
        EapDiscarded => "eap_discarded",
        /// A second request of a conversation while the first is being worked on.
        EapBusy => "eap_busy",
        /// The Proxy-States to be copied leave no room for a reply.
        ReplyTooLong => "reply_too_long",
        /// A retransmission of a request that is still being decided (RFC 5080 §2.2.2).
        DuplicateInFlight => "duplicate_in_flight",
        /// An unproven request under the identifier of a proven one that is being decided.
        Conflicting => "conflicting",
        /// No room to remember another request.
        TableFull => "table_full",
        /// No room to decide another request.
        Overloaded => "overloaded",
        /// The authenticator had no room; the retransmission is decided anew.
        Busy => "busy",
        /// The store could not be asked; the retransmission is decided anew.
        Unavailable => "unavailable",
        /// The answer came after the client had given its identifier to another request.
        Superseded => "superseded",
        /// An Accounting-Request whose authenticator is wrong.
        AccountingWrong => "accounting_authenticator_wrong",
        /// An Accounting-Request without Acct-Status-Type or Acct-Session-Id.
        AccountingMalformed => "accounting_malformed",
    }
}

reasons! {
    /// Why an Access-Reject was sent without an account being asked.
    RejectReason {
        /// MS-CHAP of version 1, CHAP, MS-CHAPv2 or EAP where they are off, or no credentials at all.
        UnsupportedAuthentication => "unsupported_authentication",
        /// A User-Password beside other credentials (RFC 2865 §4.1, RFC 3579 §3.1).
        AmbiguousCredentials => "ambiguous_credentials",
        /// A device's address in the place of credentials, from a client that lets no device in.
        MabDisabled => "mab_disabled",
        /// A device's request (Call-Check) whose User-Name, Calling-Station-Id and password are not
        /// one address.
        MabMalformed => "mab_malformed",
        /// A State that was used, has lapsed, or was given to another client, user or device.
        EapStateUnknown => "eap_state_unknown",
        /// The peer wants no EAP method that is enabled.
        EapNoCommonMethod => "eap_no_common_method",
        /// TLS failed inside EAP.
        EapTls => "eap_tls",
        /// A user's certificate that TLS verified and that cannot be read.
        EapCertificate => "eap_certificate",
        /// An EAP packet, a fragment or the content of a tunnel that makes no sense.
        EapMalformed => "eap_malformed",
        /// More EAP packets than a conversation needs.
        EapTooLong => "eap_too_long",
    }
}

impl DropReason {
    /// What an operator can do about it, where there is something.
    pub const fn cure(self) -> Option<&'static str> {
        match self {
            Self::UnknownClient => {
                Some("no [[radius.client]] has this address; add one if it is yours")
            }
            Self::RateLimited => Some("the client sends more than its rate allows"),
            Self::UnprovenRateLimited => Some(
                "more comes from its address without a right Message-Authenticator than its rate \
                 allows; somebody may be forging the address",
            ),
            Self::MessageAuthenticatorMissing => Some(
                "it has no Message-Authenticator; update the client or switch it on there, or, if \
                 neither can be done, set require_message_authenticator = false for this client",
            ),
            Self::ProxyStateUnproven => Some(
                "it has Proxy-State and no Message-Authenticator, which is how CVE-2024-3596 is \
                 exploited; update the proxy, or set limit_proxy_state = false for this client",
            ),
            Self::MessageAuthenticatorWrong => {
                Some("its Message-Authenticator is wrong; most likely the secrets differ")
            }
            Self::AccountingWrong => {
                Some("its Request Authenticator is wrong; most likely the secrets differ")
            }
            Self::Overloaded | Self::TableFull => Some("too many requests are being decided"),
            _ => None,
        }
    }
}

impl From<Malformed> for DropReason {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::Short => Self::Short,
            Malformed::Length => Self::Length,
            Malformed::Truncated => Self::Truncated,
            Malformed::Attribute => Self::MalformedAttribute,
            Malformed::TooMany => Self::TooManyAttributes,
        }
    }
}

impl From<IntegrityFault> for DropReason {
    fn from(fault: IntegrityFault) -> Self {
        match fault {
            IntegrityFault::Repeated => Self::MessageAuthenticatorRepeated,
            IntegrityFault::Size => Self::MessageAuthenticatorSize,
            IntegrityFault::Wrong | IntegrityFault::Response => Self::MessageAuthenticatorWrong,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_has_a_name_of_its_own() {
        let names: HashSet<_> = DropReason::ALL
            .iter()
            .map(|reason| reason.as_str())
            .collect();
        assert_eq!(names.len(), DropReason::ALL.len());
    }

    #[test]
    fn the_manual_lists_every_reason() {
        let manual = include_str!("../../../docs/radius.md");
        let drops = DropReason::ALL.iter().map(|reason| reason.as_str());
        let rejects = RejectReason::ALL.iter().map(|reason| reason.as_str());
        for name in drops.chain(rejects) {
            assert!(
                manual.contains(&format!("`{name}`")),
                "docs/radius.md lacks {name}"
            );
        }
    }
}
