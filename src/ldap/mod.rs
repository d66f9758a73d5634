//! ldap: to come.
