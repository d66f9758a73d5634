//! Compares (RFC 4511 section 4.10): true, false, or why there is nothing to compare.
//!
//! It sees what a search by the same client sees, and answers for anything else as if it did not
//! exist.

use super::attribute::Entry;
use super::decode::{Compare, Scope};
use super::filter::{Comparison, Progress, preparing};
use super::result::{LdapResult, ResultCode};
use super::schema::{AttributeType, MEMBER, MEMBER_OF, MEMBER_UID};
use super::search::{Needs, Pace, View};
use super::tree::Place;
use doorward_frontend_api::Undecided;

/// Runs a compare.
///
/// # Errors
/// The directory cannot answer.
pub async fn run(compare: &Compare, view: &View<'_>) -> Result<LdapResult, Undecided> {
    let Ok(dn) = compare.entry.parse() else {
        return Ok(LdapResult::with_diagnostic(
            ResultCode::InvalidDnSyntax,
            "the entry's name is not a distinguished name",
        ));
    };
    let place = view.tree().locate(&dn);
    if let Err(refusal) = view.admit(&place, Scope::Base) {
        return Ok(refusal);
    }
    view.pace.enter().await;
    let comparison = Comparison::new(&compare.attribute, &compare.value);
    view.pace.prepared(preparing(&compare.value)).await;
    let asks = |kind: &AttributeType| match &comparison {
        Ok(comparison) => comparison.present.asks(kind),
        Err(_) => false,
    };
    let view = &View {
        needs: Needs {
            members: asks(&MEMBER) || asks(&MEMBER_UID),
            groups: asks(&MEMBER_OF),
        },
        ..*view
    };
    Ok(match view.entry(&place).await? {
        Some(shown) => match comparison {
            Ok(comparison) => ask(&comparison, &shown.entry, view.pace).await.into(),
            Err(code) => code.into(),
        },
        // To a user the containers are there, and say nothing.
        None if matches!(place, Place::Fixed(_)) => ResultCode::NoSuchAttribute.into(),
        None => view.no_such_object(&place),
    })
}

async fn ask(comparison: &Comparison, entry: &Entry, pace: &Pace<'_>) -> ResultCode {
    let mut progress = Progress::new();
    if !pace
        .matches(&comparison.present, entry, &mut progress)
        .await
    {
        return ResultCode::NoSuchAttribute;
    }
    match &comparison.equal {
        Ok(equal) => Comparison::code(pace.matches(equal, entry, &mut progress).await),
        Err(code) => *code,
    }
}
