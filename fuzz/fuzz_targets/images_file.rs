//! An images file is read, or refused with what is wrong in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use underpin_source::images_file::{parse, seconds};

fuzz_target!(|text: &str| {
    if let Err(diagnostics) = parse("images.yaml", text) {
        assert!(!diagnostics.is_empty());
        assert!(!diagnostics.iter().any(|one| one.message.is_empty()));
    }
    let _ = seconds(text);
});
