//! Headers of registries are read, or refused: how they ask who somebody is, and where the next page is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use underpin_registry::{challenges, next_link};

fuzz_target!(|text: &str| {
    for challenge in challenges(text) {
        assert!(!challenge.scheme.is_empty());
        assert!(challenge.parameters.iter().all(|(name, _)| !name.is_empty()));
    }
    if let Ok(Some(path)) = next_link(text) {
        assert!(path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()));
    }
});
