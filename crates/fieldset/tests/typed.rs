//! Values under a schema: tables, and properties against a plain walk of the leaves.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests fail as tests do, and take what literals they are given"
)]

mod common;

use std::collections::BTreeSet;

use common::{leaves, list_of, scalar, schema, spec, thing};
use proptest::prelude::*;
use serde_json::{Value, json};
use underpin_fieldset::{
    FieldSet, compare, describe, extract, fields_of, merge, remove,
    schema::{KindSchema, ListRelation, Scalar, Type},
    validate,
};

#[track_caller]
fn check_invalid(spec: &Value, expected: &[&str]) {
    let errors = validate(&thing(spec), &schema()).err().unwrap_or_default();
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors, expected, "{spec}");
}

#[test]
fn what_does_not_fit_is_named_with_its_place() {
    check_invalid(
        &json!({"replicas": 1, "texts": null, "any": {"a": [1, {"b": null}]}}),
        &[],
    );
    check_invalid(&json!({"cpu": "1"}), &[]);
    check_invalid(
        &json!({"replicas": "1", "paused": 1, "cpu": {}, "unknown": 1}),
        &[
            ".spec.cpu: expected any scalar, got map",
            ".spec.paused: expected boolean, got number",
            ".spec.replicas: expected numeric (int or float), got string",
            ".spec.unknown: field not declared in schema",
        ],
    );
    check_invalid(
        &json!({"texts": {"a": 1}, "set": ["a", "b", "a"], "list": {}, "selector": []}),
        &[
            ".spec.list: expected list, got map",
            ".spec.selector: expected map, got list",
            ".spec.set: duplicate entries for key [=\"a\"]",
            ".spec.texts.a: expected string, got number",
        ],
    );
    check_invalid(
        &json!({"ports": [{"port": 1}, {"port": 1, "protocol": "TCP"}, {"port": "x"}]}),
        &[
            ".spec.ports: duplicate entries for key [port=1,protocol=\"TCP\"]",
            ".spec.ports[port=\"x\",protocol=\"TCP\"].port: expected numeric (int or float), \
             got string",
        ],
    );
    check_invalid(
        &json!({"containers": [{"image": "a"}, 1, null], "set": [{}, [], null], "list": ["a"]}),
        &[
            ".spec.containers: element 0: associative list with keys has an element that omits \
             all key fields [\"name\"] (and doesn't have default values for any key fields)",
            ".spec.containers: element 1: associative list with keys may not have non-map elements",
            ".spec.containers: element 2: associative list with keys may not have a null element",
            ".spec.list[0]: expected numeric (int or float), got string",
            ".spec.set: element 0: associative list without keys has an element that's a map type",
            ".spec.set: element 1: not supported: associative list with lists as elements",
            ".spec.set: element 2: associative list without keys has an element that's an \
             explicit null",
        ],
    );
    let errors = validate(&json!({"a": 1, "b": 2}), &schema()).unwrap_err();
    assert_eq!(
        describe(&errors),
        "errors:\n  .a: field not declared in schema\n  .b: field not declared in schema"
    );
    let many: Value = (0..1000).map(|n| (format!("f{n}"), json!(n))).collect();
    assert_eq!(validate(&many, &schema()).unwrap_err().len(), 100);
}

#[test]
fn depth_is_bounded() {
    let mut value = json!(1);
    for _ in 0..300 {
        value = json!({"a": value});
    }
    let errors = validate(&value, &KindSchema::deduced()).unwrap_err();
    assert_eq!(errors[0].message, "nested deeper than 256");
}

#[track_caller]
fn check_fields(value: &Value, schema: &KindSchema, expected: &Value) {
    assert_eq!(
        &fields_of(value, schema).unwrap().to_fields_v1(),
        expected,
        "{value}"
    );
}

