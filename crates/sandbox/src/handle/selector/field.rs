//! Field selectors as text: `metadata.name=web,status.phase!=Running`.

use serde_json::Value;

use super::scalar;
use crate::{Kind, object};

/// One requirement on a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldTerm {
    /// As a JSON pointer.
    pointer: String,
    value: String,
    equal: bool,
}

impl FieldTerm {
    pub(super) fn matches(&self, object: &Value) -> bool {
        (scalar(object, &self.pointer) == self.value) == self.equal
    }

    pub(super) fn demanded_name(&self) -> Option<&str> {
        let demands = self.equal && self.pointer == "/metadata/name";
        demands.then_some(self.value.as_str())
    }
}

/// Reads a selector on the fields of a kind.
pub(super) fn parse(kind: &Kind, text: &str) -> Result<Vec<FieldTerm>, String> {
    let mut terms = Vec::new();
    for term in split(text) {
        if term.is_empty() {
            continue;
        }
        let (field, equal, value) = operands(&term)
            .ok_or_else(|| format!("invalid selector: '{text}'; can't understand '{term}'"))?;
        let pointer = pointer(kind, field)?;
        let value = unescaped(value)
            .ok_or_else(|| format!("invalid field selector: invalid escape sequence: {value}"))?;
        terms.push(FieldTerm {
            pointer,
            value,
            equal,
        });
    }
    Ok(terms)
}

/// At commas that are not escaped.
fn split(text: &str) -> Vec<String> {
    let (mut terms, mut term, mut escaped) = (Vec::new(), String::new(), false);
    for character in text.chars() {
        if character == ',' && !escaped {
            terms.push(std::mem::take(&mut term));
        } else {
            term.push(character);
        }
        escaped = character == '\\' && !escaped;
    }
    terms.push(term);
    terms
}

fn operands(term: &str) -> Option<(&str, bool, &str)> {
    let at = term.find(['=', '!'])?;
    let (field, rest) = term.split_at(at);
    for (operator, equal) in [("!=", false), ("==", true), ("=", true)] {
        if let Some(value) = rest.strip_prefix(operator) {
            return Some((field, equal, value));
        }
    }
    None
}

fn unescaped(value: &str) -> Option<String> {
    let mut text = String::new();
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next()? {
                escaped @ ('\\' | ',' | '=') => text.push(escaped),
                _ => return None,
            },
            ',' | '=' => return None,
            other => text.push(other),
        }
    }
    Some(text)
}

/// Where a field that can be selected is found.
fn pointer(kind: &Kind, field: &str) -> Result<String, String> {
    let pointer = |field: &str| format!("/{}", field.replace('.', "/"));
    if field == "metadata.name" || field == "metadata.namespace" && kind.namespaced {
        return Ok(pointer(field));
    }
    let (known, strict) = fields_of(kind);
    if known.contains(&field) || is_declared(kind, field) {
        return Ok(pointer(field));
    }
    Err(if strict {
        format!("field label not supported: {field}")
    } else {
        format!(
            "\"{field}\" is not a known field selector: only \"metadata.name\", \
             \"metadata.namespace\""
        )
    })
}

/// Fields of built-in kinds beside name and namespace, and whether the kind has a conversion of
/// its own, with its own message.
fn fields_of(kind: &Kind) -> (&'static [&'static str], bool) {
    let found: &[&str] = match (kind.kind.group.as_str(), kind.kind.kind.as_str()) {
        ("", "Pod") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        ("" | "events.k8s.io", "Event") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("", "Namespace") => &["status.phase"],
        ("", "Node") => &["spec.unschedulable"],
        ("", "Secret") => &["type"],
        ("", "Service") => &["spec.clusterIP", "spec.type"],
        ("", "ReplicationController") | ("apps", "ReplicaSet") => &["status.replicas"],
        ("batch", "Job") => &["status.successful"],
        _ => return (&[], false),
    };
    (found, true)
}

/// Whether a custom resource's definition lists the field as selectable.
fn is_declared(kind: &Kind, field: &str) -> bool {
    let versions = kind.definition.as_deref();
    let versions = versions.and_then(|definition| definition.pointer("/spec/versions"));
    versions
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|version| object::text(version, "/name") == kind.version)
        .filter_map(|version| version.get("selectableFields")?.as_array())
        .flatten()
        .any(|declared| object::text(declared, "/jsonPath").trim_start_matches('.') == field)
}
