//! Terraform files must not panic, whatever they hold; positions must count from 1, and every
//! resource that declares an object must come out, as an object or as one that is unknown.
#![no_main]

use camino::Utf8Path;
use libfuzzer_sys::fuzz_target;
use underpin_source::terraform::{Options, read_text};

fuzz_target!(|text: &str| {
    let found = read_text(Utf8Path::new("fuzz.tf"), text, &Options::default());
    let diagnostics = found.diagnostics.iter().map(|found| &found.place);
    let comments = found.comments.iter().map(|found| &found.place);
    let unknown = found.unknown.iter().map(|found| &found.place);
    for place in diagnostics.chain(comments).chain(unknown) {
        assert!(place.line > 0 && place.column > 0);
    }
    assert!(found.unknown.iter().all(|object| {
        !object.parts.is_empty() || object.doubt.is_some()
    }));
});
