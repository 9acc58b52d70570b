//! What changes between two versions of one object, field by field.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Map, Value};
use underpin_model::{FieldChange, FieldPath, Object};

use crate::{
    Fingerprints,
    redact::{hide_leaves, hide_texts, holds_secret, redacted},
};

/// Fields of `metadata` that the server keeps for itself.
const SERVER_METADATA: [&str; 6] = [
    "managedFields",
    "resourceVersion",
    "generation",
    "uid",
    "creationTimestamp",
    "selfLink",
];

/// A value as it is compared, and the same in the same shape as it may be shown.
#[derive(Clone, Copy)]
struct Pair<'a> {
    real: &'a Value,
    shown: &'a Value,
}

impl<'a> Pair<'a> {
    fn at(self, key: &str) -> Option<Self> {
        Some(Self {
            real: self.real.get(key)?,
            shown: self.shown.get(key)?,
        })
    }

    fn nth(self, index: usize) -> Option<Self> {
        Some(Self {
            real: self.real.get(index)?,
            shown: self.shown.get(index)?,
        })
    }

    fn name(self) -> Option<&'a str> {
        self.real.get("name").and_then(Value::as_str)
    }
}

/// The fields that differ between `before` and `after`. What the server keeps for itself (status,
/// managed fields, versions) does not count. Secret values come back as fingerprints, and a secret
/// that changed is reported even where no key tells the fingerprints apart.
pub fn changes(before: &Object, after: &Object, fingerprints: &Fingerprints) -> Vec<FieldChange> {
    // Most objects are as they were; one that provably stays so comes back as the very same.
    if Arc::ptr_eq(&before.value, &after.value) {
        return Vec::new();
    }
    let (before_real, after_real) = (comparable(&before.value), comparable(&after.value));
    if before_real == after_real {
        return Vec::new();
    }
    let before_shown = comparable(&redacted(before, fingerprints));
    let after_shown = comparable(&redacted(after, fingerprints));
    let mut found = Vec::new();
    compare(
        &FieldPath::root(),
        Some(Pair {
            real: &before_real,
            shown: &before_shown,
        }),
        Some(Pair {
            real: &after_real,
            shown: &after_shown,
        }),
        fingerprints,
        &mut found,
    );
    // Where a secret variable stands in texts, a text that goes may hold an older value of it, which
    // nobody knows any more.
    if holds_secret(&before_real, fingerprints) || holds_secret(&after_real, fingerprints) {
        for change in found.iter_mut().filter(|change| change.after.is_none()) {
            if !change.path.as_str().starts_with("metadata") {
                change
                    .before
                    .iter_mut()
                    .for_each(|value| hide_texts(value, fingerprints));
            }
        }
    }
    found
}

/// The fields that differ between two versions whose secrets are fingerprints already.
pub(crate) fn changes_as_shown(before: &Object, after: &Object) -> Vec<FieldChange> {
    let (before, after) = (comparable(&before.value), comparable(&after.value));
    let same = |value| {
        Some(Pair {
            real: value,
            shown: value,
        })
    };
    let mut found = Vec::new();
    let fingerprints = Fingerprints::default();
    compare(
        &FieldPath::root(),
        same(&before),
        same(&after),
        &fingerprints,
        &mut found,
    );
    found
}

/// The object without what the server keeps for itself, and without `apiVersion`: a version is a
/// view, and the same object may be read in one and applied in another.
pub(crate) fn comparable(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(map) = value.as_object_mut() {
        map.remove("status");
        map.remove("apiVersion");
    }
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in SERVER_METADATA {
            metadata.remove(field);
        }
    }
    value
}

/// Removes annotations, and what holds them when nothing is left in it.
pub(crate) fn strip(value: &mut Value, annotations: &[&str]) {
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    let Some(map) = metadata
        .get_mut("annotations")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    for annotation in annotations {
        map.remove(*annotation);
    }
    if map.is_empty() {
        metadata.remove("annotations");
    }
}

fn compare(
    path: &FieldPath,
    before: Option<Pair<'_>>,
    after: Option<Pair<'_>>,
    fingerprints: &Fingerprints,
    found: &mut Vec<FieldChange>,
) {
    if before.map(|pair| pair.real) == after.map(|pair| pair.real) {
        return;
    }
    if let (Some(before), Some(after)) = (before, after) {
        match (before.real, after.real) {
            (Value::Object(before_map), Value::Object(after_map)) => {
                let maps = ((before, before_map), (after, after_map));
                return compare_maps(path, maps, fingerprints, found);
            }
            (Value::Array(before_items), Value::Array(after_items)) => {
                let lengths = (before_items.len(), after_items.len());
                return compare_lists(path, (before, after), lengths, fingerprints, found);
            }
            _ => {}
        }
    }
    // What is secret on one side may be an older secret on the other, that nobody knows any more.
    let hides = |pair: Option<Pair<'_>>| pair.is_some_and(|pair| pair.real != pair.shown);
    let hidden = hides(before) || hides(after);
    let shown = |pair: Option<Pair<'_>>| {
        let mut shown = pair?.shown.clone();
        if hidden && !hides(pair) {
            hide_leaves(&mut shown, fingerprints);
        }
        Some(shown)
    };
    found.push(FieldChange {
        path: path.clone(),
        before: shown(before),
        after: shown(after),
    });
}

/// A pair whose value is a map.
type Mapped<'a> = (Pair<'a>, &'a Map<String, Value>);

fn compare_maps(
    path: &FieldPath,
    ((before, before_map), (after, after_map)): (Mapped<'_>, Mapped<'_>),
    fingerprints: &Fingerprints,
    found: &mut Vec<FieldChange>,
) {
    let keys: BTreeSet<&String> = before_map.keys().chain(after_map.keys()).collect();
    for key in keys {
        let (before, after) = (before.at(key), after.at(key));
        compare(&path.key(key), before, after, fingerprints, found);
    }
}

