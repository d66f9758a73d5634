//! A site with RADIUS over TLS, and a client of it that offers what it is told to.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use doorward::runtime::certificates::{Certificate, ClientTrust, Protection, provider};
use doorward_domain::certificate::CertificateName;
use doorward_ldap_protocol::settings::ClientCertificate;
use doorward_radius::Settings;
use doorward_radius::radsec::{Bounds, Listen};
use doorward_radius_protocol::client::{ClientSettings, Clients};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client_ca::ClientCa;
use crate::harness::{Running, resources};

/// Both versions of TLS.
pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A running server, and the CA that it and its clients believe.
pub(crate) struct Site {
    pub(crate) running: Running,
    pub(crate) ca: ClientCa,
    protection: Arc<Protection>,
    address: SocketAddr,
    _folder: TempDir,
}

/// The settings of clients that come over TLS alone, named as their certificates are.
pub(crate) fn settings(names: &[&str], bounds: Bounds) -> Settings {
    let clients = names.iter().map(|name| {
        let certificate = CertificateName::parse(&format!("{name}.example.org")).unwrap();
        ClientSettings::over_tls(vec![certificate], &[], Arc::new(resources(name))).unwrap()
    });
    let mut settings = Settings::new(Clients::new(clients.collect()).unwrap());
    settings.connections = bounds;
    settings
}

impl Site {
    /// Its clients are `proxy` and `other`.
    pub(crate) async fn start(bounds: Bounds) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca = ClientCa::new(folder.path().join("ca"));
        for (serial, name) in ["localhost", "proxy.example.org", "other.example.org"]
            .into_iter()
            .enumerate()
        {
            ca.issue(name, 10 + serial as u64);
        }
        ca.issue("stranger.example.org", 20);
        let certificate = Certificate::open(&ca.path("localhost.pem"), &ca.path("localhost.key"));
        let trust = ClientTrust {
            ca: ca.path("ca.pem"),
            crl: Some(ca.path("crl.pem")),
        };
        let protection = Protection::new(Arc::new(certificate.unwrap()), Some(trust)).unwrap();
        let protection = Arc::new(protection);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tls = Arc::clone(&protection);
        let listen = Listen {
            listeners: vec![listener],
            tls: Arc::new(move || tls.config(ClientCertificate::Required)),
        };
        Self {
            running: Running::serving(settings(&["proxy", "other"], bounds), Some(listen)),
            ca,
            protection,
            address,
            _folder: folder,
        }
    }

    /// Revokes these, as an administrator does.
    pub(crate) fn revoke(&self, serials: &[u64]) {
        self.ca.revoke(serials);
        self.protection.reload_trust_if_changed().unwrap();
    }

    /// A connection of the client `proxy`.
    pub(crate) async fn connect(&self) -> Connection {
        self.connect_as("proxy.example.org", &VERSIONS, &[])
            .await
            .unwrap()
    }

    /// A connection with that certificate, by those versions of TLS, offering those protocols.
    pub(crate) async fn connect_as(
        &self,
        name: &str,
        versions: &[&'static SupportedProtocolVersion],
        offered: &[&str],
    ) -> io::Result<Connection> {
        let shown = Some((self.ca.folder(), name));
        self.connect_with(shown, versions, offered).await
    }

    pub(crate) async fn connect_with(
        &self,
        shown: Option<(&Path, &str)>,
        versions: &[&'static SupportedProtocolVersion],
        offered: &[&str],
    ) -> io::Result<Connection> {
        let mut roots = RootCertStore::empty();
        let ca = fs::read(self.ca.path("ca.pem")).unwrap();
        roots
            .add(CertificateDer::from_pem_slice(&ca).unwrap())
            .unwrap();
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match shown {
            None => builder.with_no_client_auth(),
            Some((folder, name)) => {
                let file = |ending: &str| fs::read(folder.join(format!("{name}.{ending}")));
                let chain = CertificateDer::from_pem_slice(&file("pem").unwrap()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(&file("key").unwrap()).unwrap();
                builder.with_client_auth_cert(vec![chain], key).unwrap()
            }
        };
        config.alpn_protocols = offered
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, stream).await.map(Connection)
    }
}

/// A client's end of a connection.
#[derive(Debug)]
pub(crate) struct Connection(TlsStream<TcpStream>);

impl Connection {
    pub(crate) async fn send(&mut self, packet: &[u8]) {
        self.0.write_all(packet).await.unwrap();
        self.0.flush().await.unwrap();
    }

    pub(crate) async fn receive(&mut self) -> Vec<u8> {
        let mut packet = vec![0; 4];
        self.0.read_exact(&mut packet).await.unwrap();
        let length = u16::from_be_bytes([packet[2], packet[3]]);
        packet.resize(usize::from(length), 0);
        self.0.read_exact(&mut packet[4..]).await.unwrap();
        packet
    }

    /// Waits until the server has closed it, having said nothing more.
    pub(crate) async fn closed(&mut self) {
        let mut rest = Vec::new();
        // An alert or a reset is an end too.
        let _ = self.0.read_to_end(&mut rest).await;
        assert!(rest.is_empty(), "{rest:02x?}");
    }

    /// What both ends agreed on to speak.
    pub(crate) fn agreed(&self) -> Option<&[u8]> {
        self.0.get_ref().1.alpn_protocol()
    }
}
