//! What differs between two values.

use std::collections::BTreeMap;

use serde_json::Value;

use super::shape::{Child, ListShape, MapShape, Shape};
use crate::{
    path::PathElement,
    schema::{KindSchema, Schema, Type},
    set::FieldSet,
    value,
};

/// The fields in which two values differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Only in the second.
    pub added: FieldSet,
    /// In both, with different values.
    pub modified: FieldSet,
    /// Only in the first.
    pub removed: FieldSet,
}

impl Comparison {
    /// Whether nothing differs. The order of items in an associative list is no difference.
    pub fn is_same(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.removed.is_empty()
    }

    /// What is new in the second value: added or modified.
    pub fn set(&self) -> FieldSet {
        self.added.union(&self.modified)
    }

    fn attach(&mut self, element: &PathElement, own: Own, children: Self) {
        self.added.attach(element, own.added, children.added);
        self.modified
            .attach(element, own.modified, children.modified);
        self.removed.attach(element, own.removed, children.removed);
    }
}

/// Compares two values field by field.
pub fn compare(before: &Value, after: &Value, schema: &KindSchema) -> Comparison {
    run(before, after, schema, false)
}

/// [`compare`], with the structs that the server always writes for a built-in kind taken as
/// there: it stores `status: {}` where the JSON at hand may have nothing, and so an update never
/// adds `status` itself.
pub(crate) fn compare_stored(before: &Value, after: &Value, schema: &KindSchema) -> Comparison {
    let built_in = matches!(&schema.root, Type::Named(name) if name.starts_with(BUILT_IN));
    run(before, after, schema, built_in)
}

/// What the names of the API's own types begin with.
const BUILT_IN: &str = "io.k8s.";

/// Fields that hold a struct which the server writes even if it is empty, wherever they are
/// declared. Source: the Go types of the API, fields that are no pointers; `metadata` and its
/// like in lists that are owned as one do not matter.
const ALWAYS_THERE: [&str; 21] = [
    "acceptedNames",
    "current",
    "daemonEndpoints",
    "describedObject",
    "jobTemplate",
    "kubeletEndpoint",
    "lastState",
    "loadBalancer",
    "metadata",
    "metric",
    "names",
    "nodeInfo",
    "priorityLevelConfiguration",
    "resources",
    "scaleTargetRef",
    "spec",
    "state",
    "status",
    "strategy",
    "template",
    "updateStrategy",
];

/// What else the server writes even if it is empty, by the kind in which it does so. Source: the Go
/// types of the API, fields that are neither pointers nor left out when empty.
const ALWAYS_THERE_IN: [(&str, &[(&str, Empty)]); 3] = [
    (
        "Event",
        &[
            ("eventTime", Empty::Null),
            ("firstTimestamp", Empty::Null),
            ("involvedObject", Empty::Object),
            ("lastTimestamp", Empty::Null),
            ("reportingComponent", Empty::Text),
            ("reportingInstance", Empty::Text),
            ("source", Empty::Object),
        ],
    ),
    ("NetworkPolicy", &[("podSelector", Empty::Object)]),
    ("StatefulSet", &[("serviceName", Empty::Text)]),
];

/// The kind whose template the server leaves out if there is none.
const WITHOUT_TEMPLATE: &str = "ReplicationController";

/// How the server writes what is empty.
#[derive(Clone, Copy)]
enum Empty {
    Null,
    Object,
    Text,
}

/// The one of them that is left out of manifests and yet owned, where the object that holds it
/// is new: a container's.
const RESOURCES: &str = "resources";

/// What a container has, and a pod, whose resources are left out, has not.
const IMAGE: &str = "image";

/// Servers before 1.34 write it as null wherever metadata is, and so it is never added.
const CREATION_TIMESTAMP: &str = "creationTimestamp";

/// The list that the server writes even if there is none (`containers: null`), so that an update
/// never adds it itself.
const CONTAINERS: &str = "containers";

