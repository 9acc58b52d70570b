//! Applies and updates: conflicts, removal, sharing, times, limits.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests fail as tests do, and take what literals they are given"
)]

mod common;

use std::collections::BTreeSet;

use common::{leaves, schema, spec, thing};
use proptest::prelude::*;
use serde_json::{Value, json};
use underpin_fieldset::{
    ApplyError, ApplyRequest, Change, FieldPath, ManagedFields, Operation, Reason, apply, change,
    fields_of, migrate, update,
};

const NOW: &str = "2026-01-01T00:00:00Z";
const LATER: &str = "2026-01-01T00:00:05Z";

fn request<'a>(config: &'a Value, manager: &'a str, force: bool, now: &'a str) -> ApplyRequest<'a> {
    ApplyRequest {
        config,
        manager,
        force,
        subresource: "",
        now,
    }
}

fn applied(live: Option<&Value>, spec: &Value, manager: &str, force: bool) -> Value {
    apply(live, request(&thing(spec), manager, force, NOW), &schema()).unwrap()
}

fn updated(live: Option<&Value>, new: Value, manager: &str, now: &str) -> Value {
    update(live, new, manager, "", now, &schema()).unwrap()
}

fn entries(object: &Value) -> Vec<String> {
    let managed = ManagedFields::of_object(object).unwrap();
    let entry = |entry: &underpin_fieldset::ManagerEntry| {
        let operation = entry.operation.name();
        let time = entry.time.as_deref().unwrap_or("-");
        let fields = entry.fields.to_fields_v1_json();
        let subresource = &entry.subresource;
        format!(
            "{} {operation}{subresource} {} {fields}",
            entry.manager,
            &time[17..19]
        )
    };
    managed.0.iter().map(entry).collect()
}

