//! Deciding about devices that are known by their address alone (MAC authentication bypass).
//!
//! An address is no evidence: nothing is compared, so nothing is charged and nothing hashed, and no
//! account is touched. What an unknown device costs is one look into the store and a delay.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::sync::Cache;

use doorward_domain::device::MacAddress;
use doorward_domain::event::{Outcome, Subject};
use doorward_domain::name::ResourceName;
use doorward_domain::origin::Source;
use doorward_domain::policy::buckets::{Buckets, Rate};
use doorward_domain::policy::reply::of_device;
use doorward_domain::refusal::Refusal;
use doorward_domain::resource::{AccessContext, ClientResources, Resource};
use doorward_domain::time::Monotonic;
use doorward_store::attempts::AttemptStore;
use doorward_store::records::DeviceRecord;

use super::report::Report;
use super::{AUTHORITY, Core};
use doorward_frontend_api::attempt::DeviceAttempt;
use doorward_frontend_api::verdict::{AdmittedDevice, DeviceGrant, DeviceVerdict, Undecided};

/// How many refused devices are remembered by name, of all clients together.
const NAMED: u64 = 100_000;
/// How many clients' allowances are kept at most.
const CLIENTS: usize = 10_000;
/// How long a refused device that was named stays so.
const NAMED_FOR: Duration = Duration::from_hours(24);
/// How many refused devices a client may have named in events: so many at once, then one in five
/// minutes. Whoever makes up addresses at a port gets no event for each.
const NAMING: Rate = Rate {
    capacity: 256,
    refill: Duration::from_mins(5),
};

impl<S: AttemptStore> Core<S> {
    /// Decides; the answer is not delayed here.
    pub(super) async fn judge_device(
        &self,
        attempt: &DeviceAttempt,
    ) -> Result<DeviceVerdict, Undecided> {
        let settings = self.settings.load();
        let client = &attempt.client;
        let asking = AccessContext::Radius {
            client: Arc::clone(client),
            called_station: attempt.called_station.clone(),
        };
        let asked = settings.resources.asking(&asking);
        let found = self
            .store
            .read_device(attempt.address)
            .await
            .map_err(Undecided::from)?;
        let now = self.clock.now();
        let report = |subject| {
            let mut report = Report::of_device(attempt, asking.clone(), subject);
            if let Some(resource) = asked {
                report.asked_by(Some(&resource.name), resource.kind);
            }
            report
        };
        match decide(client, asked, found.as_ref()) {
            Ok((device, resource)) => {
                let subject = Subject::Device {
                    device: device.address,
                };
                report(subject)
                    .decided(&*self.store, Outcome::Granted, now)
                    .await?;
                Ok(DeviceVerdict::Granted(AdmittedDevice::prove(
                    DeviceGrant {
                        device: device.device,
                        address: device.address,
                        resource: resource.clone(),
                        reply: of_device(device.vlan.clone()),
                    },
                    &AUTHORITY,
                )))
            }
            Err(reason) => {
                let source = attempt.origin.source.aggregate();
                let subject = self.sightings.subject(source, attempt.address, now.mono);
                report(subject).refuse(&*self.store, reason, now).await?;
                Ok(DeviceVerdict::Refused(reason))
            }
        }
    }
}

/// Whether a device is let in, and to what: where its client lets devices in at all, and the device
/// is known for the resource that asks.
fn decide<'a>(
    client: &ClientResources,
    asked: Option<&'a Resource>,
    device: Option<&'a DeviceRecord>,
) -> Result<(&'a DeviceRecord, &'a ResourceName), Refusal> {
    let resource = asked
        .filter(|_| client.mab)
        .map(|resource| &resource.name)
        .ok_or(Refusal::NoResource)?;
    let device = device.ok_or(Refusal::UnknownDevice)?;
    let folded = resource.folded();
    if device.resources.iter().any(|name| name.folded() == folded) {
        Ok((device, resource))
    } else {
        Err(Refusal::DeviceNotBound)
    }
}

/// Which refused devices events name one by one.
pub(super) struct Sightings {
    named: Cache<(Source, MacAddress), Monotonic>,
    allowances: Mutex<Buckets<Source>>,
}

impl Sightings {
    pub(super) fn new() -> Self {
        Self {
            named: Cache::new(NAMED),
            allowances: Mutex::new(Buckets::new(CLIENTS)),
        }
    }

    /// Whom the event of a refusal is about: the device, or one of many.
    fn subject(&self, source: Source, address: MacAddress, now: Monotonic) -> Subject {
        let key = (source, address);
        let named = self.named.get(&key).is_some_and(|until| now < until);
        if !named {
            let mut allowances = self
                .allowances
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if !allowances.take(key.0.clone(), NAMING, now) {
                return Subject::Devices;
            }
            self.named.insert(key, now.plus(NAMED_FOR));
        }
        Subject::Device { device: address }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use doorward_domain::id::DeviceId;
    use doorward_domain::name::ClientName;
    use doorward_domain::resource::ResourceKind;
    use doorward_domain::time::Timestamp;

    fn name(text: &str) -> ResourceName {
        ResourceName::parse(text).unwrap()
    }

    fn address(number: u32) -> MacAddress {
        let [a, b, c, d] = number.to_be_bytes();
        MacAddress::from_octets([2, 0, a, b, c, d]).unwrap()
    }

    #[test]
    fn a_device_is_let_in_where_its_client_says_so_and_it_is_known_for_what_asks() {
        let client = |mab| ClientResources {
            client: ClientName::parse("switch").unwrap(),
            resource: name("wired"),
            ssid: Vec::new(),
            ssid_default: None,
            mab,
        };
        let resource = |text| Resource::new(name(text), ResourceKind::Wifi);
        let (wired, office) = (resource("wired"), resource("office"));
        let device = DeviceRecord {
            device: DeviceId::new(Timestamp::EPOCH),
            address: address(1),
            resources: vec![name("printers"), name("WIRED")],
            vlan: None,
            description: None,
            created: Timestamp::EPOCH,
            modified: Timestamp::EPOCH,
        };
        let known = Some(&device);
        let decided = |mab, asked, device| {
            decide(&client(mab), asked, device).map(|(_, resource)| resource.to_string())
        };
        assert_eq!(decided(true, Some(&wired), known), Ok("wired".to_owned()));
        for (mab, asked, device, reason) in [
            (false, Some(&wired), known, Refusal::NoResource),
            (true, None, known, Refusal::NoResource),
            (true, Some(&wired), None, Refusal::UnknownDevice),
            (true, Some(&office), known, Refusal::DeviceNotBound),
        ] {
            assert_eq!(decided(mab, asked, device), Err(reason));
        }
    }

    #[test]
    fn a_client_that_makes_addresses_up_has_no_event_for_each() {
        let sightings = Sightings::new();
        let source = |text: &str| Source::from(text.parse::<std::net::IpAddr>().unwrap());
        let (loud, quiet) = (source("192.0.2.1"), source("192.0.2.2"));
        let at = |seconds| Monotonic::from_start(Duration::from_secs(seconds));
        let named = |source: &Source, number, seconds| {
            let subject = sightings.subject(source.clone(), address(number), at(seconds));
            subject != Subject::Devices
        };
        let counted = (0..10_000)
            .filter(|number| named(&loud, *number, 10))
            .count();
        assert_eq!(counted, 256);
        assert!(named(&loud, 7, 20), "it was named before");
        assert!(!named(&loud, 9_999, 20));
        assert!(named(&quiet, 9_999, 20), "another client is not concerned");
        assert!(named(&loud, 9_999, 20 + 5 * 60), "one more in five minutes");
    }
}