#[test]
fn leaves_and_items_are_fields() {
    let spec = json!({
        "replicas": null, "texts": {"a": "1"}, "set": ["x"], "list": [], "selector": {"a": "1"},
        "ports": [{"port": 80}], "any": {"deep": {"list": [{"a": 1}]}, "empty": {}},
        "containers": [],
    });
    check_fields(
        &json!({"spec": spec}),
        &schema(),
        &json!({"f:spec": {
            "f:replicas": {}, "f:texts": {"f:a": {}}, "f:set": {"v:\"x\"": {}}, "f:list": {},
            "f:selector": {},
            "f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}},
            "f:any": {"f:deep": {".": {}, "f:list": {}}, "f:empty": {}},
        }}),
    );
    check_fields(
        &json!({"a": {"b": 1, "c": null}, "l": [{"x": 1}]}),
        &KindSchema::deduced(),
        &json!({"f:a": {".": {}, "f:b": {}, "f:c": {}}, "f:l": {}}),
    );
    // What is there more than once is owned as one.
    check_fields(
        &json!({"spec": {"ports": [{"port": 1, "name": "a"}, {"port": 1, "name": "b"}]}}),
        &schema(),
        &json!({"f:spec": {"f:ports": {"k:{\"port\":1,\"protocol\":\"TCP\"}": {}}}}),
    );
}

fn set_schema() -> KindSchema {
    KindSchema {
        root: list_of(scalar(Scalar::Any), ListRelation::Set),
        ..KindSchema::deduced()
    }
}

#[track_caller]
fn check_order(live: &Value, applied: &Value, expected: &Value) {
    assert_eq!(&merge(live, applied, &set_schema()).unwrap(), expected);
}

#[test]
fn merged_lists_keep_both_orders() {
    check_order(&json!([1, 2, 3]), &json!([2]), &json!([1, 2, 3]));
    check_order(&json!([1, 2, 3]), &json!([3, 1]), &json!([2, 3, 1]));
    check_order(&json!([1, 2, 3]), &json!([4]), &json!([1, 2, 3, 4]));
    check_order(&json!([1, 2, 3]), &json!([4, 1]), &json!([4, 1, 2, 3]));
    check_order(&json!([1, 2, 3]), &json!([3, 2, 1]), &json!([3, 2, 1]));
    check_order(
        &json!([1, 2, 3, 4, 5]),
        &json!([3, 0, 5]),
        &json!([1, 2, 3, 4, 0, 5]),
    );
    check_order(&json!([]), &json!([2, 1]), &json!([2, 1]));
    check_order(&json!([2, 1]), &json!([]), &json!([2, 1]));
    check_order(&json!([1, 1, 2]), &json!([2, 1]), &json!([2, 1]));
}

#[track_caller]
fn check_merge(live: &Value, applied: &Value, expected: &Value) {
    let merged = merge(&thing(live), &thing(applied), &schema()).unwrap();
    assert_eq!(&merged["spec"], expected);
}

#[test]
fn applied_values_are_laid_over_live_ones() {
    check_merge(
        &json!({"ports": [{"port": 80, "protocol": "TCP", "name": "a"}], "list": [1]}),
        &json!({"ports": [{"port": 80, "name": "b"}], "list": [2]}),
        &json!({"ports": [{"port": 80, "protocol": "TCP", "name": "b"}], "list": [2]}),
    );
    // Null keeps the parts of what has parts, and replaces what has none.
    check_merge(
        &json!({"texts": {"a": "1"}, "set": ["a"], "replicas": 1, "list": [1], "any": {"a": 1}}),
        &json!({"texts": null, "set": null, "replicas": null, "list": null, "any": null}),
        &json!({"texts": {"a": "1"}, "set": ["a"], "replicas": null, "list": null, "any": {"a": 1}}),
    );
    check_merge(
        &json!({"any": {"a": {"b": 1}, "c": 1, "d": [1]}, "selector": {"a": "1"}}),
        &json!({"any": {"a": 2, "c": {"e": 1}, "d": {"f": 1}}, "selector": {"b": "1"}}),
        &json!({"any": {"a": 2, "c": {"e": 1}, "d": {"f": 1}}, "selector": {"b": "1"}}),
    );
}

