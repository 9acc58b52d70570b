//! Bytes are read as a manifest of their digest, or refused; journals and frozen plans as well.
#![no_main]

use libfuzzer_sys::fuzz_target;
use underpin_image::{Digest, FrozenPlan, Manifest, read_journal};

fuzz_target!(|bytes: &[u8]| {
    let _ = Manifest::read(&Digest::of(bytes), None, bytes);
    if Manifest::read(&Digest::of(b"another"), None, bytes).is_ok() {
        assert!(bytes == b"another" || is_of_schema_1(bytes));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = read_journal(text);
        let _ = FrozenPlan::read(text);
    }
});

/// Their digest is not that of their bytes.
fn is_of_schema_1(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(bytes)
        .is_ok_and(|document| document["schemaVersion"] == 1)
}
