//! Connections whose other end is slow, or is being worked for when the daemon stops.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::radsec::Bounds;
use crate::radsec::connection::{Connection, Ended};
use doorward_domain::certificate::CertificateName;
use doorward_radius_protocol::transport::{ConnectionId, Version};

/// The settings with one client over TLS, and a connection of it.
fn connection(write: Duration) -> (Settings, Connection) {
    let name = CertificateName::parse("proxy.example.org").unwrap();
    let resources = ClientResources {
        client: ClientName::parse("proxy").unwrap(),
        resource: ResourceName::parse("vpn").unwrap(),
        ssid: Vec::new(),
        ssid_default: None,
        mab: false,
    };
    let client = ClientSettings::over_tls(vec![name.clone()], &[], Arc::new(resources));
    let settings = Settings::new(Clients::new(vec![client.unwrap()]).unwrap());
    let connection = Connection {
        id: ConnectionId(1),
        version: Version::V1_0,
        names: [name].into_iter().collect(),
        peer: "192.0.2.1:40000".parse().unwrap(),
        local: "192.0.2.9:2083".parse().unwrap(),
        bounds: Bounds {
            write,
            ..Bounds::default()
        },
        current: Box::new(|| true),
    };
    (settings, connection)
}

#[tokio::test]
async fn who_does_not_read_is_closed() {
    let (settings, connection) = connection(Duration::from_millis(50));
    let running = start(&[], 9, 9, settings);
    let (near, mut far) = tokio::io::duplex(512);
    let asking = tokio::spawn(async move {
        // More than fits between the two, and not one answer read.
        while far.write_all(&status(1, "radsec")).await.is_ok() {}
    });
    let shutdown = CancellationToken::new();
    let ended = connection.serve(near, &running.handle.shared, &shutdown);
    assert_eq!(ended.await, Ended::SlowReader);
    asking.await.unwrap();
}

#[tokio::test]
async fn shutting_down_answers_what_is_open_and_reads_no_more() {
    let (settings, connection) = connection(Duration::from_mins(1));
    let running = start(&[], 0, 9, settings);
    let (near, mut far) = tokio::io::duplex(4096);
    far.write_all(&login(1, "radsec")).await.unwrap();
    far.write_all(&status(2, "radsec")).await.unwrap();
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let shared = Arc::clone(&running.handle.shared);
    let serving = tokio::spawn(async move { connection.serve(near, &shared, &stop).await });
    let mut reply = [0; 38];
    far.read_exact(&mut reply).await.unwrap();
    assert_eq!(reply[1], 2, "the first is being decided");
    shutdown.cancel();
    far.write_all(&login(3, "radsec")).await.unwrap();
    running.grant.0.add_permits(1);
    let mut rest = Vec::new();
    far.read_to_end(&mut rest).await.unwrap();
    let packet = Packet::parse(&rest).unwrap();
    assert_eq!(
        (packet.code(), packet.identifier()),
        (Code::AccessAccept, 1)
    );
    assert_eq!(packet.bytes().len(), rest.len());
    assert_eq!(serving.await.unwrap(), Ended::Shutdown);
}
