//! CustomResourceDefinitions.

use serde_json::Value;

use super::{common::one_of, names};
use crate::{
    admission::{
        causes::Causes,
        custom,
        path::Path,
        view::{at, entries, field, flag, list, present, text},
    },
    object,
};

const SPEC: Path<'static> = Path::root("spec");
const DEPTH_LIMIT: usize = 64;

pub(super) fn definition(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    let spec = field(new, "spec");
    let group = text(spec, "group");
    let plural = at(spec, "/names/plural").as_str().unwrap_or_default();
    if old.is_none() && object::name(new) != format!("{plural}.{group}") {
        let path = Path::root("metadata");
        let detail = "must be spec.names.plural+\".\"+spec.group";
        causes.invalid(&path.child("name"), object::name(new), detail);
    }
    let path = SPEC.child("group");
    if group.is_empty() {
        causes.required(&path, "");
    } else {
        let found = names::subdomain(group);
        if !found.is_empty() {
            causes.invalid(&path, group, &found.join(","));
        } else if !group.contains('.') {
            causes.invalid(&path, group, "should be a domain with at least one dot");
        }
    }
    one_of(causes, &SPEC, spec, "scope", &["Cluster", "Namespaced"]);
    versions(causes, spec);
    if let [first, ..] = list(spec, "versions") {
        let name = text(first, "name");
        let found = names::label_1035(name);
        if !found.is_empty() {
            causes.invalid(&SPEC.child("version"), name, &found.join(","));
        }
    }
    own_names(causes, field(spec, "names"));
    if let Some(schema) = common_schema(spec) {
        let path = SPEC.child("validation");
        let path = path.child("openAPIV3Schema");
        let mut versions = list(spec, "versions").iter();
        if versions.any(|version| version.pointer("/subresources/status").is_some())
            && !matches!(text(schema, "type"), "" | "object")
        {
            let detail = "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled";
            causes.invalid(&path.child("type"), text(schema, "type"), detail);
        }
        root_schema(causes, &path, schema);
    }
    if flag(spec, "preserveUnknownFields")
        && old.is_none_or(|old| !flag(field(old, "spec"), "preserveUnknownFields"))
    {
        let shown = field(spec, "preserveUnknownFields");
        let detail = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        causes.invalid(&SPEC.child("preserveUnknownFields"), shown, detail);
    }
    one_of(
        causes,
        &SPEC.child("conversion"),
        field(spec, "conversion"),
        "strategy",
        &["None", "Webhook"],
    );
    stored_versions(causes, new, spec);
    if let Some(old) = old {
        update(causes, old, spec);
    }
}

fn update(causes: &mut Causes, old: &Value, spec: &Value) {
    let is_established = list(field(old, "status"), "conditions")
        .iter()
        .any(|condition| {
            text(condition, "type") == "Established" && text(condition, "status") == "True"
        });
    let old = field(old, "spec");
    let names = SPEC.child("names");
    let both = |pointer: &str| (old.pointer(pointer), spec.pointer(pointer));
    if is_established {
        let (before, after) = both("/scope");
        causes.immutable(&SPEC.child("scope"), before, after);
        let (before, after) = both("/names/kind");
        causes.immutable(&names.child("kind"), before, after);
    }
    let (before, after) = both("/group");
    causes.immutable(&SPEC.child("group"), before, after);
    let (before, after) = both("/names/plural");
    causes.immutable(&names.child("plural"), before, after);
}

/// The schema that all versions have in common: the server keeps it, and speaks of it, in a place
/// of its own.
fn common_schema(spec: &Value) -> Option<&Value> {
    let mut schemas = list(spec, "versions").iter().map(|version| {
        let schema = version.pointer("/schema/openAPIV3Schema");
        schema.filter(|schema| !schema.is_null())
    });
    let first = schemas.next()??;
    schemas.all(|schema| schema == Some(first)).then_some(first)
}

fn versions(causes: &mut Causes, spec: &Value) {
    let all = list(spec, "versions");
    let path = SPEC.child("versions");
    let is_common = common_schema(spec).is_some();
    for (at, version) in all.iter().enumerate() {
        let path = path.index(at);
        let schema_path = path.child("schema");
        let schema_path = schema_path.child("openAPIV3Schema");
        let schema = version.pointer("/schema/openAPIV3Schema");
        let Some(schema) = schema.filter(|schema| !schema.is_null()) else {
            causes.required(&schema_path, "schemas are required");
            continue;
        };
        if !is_common {
            root_schema(causes, &schema_path, schema);
        }
    }
    for (at, version) in all.iter().enumerate() {
        let path = path.index(at);
        let name = text(version, "name");
        let found = names::label_1035(name);
        if !found.is_empty() {
            causes.invalid(&path.child("name"), name, &found.join(","));
        }
        if let Some(scale) = version.pointer("/subresources/scale") {
            let path = path.child("subresources");
            let path = path.child("scale");
            for (name, begins) in [
                ("specReplicasPath", ".spec."),
                ("statusReplicasPath", ".status."),
            ] {
                let found = text(scale, name);
                if found.is_empty() {
                    causes.required(&path.child(name), "");
                } else if !found.starts_with(begins) {
                    let detail = format!(
                        "should be a json path under {}",
                        begins.trim_end_matches('.')
                    );
                    causes.invalid(&path.child(name), found, &detail);
                }
            }
        }
    }
    let shown = field(spec, "versions");
    let mut seen: Vec<&str> = all.iter().map(|version| text(version, "name")).collect();
    seen.sort_unstable();
    if seen.windows(2).any(|pair| pair[0] == pair[1]) {
        causes.invalid(&path, shown, "must contain unique version names");
    }
    if all
        .iter()
        .filter(|version| flag(version, "storage"))
        .count()
        != 1
    {
        let detail = "must have exactly one version marked as storage version";
        causes.invalid(&path, shown, detail);
    }
}

