//! Any bytes as a PROXY protocol header: reading ends, never asks for more than a header can
//! have, and never takes a byte that is behind it.
#![no_main]

use doorward_ldap_protocol::proxy_protocol::{Behind, LONGEST, Progress, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut taken = 0;
    loop {
        let Some(known) = bytes.get(..taken) else { return };
        match read(known) {
            Err(_) => return,
            Ok(Progress::Needs(more)) => {
                assert!(more > 0);
                taken += more;
                assert!(taken <= LONGEST);
            }
            Ok(Progress::Whole(behind)) => {
                if let Behind::Client(address) = behind {
                    assert_eq!(address, address.to_canonical());
                }
                // The header ends where its own form says.
                let end = if known.starts_with(b"P") {
                    known.ends_with(b"\r\n")
                } else {
                    known.len() >= 16
                };
                assert!(end);
                return;
            }
        }
    }
});
