//! Text as a table.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use thiserror::Error;

use super::super::{Field, ListRelation, ListType, MapType, Scalar, Schema, Type};
use super::{DEPTH_LIMIT, KindName, Source, Table, is_bare_byte, package};

/// A line that is not of the table's form.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("line {line}, column {column}: {problem}")]
pub struct TableError {
    /// Counted from 1.
    pub line: usize,
    /// In bytes, counted from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a line.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Problem {
    /// Something else belongs here.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A name given before.
    #[error("{0} is given twice")]
    Twice(String),
    /// A name that no line of the table defines.
    #[error("no type of the name {0}")]
    Unknown(String),
    /// Types in one another beyond any real schema.
    #[error("more than {DEPTH_LIMIT} types in one another")]
    TooDeep,
}

type Parsed<T> = Result<T, Problem>;

/// Reads a whole table.
pub(super) fn table(text: &str) -> Result<Table, TableError> {
    let mut builder = Builder::default();
    for (index, line) in text.lines().enumerate() {
        let mut cursor = Cursor::new(line);
        builder.line(&mut cursor).map_err(|problem| TableError {
            line: index + 1,
            column: cursor.at + 1,
            problem,
        })?;
        builder.lines = index + 1;
    }
    builder.finish()
}

#[derive(Default)]
struct Builder {
    sources: Vec<Source>,
    kinds: BTreeMap<KindName, Arc<str>>,
    schema: Schema,
    lines: usize,
}

impl Builder {
    fn line(&mut self, cursor: &mut Cursor<'_>) -> Parsed<()> {
        let word = cursor.word();
        match word {
            "source" => {
                cursor.expect(' ', "a space")?;
                let name = cursor.some_word("the source's name")?.to_owned();
                cursor.expect(' ', "a space")?;
                let version = cursor.some_word("the source's version")?.to_owned();
                self.sources.push(Source { name, version });
            }
            "kind" => self.kind(cursor)?,
            "type" => {
                cursor.expect(' ', "a space")?;
                let name = cursor.name()?;
                cursor.expect(' ', "a space")?;
                let value = cursor.value(package(&name), 0)?;
                if self.schema.get(&name).is_some() {
                    return Err(Problem::Twice(name));
                }
                self.schema.insert(name, value);
            }
            // A comment; an empty line is none, and canonical text has neither later on.
            _ if word.starts_with('#') => return Ok(()),
            _ => return Err(Problem::Expected("source, kind, type or a comment")),
        }
        if cursor.rest().is_empty() {
            Ok(())
        } else {
            Err(Problem::Expected("the end of the line"))
        }
    }

    fn kind(&mut self, cursor: &mut Cursor<'_>) -> Parsed<()> {
        cursor.expect(' ', "a space")?;
        let api_version = cursor.some_word("group/version")?;
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        cursor.expect(' ', "a space")?;
        let kind = KindName {
            group: group.into(),
            version: version.into(),
            kind: cursor.some_word("the kind")?.into(),
        };
        cursor.expect(' ', "a space")?;
        let root = cursor.name()?;
        if self.kinds.contains_key(&kind) {
            return Err(Problem::Twice(kind.to_string()));
        }
        self.kinds.insert(kind, root.into());
        Ok(())
    }

    /// Checks that every name is defined.
    fn finish(self) -> Result<Table, TableError> {
        let roots = self.kinds.values().map(|name| &**name);
        let mut missing = roots.filter(|name| self.schema.get(name).is_none());
        let unknown = missing.next().map(str::to_owned).or_else(|| {
            let mut types = self.schema.types();
            types.find_map(|(_, value)| unknown(&self.schema, value))
        });
        match unknown {
            None => Ok(Table {
                sources: self.sources,
                kinds: self.kinds,
                schema: Arc::new(self.schema),
            }),
            Some(name) => Err(TableError {
                line: self.lines,
                column: 1,
                problem: Problem::Unknown(name),
            }),
        }
    }
}

/// The first name in a type that the schema does not define. As deep as a line goes.
fn unknown(schema: &Schema, value: &Type) -> Option<String> {
    match value {
        Type::Scalar(_) | Type::Deduced => None,
        Type::Named(name) => schema.get(name).is_none().then(|| name.to_string()),
        Type::List(list) => unknown(schema, &list.element),
        Type::Map(map) => map
            .fields
            .values()
            .map(|field| &field.value)
            .chain(map.element.as_deref())
            .find_map(|value| unknown(schema, value)),
    }
}

