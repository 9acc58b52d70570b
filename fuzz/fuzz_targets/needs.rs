//! Any text that a container is given is read without a panic, and twice the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use underpin_model::{Depth, Object, Origin, World};
use underpin_refs::{NeedOptions, needs, service_hosts};

fuzz_target!(|text: &str| {
    for host in service_hosts(text) {
        assert!(text[host.offset..].starts_with(host.name));
    }
    let mut world = World::default();
    for value in objects(text) {
        world.insert(Object::from_value(value, Depth::Full, Origin::Live).expect("an object"));
    }
    let found = needs(&world, &NeedOptions::default());
    assert_eq!(found, needs(&world, &NeedOptions::default()));
});

fn objects(text: &str) -> [Value; 3] {
    let metadata = |name| json!({"name": name, "namespace": "shop"});
    [
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata("web"),
            "spec": {"template": {
                "metadata": {"annotations": {"underpin.dev/needs": text, "underpin.dev/no-needs": text}},
                "spec": {
                    "containers": [{
                        "name": "web", "args": [text], "command": ["sh", "-c", text],
                        "env": [{"name": "DB_HOST", "value": text}, {"name": "TEXT", "value": text}],
                    }],
                    "volumes": [
                        {"name": "a", "configMap": {"name": "a"}},
                        {"name": "b", "secret": {"secretName": "b"}},
                    ],
                },
            }},
        }),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("a"),
            "data": {"a.yaml": text},
        }),
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": metadata("b"),
            "stringData": {"b.ini": text},
        }),
    ]
}
