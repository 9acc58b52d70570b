//! The Go types: their fields, with the tags that say how they are written.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

/// A type's name with the folder of its package.
pub(super) type Name = (String, String);

/// Everything that was read.
#[derive(Default)]
pub(super) struct Types {
    pub(super) structs: BTreeMap<Name, Vec<Field>>,
    /// Named types that are no structs, and what they stand for.
    pub(super) aliases: BTreeMap<Name, Type>,
    /// API version and kind, and its type.
    pub(super) kinds: BTreeMap<(String, String), Name>,
}

/// One field of a struct.
pub(super) struct Field {
    /// In JSON; empty if the fields of its type stand in its place.
    pub(super) json: String,
    pub(super) number: u32,
    pub(super) kind: Type,
}

/// A Go type, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// `string`, `int32`, `byte`…
    Basic(String),
    Named(Name),
    Pointer(Box<Type>),
    List(Box<Type>),
    /// Values of a map with text as keys.
    Map(Box<Type>),
}

impl Types {
    /// Reads one file of a package; its kinds are served in `version`, none if that is empty.
    pub(super) fn read(&mut self, folder: &str, version: &str, text: &str) -> Result<()> {
        let imports = imports(text);
        let mut open: Option<String> = None;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            let context = || format!("line {}: {line}", index + 1);
            if let Some(name) = &open {
                let own = (folder.to_owned(), name.clone());
                if line == "}" {
                    open = None;
                } else if is_type_meta(line) {
                    if !version.is_empty() && !name.ends_with("List") {
                        let kind = (version.to_owned(), name.clone());
                        self.kinds.insert(kind, own.clone());
                    }
                } else if let Some(field) = field(line, folder, &imports).with_context(context)? {
                    self.structs.entry(own).or_default().push(field);
                }
                continue;
            }
            let Some(rest) = line.strip_prefix("type ") else {
                continue;
            };
            let Some((name, rest)) = rest.split_once(' ') else {
                continue;
            };
            if rest == "struct {" {
                self.structs
                    .entry((folder.to_owned(), name.to_owned()))
                    .or_default();
                open = Some(name.to_owned());
            } else if !rest.starts_with("struct")
                && !rest.starts_with("interface")
                && let Some(kind) = parse(rest.trim_start_matches("= "), folder, &imports)
            {
                self.aliases
                    .insert((folder.to_owned(), name.to_owned()), kind);
            }
        }
        Ok(())
    }
}

fn is_type_meta(line: &str) -> bool {
    let head = line.split('`').next().unwrap_or_default().trim();
    head == "TypeMeta" || head.ends_with(".TypeMeta")
}

/// Names under which a file knows other packages.
fn imports(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(str::trim);
    let paths = lines.filter_map(|line| {
        let (alias, rest) = line.split_once('"')?;
        let (path, after) = rest.split_once('"')?;
        if !after.is_empty() || !path.contains('/') {
            return None;
        }
        let alias = alias.trim().trim_start_matches("import").trim();
        let last = path.rsplit('/').next().unwrap_or(path);
        let alias = if alias.is_empty() { last } else { alias };
        Some((alias.to_owned(), path.to_owned()))
    });
    paths.collect()
}

/// A field with a number; none for other lines.
fn field(line: &str, folder: &str, imports: &BTreeMap<String, String>) -> Result<Option<Field>> {
    let Some((head, tags)) = line.split_once('`') else {
        return Ok(None);
    };
    if line.starts_with("//") {
        return Ok(None);
    }
    let Some(written) = tag(tags, "protobuf") else {
        return Ok(None);
    };
    // Types without names in JSON have forms of their own there.
    let Some(json) = tag(tags, "json") else {
        return Ok(None);
    };
    let number = written.split(',').nth(1).context("no number")?;
    let number = number.parse().context("the number")?;
    let json = json.split(',').next().unwrap_or_default().to_owned();
    let words: Vec<&str> = head.split_whitespace().collect();
    let text = match words.as_slice() {
        [embedded] => (*embedded).to_owned(),
        [_, rest @ ..] => rest.concat(),
        [] => return Ok(None),
    };
    let kind = parse(&text, folder, imports).with_context(|| format!("type {text}"))?;
    Ok(Some(Field { json, number, kind }))
}

fn tag<'t>(tags: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = tags.split_once(&format!("{name}:\""))?;
    rest.split('"').next()
}

fn parse(text: &str, folder: &str, imports: &BTreeMap<String, String>) -> Option<Type> {
    let inner = |rest: &str| parse(rest, folder, imports).map(Box::new);
    if let Some(rest) = text.strip_prefix('*') {
        return inner(rest).map(Type::Pointer);
    }
    if let Some(rest) = text.strip_prefix("[]") {
        return inner(rest).map(Type::List);
    }
    if let Some(rest) = text.strip_prefix("map[") {
        let (_, value) = rest.split_once(']')?;
        return inner(value).map(Type::Map);
    }
    match text {
        "string" | "bool" | "byte" | "int" | "int32" | "int64" | "uint32" | "float64" => {
            Some(Type::Basic(text.to_owned()))
        }
        _ => {
            let (package, name) = match text.split_once('.') {
                Some((alias, name)) => (imports.get(alias)?.clone(), name),
                None => (folder.to_owned(), text),
            };
            let plain = !name.is_empty() && name.chars().all(char::is_alphanumeric);
            plain.then(|| Type::Named((package, name.to_owned())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Protocol is a name.
type Protocol string

type Thing struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`
	// A comment with `ticks`.
	Port *intstr.IntOrString `json:"port,omitempty" protobuf:"bytes,2,opt,name=port"`
	Common `json:",inline" protobuf:"bytes,3,req"`
	Labels map[string]Protocol `json:"labels" protobuf:"bytes,4,rep,name=labels"`
	Hidden string
}
"#;

    #[test]
    fn fields_have_number_name_and_type() {
        let mut types = Types::default();
        types.read("k8s.io/api/x/v1", "x/v1", FILE).unwrap();
        let name = |folder: &str, name: &str| (folder.to_owned(), name.to_owned());
        let own = |text: &str| name("k8s.io/api/x/v1", text);
        assert_eq!(
            types.aliases[&own("Protocol")],
            Type::Basic("string".to_owned())
        );
        assert_eq!(types.kinds[&name("x/v1", "Thing")], own("Thing"));
        let fields: Vec<_> = types.structs[&own("Thing")]
            .iter()
            .map(|field| (field.number, field.json.as_str(), field.kind.clone()))
            .collect();
        let meta = name("k8s.io/apimachinery/pkg/apis/meta/v1", "ObjectMeta");
        let port = name("k8s.io/apimachinery/pkg/util/intstr", "IntOrString");
        assert_eq!(
            fields,
            [
                (1, "metadata", Type::Named(meta)),
                (2, "port", Type::Pointer(Box::new(Type::Named(port)))),
                (3, "", Type::Named(own("Common"))),
                (
                    4,
                    "labels",
                    Type::Map(Box::new(Type::Named(own("Protocol"))))
                ),
            ]
        );
    }
}
