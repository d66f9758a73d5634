//! The attributes inside a TTLS tunnel: never a panic, never past the bounds, and whatever is read
//! is read again from what is written of it.
#![no_main]

use doorward_eap::avp::{MAX_AVPS, parse, push};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(avps) = parse(bytes) else { return };
    assert!(avps.len() <= MAX_AVPS);
    let mut written = Vec::new();
    for avp in &avps {
        push(&mut written, avp);
    }
    assert_eq!(parse(&written).unwrap(), avps);
});