/// A place in a line.
struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// Steps over a character if it is next.
    fn skip(&mut self, expected: char) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len_utf8();
        }
        found
    }

    fn expect(&mut self, expected: char, name: &'static str) -> Parsed<()> {
        if self.skip(expected) {
            Ok(())
        } else {
            Err(Problem::Expected(name))
        }
    }

    /// What stands before the next space, possibly nothing.
    fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let word = rest.split_once(' ').map_or(rest, |(word, _)| word);
        self.at += word.len();
        word
    }

    fn some_word(&mut self, name: &'static str) -> Parsed<&'t str> {
        match self.word() {
            "" => Err(Problem::Expected(name)),
            word => Ok(word),
        }
    }

    /// Characters of bare names, possibly none.
    fn bare(&mut self) -> &'t str {
        let rest = self.rest();
        let end = rest.bytes().position(|byte| !is_bare_byte(byte));
        let end = end.unwrap_or(rest.len());
        let (name, _) = rest.split_at(end);
        self.at += end;
        name
    }

    fn name(&mut self) -> Parsed<String> {
        if self.rest().starts_with('"') {
            return match self.json()? {
                Value::String(name) => Ok(name),
                _ => Err(Problem::Expected("a name")),
            };
        }
        match self.bare() {
            "" => Err(Problem::Expected("a name")),
            name => Ok(name.to_owned()),
        }
    }

    /// A JSON value. Numbers and words end before a space or a parenthesis.
    fn json(&mut self) -> Parsed<Value> {
        let rest = self.rest();
        let text = if rest.starts_with(['"', '[', '{']) {
            rest
        } else {
            let end = rest.find([' ', ')']).unwrap_or(rest.len());
            rest.get(..end).unwrap_or("")
        };
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                self.at += values.byte_offset();
                Ok(value)
            }
            _ => Err(Problem::Expected("JSON")),
        }
    }

    /// A type, in a line of package `own`.
    fn value(&mut self, own: &str, depth: usize) -> Parsed<Type> {
        if depth > DEPTH_LIMIT {
            return Err(Problem::TooDeep);
        }
        match self.rest().as_bytes().first() {
            Some(b'[') => self.list(own, depth),
            Some(b'!' | b'{' | b'(') => self.map(own, depth),
            Some(b'?') => {
                self.at += 1;
                Ok(Type::Deduced)
            }
            Some(b'"') => Ok(Type::Named(self.name()?.into())),
            _ => match self.bare() {
                "s" => Ok(Type::Scalar(Scalar::String)),
                "n" => Ok(Type::Scalar(Scalar::Number)),
                "b" => Ok(Type::Scalar(Scalar::Boolean)),
                "x" => Ok(Type::Scalar(Scalar::Any)),
                name if name.starts_with('.') && name.len() > 1 => {
                    Ok(Type::Named(format!("{own}{name}").into()))
                }
                name if name.contains('.') => Ok(Type::Named(name.into())),
                _ => Err(Problem::Expected("a type")),
            },
        }
    }

    fn list(&mut self, own: &str, depth: usize) -> Parsed<Type> {
        self.expect('[', "a list")?;
        let relation = if self.skip(']') {
            ListRelation::Atomic
        } else if self.skip('=') {
            self.expect(']', "]")?;
            ListRelation::Set
        } else {
            let mut keys = vec![self.name()?.into()];
            while self.skip(',') {
                keys.push(self.name()?.into());
            }
            self.expect(']', "] or a comma")?;
            ListRelation::Map(keys)
        };
        let element = Box::new(self.value(own, depth + 1)?);
        Ok(Type::List(ListType { element, relation }))
    }

    fn map(&mut self, own: &str, depth: usize) -> Parsed<Type> {
        let mut map = MapType {
            atomic: self.skip('!'),
            ..MapType::default()
        };
        if self.skip('{') {
            self.expect('}', "}")?;
            map.element = Some(Box::new(self.value(own, depth + 1)?));
            return Ok(Type::Map(map));
        }
        self.expect('(', "( or {}")?;
        while !self.skip(')') {
            if map.element.is_some() {
                return Err(Problem::Expected(") after *"));
            }
            if self.skip('*') {
                self.expect(':', ":")?;
                map.element = Some(Box::new(self.value(own, depth + 1)?));
            } else {
                self.field(&mut map, own, depth)?;
            }
            if !self.rest().starts_with(')') {
                self.expect(' ', "a space or )")?;
            }
        }
        Ok(Type::Map(map))
    }

    fn field(&mut self, map: &mut MapType, own: &str, depth: usize) -> Parsed<()> {
        let name = self.name()?;
        if map.fields.contains_key(&*name) {
            return Err(Problem::Twice(name));
        }
        self.expect(':', ":")?;
        let value = self.value(own, depth + 1)?;
        let default = if self.skip('=') {
            Some(self.json()?)
        } else {
            None
        };
        map.fields.insert(name.into(), Field { value, default });
        Ok(())
    }
}
