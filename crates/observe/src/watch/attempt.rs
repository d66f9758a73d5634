//! Questions to the authenticator and its verdicts, in words.

use super::{Name, Step, Words, said, way_out, words_of_refusal};
use doorward_domain::challenge::ChallengeResponse;
use doorward_frontend_api::{
    Attempt, Claim, DeviceVerdict, Evidence, Refusal, ServiceAttempt, ServiceEvidence,
    ServiceVerdict, Undecided, Verdict,
};

/// A line, without what all lines of one story have in common.
pub struct Told {
    /// What it tells of.
    pub step: Step,
    /// What happened.
    pub words: Words,
    /// What can be done about it.
    pub advice: Option<&'static str>,
}

impl Told {
    /// Something for which nothing can be done, or need be.
    pub fn new(step: Step, words: impl Into<Words>) -> Self {
        Self {
            step,
            words: words.into(),
            advice: None,
        }
    }

    /// The same, with what can be done about it.
    #[must_use]
    pub fn advise(mut self, advice: Option<&'static str>) -> Self {
        self.advice = advice;
        self
    }
}

/// Who claims to be whom, with what.
pub fn question(attempt: &Attempt) -> Words {
    let (Claim::Typed(typed) | Claim::Malformed(typed)) = &attempt.claim;
    let with = match &attempt.evidence {
        Evidence::Password(_) => "with a password",
        Evidence::Response(ChallengeResponse::Chap { .. }) => "with a response of CHAP",
        Evidence::Response(ChallengeResponse::MsChapV2(_)) => "with a response of MS-CHAPv2",
        Evidence::Unusable(_) => "with octets that can be no password",
        Evidence::Resumed(_) => "by a TLS session of before",
        Evidence::Certificate(_) => "with a user's certificate",
    };
    Words::of("asked about ")
        .name(Name::user(typed))
        .and(" ")
        .and(with)
}

/// What the authenticator said.
pub fn verdict(verdict: &Result<Verdict, Undecided>) -> Told {
    match verdict {
        Ok(Verdict::Granted(proof)) => {
            let name = Name::user(proof.username().as_str());
            Told::new(Step::Verdict, Words::of("granted: ").name(name))
        }
        Ok(Verdict::ChangeOnly(proof)) => {
            let name = Name::user(proof.username().as_str());
            let words = Words::of("must_change, the right password, good for changing it alone: ");
            Told::new(Step::Verdict, words.name(name)).advise(Some(way_out(Refusal::MustChange)))
        }
        Ok(Verdict::Refused(refusal)) => refused(*refusal),
        Err(undecided) => no_verdict(undecided),
    }
}

/// Which service account this claims to be, with what.
pub fn service_question(attempt: &ServiceAttempt) -> Words {
    match &attempt.evidence {
        ServiceEvidence::Password { name, .. } => Words::of("asked about service account ")
            .name(Name::service(name))
            .and(" with a password"),
        ServiceEvidence::Certificate { names, acting_as } => {
            let words = Words::of(format!(
                "asked about the certificate of {}",
                said(names.to_string())
            ));
            match acting_as {
                Some(name) => words.and(" as service account ").name(Name::service(name)),
                None => words,
            }
        }
    }
}

/// What the authenticator said of a service account.
pub fn service_verdict(verdict: &Result<ServiceVerdict, Undecided>) -> Told {
    match verdict {
        Ok(ServiceVerdict::Granted(proof)) => {
            let may = if proof.may_search() {
                ", may search"
            } else {
                ", may not search"
            };
            let name = Name::service(proof.name().as_str());
            let words = Words::of("granted: service account ").name(name).and(may);
            Told::new(Step::Verdict, words)
        }
        Ok(ServiceVerdict::Refused(refusal)) => refused(*refusal),
        Err(undecided) => no_verdict(undecided),
    }
}

/// What the authenticator said about a device.
pub fn verdict_of_device(verdict: &Result<DeviceVerdict, Undecided>) -> Told {
    match verdict {
        Ok(DeviceVerdict::Granted(proof)) => {
            let text = format!("granted: device {}", proof.address());
            Told::new(Step::Verdict, text)
        }
        Ok(DeviceVerdict::Refused(refusal)) => refused(*refusal),
        Err(undecided) => no_verdict(undecided),
    }
}

fn refused(refusal: Refusal) -> Told {
    let text = format!("refused: {refusal}, {}", words_of_refusal(refusal));
    Told::new(Step::Verdict, text).advise(Some(way_out(refusal)))
}

fn no_verdict(undecided: &Undecided) -> Told {
    match undecided {
        Undecided::Busy => Told::new(Step::Verdict, "no verdict: busy").advise(Some(
            "the queue of the hashes or of the store is full, or as many guesses are under way as may \
             be",
        )),
        Undecided::Unavailable(why) => {
            let text = format!("no verdict: the store cannot answer: {}", said(why));
            Told::new(Step::Verdict, text)
        }
    }
}
