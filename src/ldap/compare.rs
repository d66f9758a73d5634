//! Compares (RFC 4511 section 4.10): true, false, or why there is nothing to compare.
//!
//! It sees what a search by the same client sees, and answers for anything else as if it did not
//! exist.

use super::decode::{Compare, Scope};
use super::filter;
use super::result::{LdapResult, ResultCode};
use super::search::View;
use super::tree::Place;
use crate::authenticator::Undecided;

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
    Ok(match view.entry(&place).await? {
        Some(entry) => filter::compare(&entry, &compare.attribute, &compare.value).into(),
        // To a user the containers are there, and say nothing.
        None if matches!(place, Place::Fixed(_)) => ResultCode::NoSuchAttribute.into(),
        None => view.no_such_object(&place),
    })
}
