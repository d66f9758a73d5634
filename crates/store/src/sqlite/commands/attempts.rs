//! The hot path.

use crate::attempts::{
    AccountKey, AttemptRead, Confirmation, Fetch, PlaceAnswer, ServiceRecord, SettleAnswer,
    Settlement, TakePlace,
};
use crate::records::DeviceRecord;
use crate::{AttemptStore, Store, Unavailable};
use doorward_domain::certificate::CertificateNames;
use doorward_domain::device::MacAddress;
use doorward_domain::event::AttemptEvent;
use doorward_domain::id::{AccountId, EventId, PlaceId, ServiceId};
use doorward_domain::name::ResourceName;
use doorward_domain::origin::OriginKey;
use doorward_domain::secret::HashText;
use doorward_domain::time::Timestamp;

use super::super::merge::{Gathered, count_dropped};
use super::super::readers::Lane;
use super::super::waiting::{Asker, Line};
use super::super::{attempts, devices, places, rows};

impl AttemptStore for Store {
    async fn read_attempt(
        &self,
        key: &AccountKey,
        resource: Option<&ResourceName>,
        origin: Option<&OriginKey>,
        fetch: Fetch,
    ) -> Result<AttemptRead, Unavailable> {
        let (key, resource, origin) = (key.clone(), resource.cloned(), origin.cloned());
        let read = self
            .read(Lane::Attempts, move |view| {
                attempts::read(view, &key, resource.as_ref(), origin.as_ref(), fetch)
            })
            .await?;
        Ok(read)
    }

    async fn read_service(&self, name: &str) -> Result<Option<ServiceRecord>, Unavailable> {
        let name = name.to_owned();
        let read = self
            .read(Lane::Attempts, move |view| {
                attempts::service(view.connection, &name)
            })
            .await?;
        Ok(read)
    }

    async fn read_account_again(
        &self,
        account: AccountId,
        resource: Option<&ResourceName>,
    ) -> Result<AttemptRead, Unavailable> {
        let (key, resource) = (AccountKey::Id(account), resource.cloned());
        let read = self
            .read_again(Asker::Account(account), move |view| {
                attempts::read(view, &key, resource.as_ref(), None, Fetch::Verdict)
            })
            .await?;
        Ok(read)
    }

    async fn read_service_again(&self, name: &str) -> Result<Option<ServiceRecord>, Unavailable> {
        let name = name.to_owned();
        let read = self
            .read_again(Asker::Service(name.clone()), move |view| {
                attempts::service(view.connection, &name)
            })
            .await?;
        Ok(read)
    }

    async fn read_services_certified(
        &self,
        names: &CertificateNames,
    ) -> Result<Vec<ServiceRecord>, Unavailable> {
        let names = names.clone();
        let read = self
            .read(Lane::Attempts, move |view| {
                attempts::services_certified(view.connection, &names)
            })
            .await?;
        Ok(read)
    }

    async fn read_device(&self, address: MacAddress) -> Result<Option<DeviceRecord>, Unavailable> {
        let read = self
            .read(Lane::Attempts, move |view| {
                devices::find(view.connection, address)
            })
            .await?;
        Ok(read)
    }

    async fn take_place(&self, take: TakePlace) -> Result<PlaceAnswer, Unavailable> {
        let answer = self
            .write_while_awaited(move |connection| places::take(connection, &take))
            .await?;
        Ok(answer)
    }

    async fn give_back(&self, place: PlaceId) -> Result<(), Unavailable> {
        self.write_in(Line::Of(Asker::Placed), move |connection| {
            places::give_back(connection, place)
        })
        .await?;
        Ok(())
    }

    async fn settle(&self, settlement: Settlement) -> Result<SettleAnswer, Unavailable> {
        let line = match settlement.place {
            Some(_) => Line::Of(Asker::Placed),
            None => Line::Common,
        };
        let answer = self
            .write_in(line, move |connection| {
                places::settle(connection, &settlement)
            })
            .await?;
        Ok(answer)
    }

    async fn confirm_failure(
        &self,
        confirmation: Confirmation,
    ) -> Result<SettleAnswer, Unavailable> {
        let answer = self
            .write_in(Line::Of(Asker::Placed), move |connection| {
                places::confirm(connection, &confirmation)
            })
            .await?;
        Ok(answer)
    }

    async fn keep_pace(&self) -> Result<(), Unavailable> {
        self.write_while_awaited(rows::touch_probe).await?;
        Ok(())
    }

    async fn record_attempt(
        &self,
        at: Timestamp,
        event: AttemptEvent,
    ) -> Result<EventId, Unavailable> {
        let id = self
            .write(move |connection| places::record_attempt(connection, at, &event))
            .await?;
        Ok(id)
    }

    fn merge_attempt(&self, at: Timestamp, event: AttemptEvent) {
        match self.sqlite().merges.add(at, event) {
            Gathered::First | Gathered::Crowded => self.sqlite().queue.ring(),
            Gathered::Joined => {}
            Gathered::Dropped => count_dropped(1),
        }
    }

    async fn rehash(
        &self,
        account: AccountId,
        old: HashText,
        new: HashText,
    ) -> Result<(), Unavailable> {
        self.write(move |connection| attempts::rehash(connection, account, &old, &new))
            .await?;
        Ok(())
    }

    async fn rehash_service(
        &self,
        service: ServiceId,
        old: HashText,
        new: HashText,
    ) -> Result<(), Unavailable> {
        self.write(move |connection| attempts::rehash_service(connection, service, &old, &new))
            .await?;
        Ok(())
    }
}
