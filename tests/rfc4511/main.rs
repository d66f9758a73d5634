//! LDAP by the sections of RFC 4511, against a true server on loopback.

#[cfg(test)]
mod client;
#[cfg(test)]
mod harness;

#[cfg(test)]
mod rfc_2696_paged_results;
#[cfg(test)]
mod rfc_2891_sorting;
#[cfg(test)]
mod rfc_3062_password_modify;
#[cfg(test)]
mod section_4_11_to_4_14;
#[cfg(test)]
mod section_4_1_messages;
#[cfg(test)]
mod section_4_2_bind;
#[cfg(test)]
mod section_4_5_search;
#[cfg(test)]
mod section_5_transport;