#[track_caller]
fn check_compare(before: &Value, after: &Value, expected: [Value; 3]) {
    let changes = compare(before, after, &KindSchema::deduced());
    let sets = [changes.added, changes.modified, changes.removed];
    assert_eq!(
        sets.map(|set| set.to_fields_v1()),
        expected,
        "{before} {after}"
    );
}

#[test]
fn differences_are_told_apart() {
    let none = || json!({});
    check_compare(
        &json!({"a": 1}),
        &json!({"a": 1.0}),
        [none(), none(), none()],
    );
    check_compare(
        &json!({"a": 1, "b": {"c": 1}}),
        &json!({"a": 2, "d": {"e": 1}}),
        [
            json!({"f:d": {".": {}, "f:e": {}}}),
            json!({"f:a": {}}),
            json!({"f:b": {".": {}, "f:c": {}}}),
        ],
    );
    check_compare(
        &json!({"a": null}),
        &json!({"a": {}}),
        [none(), json!({"f:a": {}}), none()],
    );
    check_compare(
        &json!({"a": {"b": 1}}),
        &json!({"a": 1}),
        [none(), json!({"f:a": {}}), json!({"f:a": {"f:b": {}}})],
    );
    check_compare(
        &json!({"a": [1]}),
        &json!({"a": {"b": 1}}),
        [json!({"f:a": {"f:b": {}}}), json!({"f:a": {}}), none()],
    );
}

#[track_caller]
fn check_remove(spec: &Value, fields: &Value, removed: &Value, extracted: &Value) {
    let fields = FieldSet::from_fields_v1(&json!({"f:spec": fields})).unwrap();
    let value = json!({"spec": spec});
    assert_eq!(&remove(&value, &fields, &schema())["spec"], removed);
    assert_eq!(&extract(&value, &fields, &schema())["spec"], extracted);
}

#[test]
fn fields_are_removed_and_extracted() {
    check_remove(
        &json!({"replicas": 1, "texts": {"a": "1", "b": "2"}, "set": ["x", "y"]}),
        &json!({"f:replicas": {}, "f:texts": {"f:a": {}}, "f:set": {"v:\"y\"": {}}}),
        &json!({"texts": {"b": "2"}, "set": ["x"]}),
        &json!({"replicas": 1, "texts": {"a": "1"}, "set": ["y"]}),
    );
    check_remove(
        &json!({"texts": {"a": "1"}, "containers": [{"name": "a", "image": "1"}, {"name": "b"}]}),
        &json!({"f:texts": {"f:a": {}}, "f:containers": {
            "k:{\"name\":\"a\"}": {"f:image": {}}, "k:{\"name\":\"b\"}": {},
        }}),
        &json!({"containers": [{"name": "a"}]}),
        &json!({"texts": {"a": "1"}, "containers": [{"image": "1"}, {"name": "b"}]}),
    );
    // Parts of something atomic are of another schema.
    check_remove(
        &json!({"selector": {"a": "1", "b": "2"}, "replicas": 1}),
        &json!({"f:selector": {"f:a": {}}}),
        &json!({"replicas": 1}),
        &json!({"selector": {"a": "1", "b": "2"}}),
    );
}

fn paths(set: &FieldSet, all: &BTreeSet<String>) -> BTreeSet<String> {
    let members = set.iter().map(|path| path.to_string());
    members.filter(|path| all.contains(path)).collect()
}

fn items(value: &Value) -> Vec<u64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_u64)
        .collect()
}