/// A structural schema's rules, as far as objects depend on them.
fn root_schema(causes: &mut Causes, path: &Path<'_>, schema: &Value) {
    match text(schema, "type") {
        "object" => {}
        "" => causes.required(&path.child("type"), "must not be empty at the root"),
        other => causes.invalid(&path.child("type"), other, "must be object at the root"),
    }
    if flag(schema, "nullable") {
        let detail = "nullable cannot be true at the root";
        causes.forbidden(&path.child("nullable"), detail);
    }
    schema_types(causes, path, schema, 0);
}

fn schema_types(causes: &mut Causes, path: &Path<'_>, schema: &Value, depth: usize) {
    const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
    if depth > DEPTH_LIMIT {
        return;
    }
    let pattern = text(schema, "pattern");
    if let Err(error) = regex::Regex::new(pattern) {
        let detail = format!("must be a valid regular expression, but isn't: {error}");
        causes.invalid(&path.child("pattern"), pattern, &detail);
    }
    if text(schema, "x-kubernetes-list-type") == "map"
        && list(schema, "x-kubernetes-list-map-keys").is_empty()
    {
        let detail = "must not be empty if x-kubernetes-list-type is map";
        causes.required(&path.child("x-kubernetes-list-map-keys"), detail);
    }
    if let (Some(items), "map") = (
        present(schema, "items"),
        text(schema, "x-kubernetes-list-type"),
    ) && text(items, "type") != "object"
    {
        let path = path.child("items");
        let detail = "must be object if parent array's x-kubernetes-list-type is map";
        causes.invalid(&path.child("type"), text(items, "type"), detail);
    }
    if let Some(default) = present(schema, "default") {
        custom::validate_default(causes, &path.child("default"), default, schema);
    }
    let properties = path.child("properties");
    for (name, inner) in entries(schema, "properties") {
        schema_types(causes, &properties.key(name), inner, depth + 1);
    }
    if let Some(inner) = schema
        .get("additionalProperties")
        .filter(|inner| inner.is_object())
    {
        schema_types(
            causes,
            &path.child("additionalProperties"),
            inner,
            depth + 1,
        );
    }
    match present(schema, "items") {
        Some(inner) => schema_types(causes, &path.child("items"), inner, depth + 1),
        None if text(schema, "type") == "array" => {
            causes.required(&path.child("items"), "must be specified");
        }
        None => {}
    }
    let kind = text(schema, "type");
    let untyped = flag(schema, "x-kubernetes-int-or-string")
        || flag(schema, "x-kubernetes-preserve-unknown-fields");
    if kind.is_empty() && !untyped && depth > 0 {
        let detail = "must not be empty for specified object fields";
        causes.required(&path.child("type"), detail);
    } else if !kind.is_empty() && !TYPES.contains(&kind) {
        causes.not_supported(&path.child("type"), kind, &TYPES);
    }
}

fn own_names(causes: &mut Causes, own: &Value) {
    let path = SPEC.child("names");
    for name in ["plural", "singular", "kind", "listKind"] {
        if text(own, name).is_empty() {
            causes.required(&path.child(name), "");
        }
    }
    for name in ["plural", "singular"] {
        let found = text(own, name);
        let wrong = names::label_1035(found);
        if !found.is_empty() && !wrong.is_empty() {
            causes.invalid(&path.child(name), found, &wrong.join(","));
        }
    }
    for name in ["kind", "listKind"] {
        let found = text(own, name);
        let wrong = names::label_1035(&found.to_lowercase());
        if !found.is_empty() && !wrong.is_empty() {
            let detail = format!(
                "may have mixed case, but should otherwise match: {}",
                wrong.join(",")
            );
            causes.invalid(&path.child(name), found, &detail);
        }
    }
    for name in ["shortNames", "categories"] {
        let path = path.child(name);
        for (at, found) in list(own, name).iter().filter_map(Value::as_str).enumerate() {
            let wrong = names::label_1035(found);
            if !wrong.is_empty() {
                causes.invalid(&path.index(at), found, &wrong.join(","));
            }
        }
    }
    let kind = text(own, "kind");
    if !kind.is_empty() && kind == text(own, "listKind") {
        causes.invalid(
            &path.child("listKind"),
            kind,
            "kind and listKind may not be the same",
        );
    }
}

fn stored_versions(causes: &mut Causes, new: &Value, spec: &Value) {
    let path = Path::root("status");
    let path = path.child("storedVersions");
    let stored = list(field(new, "status"), "storedVersions");
    if stored.is_empty() {
        let detail = "must have at least one stored version";
        causes.invalid(&path, &Value::Null, detail);
    }
    let versions = list(spec, "versions");
    for (at, name) in stored.iter().enumerate() {
        if !versions
            .iter()
            .any(|version| version.get("name") == Some(name))
        {
            causes.invalid(&path.index(at), name, "must appear in spec.versions");
        }
    }
}
