//! Any query and any body as an auth-policy request: it is read or refused, never a panic, and what
//! is read is bounded.
#![no_main]

use doorward_auth_policy::{MAX_BODY_BYTES, Question, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (query, body) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => bytes.split_at(end),
        None => (&b"command=allow"[..], bytes),
    };
    let query = std::str::from_utf8(query).ok();
    let Ok(question) = read(query, body) else { return };
    assert!(body.len() <= MAX_BODY_BYTES);
    if let Question::Allow(guess) | Question::Report(guess, _) = question {
        assert!(guess.login.len() <= MAX_BODY_BYTES);
        assert_eq!(guess.client, guess.client.to_canonical());
    }
});