proptest! {
    #[test]
    fn merging_and_comparing_is_a_matter_of_leaves(before in spec(), after in spec()) {
        let (before, after) = (thing(&before), thing(&after));
        let (old, new) = (leaves(&before), leaves(&after));
        let all: BTreeSet<_> = old.keys().chain(new.keys()).cloned().collect();

        let mut expected = old.clone();
        expected.extend(new.clone());
        let merged = merge(&before, &after, &schema()).unwrap();
        prop_assert_eq!(leaves(&merged), expected);
        prop_assert_eq!(&merge(&merged, &after, &schema()).unwrap(), &merged);

        let changes = compare(&before, &after, &schema());
        let chosen = |keep: &dyn Fn(&String) -> bool| -> BTreeSet<String> {
            all.iter().filter(|path| keep(path)).cloned().collect()
        };
        prop_assert_eq!(
            paths(&changes.added, &all),
            chosen(&|path| !old.contains_key(path))
        );
        prop_assert_eq!(
            paths(&changes.removed, &all),
            chosen(&|path| !new.contains_key(path))
        );
        prop_assert_eq!(
            paths(&changes.modified, &all),
            chosen(&|path| matches!((old.get(path), new.get(path)), (Some(a), Some(b)) if a != b))
        );
        prop_assert_eq!(changes.is_same(), old == new);
    }

    #[test]
    fn fields_are_leaves_and_removal_is_theirs(value in spec(), other in spec()) {
        let (value, other) = (thing(&value), thing(&other));
        let all: BTreeSet<_> = leaves(&value).into_keys().collect();
        let fields = fields_of(&value, &schema()).unwrap();
        prop_assert_eq!(&paths(&fields, &all), &all);
        let others = fields_of(&other, &schema()).unwrap();
        let left: BTreeSet<_> = leaves(&remove(&value, &others, &schema())).into_keys().collect();
        prop_assert_eq!(left, &all - &paths(&fields.below(&others), &all));
        let kept: BTreeSet<_> = leaves(&extract(&value, &others, &schema())).into_keys().collect();
        prop_assert_eq!(kept, paths(&fields.intersection(&others), &all));
    }

    /// Merged lists hold every item once, the applied ones in their order, and the others in
    /// theirs.
    #[test]
    fn merged_lists_hold_all_items_in_order(
        live in prop::collection::btree_set(0_u64..12, 0..9).prop_map(Vec::from_iter).prop_shuffle(),
        applied in prop::collection::btree_set(0_u64..12, 0..9)
            .prop_map(Vec::from_iter).prop_shuffle(),
    ) {
        let merged = items(&merge(&json!(live), &json!(applied), &set_schema()).unwrap());
        let only = |list: &[u64], keep: &dyn Fn(&u64) -> bool| -> Vec<u64> {
            list.iter().copied().filter(|item| keep(item)).collect()
        };
        prop_assert_eq!(only(&merged, &|item| applied.contains(item)), applied.clone());
        let others = |item: &u64| !applied.contains(item);
        prop_assert_eq!(only(&merged, &others), only(&live, &others));
        // Where both agree on the order, the live list only grows.
        let shared_live = only(&live, &|item| applied.contains(item));
        if shared_live == only(&applied, &|item| live.contains(item)) {
            prop_assert_eq!(only(&merged, &|item| live.contains(item)), live);
        }
    }

    /// Whatever the value and the schema, nothing panics, and what passes can be merged.
    #[test]
    fn nothing_panics(left in any_value(), right in any_value(), kind in 0..3) {
        let schema = match kind {
            0 => schema(),
            1 => KindSchema::deduced(),
            _ => KindSchema { root: Type::Named("Container".into()), ..schema() },
        };
        let changes = compare(&left, &right, &schema);
        let _ = remove(&left, &changes.set(), &schema);
        let _ = extract(&left, &changes.removed, &schema);
        if let (Ok(()), Ok(fields)) = (validate(&right, &schema), fields_of(&left, &schema)) {
            let merged = merge(&left, &right, &schema);
            prop_assert!(merged.is_ok());
            let merged = merged.unwrap_or_default();
            let again = merge(&merged, &right, &schema);
            prop_assert_eq!(again.as_ref(), Ok(&merged));
            prop_assert_eq!(remove(&left, &FieldSet::new(), &schema), left.clone());
            let _ = extract(&left, &fields, &schema);
        }
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("spec"),
        Just("texts"),
        Just("set"),
        Just("ports"),
        Just("containers"),
        Just("name"),
        Just("port"),
        Just("protocol"),
        Just("any"),
        Just("list"),
        Just("selector"),
        Just("x"),
    ];
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!(1)),
        Just(json!(80.0)),
        Just(json!("a")),
        Just(json!(true)),
    ];
    leaf.prop_recursive(5, 32, 4, move |inner| {
        let name = name.clone().prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(name, inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}
