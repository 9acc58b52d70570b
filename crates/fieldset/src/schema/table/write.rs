//! A table as text.

use std::fmt::{self, Display, Formatter, Write};

use super::super::{Field, ListRelation, ListType, MapType, Scalar, Type};
use super::{KindName, Table, is_bare, package};

/// The first line of every table.
const HEAD: &str = "# Written by `cargo xtask schema`; the form is described in schema/table.\n";

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        for source in &self.sources {
            writeln!(f, "source {} {}", source.name, source.version)?;
        }
        for (kind, name) in &self.kinds {
            write!(f, "kind {kind} ")?;
            write_name(f, name)?;
            f.write_char('\n')?;
        }
        for (name, value) in self.schema.types() {
            f.write_str("type ")?;
            write_name(f, name)?;
            f.write_char(' ')?;
            write_type(f, value, package(name))?;
            f.write_char('\n')?;
        }
        Ok(())
    }
}

/// `apps/v1 Deployment`.
impl Display for KindName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.group.is_empty() {
            write!(f, "{}/", self.group)?;
        }
        write!(f, "{} {}", self.version, self.kind)
    }
}

/// One type as a table writes it in a line of no package, for messages and comparisons.
impl Display for Type {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_type(f, self, "")
    }
}

fn write_type(f: &mut Formatter<'_>, value: &Type, own: &str) -> fmt::Result {
    match value {
        Type::Scalar(Scalar::String) => f.write_char('s'),
        Type::Scalar(Scalar::Number) => f.write_char('n'),
        Type::Scalar(Scalar::Boolean) => f.write_char('b'),
        Type::Scalar(Scalar::Any) => f.write_char('x'),
        Type::Deduced => f.write_char('?'),
        Type::Named(name) => write_reference(f, name, own),
        Type::List(list) => write_list(f, list, own),
        Type::Map(map) => write_map(f, map, own),
    }
}

fn write_list(f: &mut Formatter<'_>, list: &ListType, own: &str) -> fmt::Result {
    f.write_char('[')?;
    match &list.relation {
        ListRelation::Atomic => {}
        ListRelation::Set => f.write_char('=')?,
        ListRelation::Map(keys) => {
            for (index, key) in keys.iter().enumerate() {
                if index > 0 {
                    f.write_char(',')?;
                }
                write_name(f, key)?;
            }
        }
    }
    f.write_char(']')?;
    write_type(f, &list.element, own)
}

fn write_map(f: &mut Formatter<'_>, map: &MapType, own: &str) -> fmt::Result {
    if map.atomic {
        f.write_char('!')?;
    }
    if map.fields.is_empty()
        && let Some(element) = &map.element
    {
        f.write_str("{}")?;
        return write_type(f, element, own);
    }
    f.write_char('(')?;
    for (index, (name, Field { value, default })) in map.fields.iter().enumerate() {
        if index > 0 {
            f.write_char(' ')?;
        }
        write_name(f, name)?;
        f.write_char(':')?;
        write_type(f, value, own)?;
        if let Some(default) = default {
            write!(f, "={default}")?;
        }
    }
    if let Some(element) = &map.element {
        f.write_str(" *:")?;
        write_type(f, element, own)?;
    }
    f.write_char(')')
}

fn write_name(f: &mut Formatter<'_>, name: &str) -> fmt::Result {
    if is_bare(name) {
        f.write_str(name)
    } else {
        write!(f, "{}", serde_json::Value::from(name))
    }
}

/// A type's name is told from `s` and the like by its dot.
fn write_reference(f: &mut Formatter<'_>, name: &str, own: &str) -> fmt::Result {
    let short = name
        .strip_prefix(own)
        .and_then(|rest| rest.strip_prefix('.'))
        .filter(|rest| !own.is_empty() && is_bare(rest) && !rest.contains('.'));
    match short {
        Some(short) => write!(f, ".{short}"),
        None if is_bare(name) && name.contains('.') && !name.starts_with('.') => f.write_str(name),
        None => write!(f, "{}", serde_json::Value::from(name)),
    }
}
