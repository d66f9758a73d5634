//! What a request says: the command in its query, the attempt in its body.
//!
//! The body has the keys of Dovecot's `auth_policy_request_attributes`, of which `login`, `remote`
//! and `pwhash` matter here; a report adds `success` and `policy_reject`, and Dovecot 2.4
//! `fail_type`. Other keys are what an administrator added, and are ignored.

use std::net::IpAddr;

use serde::Deserialize;

use super::MAX_BODY_BYTES;
use doorward_frontend_api::{Conclusion, PasswordMark};

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// May this client try?
    Allow(Guess),
    /// This came of it.
    Report(Guess, Conclusion),
    /// About a client without an address, such as a program on the mail server itself: there is
    /// nothing to throttle it by.
    Local,
}

/// The attempt asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// Who the client claims to be, as typed.
    pub login: String,
    /// Its address.
    pub client: IpAddr,
    /// The mark of its password.
    pub mark: PasswordMark,
}

/// Why a request is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Its query names no command known here.
    #[error("the query must be command=allow or command=report")]
    Command,
    /// Its body is not the JSON expected.
    #[error(
        "the body must be JSON with the texts login, remote and pwhash, and success in a report"
    )]
    Body,
}

#[derive(Deserialize)]
struct Body {
    login: String,
    remote: String,
    pwhash: String,
    success: Option<bool>,
    #[serde(default)]
    policy_reject: bool,
    fail_type: Option<String>,
}

/// Reads a request from its query and its body.
///
/// # Errors
/// It is none of the protocol.
pub fn read(query: Option<&str>, body: &[u8]) -> Result<Question, Malformed> {
    let mut commands = query
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.strip_prefix("command="));
    let report = match (commands.next(), commands.next()) {
        (Some("allow"), None) => false,
        (Some("report"), None) => true,
        _ => return Err(Malformed::Command),
    };
    if body.len() > MAX_BODY_BYTES {
        return Err(Malformed::Body);
    }
    let body: Body = serde_json::from_slice(body).map_err(|_| Malformed::Body)?;
    let conclusion = match (report, body.success) {
        (false, _) => None,
        (true, Some(success)) => Some(conclusion(&body, success)),
        (true, None) => return Err(Malformed::Body),
    };
    if body.remote.is_empty() {
        return Ok(Question::Local);
    }
    let client: IpAddr = body.remote.parse().map_err(|_| Malformed::Body)?;
    let guess = Guess {
        login: body.login,
        client: client.to_canonical(),
        mark: PasswordMark::new(body.pwhash.as_bytes()).ok_or(Malformed::Body)?,
    };
    Ok(match conclusion {
        None => Question::Allow(guess),
        Some(conclusion) => Question::Report(guess, conclusion),
    })
}

fn conclusion(body: &Body, success: bool) -> Conclusion {
    if success {
        Conclusion::Right
    } else if body.policy_reject || body.fail_type.as_deref() == Some("internal") {
        Conclusion::Uncompared
    } else {
        Conclusion::Wrong
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As Dovecot 2.3.19 sends it.
    const ALLOW: &str = r#"{"device_id":"","login":"alice","protocol":"imap","pwhash":"06d2","remote":"203.0.113.9","session_id":"vc2x3eFgbLp/AAAB","tls":false}"#;
    const REPORT: &str = r#"{"device_id":"","login":"alice","protocol":"imap","pwhash":"06d2","remote":"::ffff:203.0.113.9","session_id":"vc2x3eFgbLp/AAAB","success":false,"policy_reject":false,"tls":false}"#;

    fn guess() -> Guess {
        Guess {
            login: "alice".to_owned(),
            client: "203.0.113.9".parse().unwrap(),
            mark: PasswordMark::new(b"06d2").unwrap(),
        }
    }

    #[test]
    fn dovecots_requests_are_read() {
        let allow = read(Some("command=allow"), ALLOW.as_bytes());
        assert_eq!(allow, Ok(Question::Allow(guess())));
        let with_more = read(Some("x=1&command=allow"), ALLOW.as_bytes());
        assert_eq!(with_more, Ok(Question::Allow(guess())));
        let report = read(Some("command=report"), REPORT.as_bytes());
        assert_eq!(report, Ok(Question::Report(guess(), Conclusion::Wrong)));
    }

    #[test]
    fn a_report_counts_only_what_was_compared() {
        let conclusion = |text: String| match read(Some("command=report"), text.as_bytes()) {
            Ok(Question::Report(_, conclusion)) => conclusion,
            other => panic!("{other:?}"),
        };
        let right = REPORT.replace("\"success\":false", "\"success\":true");
        assert_eq!(conclusion(right), Conclusion::Right);
        let refused = REPORT.replace("\"policy_reject\":false", "\"policy_reject\":true");
        assert_eq!(conclusion(refused), Conclusion::Uncompared);
        let broken = REPORT.replace("\"tls\"", "\"fail_type\":\"internal\",\"tls\"");
        assert_eq!(conclusion(broken), Conclusion::Uncompared);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for query in [
            None,
            Some(""),
            Some("command=forget"),
            Some("command=allow&command=report"),
        ] {
            assert_eq!(read(query, ALLOW.as_bytes()), Err(Malformed::Command));
        }
        let long = format!("{:8192}{ALLOW}", "");
        for body in [
            "",
            "[]",
            "{}",
            r#"{"login":"alice","remote":"nowhere","pwhash":""}"#,
            r#"{"login":1,"remote":"203.0.113.9","pwhash":""}"#,
            &long,
            &ALLOW.replace("06d2", &"0".repeat(129)),
        ] {
            let question = read(Some("command=allow"), body.as_bytes());
            assert_eq!(question, Err(Malformed::Body), "{body}");
        }
        let no_outcome = read(Some("command=report"), ALLOW.as_bytes());
        assert_eq!(no_outcome, Err(Malformed::Body));
    }

    #[test]
    fn a_client_without_an_address_is_local() {
        let local = ALLOW.replace("203.0.113.9", "");
        let question = read(Some("command=allow"), local.as_bytes());
        assert_eq!(question, Ok(Question::Local));
    }

    proptest! {
        #[test]
        fn what_was_sent_is_what_is_read(login in any::<String>(), client in any::<IpAddr>(), mark in "[0-9a-f]{0,128}") {
            let body = serde_json::json!({
                "login": login, "remote": client.to_string(), "pwhash": mark, "more": [1, {}],
            });
            let expected = Guess {
                login,
                client: client.to_canonical(),
                mark: PasswordMark::new(mark.as_bytes()).unwrap(),
            };
            let body = body.to_string();
            if body.len() <= MAX_BODY_BYTES {
                prop_assert_eq!(read(Some("command=allow"), body.as_bytes()), Ok(Question::Allow(expected)));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(query in any::<Option<String>>(), body in any::<Vec<u8>>()) {
            let _ = read(query.as_deref(), &body);
            let _ = read(Some("command=report"), &body);
        }
    }
}
