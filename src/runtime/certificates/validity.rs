//! From when until when a certificate holds, so that an operator hears of its end before clients
//! do.
//!
//! rustls has no reader of certificates, but its verifier names the date that it finds violated
//! before it looks at anything else: asked about the beginning of time it names the first, asked
//! about the end of time the last.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error, RootCertStore};

use super::provider;
use doorward_domain::time::Timestamp;

/// The span in which a certificate holds (RFC 5280 4.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// It holds from here.
    pub not_before: Timestamp,
    /// It holds until here.
    pub not_after: Timestamp,
}

impl Validity {
    /// Reads it from a certificate; nothing where it cannot be read.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        // Any root will do: the dates come first.
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).ok()?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .ok()?;
        let name = ServerName::try_from("localhost").ok()?;
        let ask = |at: u64| {
            let at = UnixTime::since_unix_epoch(Duration::from_secs(at));
            verifier
                .verify_server_cert(certificate, &[], &name, &[], at)
                .err()
        };
        let not_before = match ask(0)? {
            Error::InvalidCertificate(CertificateError::NotValidYetContext {
                not_before, ..
            }) => timestamp(not_before),
            _ => Timestamp::EPOCH,
        };
        let not_after = match ask(u64::MAX)? {
            Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
                timestamp(not_after)
            }
            _ => return None,
        };
        Some(Self {
            not_before,
            not_after,
        })
    }

    /// Whether it holds at `now`.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

fn timestamp(time: UnixTime) -> Timestamp {
    Timestamp::EPOCH.plus(Duration::from_secs(time.as_secs()))
}