/// Lists of named items are matched by name, other lists by position.
fn compare_lists(
    path: &FieldPath,
    (before, after): (Pair<'_>, Pair<'_>),
    (before_length, after_length): (usize, usize),
    fingerprints: &Fingerprints,
    found: &mut Vec<FieldChange>,
) {
    let names = (by_name(before, before_length), by_name(after, after_length));
    let (Some(before_names), Some(after_names)) = names else {
        for index in 0..before_length.max(after_length) {
            compare(
                &path.index(index),
                before.nth(index),
                after.nth(index),
                fingerprints,
                found,
            );
        }
        return;
    };
    for (name, index) in &after_names {
        let former = before_names.get(name).and_then(|index| before.nth(*index));
        let now = after.nth(*index);
        compare(&path.index(*index), former, now, fingerprints, found);
    }
    for (name, index) in &before_names {
        if !after_names.contains_key(name) {
            let former = before.nth(*index);
            compare(&path.index(*index), former, None, fingerprints, found);
        }
    }
}

/// Positions by name, if every item has a name of its own.
fn by_name(list: Pair<'_>, length: usize) -> Option<BTreeMap<&str, usize>> {
    let mut positions = BTreeMap::new();
    for index in 0..length {
        if positions.insert(list.nth(index)?.name()?, index).is_some() {
            return None;
        }
    }
    Some(positions)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use underpin_model::{Depth, Origin};

    use super::*;

    fn object(kind: &str, mut rest: Value) -> Object {
        rest["apiVersion"] = json!("v1");
        rest["kind"] = json!(kind);
        rest["metadata"]["name"] = json!("x");
        Object::from_value(rest, Depth::Full, Origin::Live).unwrap()
    }

    #[track_caller]
    fn check(kind: &str, before: Value, after: Value, expect: &[&str]) {
        let key = Fingerprints::new(Some([7; 32]));
        let shown: Vec<String> = changes(&object(kind, before), &object(kind, after), &key)
            .into_iter()
            .map(|change| {
                let text = |value: Option<Value>| value.map_or("∅".into(), |v| v.to_string());
                format!(
                    "{}: {} -> {}",
                    change.path,
                    text(change.before),
                    text(change.after)
                )
            })
            .collect();
        assert_eq!(shown, expect);
    }

    #[test]
    fn named_items_are_matched_by_name() {
        check(
            "Pod",
            json!({"spec": {"containers": [{"name": "a", "image": "a:1"}, {"name": "b"}]}}),
            json!({"spec": {"containers": [{"name": "b"}, {"name": "a", "image": "a:2"}]}}),
            &[r#"spec.containers[1].image: "a:1" -> "a:2""#],
        );
    }

    #[test]
    fn fields_the_server_keeps_do_not_count() {
        check(
            "Pod",
            json!({"metadata": {"uid": "1", "managedFields": [1]}, "status": {"a": 1}}),
            json!({"metadata": {"uid": "2"}}),
            &[],
        );
    }

    #[test]
    fn secrets_are_told_apart_and_never_shown() {
        let key = Fingerprints::new(Some([7; 32]));
        let (one, two) = (key.shown(&json!("b25l")), key.shown(&json!("dHdv")));
        check(
            "Secret",
            json!({"data": {"password": "b25l"}}),
            json!({"data": {"password": "dHdv"}}),
            &[&format!("data.password: {one} -> {two}")],
        );
    }

    #[test]
    fn a_changed_secret_is_reported_without_a_key_too() {
        let (before, after) = (
            object("Secret", json!({"stringData": {"password": "one"}})),
            object("Secret", json!({"stringData": {"password": "two"}})),
        );
        let found = changes(&before, &after, &Fingerprints::new(None));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].after, Some(json!("(secret)")));
    }

    /// A secret variable's value stands in a ConfigMap: neither it nor the one before is shown.
    #[test]
    fn a_substituted_secret_and_the_one_before_it_are_hidden() {
        let key = Fingerprints::new(Some([7; 32])).hiding(["omega"]);
        let url = |password: &str| json!({"data": {"url": format!("db://app:{password}@db")}});
        let found = changes(
            &object("ConfigMap", url("alpha")),
            &object("ConfigMap", url("omega")),
            &key,
        );
        let text = format!("{found:?}");
        assert_eq!(found.len(), 1);
        assert!(!text.contains("alpha") && !text.contains("omega"), "{text}");
        assert_ne!(found[0].before, found[0].after);
    }

    #[test]
    fn literal_passwords_and_proxy_entries_are_hidden() {
        let values = |word: &str| {
            json!({
                "metadata": {"annotations": {"simple-container.com/caddyfile-entry": word}},
                "spec": {"containers": [{"name": "a", "env": [{"name": "DB_PASSWORD", "value": word}]}]},
                "data": {"API_TOKEN": word},
            })
        };
        for kind in ["Pod", "ConfigMap", "Secret"] {
            let key = Fingerprints::new(Some([7; 32]));
            let found = changes(
                &object(kind, values("alpha")),
                &object(kind, values("omega")),
                &key,
            );
            let hidden: Vec<_> = found
                .iter()
                .filter(|change| !change.path.as_str().starts_with("data") || kind != "Pod")
                .collect();
            assert!(hidden.len() >= 2);
            for change in hidden {
                let text = format!("{:?} {:?}", change.before, change.after);
                assert!(
                    !text.contains("alpha") && !text.contains("omega"),
                    "{kind} {text}"
                );
            }
        }
    }
}
