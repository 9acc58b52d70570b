//! A Helm release is decoded or refused; the bytes are tried as they are and in their wrapping.
#![no_main]

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use libfuzzer_sys::fuzz_target;
use underpin_source::helm_release::decode;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = decode(text);
    }
    let _ = decode(&STANDARD.encode(bytes));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    if encoder.write_all(bytes).is_ok()
        && let Ok(packed) = encoder.finish()
    {
        let _ = decode(&STANDARD.encode(STANDARD.encode(packed)));
    }
});
