//! Lines of flows are read or told of, and no line is both.
#![no_main]

use libfuzzer_sys::fuzz_target;
use underpin_source::flows::parse;

fuzz_target!(|text: &str| {
    let flows = parse("flows.json", text);
    let lines = text.split('\n').count();
    let told = flows.needs.len() + flows.refused.len();
    assert!(told <= lines);
    for need in flows.needs.iter().chain(&flows.refused) {
        assert!(need.port.is_some() && !need.evidence.is_empty());
    }
});
