//! Any text as a dictionary: it is read or refused with its line, and what it defines becomes an
//! attribute that fits a packet, or is refused.
#![no_main]

use doorward_domain::reply::ReplyAttribute;
use doorward_radius_protocol::dictionary::{Dictionary, NoFiles, Source};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The first line is what is to be mapped, the rest the dictionary.
    let text = String::from_utf8_lossy(bytes);
    let (mapped, text) = text.split_once('\n').unwrap_or(("", &text));
    let source = Source {
        name: "d".to_owned(),
        text: text.to_owned(),
    };
    let dictionary = match Dictionary::read(vec![source], &mut NoFiles) {
        Ok(dictionary) => dictionary,
        Err(faults) => {
            let lines = text.lines().count().max(1);
            assert!(faults.all().iter().all(|fault| (1..=lines).contains(&fault.line)));
            return;
        }
    };
    let (name, value) = mapped.split_once('=').unwrap_or((mapped, ""));
    if let Ok(attribute) = dictionary.reply_attribute(name, value) {
        if let ReplyAttribute::Other(other) = &attribute {
            assert!((1..=253).contains(&other.resolved().octets.len()));
        }
        assert_eq!(dictionary.still(&attribute), Ok(()));
    }
});
