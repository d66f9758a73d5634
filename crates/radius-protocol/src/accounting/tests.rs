use proptest::prelude::*;

use super::*;
use crate::wire::{Code, Draft};
use doorward_domain::name::ClientName;
use doorward_domain::reply::ReplyAttributes;
use doorward_domain::resource::ClientResources;
use doorward_domain::secret::Secret;
use doorward_domain::time::Monotonic;
use doorward_fixtures::proofs;

fn client(name: &str, secret: &str) -> Arc<ClientSettings> {
    let resources = ClientResources {
        client: ClientName::parse(name).unwrap(),
        resource: ResourceName::parse("vpn").unwrap(),
        ssid: Vec::new(),
        ssid_default: None,
        mab: false,
    };
    let networks = ["192.0.2.0/24".parse().unwrap()];
    let secret = Secret::new(secret.as_bytes().to_vec());
    Arc::new(ClientSettings::new(&networks, secret, Arc::new(resources)).unwrap())
}

fn account() -> AccountId {
    AccountId::new(Timestamp::from_millis(1_800_000_000_000))
}

const NOW: Now = Now {
    wall: Timestamp::from_millis(1_800_000_000_000),
    mono: Monotonic::from_start(Duration::from_secs(5)),
    clock_suspect: false,
};

fn read_from(
    client: &Arc<ClientSettings>,
    attributes: &[(u8, &[u8])],
) -> Result<Option<Report>, DropReason> {
    let mut draft = Draft::new(Code::AccountingRequest, 1);
    for (kind, value) in attributes {
        draft.push(*kind, value).unwrap();
    }
    let bytes = draft.seal_signed(client.secret()).unwrap();
    let packet = Packet::parse(&bytes).unwrap();
    let way = Way {
        client,
        peer: "[::ffff:192.0.2.1]:40000".parse().unwrap(),
        local: "192.0.2.9:1813".parse().unwrap(),
        now: NOW,
    };
    read(&packet, &way)
}

fn session(client: &Arc<ClientSettings>, attributes: &[(u8, &[u8])]) -> SessionReport {
    match read_from(client, attributes) {
        Ok(Some(Report::Session(one))) => one.report,
        other => panic!("{other:?}"),
    }
}

const fn status(number: u8) -> (u8, &'static [u8]) {
    const NUMBERS: [[u8; 4]; 5] = [
        [0, 0, 0, 0],
        [0, 0, 0, 1],
        [0, 0, 0, 2],
        [0, 0, 0, 3],
        [0, 0, 0, 7],
    ];
    (kind::ACCT_STATUS_TYPE, &NUMBERS[number as usize])
}

const ID: (u8, &[u8]) = (kind::ACCT_SESSION_ID, b"0000001A");

#[test]
fn a_stop_is_read_whole_with_its_gigawords() {
    let report = session(
        &client("nas", "a secret"),
        &[
            status(2),
            ID,
            (kind::USER_NAME, b"alice"),
            (kind::NAS_IP_ADDRESS, &[10, 0, 0, 1]),
            (kind::NAS_PORT, &[0, 0, 0, 7]),
            (kind::CALLING_STATION_ID, b"02-00-00-00-00-01"),
            (kind::CALLED_STATION_ID, b"02-00-00-00-00-02:Corp"),
            (kind::FRAMED_IP_ADDRESS, &[198, 51, 100, 7]),
            (kind::ACCT_DELAY_TIME, &[0, 0, 0, 30]),
            (kind::ACCT_SESSION_TIME, &[0, 0, 1, 0]),
            (kind::ACCT_INPUT_OCTETS, &[0, 0, 0, 9]),
            (kind::ACCT_INPUT_GIGAWORDS, &[0, 0, 0, 2]),
            (kind::ACCT_OUTPUT_OCTETS, &[255, 255, 255, 255]),
            (kind::ACCT_INPUT_PACKETS, &[0, 0, 0, 3]),
            (kind::ACCT_OUTPUT_PACKETS, &[0, 0, 0, 4]),
            (kind::ACCT_TERMINATE_CAUSE, &[0, 0, 0, 1]),
        ],
    );
    assert_eq!(report.happened, Happened::Over);
    assert_eq!(report.session.shown(), "0000001A");
    assert_eq!(report.received, NOW.wall);
    assert_eq!(report.at, NOW.wall.minus(Duration::from_secs(30)));
    assert_eq!(
        (report.owner, &report.resource),
        (SessionOwner::Unknown, &None)
    );
    assert_eq!(report.nas.identity.shown(), "10.0.0.1");
    let particulars = report.particulars;
    assert_eq!(
        particulars.usage,
        Usage {
            seconds: 256,
            sent_octets: 2 * (1 << 32) + 9,
            received_octets: 0xffff_ffff,
            sent_packets: 3,
            received_packets: 4,
        }
    );
    assert_eq!(particulars.terminate_cause, Some(1));
    assert_eq!(particulars.address, Some("198.51.100.7".parse().unwrap()));
    assert_eq!(particulars.source, "192.0.2.1".parse::<IpAddr>().unwrap());
    assert_eq!(particulars.server, Some("192.0.2.9".parse().unwrap()));
    assert_eq!(particulars.nas_port, Some(7));
}

