//! The diff against its own meaning: the changes, applied to what was before, give what is after.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking, and its tables are literals"
)]

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use underpin_model::{Depth, Object, Origin};
use underpin_plan::{Fingerprints, changes};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (0_i64..4).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn object(spec: &Value) -> Object {
    let value = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec});
    Object::from_value(value, Depth::Full, Origin::Live).unwrap()
}

/// Sets or removes what lies at a path such as `spec.a[0].b`.
fn apply(root: &mut Value, path: &str, new: Option<Value>) {
    let text = path.replace('[', ".[");
    let segments: Vec<&str> = text.split('.').collect();
    let (last, above) = segments.split_last().unwrap();
    let index = |segment: &str| -> Option<usize> {
        segment.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
    };
    let mut at = root;
    for segment in above {
        at = match index(segment) {
            Some(index) => &mut at[index],
            None => &mut at[*segment],
        };
    }
    match (index(last), new) {
        (None, Some(new)) => at[*last] = new,
        (None, None) => {
            at.as_object_mut().unwrap().remove(*last);
        }
        (Some(index), new) => {
            let items = at.as_array_mut().unwrap();
            match new {
                Some(new) if index < items.len() => items[index] = new,
                Some(new) => items.push(new),
                None => items.truncate(index.min(items.len())),
            }
        }
    }
}

/// A text that goes may hold an older value of a secret variable that another text holds now.
#[test]
fn what_may_be_an_older_secret_does_not_show() {
    let map = |data: Value| {
        let value = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"},
                           "data": data});
        Object::from_value(value, Depth::Full, Origin::Live).unwrap()
    };
    let before = map(json!({"url": "db://app:hunter1@db"}));
    let after = map(json!({"dsn": "db://app:hunter2@db"}));
    let fingerprints = Fingerprints::default().hiding(["hunter2"]);
    let shown = format!("{:?}", changes(&before, &after, &fingerprints));
    assert!(!shown.contains("hunter"), "{shown}");
    let shown = format!("{:?}", changes(&before, &after, &Fingerprints::default()));
    assert!(
        shown.contains("hunter1") && shown.contains("hunter2"),
        "{shown}"
    );
}

proptest! {
    #[test]
    fn changes_lead_from_before_to_after(before in value(), after in value()) {
        let (old, new) = (object(&before), object(&after));
        let found = changes(&old, &new, &Fingerprints::new(Some([7; 32])));
        prop_assert_eq!(found.is_empty(), before == after);
        let mut built = (*old.value).clone();
        for change in &found {
            apply(&mut built, change.path.as_str(), change.after.clone());
        }
        prop_assert_eq!(&built, &*new.value);
    }

    /// Whatever is in a Secret, no word of it is shown.
    #[test]
    fn secrets_never_show(before in "[x-z]{6,12}", after in "[x-z]{6,12}") {
        let secret = |word: &str| {
            let value = json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": "x", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": word}},
                "data": {"password": word}, "stringData": {"more": word},
            });
            Object::from_value(value, Depth::Full, Origin::Live).unwrap()
        };
        let found = changes(&secret(&before), &secret(&after), &Fingerprints::new(Some([7; 32])));
        prop_assert_eq!(found.len(), if before == after { 0 } else { 3 });
        let shown = format!("{found:?}");
        prop_assert!(!shown.contains(&before) && !shown.contains(&after));
    }
}
