//! What a source pays for a guess, before anybody looks at it (CONTRACT.md 3.6, 5.2): a token and
//! the work of a comparison, once for the same words for the same name. It knows no account.

use std::time::Duration;

use doorward_store::attempts::AttemptStore;

use super::Core;
use super::memory::Payment;
use super::settings::Settings;
use super::throttle::{SourceToken, Toll};

/// That a guess may go on.
#[must_use]
pub(super) enum Paid {
    /// It is the first of these words for this name from this source: its token, where the source
    /// has a bucket.
    Now(SourceToken, Payment),
    /// The source has sent the same words for the same name before.
    Before,
}

impl Paid {
    /// Whether the source has sent the same before. Then, and only then, a refusal may spare the
    /// work of a comparison: what is remembered of an account tells by itself that there is one.
    pub(super) const fn before(&self) -> bool {
        matches!(self, Self::Before)
    }
}

impl<S: AttemptStore> Core<S> {
    /// Takes a token of the source, where it has a bucket and has not sent the same before; none
    /// where that is empty. Noted at once, so that the same words in parallel are paid for once.
    pub(super) fn pay(
        &self,
        settings: &Settings,
        toll: &Toll<'_>,
        payment: Payment,
        span: Duration,
    ) -> Option<Paid> {
        let now = self.clock.now().mono;
        if self.memory.is_paid(&payment, now) {
            return Some(Paid::Before);
        }
        let token = self.throttle.take_source(settings, toll, now)?;
        self.memory.pay(payment, now, span);
        Some(Paid::Now(token, payment))
    }

    /// Gives back what was paid now, where it led somewhere or to no verdict.
    pub(super) fn pay_back(&self, paid: Paid) {
        if let Paid::Now(token, payment) = paid {
            self.memory.refund(&payment);
            let now = self.clock.now().mono;
            self.throttle.give_source_back(token, now);
        }
    }
}