#[track_caller]
fn check_conflict(live: &Value, config: &Value, manager: &str, expected: &str) {
    let error = apply(Some(live), request(config, manager, false, NOW), &schema()).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn conflicts_are_told_as_the_server_tells_them() {
    let created = updated(None, thing(&json!({"replicas": 1})), "kubectl", NOW);
    check_conflict(
        &created,
        &thing(&json!({"replicas": 2})),
        "two",
        "Apply failed with 1 conflict: conflict with \"kubectl\" using v1: .spec.replicas",
    );
    let shared = applied(
        Some(&created),
        &json!({"replicas": 1, "ports": [{"port": 80, "name": "a"}], "set": ["x"]}),
        "one \"q\"",
        false,
    );
    check_conflict(
        &shared,
        &thing(&json!({"replicas": 2, "ports": [{"port": 80, "name": "b"}], "set": ["x"]})),
        "two",
        "Apply failed with 3 conflicts: conflicts with \"kubectl\" using v1:\n- .spec.replicas\n\
         conflicts with \"one \\\"q\\\"\":\n- .spec.replicas\n\
         - .spec.ports[port=80,protocol=\"TCP\"].name",
    );
    let ready = {
        let mut new = created.clone();
        new["status"] = json!({"ready": 1});
        update(Some(&created), new, "kubelet", "status", NOW, &schema()).unwrap()
    };
    let mut config = thing(&json!({}));
    config["status"] = json!({"ready": 2});
    check_conflict(
        &ready,
        &config,
        "two",
        "Apply failed with 1 conflict: conflict with \"kubelet\" with subresource \"status\" \
         using v1: .status.ready",
    );
}

#[test]
fn what_is_applied_no_more_goes_unless_another_owns_it() {
    let one = applied(
        None,
        &json!({"texts": {"a": "1", "b": "1"}, "set": ["x", "y"]}),
        "one",
        false,
    );
    let two = applied(
        Some(&one),
        &json!({"texts": {"a": "1"}, "set": ["y"]}),
        "two",
        false,
    );
    let less = applied(Some(&two), &json!({"replicas": 1}), "one", false);
    assert_eq!(
        less["spec"],
        json!({"replicas": 1, "texts": {"a": "1"}, "set": ["y"]})
    );
    let least = applied(Some(&less), &json!({}), "two", false);
    assert_eq!(least["spec"], json!({"replicas": 1}));
    assert_eq!(
        entries(&least),
        [
            "one Apply 00 {\"f:spec\":{\"f:replicas\":{}}}",
            "two Apply 00 {\"f:spec\":{}}"
        ]
    );
}

#[test]
fn what_somebody_applies_empty_stays_empty() {
    let one = applied(
        None,
        &json!({"texts": {"a": "1"}, "replicas": 1}),
        "one",
        false,
    );
    let two = applied(Some(&one), &json!({"texts": {}}), "two", false);
    let least = applied(Some(&two), &json!({}), "one", false);
    assert_eq!(least["spec"], json!({"texts": {}}));
    assert_eq!(
        applied(Some(&one), &json!({}), "one", false)["spec"],
        json!({})
    );
}

#[test]
fn force_takes_over() {
    let one = applied(None, &json!({"replicas": 1, "list": [1]}), "one", false);
    let two = applied(Some(&one), &json!({"replicas": 2}), "two", true);
    assert_eq!(two["spec"], json!({"replicas": 2, "list": [1]}));
    assert_eq!(
        entries(&two),
        [
            "one Apply 00 {\"f:spec\":{\"f:list\":{}}}",
            "two Apply 00 {\"f:spec\":{\"f:replicas\":{}}}"
        ]
    );
}

#[test]
fn times_tell_when_something_changed() {
    let config = thing(&json!({"replicas": 1}));
    let first = applied(None, &config["spec"], "one", false);
    let again = apply(
        Some(&first),
        request(&config, "one", false, LATER),
        &schema(),
    )
    .unwrap();
    assert_eq!(again, first);
    let shared = apply(
        Some(&first),
        request(&config, "two", false, LATER),
        &schema(),
    )
    .unwrap();
    assert_eq!(
        entries(&shared),
        [
            "one Apply 00 {\"f:spec\":{\"f:replicas\":{}}}",
            "two Apply 05 {\"f:spec\":{\"f:replicas\":{}}}"
        ]
    );
    assert_eq!(
        updated(Some(&shared), shared.clone(), "three", LATER),
        shared
    );
    let mut new = shared.clone();
    new["spec"]["replicas"] = json!(2);
    let changed = updated(Some(&shared), new, "three", LATER);
    assert_eq!(
        entries(&changed),
        ["three Update 05 {\"f:spec\":{\"f:replicas\":{}}}"]
    );
}

#[test]
fn what_was_there_before_the_first_apply_is_owned() {
    let live = json!({
        "apiVersion": "v1", "kind": "Thing", "metadata": {"name": "t", "uid": "1"},
        "spec": {"replicas": 1, "list": [1]},
    });
    let object = applied(Some(&live), &json!({"list": [1]}), "one", false);
    assert_eq!(
        entries(&object),
        [
            "one Apply 00 {\"f:spec\":{\"f:list\":{}}}",
            "before-first-apply Update 00 {\"f:spec\":{\".\":{},\"f:list\":{},\"f:replicas\":{}}}"
        ]
    );
    // Until then nobody is written down.
    let mut new = live.clone();
    new["spec"]["replicas"] = json!(2);
    assert_eq!(updated(Some(&live), new.clone(), "one", NOW), new);
}

#[test]
fn managed_fields_of_a_request_are_taken_as_the_server_takes_them() {
    let live = updated(None, thing(&json!({"replicas": 1})), "one", NOW);
    let with = |managed: Value| {
        let mut new = live.clone();
        new["metadata"]["managedFields"] = managed;
        updated(Some(&live), new, "two", LATER)
    };
    for reset in [json!([]), json!([{}])] {
        assert_eq!(with(reset)["metadata"].get("managedFields"), None);
    }
    let own = entries(&live);
    for kept in [json!(null), json!([{"operation": "Else"}]), json!("x")] {
        assert_eq!(entries(&with(kept)), own);
    }
    let given = json!([{
        "manager": "given", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:list": {}}},
    }]);
    let taken = with(given.clone());
    assert_eq!(ManagedFields::of_object(&taken).unwrap().to_json(), given);
    // Not through a subresource.
    let mut new = live.clone();
    new["metadata"]["managedFields"] = json!([]);
    let through = update(Some(&live), new, "two", "status", LATER, &schema()).unwrap();
    assert_eq!(entries(&through), own);
    // An object that does not fit keeps them.
    let mut new = live.clone();
    new["spec"]["replicas"] = json!("one");
    assert_eq!(entries(&updated(Some(&live), new, "two", LATER)), own);
}

#[test]
fn old_update_managers_are_merged_beyond_ten() {
    let mut live = updated(None, thing(&json!({"texts": {"k": "v"}})), "m00", NOW);
    for index in 1..15 {
        let mut new = live.clone();
        new["spec"]["texts"][format!("k{index:02}")] = json!("v");
        let now = format!("2026-01-01T00:00:{index:02}Z");
        live = updated(Some(&live), new, &format!("m{index:02}"), &now);
    }
    let managed = ManagedFields::of_object(&live).unwrap();
    let names: Vec<_> = managed.0.iter().map(|entry| &*entry.manager).collect();
    assert_eq!(
        names,
        [
            "ancient-changes",
            "m06",
            "m07",
            "m08",
            "m09",
            "m10",
            "m11",
            "m12",
            "m13",
            "m14"
        ]
    );
    assert_eq!(
        managed.0[0].fields.len(),
        8,
        "k, k01 to k05, texts and spec"
    );
    assert_eq!(managed.0[0].time.as_deref(), Some("2026-01-01T00:00:05Z"));
}

#[track_caller]
fn check_refused(live: Option<&Value>, config: &Value, expected: &str) {
    let error = apply(live, request(config, "one", true, NOW), &schema()).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn bad_input_is_refused() {
    check_refused(None, &json!({}), "apiVersion is missing or malformed");
    check_refused(None, &json!([]), "apiVersion is missing or malformed");
    let mut config = thing(&json!({"replicas": "x"}));
    check_refused(
        None,
        &config,
        ".spec.replicas: expected numeric (int or float), got string",
    );
    let mut live = thing(&json!({}));
    live["metadata"]["managedFields"] = json!([{"operation": "Apply"}]);
    config = thing(&json!({}));
    check_refused(
        Some(&live),
        &config,
        "managed fields entry 0: apiVersion must not be empty",
    );
    config["metadata"]["managedFields"] = json!([]);
    check_refused(None, &config, "metadata.managedFields must be nil");
}

#[test]
fn client_side_apply_is_succeeded() {
    const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";
    let last = thing(&json!({"replicas": 1, "list": [1]}));
    let mut created = last.clone();
    created["metadata"]["annotations"] = json!({ANNOTATION: last.to_string()});
    let live = updated(None, created, "kubectl-client-side-apply", NOW);
    let config = thing(&json!({"replicas": 2}));
    let conflict = apply(
        Some(&live),
        request(&config, "other", false, NOW),
        &schema(),
    );
    assert!(matches!(conflict, Err(ApplyError::Conflicts(_))));
    let object = apply(
        Some(&live),
        request(&config, "kubectl", false, NOW),
        &schema(),
    )
    .unwrap();
    assert_eq!(object["spec"], json!({"replicas": 2, "list": [1]}));
    assert_eq!(
        object["metadata"]["annotations"][ANNOTATION]
            .as_str()
            .unwrap(),
        format!("{config}\n")
    );
    // What somebody else changed since is a conflict still.
    let mut edited = live.clone();
    edited["spec"]["replicas"] = json!(3);
    let edited = updated(Some(&live), edited, "editor", NOW);
    check_conflict(
        &edited,
        &config,
        "kubectl",
        "Apply failed with 1 conflict: conflict with \"editor\" using v1: .spec.replicas",
    );
}

#[test]
fn update_managers_become_an_apply_manager() {
    let live = updated(
        None,
        thing(&json!({"replicas": 1, "list": [1]})),
        "old",
        NOW,
    );
    let live = applied(Some(&live), &json!({"replicas": 1}), "new", false);
    let object = migrate(live.clone(), &["old", "absent"], "new").unwrap();
    assert_eq!(
        entries(&object),
        ["new Apply 00 {\"f:spec\":{\".\":{},\"f:list\":{},\"f:replicas\":{}}}"]
    );
    let object = applied(Some(&object), &json!({"replicas": 1}), "new", false);
    assert_eq!(object["spec"], json!({"replicas": 1}));
    let first = migrate(live.clone(), &["old"], "other").unwrap();
    let managed = ManagedFields::of_object(&first).unwrap();
    assert!(
        managed
            .0
            .iter()
            .all(|entry| entry.operation == Operation::Apply)
    );
    assert_eq!(migrate(live.clone(), &["absent"], "other").unwrap(), live);
}

#[track_caller]
fn check_change(declared: &Value, live: &Value, expected: Change) {
    assert_eq!(change(declared, live, "one", Some(&schema())), expected);
}

/// What a server of another version owns field by field where the schema takes an object as one:
/// `owned` below `spec.selector`, of the declared and the live one.
#[track_caller]
fn check_divided(declared: &Value, live: &Value, owned: Value, expected: Change) {
    let selected = |selector: &Value| json!({"replicas": 1, "selector": selector});
    let mut live = applied(None, &selected(live), "one", false);
    let fields = &mut live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:selector"];
    assert_eq!(*fields, json!({}));
    *fields = owned;
    check_change(&thing(&selected(declared)), &live, expected);
}

#[test]
fn what_an_older_server_owns_in_parts_is_unchanged_if_all_of_it_is() {
    let both = json!({"a": "1", "b": "2"});
    let own = |names: &[&str]| -> Value {
        let fields = names.iter().map(|name| (format!("f:{name}"), json!({})));
        Value::Object(fields.collect())
    };
    let selector = || FieldPath::of_fields(["spec", "selector"]);
    let not_owned = || Change::AskServer(Reason::Owned(selector()));
    let differs = || Change::AskServer(Reason::Value(selector()));
    check_divided(&both, &both, own(&["a", "b"]), Change::None);
    // One field is somebody else's, with the same value: an apply would own it too.
    check_divided(&both, &both, own(&["a"]), not_owned());
    check_divided(&both, &both, own(&["a", "c"]), not_owned());
    check_divided(&both, &both, own(&["a", "b", "c"]), not_owned());
    // One was dropped: an apply would remove it.
    check_divided(&json!({"a": "1"}), &both, own(&["a", "b"]), not_owned());
    check_divided(&json!({"a": "1"}), &both, own(&["a"]), differs());
    let other = json!({"a": "1", "b": "3"});
    check_divided(&other, &both, own(&["a", "b"]), differs());
    let deeper = json!({"f:a": {"f:x": {}}, "f:b": {}});
    check_divided(&both, &both, deeper, not_owned());
}

#[test]
fn only_what_is_proven_is_unchanged() {
    let path = |names: &[&str]| FieldPath::of_fields(names.iter().copied());
    let spec = json!({
        "replicas": 1, "cpu": "1", "list": [1, 2], "set": ["a", "b"],
        "ports": [{"port": 80}, {"port": 81}],
    });
    let live = applied(None, &spec, "one", false);
    let declared = thing(&spec);
    let with = |name: &str, value: Value| {
        let mut declared = declared.clone();
        declared["spec"][name] = value;
        declared
    };
    check_change(&declared, &live, Change::None);
    check_change(&with("replicas", json!(1.0)), &live, Change::None);
    // What a creation that could not be anything else leaves in the managed fields.
    let mut created = live.clone();
    created["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"] =
        json!({"f:deletionGracePeriodSeconds": {}});
    check_change(&declared, &created, Change::None);
    let asks = |reason| Change::AskServer(reason);
    assert_eq!(
        change(&declared, &live, "one", None),
        asks(Reason::NoSchema)
    );
    assert_eq!(
        change(&declared, &live, "two", Some(&schema())),
        asks(Reason::NotApplied)
    );
    let value = |name| asks(Reason::Value(path(&["spec", name])));
    check_change(&with("cpu", json!("1000m")), &live, value("cpu"));
    check_change(&with("list", json!([2, 1])), &live, value("list"));
    check_change(
        &with("set", json!(["b", "a"])),
        &live,
        asks(Reason::Value(FieldPath::new())),
    );
    check_change(
        &with("ports", json!([{"port": 81}, {"port": 80}])),
        &live,
        asks(Reason::Value(FieldPath::new())),
    );
    check_change(
        &with("paused", json!(true)),
        &live,
        asks(Reason::Owned(path(&["spec", "paused"]))),
    );
    check_change(
        &with("paused", json!(1)),
        &live,
        asks(Reason::Declared(path(&["spec", "paused"]))),
    );
    // A key that the server would fill in is the same key, and yet another field is owned.
    let explicit = with(
        "ports",
        json!([{"port": 80, "protocol": "TCP"}, {"port": 81}]),
    );
    assert!(matches!(
        change(&explicit, &live, "one", Some(&schema())),
        Change::AskServer(Reason::Owned(_))
    ));
    let mut defaulted = live.clone();
    defaulted["spec"]["ports"][0]["protocol"] = json!("TCP");
    check_change(&declared, &defaulted, Change::None);
    let mut other = live.clone();
    other["metadata"]["deletionTimestamp"] = json!(NOW);
    check_change(&declared, &other, asks(Reason::BeingDeleted));
    other = live.clone();
    other["metadata"]["managedFields"][0]["fieldsV1"] = json!(1);
    check_change(&declared, &other, asks(Reason::ManagedFields));
    other = live.clone();
    other["metadata"]["managedFields"][0]["apiVersion"] = json!("v2");
    check_change(&declared, &other, asks(Reason::AppliedVersion));
    other = live.clone();
    other["kind"] = json!("Other");
    check_change(&declared, &other, asks(Reason::OtherKind));
    other = live.clone();
    other["spec"]["set"] = json!(["a", "a", "b"]);
    check_change(
        &declared,
        &other,
        asks(Reason::Live(path(&["spec", "set"]))),
    );
}

/// A manager, what it applies, and whether by force.
fn steps() -> impl Strategy<Value = Vec<(usize, Value, bool)>> {
    prop::collection::vec((0_usize..3, spec(), any::<bool>()), 1..7)
}

const MANAGERS: [&str; 3] = ["one", "two", "three"];

fn owned(object: &Value, keep: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let managed = ManagedFields::of_object(object).unwrap();
    let entries = managed.0.iter().filter(|entry| keep(&entry.manager));
    entries
        .flat_map(|entry| entry.fields.iter().map(|path| path.to_string()))
        .collect()
}

proptest! {
    /// Every leaf has an owner, an applied one its value, and what only one owns goes with it.
    #[test]
    fn applies_keep_and_remove_by_ownership(steps in steps()) {
        let mut live: Option<Value> = None;
        for (who, spec, force) in steps {
            let manager = MANAGERS[who];
            let config = thing(&spec);
            let object = match apply(live.as_ref(), request(&config, manager, force, NOW), &schema()) {
                Ok(object) => object,
                Err(ApplyError::Conflicts(conflicts)) => {
                    prop_assert!(!force && !conflicts.is_empty());
                    for conflict in conflicts {
                        let owners = owned(live.as_ref().unwrap(), |name| {
                            conflict.manager == format!("\"{name}\"")
                        });
                        prop_assert!(owners.contains(&conflict.field.to_string()));
                    }
                    continue;
                }
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            };
            let now = leaves(&object);
            for (path, value) in leaves(&config) {
                prop_assert_eq!(now.get(&path), Some(&value), "{}", path);
            }
            let before = live.as_ref().map(leaves).unwrap_or_default();
            let others = live
                .as_ref()
                .map(|live| owned(live, |name| name != manager))
                .unwrap_or_default();
            let declared = leaves(&config);
            let mut expected: BTreeSet<String> = before
                .keys()
                .filter(|path| others.contains(*path))
                .cloned()
                .collect();
            expected.extend(declared.into_keys());
            prop_assert_eq!(now.into_keys().collect::<BTreeSet<_>>(), expected);
            // Again, later: not even the times change, and that is known beforehand.
            let again = apply(Some(&object), request(&config, manager, false, LATER), &schema());
            prop_assert_eq!(again.as_ref(), Ok(&object));
            if !fields_of(&config["spec"], &schema()).is_ok_and(|fields| fields.is_empty()) {
                let expected = ManagedFields::of_object(&object).unwrap();
                if expected.applied_by(manager, "").is_some() {
                    prop_assert_eq!(
                        change(&config, &object, manager, Some(&schema())), Change::None
                    );
                }
            }
            live = Some(object);
        }
    }

    /// `change` never says "none" where an apply would change anything.
    #[test]
    fn no_change_is_never_said_in_vain(steps in steps(), who in 0_usize..3, declared in spec()) {
        let mut live: Option<Value> = None;
        for (who, spec, _) in &steps {
            let config = thing(spec);
            let request = request(&config, MANAGERS[*who], true, NOW);
            live = Some(apply(live.as_ref(), request, &schema()).unwrap());
        }
        let live = live.unwrap();
        let last = &steps.last().unwrap().1;
        for declared in [thing(&declared), thing(last)] {
            if change(&declared, &live, MANAGERS[who], Some(&schema())) == Change::None {
                let request = request(&declared, MANAGERS[who], false, LATER);
                let again = apply(Some(&live), request, &schema());
                prop_assert_eq!(again.as_ref(), Ok(&live));
            }
        }
    }

    /// An update's changes are its manager's, and nobody else's.
    #[test]
    fn updates_own_what_they_change(before in spec(), after in spec()) {
        let live = applied(None, &before, "one", false);
        let mut new = live.clone();
        new["spec"] = after.clone();
        let object = updated(Some(&live), new, "two", LATER);
        let (old, new) = (leaves(&live), leaves(&object));
        let changed: BTreeSet<String> = new
            .iter()
            .filter(|(path, value)| old.get(*path) != Some(value))
            .map(|(path, _)| path.clone())
            .collect();
        let all: BTreeSet<String> = old.keys().chain(new.keys()).cloned().collect();
        let of = |name: &str| &owned(&object, |owner| owner == name) & &all;
        prop_assert_eq!(&of("two"), &changed);
        let unchanged: BTreeSet<String> = new.into_keys().collect();
        prop_assert_eq!(of("one"), &unchanged - &changed);
    }
}
