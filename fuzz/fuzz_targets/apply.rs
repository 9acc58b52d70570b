//! Applies and updates of anything to anything do not panic, an apply done twice changes nothing
//! the second time, and what is said to be unchanged is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use underpin_fieldset::{
    ApplyRequest, Change, apply, change, migrate,
    schema::{self, KindSchema},
    update,
};

const NOW: &str = "2026-01-01T00:00:00Z";
const LATER: &str = "2026-01-01T00:00:01Z";

// The input is the live object and the configuration, one JSON document a line.
fuzz_target!(|text: &str| {
    let Some((live, config)) = text.split_once('\n') else {
        return;
    };
    let parse = |text| serde_json::from_str::<Value>(text).ok();
    let (Some(live), Some(config)) = (parse(live), parse(config)) else {
        return;
    };
    let kinds = [
        Some(KindSchema::deduced()),
        schema::builtin("apps", "v1", "Deployment"),
        schema::builtin("", "v1", "Service"),
    ];
    for schema in kinds.iter().flatten() {
        for manager in ["one", "kubectl"] {
            round(&live, &config, manager, schema);
        }
        let _ = update(Some(&live), config.clone(), "two", "", NOW, schema);
        let _ = update(None, config.clone(), "two", "status", NOW, schema);
    }
    let _ = migrate(live, &["one", "kubectl"], "three");
});

fn round(live: &Value, config: &Value, manager: &str, schema: &KindSchema) {
    let request = |force, now| ApplyRequest {
        config,
        manager,
        force,
        subresource: "",
        now,
    };
    let _ = apply(Some(live), request(false, NOW), schema);
    let unchanged = change(config, live, manager, Some(schema)) == Change::None;
    let Ok(object) = apply(Some(live), request(true, NOW), schema) else {
        return;
    };
    if unchanged {
        let spec = |object: &Value| object.get("spec").cloned();
        assert_eq!(spec(&object), spec(live));
    }
    if let Ok(again) = apply(Some(&object), request(true, LATER), schema) {
        let spec = |object: &Value| object.get("spec").cloned();
        assert_eq!(spec(&again), spec(&object));
    }
}
