//! A needs file is read or refused: every entry becomes a need, or has a problem.
#![no_main]

use libfuzzer_sys::fuzz_target;
use underpin_source::needs_file::parse;

fuzz_target!(|text: &str| {
    let (needs, diagnostics) = parse("needs.yaml", text);
    for need in &needs {
        assert!(!need.evidence.is_empty());
    }
    assert!(!diagnostics.iter().any(|one| one.message.is_empty()));
});
