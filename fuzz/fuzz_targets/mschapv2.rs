//! What a peer says in EAP-MSCHAPv2: never a panic, and what is read is read again from what is
//! written of it.
#![no_main]

use doorward_eap::mschapv2::Said;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(Said::Response { identifier, peer_challenge, response, name }) = Said::parse(data) else {
        return;
    };
    let length = u16::try_from(data.len()).unwrap().to_be_bytes();
    let mut written = vec![2, identifier, length[0], length[1], 49];
    written.extend_from_slice(&peer_challenge);
    written.extend_from_slice(&[0; 8]);
    written.extend_from_slice(&response);
    written.push(0);
    written.extend_from_slice(&name);
    let said = Said::Response { identifier, peer_challenge, response, name };
    assert_eq!(Said::parse(&written), Ok(said));
});
