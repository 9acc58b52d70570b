//! What claims to be an entry as Caddy made it must not panic, whatever it holds, and nothing that is
//! told of it may hold more than names of Caddy's own.
#![no_main]

use libfuzzer_sys::fuzz_target;
use underpin_route::{Adapted, Limits, forbidden};

fuzz_target!(|data: &[u8]| {
    let Ok(document) = serde_json::from_slice(data) else {
        return;
    };
    let Ok(adapted) = Adapted::read(&document) else {
        return;
    };
    for found in forbidden(&adapted, &Limits::default()) {
        assert!(!found.at.is_empty() && !found.to_string().contains('\n'));
    }
});
