//! What requests are answered: result codes, responses and their bytes (RFC 4511 section 4.1.9).

mod entry;
mod reply;
#[cfg(test)]
mod tests;

use std::fmt;

pub use entry::{EntryWriter, PartialAttribute, SearchEntry, Written};
pub use reply::{NOTICE_OF_DISCONNECTION, Reply, Response};

macro_rules! result_codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $label:literal;)+) => {
        /// The result codes we send (RFC 4511 appendix A).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ResultCode {
            $($(#[$doc])* $name = $number,)+
        }

        impl ResultCode {
            /// The number on the wire.
            pub const fn number(self) -> u8 {
                self as u8
            }

            /// The name in RFC 4511, for logs and metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $label,)+
                }
            }

            #[cfg(test)]
            const ALL: &'static [Self] = &[$(Self::$name,)+];
        }
    };
}

result_codes! {
    /// The operation succeeded.
    Success = 0, "success";
    /// The operation came at the wrong moment, as StartTLS under TLS does.
    OperationsError = 1, "operationsError";
    /// The request breaks the protocol.
    ProtocolError = 2, "protocolError";
    /// The time limit passed before the end.
    TimeLimitExceeded = 3, "timeLimitExceeded";
    /// More entries than the size limit.
    SizeLimitExceeded = 4, "sizeLimitExceeded";
    /// The comparison is false or undefined.
    CompareFalse = 5, "compareFalse";
    /// The comparison is true.
    CompareTrue = 6, "compareTrue";
    /// The authentication method or SASL mechanism is not known.
    AuthMethodNotSupported = 7, "authMethodNotSupported";
    /// Stronger authentication is wanted for this.
    StrongerAuthRequired = 8, "strongerAuthRequired";
    /// An administrative limit was reached.
    AdminLimitExceeded = 11, "adminLimitExceeded";
    /// A critical control is not known or does not apply.
    UnavailableCriticalExtension = 12, "unavailableCriticalExtension";
    /// TLS is wanted first.
    ConfidentialityRequired = 13, "confidentialityRequired";
    /// A SASL bind goes on.
    SaslBindInProgress = 14, "saslBindInProgress";
    /// The entry lacks the attribute.
    NoSuchAttribute = 16, "noSuchAttribute";
    /// The attribute's description is not known.
    UndefinedAttributeType = 17, "undefinedAttributeType";
    /// No matching rule of the kind asked for exists for the attribute.
    InappropriateMatching = 18, "inappropriateMatching";
    /// A value breaks a constraint, as a new password can.
    ConstraintViolation = 19, "constraintViolation";
    /// A value does not fit the attribute's syntax.
    InvalidAttributeSyntax = 21, "invalidAttributeSyntax";
    /// There is no such entry.
    NoSuchObject = 32, "noSuchObject";
    /// The name is no DN.
    InvalidDnSyntax = 34, "invalidDNSyntax";
    /// Anonymous or unauthenticated where credentials are wanted.
    InappropriateAuthentication = 48, "inappropriateAuthentication";
    /// The credentials are wrong, or nothing more may be said.
    InvalidCredentials = 49, "invalidCredentials";
    /// The client may not do this.
    InsufficientAccessRights = 50, "insufficientAccessRights";
    /// Too busy now.
    Busy = 51, "busy";
    /// Not available now.
    Unavailable = 52, "unavailable";
    /// The server does not do this.
    UnwillingToPerform = 53, "unwillingToPerform";
    /// Anything else.
    Other = 80, "other";
    /// The operation was cancelled (RFC 3909).
    Canceled = 118, "canceled";
    /// There is nothing to cancel (RFC 3909).
    NoSuchOperation = 119, "noSuchOperation";
    /// Too late to cancel (RFC 3909).
    TooLate = 120, "tooLate";
    /// The operation cannot be cancelled (RFC 3909).
    CannotCancel = 121, "cannotCancel";
}

impl fmt::Display for ResultCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.name(), self.number())
    }
}

/// An `LDAPResult` (RFC 4511 section 4.1.9); we never refer to other servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdapResult {
    /// How it ended.
    pub code: ResultCode,
    /// The nearest entry that exists, for noSuchObject; else empty.
    pub matched_dn: String,
    /// A sentence for a person, or nothing.
    pub diagnostic: String,
}

impl LdapResult {
    /// A bare code.
    pub fn new(code: ResultCode) -> Self {
        Self::with_diagnostic(code, "")
    }

    /// A code and a sentence.
    pub fn with_diagnostic(code: ResultCode, diagnostic: impl Into<String>) -> Self {
        Self {
            code,
            matched_dn: String::new(),
            diagnostic: diagnostic.into(),
        }
    }

    /// The same, with the nearest entry that exists.
    #[must_use]
    pub fn matching(mut self, dn: impl Into<String>) -> Self {
        self.matched_dn = dn.into();
        self
    }
}

impl From<ResultCode> for LdapResult {
    fn from(code: ResultCode) -> Self {
        Self::new(code)
    }
}
