//! Refusals in words, and what can be done about each.

use doorward_domain::refusal::Refusal;

/// A refusal in words.
pub const fn words_of_refusal(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NoResource => "no resource's `match` holds",
        Refusal::UnknownUser => "no account has the name",
        Refusal::MalformedName => "no account could have the name",
        Refusal::MalformedPassword => "the password is empty, too long, or has a NUL in it",
        Refusal::PasswordPending => "no password was ever set",
        Refusal::WrongPassword => "the password is wrong",
        Refusal::RepeatedWrongPassword => "the password is wrong and was tried before",
        Refusal::StalePassword => "it is the password of before",
        Refusal::Throttled => "too many failed attempts",
        Refusal::Locked => "the account is locked",
        Refusal::Staged => "the account's start date lies ahead",
        Refusal::MustChange => "the password must be changed first",
        Refusal::Expired => "the password has expired",
        Refusal::Suspended => "the account is suspended, or past its end",
        Refusal::NotBound => "the user is not bound to the resource",
        Refusal::UnknownDevice => "no device has the address",
        Refusal::DeviceNotBound => "the device is not for the resource",
        Refusal::SessionOver => "the account changed since the session that was taken up again",
        Refusal::NoNetworkPassword => "the user has no network password",
        Refusal::NetworkPasswordNotAdmitted => {
            "network passwords are for Wi-Fi and VPN alone, or there is no key for them"
        }
        Refusal::NetworkPasswordUnreadable => {
            "the network password is sealed under another key than the file's"
        }
        Refusal::ServiceSource => "the service account may not come from this address",
        Refusal::UnknownCertificate => "the client certificate is mapped to no service account",
    }
}

/// What can be done about a refusal.
pub const fn way_out(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NoResource => "compare the `match` of each [[resource]]: doorward resource match",
        Refusal::UnknownUser | Refusal::MalformedName => {
            "look for a typing mistake: doorward user list (--show-unknown-names shows what was \
             typed)"
        }
        Refusal::MalformedPassword => "look at what the client sends as the password",
        Refusal::PasswordPending | Refusal::Expired => "doorward user set-password",
        Refusal::WrongPassword | Refusal::RepeatedWrongPassword => {
            "look for a device with another password, or set a new one: doorward user set-password"
        }
        Refusal::StalePassword => "look for a device that still has the password of before",
        Refusal::Throttled => "wait, or unlock, which starts the account's bucket afresh",
        Refusal::Locked => "doorward user unlock; doorward explain says since when",
        Refusal::Staged => "doorward user set --start-date",
        Refusal::MustChange => {
            "the user changes it where that can be asked for, or an administrator sets one \
             without --must-change"
        }
        Refusal::Suspended => "doorward user resume",
        Refusal::NotBound => "doorward resource bind",
        Refusal::UnknownDevice => "doorward device add",
        Refusal::DeviceNotBound => "doorward device set --resource",
        Refusal::SessionOver => "none is needed: the next try is a whole login",
        Refusal::NoNetworkPassword => "doorward user network-password",
        Refusal::NetworkPasswordNotAdmitted => {
            "look at the resource's kind, and at network_password_key_file in [radius]"
        }
        Refusal::NetworkPasswordUnreadable => {
            "put the key back, or make another: doorward user network-password"
        }
        Refusal::ServiceSource => "compare the service account's --from: doorward service list",
        Refusal::UnknownCertificate => "doorward service set-certificate",
    }
}
