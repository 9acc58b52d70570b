//! Definitions to schemas.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::Type;
use super::super::openapi::SchemaProblem;
use super::{DefinitionError, of_definition};

fn definition(schema: &Value) -> Value {
    json!({"spec": {"versions": [
        {"name": "v0", "schema": {"openAPIV3Schema": {"type": "object"}}},
        {"name": "v1", "schema": {"openAPIV3Schema": schema}},
    ]}})
}

/// What every object has, in a type's text, and what the schema adds.
const HEAD: &str = "apiVersion:s kind:s metadata:io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

#[track_caller]
fn check(definition: &Value, expect: &str) {
    let kind = of_definition(definition, "v1").unwrap();
    assert_eq!(kind.root.to_string(), expect.replace("HEAD", HEAD));
}

#[track_caller]
fn check_spec(spec: &Value, expect: &str) {
    let schema = json!({"type": "object", "properties": {"spec": spec}});
    check(&definition(&schema), &format!("(HEAD spec:{expect})"));
}

#[test]
fn objects_have_the_metadata_of_objects() {
    check(&definition(&json!({"type": "object"})), "(HEAD *:?)");
    let own = json!({"type": "object", "properties": {
        "kind": {"type": "integer"},
        "metadata": {"type": "object", "properties": {"name": {"type": "integer"}}},
    }});
    check(&definition(&own), "(HEAD)");
    let kind = of_definition(&definition(&own), "v1").unwrap();
    let Type::Map(root) = &kind.root else {
        panic!("{}", kind.root)
    };
    let metadata = kind.schema.resolve(&root.fields["metadata"].value);
    assert!(
        metadata.to_string().contains("finalizers:[=]s"),
        "{metadata}"
    );
}

#[test]
fn list_and_map_types_count() {
    check_spec(
        &json!({"type": "object", "properties": {
            "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "plain": {"type": "array", "items": {"type": "string"}},
            "ports": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["port", "protocol"],
                "items": {"type": "object", "properties": {
                    "port": {"type": "integer"},
                    "protocol": {"type": "string", "default": "TCP"},
                }},
            },
            "whole": {
                "type": "object",
                "x-kubernetes-map-type": "atomic",
                "additionalProperties": {"type": "string"},
            },
            "target": {
                "x-kubernetes-int-or-string": true,
                "anyOf": [{"type": "integer"}, {"type": "string"}],
            },
        }}),
        "(plain:[]s ports:[port,protocol](port:n protocol:s=\"TCP\") tags:[=]s target:x whole:!{}s)",
    );
}

#[test]
fn preserved_and_embedded_parts() {
    check_spec(
        &json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
        "{}?",
    );
    check_spec(&json!({"x-kubernetes-preserve-unknown-fields": true}), "?");
    check_spec(
        &json!({
            "type": "object",
            "x-kubernetes-embedded-resource": true,
            "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}},
        }),
        &format!("({HEAD} spec:(a:s))"),
    );
    check_spec(
        &json!({
            "type": "object",
            "x-kubernetes-embedded-resource": true,
            "x-kubernetes-preserve-unknown-fields": true,
        }),
        &format!("({HEAD} *:?)"),
    );
}

#[test]
fn a_definition_may_preserve_everything() {
    let mut all = definition(&json!({"type": "object", "properties": {
        "spec": {"type": "object", "properties": {"a": {"type": "string"}}},
    }}));
    all["spec"]["preserveUnknownFields"] = json!(true);
    check(&all, "(HEAD spec:(a:s *:?) *:?)");
}

#[test]
fn without_a_structural_schema_everything_is_deduced() {
    check(&definition(&json!(null)), "?");
    check(&json!({"spec": {"versions": [{"name": "v1"}]}}), "?");
    let untyped = json!({"type": "object", "properties": {"spec": {"properties": {}}}});
    check(&definition(&untyped), "?");
}

#[test]
fn the_beta_form_has_one_schema_for_all_versions() {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "string"}}});
    let validation = json!({"openAPIV3Schema": schema});
    let all = json!({"spec": {"validation": validation, "versions": [{"name": "v1"}]}});
    check(&all, "(HEAD spec:s)");
    let single = json!({"spec": {"validation": validation, "version": "v1"}});
    check(&single, "(HEAD spec:s)");
}

#[test]
fn what_cannot_be_converted_says_why() {
    let missing = DefinitionError::NoVersion("v1".into());
    for crd in [
        json!(null),
        json!({}),
        json!({"spec": 1}),
        json!({"spec": {"versions": [1]}}),
    ] {
        assert_eq!(of_definition(&crd, "v1").unwrap_err(), missing);
    }
    let keyless = json!({"type": "object", "properties": {
        "a": {"type": "array", "x-kubernetes-list-type": "map", "items": {"type": "object"}},
    }});
    let error = of_definition(&definition(&keyless), "v1").unwrap_err();
    assert!(
        matches!(&error, DefinitionError::Schema { error, .. } if error.problem == SchemaProblem::NoKeys)
    );
    assert_eq!(
        error.to_string(),
        "version v1: schema.a: x-kubernetes-list-type is map, and x-kubernetes-list-map-keys \
         names no keys"
    );
}

/// JSON made of the words that schemas are made of, in right and wrong places.
fn any_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        proptest::sample::select(vec![
            "object", "array", "string", "integer", "map", "set", "atomic", "port", "null", ""
        ])
        .prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        Just(json!(["port"])),
        Just(json!({"type": "string"})),
    ];
    leaf.prop_recursive(6, 64, 4, |inner| {
        let name = proptest::sample::select(vec![
            "type",
            "type",
            "properties",
            "items",
            "additionalProperties",
            "default",
            "$ref",
            "allOf",
            "port",
            "x-kubernetes-list-type",
            "x-kubernetes-list-map-keys",
            "x-kubernetes-map-type",
            "x-kubernetes-preserve-unknown-fields",
            "x-kubernetes-embedded-resource",
            "x-kubernetes-int-or-string",
            "x-kubernetes-patch-strategy",
        ]);
        proptest::collection::btree_map(name, inner, 0..5).prop_map(|map| {
            let map = map
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value));
            Value::Object(map.collect())
        })
    })
}

proptest! {
    /// Any definition gives a schema whose root has the metadata of objects, is deduced, or an
    /// error.
    #[test]
    fn any_schema_is_converted_or_refused(schema in any_schema()) {
        if let Ok(kind) = of_definition(&definition(&schema), "v1") {
            match &kind.root {
                Type::Map(map) => prop_assert!(map.fields.contains_key("metadata")),
                root => prop_assert_eq!(root, &Type::Deduced),
            }
        }
    }
}