fn run(before: &Value, after: &Value, schema: &KindSchema, always_there: bool) -> Comparison {
    let kind = match &schema.root {
        Type::Named(name) if always_there => name.rsplit('.').next().unwrap_or_default(),
        _ => "",
    };
    let mut own = ALWAYS_THERE_IN.iter().filter(|(name, _)| *name == kind);
    let comparing = Comparing {
        schema: &schema.schema,
        always_there,
        own: own.next().map_or(&[], |(_, fields)| fields),
        without_template: kind == WITHOUT_TEMPLATE,
        empty: Value::Object(serde_json::Map::new()),
        no_text: Value::String(String::new()),
    };
    let mut out = Comparison::default();
    comparing.values(Some(before), Some(after), &schema.root, &mut out);
    out
}

/// How a value itself differs, apart from what is below it.
#[derive(Clone, Copy, Default)]
struct Own {
    added: bool,
    modified: bool,
    removed: bool,
}

impl Own {
    fn leaf(before: Option<&Value>, after: Option<&Value>) -> Self {
        let mut own = Self::of_parts(before, after);
        if let (Some(before), Some(after)) = (before, after) {
            own.modified = !value::equal(before, after);
        }
        own
    }

    /// A value with parts counts as added or removed itself, but never as modified.
    fn of_parts(before: Option<&Value>, after: Option<&Value>) -> Self {
        Self {
            added: before.is_none(),
            modified: false,
            removed: after.is_none(),
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            added: self.added || other.added,
            modified: self.modified || other.modified,
            removed: self.removed || other.removed,
        }
    }
}

type Sides<'v> = (Option<&'v Value>, Option<&'v Value>);

struct Comparing<'s> {
    schema: &'s Schema,
    always_there: bool,
    /// What else is always there in the kind at hand.
    own: &'static [(&'static str, Empty)],
    without_template: bool,
    empty: Value,
    no_text: Value,
}

impl<'s> Comparing<'s> {
    fn values(
        &self,
        before: Option<&Value>,
        after: Option<&Value>,
        value_type: &'s Type,
        out: &mut Comparison,
    ) -> Own {
        let shape = |value| Shape::of(self.schema, value_type, value);
        let sides = (before, after);
        match sides {
            (None, None) => Own::default(),
            (Some(_), None) => self.shaped(shape(before), sides, out),
            (None, Some(_)) => self.shaped(shape(after), sides, out),
            (Some(_), Some(_)) => {
                let (old, new) = (shape(before), shape(after));
                let own = self.shaped(new, sides, out);
                if old == new {
                    own
                } else {
                    // A deduced value that changed its kind differs as both.
                    self.shaped(old, sides, out).or(own)
                }
            }
        }
    }