#[test]
fn a_nas_is_known_by_its_identifier_then_its_address_then_its_source() {
    let nas = client("nas", "a secret");
    let identity = |attributes: &[(u8, &[u8])]| {
        let all = [&[status(1), ID], attributes].concat();
        session(&nas, &all).nas.identity.shown()
    };
    let v6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let address = (kind::NAS_IP_ADDRESS, &[10, 0, 0, 1][..]);
    assert_eq!(identity(&[address, (kind::NAS_IDENTIFIER, b"ap7")]), "ap7");
    assert_eq!(identity(&[address]), "10.0.0.1");
    assert_eq!(identity(&[(kind::NAS_IPV6_ADDRESS, &v6)]), "2001:db8::1");
    assert_eq!(identity(&[]), "192.0.2.1");
}

#[test]
fn what_lacks_its_key_is_refused_and_what_is_unknown_records_nothing() {
    let nas = client("nas", "a secret");
    for attributes in [&[ID][..], &[status(1)], &[status(1), (ID.0, b"")]] {
        let read = read_from(&nas, attributes);
        assert_eq!(read, Err(DropReason::AccountingMalformed));
    }
    assert_eq!(read_from(&nas, &[status(0), ID]), Ok(None));
    // An Accounting-On has a session's identifier or none.
    for attributes in [&[status(4)][..], &[status(4), ID]] {
        let read = read_from(&nas, attributes);
        assert!(matches!(read, Ok(Some(Report::Restarted { at, .. })) if at == NOW.wall));
    }
}

#[test]
fn a_class_of_ours_tells_account_and_resource_and_no_other_does() {
    let (nas, account) = (client("nas", "a secret"), account());
    let proof = proofs::authenticated(account, "alice", Some("wifi"));
    let class = class(&nas, &proof);
    let known = |class: &[u8]| {
        // Others' Classes beside it change nothing (RFC 2865 §5.25).
        let report = session(
            &nas,
            &[status(1), ID, (kind::CLASS, b"other"), (kind::CLASS, class)],
        );
        (report.owner, report.resource)
    };
    let owner = SessionOwner::Account(account);
    let nobody = (SessionOwner::Unknown, None);
    let wifi = ResourceName::parse("wifi").unwrap();
    assert_eq!(known(&class), (owner, Some(wifi)));
    for at in 0..class.len() {
        let mut forged = class.clone();
        forged[at] ^= 1;
        assert_eq!(known(&forged), nobody, "octet {at}");
    }
    assert_eq!(known(&class[..class.len() - 1]), nobody);
    for other in [client("nas", "another"), client("nas2", "a secret")] {
        assert_eq!(read_class(&other, &class), None);
    }
}

#[test]
fn a_class_of_a_device_names_the_device_and_no_account() {
    let (nas, device) = (client("nas", "a secret"), DeviceId::new(NOW.wall));
    let reply = ReplyAttributes::default();
    let proof = proofs::device(device, "001122aabbcc", "wired", reply);
    let class = class_of_device(&nas, &proof);
    let wired = ResourceName::parse("wired").ok();
    assert_eq!(
        read_class(&nas, &class),
        Some((SessionOwner::Device(device), wired))
    );
    // The same octets as an account's Class would need another proof.
    let account = AccountId::from_uuid(device.as_uuid());
    let proof = proofs::authenticated(account, "alice", Some("wired"));
    assert_ne!(super::class(&nas, &proof), class);
}

#[test]
fn without_a_class_an_address_is_a_devices_where_its_client_lets_devices_in() {
    let letting_in = |mab| {
        let (nas, networks) = (client("nas", "a secret"), ["192.0.2.0/24".parse().unwrap()]);
        let resources = ClientResources {
            mab,
            ..(*nas.resources).clone()
        };
        let client = ClientSettings::new(&networks, nas.secret().clone(), Arc::new(resources));
        Arc::new(client.unwrap())
    };
    let owner = |mab, station: &[u8]| {
        let said = [
            status(1),
            ID,
            (kind::USER_NAME, b"001122aabbcc"),
            (kind::CALLING_STATION_ID, station),
        ];
        session(&letting_in(mab), &said).owner
    };
    let address = MacAddress::parse("00-11-22-AA-BB-CC").unwrap();
    let same = b"00-11-22-AA-BB-CC";
    assert_eq!(owner(true, same), SessionOwner::Address(address));
    assert_eq!(owner(false, same), SessionOwner::Unknown);
    assert_eq!(owner(true, b"00-11-22-AA-BB-CD"), SessionOwner::Unknown);
}

proptest! {
    #[test]
    fn no_class_is_forged_by_chance(class in prop::collection::vec(any::<u8>(), 0..80)) {
        let ours = [OWN_CLASS.as_bytes(), &class].concat();
        prop_assert_eq!(read_class(&client("nas", "a secret"), &ours), None);
    }
}
