//! FieldsV1 is read or refused, and what was read is written and read again as the same set.
#![no_main]

use libfuzzer_sys::fuzz_target;
use underpin_fieldset::FieldSet;

fuzz_target!(|text: &str| {
    let Ok(value) = serde_json::from_str(text) else {
        return;
    };
    let Ok(set) = FieldSet::from_fields_v1(&value) else {
        return;
    };
    let written = set.to_fields_v1();
    assert_eq!(FieldSet::from_fields_v1(&written).as_ref(), Ok(&set));
    let json = serde_json::from_str(&set.to_fields_v1_json());
    assert_eq!(json.ok(), Some(written));
    assert_eq!(set.iter().count(), set.len());
});
