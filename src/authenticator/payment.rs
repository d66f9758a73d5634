//! What a source pays for a guess, before anybody looks at it (CONTRACT.md 3.6, 5.2): a token, once
//! for the same words for the same name. It knows no account.

use std::time::Duration;

use crate::store::attempts::AttemptStore;

use super::Core;
use super::memory::Payment;
use super::settings::Settings;
use super::throttle::{SourceToken, Throttle, Toll};

/// That a guess may go on: paid for now, or before, or where nothing is charged.
#[must_use]
pub(super) struct Paid(Option<(SourceToken, Payment)>);

impl<S: AttemptStore> Core<S> {
    /// Takes a token of the source, unless it has paid for the same words before; none where it has
    /// none left. Noted at once, so that the same words in parallel are paid for once.
    pub(super) fn pay(
        &self,
        settings: &Settings,
        toll: &Toll<'_>,
        payment: Payment,
        span: Duration,
    ) -> Option<Paid> {
        let now = self.clock.now().mono;
        if !Throttle::charges(settings, toll) || self.memory.is_paid(&payment, now) {
            return Some(Paid(None));
        }
        let token = self.throttle.take_source(settings, toll, now)?;
        self.memory.pay(payment, now, span);
        Some(Paid(Some((token, payment))))
    }

    /// Gives back what was paid now, where it led somewhere or to no verdict.
    pub(super) fn pay_back(&self, Paid(paid): Paid) {
        if let Some((token, payment)) = paid {
            self.memory.refund(&payment);
            let now = self.clock.now().mono;
            self.throttle.give_source_back(token, now);
        }
    }
}
