//! A CustomResourceDefinition's schema must convert or be refused, without a panic, and the text of
//! what comes out must be read back as the same type.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use underpin_fieldset::schema::{Schema, crd::of_definition, table::Table};

fuzz_target!(|text: &str| {
    let Ok(node) = serde_json::from_str::<Value>(text) else {
        return;
    };
    // The text as a whole definition, and as the schema in one.
    let wrapped = json!({"spec": {"versions": [
        {"name": "v1", "schema": {"openAPIV3Schema": node}},
    ]}});
    drop(of_definition(&node, "v1"));
    let Ok(kind) = of_definition(&wrapped, "v1") else {
        return;
    };
    let mut schema: Schema = (*kind.schema).clone();
    schema.insert("fuzz.Root", kind.root.clone());
    let table = Table {
        schema: Arc::new(schema),
        ..Table::default()
    };
    // What refers to nothing, or lies deeper than the text form goes, is refused by the parser.
    if let Ok(read) = Table::parse(&table.to_string()) {
        assert_eq!(read.schema.get("fuzz.Root"), Some(&kind.root));
    }
});
