//! The table of types.

use std::{collections::BTreeMap, sync::LazyLock};

use underpin_model::GroupKind;

/// One type: its fields by their JSON names.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    /// Such as `core.PodSpec`: the API group's package and the Go type.
    pub(crate) name: &'static str,
    /// In the order of their names.
    pub(crate) fields: BTreeMap<&'static str, FieldShape>,
}

/// One field.
#[derive(Debug)]
pub(crate) struct FieldShape {
    pub(crate) value: Type,
    /// Whether it is left out when it is empty.
    pub(crate) omit_empty: bool,
}

/// The type of a value.
#[derive(Debug)]
pub(crate) enum Type {
    String,
    Boolean,
    Int32,
    Int64,
    Float,
    /// Base64 in JSON.
    Bytes,
    Time,
    MicroTime,
    Duration,
    Quantity,
    IntOrString,
    /// Kept as it is.
    Raw,
    /// Another type of the table.
    Struct(&'static str),
    Pointer(Box<Type>),
    List(Box<Type>),
    Map(Box<Type>),
}

const TEXT: &str = include_str!("shapes.txt");

static SHAPES: LazyLock<BTreeMap<&'static str, Shape>> = LazyLock::new(|| parse(TEXT));

/// A type by name.
pub(crate) fn shape(name: &str) -> Option<&'static Shape> {
    SHAPES.get(name)
}

/// The type of a whole object of a built-in kind.
pub(crate) fn of_kind(kind: &GroupKind, version: &str) -> Option<&'static Shape> {
    let package = match (kind.group.as_str(), version) {
        ("", _) => "core",
        ("apps", _) => "apps",
        ("batch", _) => "batch",
        ("autoscaling", "v1") => "autoscalingv1",
        ("autoscaling", _) => "autoscaling",
        ("policy", _) => "policy",
        ("networking.k8s.io", _) => "networking",
        ("discovery.k8s.io", _) => "discovery",
        ("coordination.k8s.io", _) => "coordination",
        ("rbac.authorization.k8s.io", _) => "rbac",
        ("storage.k8s.io", _) => "storage",
        ("scheduling.k8s.io", _) => "scheduling",
        ("node.k8s.io", _) => "node",
        ("admissionregistration.k8s.io", _) => "admissionregistration",
        ("apiextensions.k8s.io", _) => "apiextensions",
        ("apiregistration.k8s.io", _) => "apiregistration",
        ("authorization.k8s.io", _) => "authorization",
        ("authentication.k8s.io", _) => "authentication",
        ("certificates.k8s.io", _) => "certificates",
        ("events.k8s.io", _) => "events",
        ("flowcontrol.apiserver.k8s.io", _) => "flowcontrol",
        _ => return None,
    };
    shape(&format!("{package}.{}", kind.kind))
}

fn parse(text: &'static str) -> BTreeMap<&'static str, Shape> {
    let mut shapes = BTreeMap::new();
    let mut current: Option<Shape> = None;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix(' ') {
            None => {
                let begun = Shape {
                    name: line,
                    fields: BTreeMap::new(),
                };
                if let Some(done) = current.replace(begun) {
                    shapes.insert(done.name, done);
                }
            }
            Some(field) => {
                let (Some(shape), Some((name, code))) = (&mut current, field.split_once(' '))
                else {
                    continue;
                };
                let omit_empty = name.ends_with('?');
                let value = of_code(code);
                let field = FieldShape { value, omit_empty };
                shape.fields.insert(name.trim_end_matches('?'), field);
            }
        }
    }
    if let Some(done) = current {
        shapes.insert(done.name, done);
    }
    shapes
}

fn of_code(code: &'static str) -> Type {
    if let Some(inner) = code.strip_prefix('*') {
        return Type::Pointer(Box::new(of_code(inner)));
    }
    if let Some(inner) = code.strip_prefix("[]") {
        return Type::List(Box::new(of_code(inner)));
    }
    if let Some(inner) = code.strip_prefix("{}") {
        return Type::Map(Box::new(of_code(inner)));
    }
    match code {
        "s" => Type::String,
        "b" => Type::Boolean,
        "i" => Type::Int32,
        "l" => Type::Int64,
        "f" => Type::Float,
        "y" => Type::Bytes,
        "t" => Type::Time,
        "u" => Type::MicroTime,
        "d" => Type::Duration,
        "q" => Type::Quantity,
        "n" => Type::IntOrString,
        "r" => Type::Raw,
        name => Type::Struct(name),
    }
}

impl Type {
    /// As Go writes it in messages.
    pub(crate) fn go_name(&self) -> String {
        match self {
            Type::String => "string".to_owned(),
            Type::Boolean => "bool".to_owned(),
            Type::Int32 => "int32".to_owned(),
            Type::Int64 => "int64".to_owned(),
            Type::Float => "float64".to_owned(),
            Type::Bytes => "[]uint8".to_owned(),
            Type::Time | Type::MicroTime | Type::Duration => "string".to_owned(),
            Type::Quantity => "resource.Quantity".to_owned(),
            Type::IntOrString => "intstr.IntOrString".to_owned(),
            Type::Raw => "runtime.RawExtension".to_owned(),
            Type::Struct(name) => format!("v1.{}", short(name)),
            Type::Pointer(inner) => inner.go_name(),
            Type::List(inner) => format!("[]{}", inner.go_name()),
            Type::Map(inner) => format!("map[string]{}", inner.go_name()),
        }
    }
}

/// A type's name without its package.
pub(crate) fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_named(value: &Type) {
        match value {
            Type::Struct(name) => assert!(shape(name).is_some(), "{name} is not in the table"),
            Type::Pointer(inner) | Type::List(inner) | Type::Map(inner) => check_named(inner),
            _ => {}
        }
    }

    #[test]
    fn every_named_type_is_in_the_table() {
        assert!(SHAPES.len() > 400);
        for shape in SHAPES.values() {
            for field in shape.fields.values() {
                check_named(&field.value);
            }
        }
    }

    #[test]
    fn kinds_have_types() {
        for (group, kind) in [("", "Pod"), ("apps", "Deployment"), ("batch", "CronJob")] {
            assert!(of_kind(&GroupKind::new(group, kind), "v1").is_some());
        }
        assert!(of_kind(&GroupKind::new("example.com", "Pod"), "v1").is_none());
    }
}
