//! A stack file is read or refused with at least one reason.
#![no_main]

use libfuzzer_sys::fuzz_target;
use underpin_source::stack::{self, LoadError};

fuzz_target!(|text: &str| {
    if let Err(LoadError::Invalid(diagnostics)) = stack::parse("underpin.yaml".into(), text) {
        assert!(!diagnostics.is_empty());
    }
});
