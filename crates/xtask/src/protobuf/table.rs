//! The table's text: kinds, and the messages that they consist of.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};

use super::go::{Name, Type, Types};

/// Types that have a form of their own in JSON: the sandbox knows them by these names.
const SPECIAL: &[(&str, &str, &str)] = &[
    (
        "k8s.io/apimachinery/pkg/api/resource",
        "Quantity",
        "Quantity",
    ),
    (
        "k8s.io/apimachinery/pkg/util/intstr",
        "IntOrString",
        "IntOrString",
    ),
    ("k8s.io/apimachinery/pkg/apis/meta/v1", "Time", "Time"),
    ("k8s.io/apimachinery/pkg/apis/meta/v1", "MicroTime", "Time"),
    ("k8s.io/apimachinery/pkg/apis/meta/v1", "FieldsV1", "Json"),
    ("k8s.io/apimachinery/pkg/runtime", "RawExtension", "Json"),
];

/// Text that other packages have a name for.
const TEXTS: &[(&str, &str)] = &[("k8s.io/apimachinery/pkg/types", "UID")];

/// The kind that every group has.
const OPTIONS: (&str, &str) = ("k8s.io/apimachinery/pkg/apis/meta/v1", "DeleteOptions");

/// Renders all kinds and every message that one of them needs.
pub(super) fn render(types: &Types) -> Result<String> {
    let mut text = String::from(
        "# Written by `cargo xtask protobuf`; the form is described in protobuf/table.rs.\n",
    );
    let options = (OPTIONS.0.to_owned(), OPTIONS.1.to_owned());
    let mut wanted = vec![options.clone()];
    text.push_str(&format!("kind * {} {}\n", OPTIONS.1, short(&options)));
    for ((version, kind), name) in &types.kinds {
        text.push_str(&format!("kind {version} {kind} {}\n", short(name)));
        wanted.push(name.clone());
    }
    let mut lines = BTreeSet::new();
    let mut seen = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let fields = types
            .structs
            .get(&name)
            .with_context(|| format!("no type {name:?}"))?;
        let mut line = format!("message {}", short(&name));
        for field in fields {
            let context = || format!("{name:?}, field {}", field.number);
            let shape = shape(types, &field.kind, &mut wanted).with_context(context)?;
            line.push_str(&format!(" {}={}:{shape}", field.json, field.number));
        }
        lines.insert(line);
    }
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

/// Group's folder, version and name.
fn short((folder, name): &Name) -> String {
    let mut parts = folder.rsplit('/');
    let version = parts.next().unwrap_or_default();
    let group = parts.next().unwrap_or_default();
    format!("{group}.{version}.{name}")
}

fn shape(types: &Types, kind: &Type, wanted: &mut Vec<Name>) -> Result<String> {
    Ok(match kind {
        Type::Pointer(inner) => format!("*{}", shape(types, inner, wanted)?),
        Type::List(inner) if **inner == Type::Basic("byte".to_owned()) => "y".to_owned(),
        Type::List(inner) => format!("[]{}", shape(types, inner, wanted)?),
        Type::Map(inner) => format!("{{}}{}", shape(types, inner, wanted)?),
        Type::Basic(name) => match name.as_str() {
            "string" => "s".to_owned(),
            "bool" => "b".to_owned(),
            "int" | "int32" | "int64" | "uint32" => "i".to_owned(),
            other => bail!("{other} has no form here"),
        },
        Type::Named(name) => {
            let is = |folder: &str, known: &str| name.0 == folder && name.1 == known;
            if let Some((_, _, own)) = SPECIAL.iter().find(|special| is(special.0, special.1)) {
                return Ok((*own).to_owned());
            }
            if TEXTS.iter().any(|text| is(text.0, text.1)) {
                return Ok("s".to_owned());
            }
            match types.aliases.get(name) {
                // A named list is a message of its own, with the list as its only field.
                Some(Type::List(inner)) if **inner == Type::Basic("string".to_owned()) => {
                    "Strings".to_owned()
                }
                Some(alias) => shape(types, alias, wanted)?,
                None => {
                    wanted.push(name.clone());
                    short(name)
                }
            }
        }
    })
}
