//! Custom resources: accepts the names of a definition, where no other of its group has them.
//!
//! Source: apiextensions-apiserver's naming controller.

use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::{Controller, Delay, Writer, client, enqueue};
use crate::{
    State,
    lifecycle::{
        Key,
        conditions::{Condition, condition, holds, set_condition},
    },
    object,
    state::Change,
};

/// The kind of definitions.
pub(super) fn definitions() -> GroupKind {
    GroupKind::new("apiextensions.k8s.io", "CustomResourceDefinition")
}

/// Asks for a look at a changed definition, and at its whole group when names came free.
pub(super) fn observe(state: &mut State, change: &Change) {
    if change.kind != definitions() {
        return;
    }
    let names = |value: &Value| value.pointer("/status/acceptedNames").cloned();
    let freed = change.before.as_deref().and_then(names) != names(&change.object);
    if change.deleted || freed {
        let group = object::text(&change.object, "/spec/group");
        for other in client::list_all(state, &change.kind) {
            if object::text(&other, "/spec/group") == group {
                let key = Key::of(&change.kind, &other);
                enqueue(state, Controller::DefinitionNames, key, Delay::Reaction);
            }
        }
    } else if change.object.pointer("/spec/names") != change.object.pointer("/status/acceptedNames")
    {
        let key = Key::of(&change.kind, &change.object);
        enqueue(state, Controller::DefinitionNames, key, Delay::Reaction);
    }
}

/// Accepts the names that are free.
pub(super) fn run(state: &mut State, key: &Key) {
    let Some(current) = client::get(state, key) else {
        return;
    };
    let wanted = current.pointer("/spec/names").unwrap_or(&Value::Null);
    let accepted = current
        .pointer("/status/acceptedNames")
        .unwrap_or(&Value::Null);
    if wanted == accepted {
        return;
    }
    let taken = Taken::of_group(state, object::text(&current, "/spec/group"));
    let (names, refused) = accept(wanted, accepted, &taken);
    let verdict = match refused {
        None => Condition::new("NamesAccepted", true, "NoConflicts", "no conflicts found"),
        Some((reason, message)) => Condition::new("NamesAccepted", false, reason, message),
    };
    let mut changed = current.as_ref().clone();
    if let Some(root) = changed.as_object_mut() {
        object::child(root, "status").insert("acceptedNames".to_owned(), names);
    }
    set_condition(&mut changed, &verdict, state.now);
    if !holds(&changed, "Established") {
        if verdict.status == "True" {
            let installing = Condition::new(
                "Established",
                false,
                "Installing",
                "the initial names have been accepted",
            );
            set_condition(&mut changed, &installing, state.now);
        } else if condition(&changed, "Established").is_none() {
            let refused = Condition::new(
                "Established",
                false,
                "NotAccepted",
                "not all names are accepted",
            );
            set_condition(&mut changed, &refused, state.now);
        }
    }
    client::update_status(state, Writer::ApiServer, &key.kind, changed);
}

/// Names that definitions of a group have been granted, their own among them.
struct Taken {
    resources: Vec<String>,
    kinds: Vec<String>,
}

impl Taken {
    fn of_group(state: &State, group: &str) -> Self {
        let mut taken = Self {
            resources: Vec::new(),
            kinds: Vec::new(),
        };
        for other in client::list_all(state, &definitions()) {
            if object::text(&other, "/spec/group") != group {
                continue;
            }
            let Some(names) = other.pointer("/status/acceptedNames") else {
                continue;
            };
            for field in ["plural", "singular"] {
                taken.resources.push(field_of(names, field).to_owned());
            }
            taken.resources.extend(short_names(names));
            for field in ["kind", "listKind"] {
                taken.kinds.push(field_of(names, field).to_owned());
            }
        }
        taken
    }
}

/// The names to accept, and why not all of those wanted are: the last refusal counts.
fn accept(
    wanted: &Value,
    accepted: &Value,
    taken: &Taken,
) -> (Value, Option<(&'static str, String)>) {
    let mut names = accepted.clone();
    if !names.is_object() {
        names = json!({"plural": "", "kind": ""});
    }
    let mut refused = None;
    let in_use = |name: &str| format!("\"{name}\" is already in use");
    let rows = [
        ("plural", "PluralConflict", &taken.resources),
        ("singular", "SingularConflict", &taken.resources),
        ("shortNames", "ShortNamesConflict", &taken.resources),
        ("kind", "KindConflict", &taken.kinds),
        ("listKind", "ListKindConflict", &taken.kinds),
    ];
    for (field, reason, taken) in rows {
        if field == "shortNames" {
            let own = short_names(accepted);
            let clashes: Vec<String> = short_names(wanted)
                .iter()
                .filter(|name| !own.contains(name) && taken.contains(name))
                .map(|name| in_use(name))
                .collect();
            match clashes.as_slice() {
                [] => copy(&mut names, wanted, field),
                [one] => refused = Some((reason, one.clone())),
                many => refused = Some((reason, format!("[{}]", many.join(", ")))),
            }
            continue;
        }
        let name = field_of(wanted, field);
        if name != field_of(accepted, field) && taken.iter().any(|other| other == name) {
            refused = Some((reason, in_use(name)));
        } else {
            copy(&mut names, wanted, field);
        }
    }
    copy(&mut names, wanted, "categories");
    (names, refused)
}

fn copy(names: &mut Value, wanted: &Value, field: &str) {
    if let Some(names) = names.as_object_mut() {
        match wanted.get(field) {
            Some(value) => names.insert(field.to_owned(), value.clone()),
            None => names.remove(field),
        };
    }
}

fn field_of<'v>(names: &'v Value, field: &str) -> &'v str {
    names.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn short_names(names: &Value) -> Vec<String> {
    let found = names.get("shortNames").and_then(Value::as_array);
    found
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