    fn shaped(&self, shape: Shape<'s>, sides: Sides<'_>, out: &mut Comparison) -> Own {
        let (before, after) = sides;
        match shape {
            Shape::Map(shape) if !shape.is_atomic() => {
                let map = |value: Option<&'_ Value>| {
                    value
                        .and_then(Value::as_object)
                        .is_some_and(|map| !map.is_empty())
                };
                if !map(before) && !map(after) {
                    return Own::leaf(before, after);
                }
                self.maps(sides, shape, out);
                Own::of_parts(before, after)
            }
            Shape::List(shape) if !shape.is_atomic() => {
                let items = |value: Option<&'_ Value>| {
                    value
                        .and_then(Value::as_array)
                        .is_some_and(|list| !list.is_empty())
                };
                if !items(before) && !items(after) {
                    return Own::leaf(before, after);
                }
                // Most lists are not changed; this spares telling their items apart.
                if before != after {
                    self.lists(sides, shape, out);
                }
                Own::of_parts(before, after)
            }
            _ => Own::leaf(before, after),
        }
    }

    fn maps(&self, (before, after): Sides<'_>, shape: MapShape<'s>, out: &mut Comparison) {
        let old = before.and_then(Value::as_object);
        let new = after.and_then(Value::as_object);
        let mut visit = |name: &str, sides: Sides<'_>| {
            let child = shape.child(name);
            self.child(name, child, sides, (before, after), out);
        };
        for (name, value) in old.into_iter().flatten() {
            visit(name, (Some(value), new.and_then(|new| new.get(name))));
        }
        for (name, value) in new.into_iter().flatten() {
            if !old.is_some_and(|old| old.contains_key(name)) {
                visit(name, (None, Some(value)));
            }
        }
        let mentioned = |side: Option<&serde_json::Map<String, Value>>| {
            side.is_some_and(|side| side.contains_key(RESOURCES))
        };
        if self.always_there
            && before.is_some() != after.is_some()
            && !mentioned(old)
            && !mentioned(new)
            && shape.child(RESOURCES).field.is_some()
            && shape.child(IMAGE).field.is_some()
        {
            visit(RESOURCES, (None, None));
        }
    }

    fn child(
        &self,
        name: &str,
        child: Child<'s>,
        sides: Sides<'_>,
        parents: Sides<'_>,
        out: &mut Comparison,
    ) {
        let (mut before, mut after) = sides;
        if self.always_there && child.field.is_some() {
            let empty = self.empty(name);
            let is_null_when_empty = self
                .own
                .iter()
                .any(|(field, empty)| *field == name && matches!(empty, Empty::Null));
            if name == CREATION_TIMESTAMP || is_null_when_empty {
                before = before.filter(|time| !time.is_null());
                after = after.filter(|time| !time.is_null());
            }
            before = before.or(parents.0.and(empty));
            after = after.or(parents.1.and(empty));
        }
        let mut below = Comparison::default();
        let own = self.values(before, after, child.value, &mut below);
        if own.added || own.modified || own.removed || !below.is_same() {
            out.attach(&PathElement::Field(name.to_owned()), own, below);
        }
    }

    /// What the server writes where a declared field is empty; `None` if nothing.
    fn empty(&self, name: &str) -> Option<&Value> {
        if name == CONTAINERS {
            return Some(&Value::Null);
        }
        if self.without_template && name == "template" {
            return None;
        }
        let mut own = self.own.iter().filter(|(field, _)| *field == name);
        match own.next() {
            Some((_, Empty::Null)) => None,
            Some((_, Empty::Object)) => Some(&self.empty),
            Some((_, Empty::Text)) => Some(&self.no_text),
            None => ALWAYS_THERE.contains(&name).then_some(&self.empty),
        }
    }

    fn lists(&self, (before, after): Sides<'_>, shape: ListShape<'s>, out: &mut Comparison) {
        let mut items: BTreeMap<PathElement, (Vec<&Value>, Vec<&Value>)> = BTreeMap::new();
        for (side, is_new) in [(before, false), (after, true)] {
            for item in side.and_then(Value::as_array).into_iter().flatten() {
                // An item that cannot be told apart is a matter of validation.
                let Ok(element) = shape.element(self.schema, item) else {
                    continue;
                };
                let both = items.entry(element).or_default();
                if is_new { &mut both.1 } else { &mut both.0 }.push(item);
            }
        }
        for (element, (old, new)) in items {
            let mut below = Comparison::default();
            let own = match (&*old, &*new) {
                ([], [new]) => self.values(None, Some(new), shape.element, &mut below),
                ([old], []) => self.values(Some(old), None, shape.element, &mut below),
                ([old], [new]) => self.values(Some(old), Some(new), shape.element, &mut below),
                // Items that are there more than once are one leaf.
                ([_, _, ..], [_, _, ..]) => Own {
                    modified: old.len() != new.len()
                        || old
                            .iter()
                            .zip(&new)
                            .any(|(old, new)| !value::equal(old, new)),
                    ..Own::default()
                },
                ([_, _, ..], rest) => {
                    let own = match rest {
                        [new, ..] => self.values(None, Some(new), shape.element, &mut below),
                        [] => Own::default(),
                    };
                    let removed = true;
                    Own { removed, ..own }
                }
                (rest, _) => {
                    let own = match rest {
                        [old, ..] => self.values(Some(old), None, shape.element, &mut below),
                        [] => Own::default(),
                    };
                    let added = true;
                    Own { added, ..own }
                }
            };
            out.attach(&element, own, below);
        }
    }
}
