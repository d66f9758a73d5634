//! TLS alerts in words (RFC 8446 section 6, RFC 5246 section 7.2): which, and what to look at.

use std::fmt;

/// The description of an alert, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alert(pub u8);

impl Alert {
    /// The alert that a peer sent, where TLS failed for one.
    pub fn received(error: &rustls::Error) -> Option<Self> {
        match error {
            rustls::Error::AlertReceived(description) => Some(Self(u8::from(*description))),
            _ => None,
        }
    }

    /// Its registered name.
    pub const fn name(self) -> &'static str {
        match self.0 {
            0 => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            22 => "record_overflow",
            40 => "handshake_failure",
            42 => "bad_certificate",
            43 => "unsupported_certificate",
            44 => "certificate_revoked",
            45 => "certificate_expired",
            46 => "certificate_unknown",
            47 => "illegal_parameter",
            48 => "unknown_ca",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            86 => "inappropriate_fallback",
            90 => "user_canceled",
            109 => "missing_extension",
            110 => "unsupported_extension",
            112 => "unrecognized_name",
            113 => "bad_certificate_status_response",
            115 => "unknown_psk_identity",
            116 => "certificate_required",
            120 => "no_application_protocol",
            _ => "unknown",
        }
    }

    /// What to look at where the other end sent it.
    pub const fn advice(self) -> Option<&'static str> {
        Some(match self.0 {
            48 => {
                "the other end does not trust the CA of the certificate it was shown: install \
                 that CA there, or choose it in its settings"
            }
            42 | 43 | 46 => {
                "the other end does not accept the certificate it was shown: compare the name it \
                 expects (domain_match, \"domain\", TLS_REQCERT) and the purposes in it"
            }
            44 => "the other end holds the certificate it was shown to be revoked",
            45 => {
                "the other end holds the certificate it was shown to be expired or not valid yet: \
                 look at its dates and at the clock there"
            }
            40 | 70 | 71 => {
                "the two ends have no version of TLS or no cipher in common: 1.2 with forward \
                 secrecy and 1.3 are spoken here"
            }
            49 | 90 => "somebody or something there chose not to go on",
            112 => "the other end expects another name than the certificate has",
            _ => return None,
        })
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.name(), self.0)
    }
}
