//! The key that both ends derive from the TLS session.

use rustls::{ProtocolVersion, ServerConnection};
use zeroize::Zeroizing;

use super::settings::Method;

/// Octets of the MSK and of the EMSK (RFC 3748 §7.10).
const LENGTH: usize = 64;

/// The MSK. Its halves are what a NAS gets, to derive the keys of the air from.
#[derive(Clone)]
pub struct MasterSessionKey(Zeroizing<[u8; LENGTH]>);

impl MasterSessionKey {
    /// Derives it from an established session: by the label of the method in TLS 1.2 (RFC 5216
    /// §2.3, RFC 5281 §8), by one label with the method's number as context in TLS 1.3 (RFC 9190
    /// §2.3, RFC 9427 §2.1).
    ///
    /// # Errors
    /// The handshake is not over.
    pub(super) fn derive(
        connection: &ServerConnection,
        method: Method,
    ) -> Result<Self, rustls::Error> {
        // Both keys are asked for in one: in TLS 1.3 the length goes into the derivation.
        let both = Zeroizing::new([0_u8; 2 * LENGTH]);
        let number = [method.number()];
        let (label, context): (&[u8], Option<&[u8]>) = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => (b"EXPORTER_EAP_TLS_Key_Material", Some(&number)),
            _ => (method.label(), None),
        };
        let both = Zeroizing::new(connection.export_keying_material(*both, label, context)?);
        let mut this = Self(Zeroizing::new([0; LENGTH]));
        this.0
            .iter_mut()
            .zip(both.iter())
            .for_each(|(to, from)| *to = *from);
        Ok(this)
    }

    /// MS-MPPE-Recv-Key: what the NAS receives under (RFC 2548 §2.4.3).
    pub fn receive_key(&self) -> &[u8] {
        self.0.split_at(LENGTH / 2).0
    }

    /// MS-MPPE-Send-Key: what the NAS sends under (RFC 2548 §2.4.2).
    pub fn send_key(&self) -> &[u8] {
        self.0.split_at(LENGTH / 2).1
    }
}

impl std::fmt::Debug for MasterSessionKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("MasterSessionKey(…)")
    }
}
