//! The YAML parser must not panic, and every position must count from 1.
#![no_main]

use libfuzzer_sys::fuzz_target;
use underpin_source::yaml;

fuzz_target!(|text: &str| {
    let (documents, diagnostics) = yaml::parse("fuzz.yaml", text);
    for document in &documents {
        assert!(
            document
                .spans
                .values()
                .all(|(line, column)| *line > 0 && *column > 0)
        );
    }
    assert!(
        diagnostics
            .iter()
            .all(|d| d.place.line > 0 && d.place.column > 0)
    );
});
