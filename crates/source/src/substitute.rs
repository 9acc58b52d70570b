//! `${variable}` in parsed scalars.
//!
//! | written | becomes |
//! |---|---|
//! | `${name}` | the variable's value; an undefined one is an error |
//! | `${name:-default}` | the same, and `default` if it is undefined or empty; no reference inside |
//! | `$${` | `${` |
//! | any other `$` | itself |
//!
//! Substitution sees parsed scalars, keys included, never the file's text: a value cannot change
//! the document's structure. A plain (unquoted, untagged) scalar that is one reference and nothing
//! else takes the YAML type of the value, so that `replicas: ${replicas}` is a number and
//! `"${replicas}"` a string. Names (`${namespace}`) and secrets stay strings everywhere: a
//! namespace `123` is no number, and a password `yes` no boolean.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;
use underpin_model::{listed, nearest};

use crate::{
    Diagnostic,
    yaml::{
        Content, Field, Node, NodeDocument, Position, Scalar,
        scalar::{resolve_plain, to_json},
    },
};

/// Bound on the text that substitution may produce in one document.
pub const MAX_EXPANDED_BYTES: usize = 16 << 20;

/// One variable's value and what kind of value it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    value: String,
    kind: VariableKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum VariableKind {
    Name,
    Text,
    Secret,
}

impl Variable {
    /// A variable from `vars`: alone in a plain scalar it takes its YAML type.
    pub fn text(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            kind: VariableKind::Text,
        }
    }

    /// A name that is always a string: namespace, environment, stack, parent.
    pub fn name(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            kind: VariableKind::Name,
        }
    }

    /// A secret: always a string, never printed, and refused where objects are named or labelled.
    pub fn secret(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            kind: VariableKind::Secret,
        }
    }

    /// Whether the value must not be shown.
    pub fn is_secret(&self) -> bool {
        self.kind == VariableKind::Secret
    }
}

/// A secret's value is not shown.
impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_secret() {
            f.write_str("Variable(<redacted>)")
        } else {
            write!(f, "Variable({:?})", self.value)
        }
    }
}

/// The variables of one environment, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables(pub BTreeMap<String, Variable>);

impl Variables {
    /// Adds or replaces a variable.
    pub fn insert(&mut self, name: impl Into<String>, variable: Variable) {
        self.0.insert(name.into(), variable);
    }

    /// The values of secrets, to be hidden wherever they turn up.
    pub fn secret_values(&self) -> impl Iterator<Item = &str> {
        let secrets = self.0.values().filter(|variable| variable.is_secret());
        secrets.map(|variable| variable.value.as_str())
    }
}

impl<K: Into<String>> FromIterator<(K, Variable)> for Variables {
    fn from_iter<I: IntoIterator<Item = (K, Variable)>>(variables: I) -> Self {
        let variables = variables.into_iter();
        Self(
            variables
                .map(|(name, variable)| (name.into(), variable))
                .collect(),
        )
    }
}

/// Whether a text can be a variable's name: letters, digits, `_`, `-` and `.`, beginning with a
/// letter or `_`.
pub fn is_variable_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'a> {
    Literal(&'a str),
    Reference {
        name: &'a str,
        default: Option<&'a str>,
    },
}

/// Why a text cannot be cut into pieces. Holds only what stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Malformed {
    Unterminated,
    NestedDefault,
    NotAName(String),
}

impl Malformed {
    fn message(&self) -> String {
        match self {
            Self::Unterminated => "`${` without its closing `}`".to_owned(),
            Self::NestedDefault => "a default cannot hold another `${`".to_owned(),
            Self::NotAName(name) => format!("`${{{name}}}` is not a reference to a variable"),
        }
    }
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Malformed> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            pieces.push(Piece::Literal(before));
            pieces.push(Piece::Literal("${"));
            rest = after;
            continue;
        }
        pieces.push(Piece::Literal(before));
        let end = after.find('}').ok_or(Malformed::Unterminated)?;
        let inner = &after[..end];
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        if default.is_some_and(|default| default.contains("${")) {
            return Err(Malformed::NestedDefault);
        }
        if !is_variable_name(name) {
            return Err(Malformed::NotAName(inner.to_owned()));
        }
        pieces.push(Piece::Reference { name, default });
        rest = &after[end + 1..];
    }
    pieces.push(Piece::Literal(rest));
    pieces.retain(|piece| *piece != Piece::Literal(""));
    Ok(pieces)
}

/// Whether any key or scalar of the tree refers to the variable `name`.
pub(crate) fn refers_to(node: &Node, name: &str) -> bool {
    let mentions = |text: &str| {
        pieces(text).is_ok_and(|pieces| {
            let mut pieces = pieces.into_iter();
            pieces.any(|piece| matches!(piece, Piece::Reference { name: n, .. } if n == name))
        })
    };
    match &node.content {
        Content::Scalar(scalar) => scalar.value.as_str().is_some_and(mentions),
        Content::Sequence(items) => items.iter().any(|item| refers_to(item, name)),
        Content::Mapping(fields) => fields
            .iter()
            .any(|field| mentions(&field.key) || refers_to(&field.value, name)),
    }
}

/// The document's tree with every reference replaced. What cannot be replaced is reported and
/// stays as it was.
pub(crate) fn substitute(
    document: &NodeDocument,
    variables: &Variables,
) -> (Node, Vec<Diagnostic>) {
    let mut substituter = Substituter {
        document,
        variables,
        bytes_left: MAX_EXPANDED_BYTES,
        diagnostics: Vec::new(),
    };
    let root = substituter.node(&document.root, Visibility::Value);
    (root, substituter.diagnostics)
}

/// Whether what stands here is shown to everybody.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visibility {
    /// An ordinary value.
    Value,
    /// Names, labels, annotations, kinds and keys.
    Shown,
}

/// Fields whose contents name and label objects, wherever they stand.
const SHOWN_FIELDS: &[&str] = &["apiVersion", "kind", "metadata"];

struct Substituter<'a> {
    document: &'a NodeDocument,
    variables: &'a Variables,
    bytes_left: usize,
    diagnostics: Vec<Diagnostic>,
}

/// A replaced text.
struct Replaced {
    text: String,
    /// Whether it may take another type than string: one reference alone, to a `vars` variable.
    retyped: bool,
}

impl Substituter<'_> {
    fn report(&mut self, at: Position, message: String, help: String) {
        let place = self.document.place(at);
        self.diagnostics
            .push(Diagnostic::new(place, message).with_help(help));
    }

    /// Recursion is bounded by the parser's bound on depth.
    fn node(&mut self, node: &Node, visibility: Visibility) -> Node {
        let content = match &node.content {
            Content::Scalar(scalar) => Content::Scalar(self.scalar(scalar, node.at, visibility)),
            Content::Sequence(items) => Content::Sequence(
                items
                    .iter()
                    .map(|item| self.node(item, visibility))
                    .collect(),
            ),
            Content::Mapping(fields) => Content::Mapping(self.fields(fields, visibility)),
        };
        Node {
            content,
            at: node.at,
        }
    }

    fn scalar(&mut self, scalar: &Scalar, at: Position, visibility: Visibility) -> Scalar {
        let replaced = scalar
            .value
            .as_str()
            .and_then(|text| self.text(text, at, visibility));
        let Some(replaced) = replaced else {
            return scalar.clone();
        };
        let value = if scalar.plain && replaced.retyped {
            match to_json(resolve_plain(&replaced.text)) {
                Ok(value) => value,
                Err(message) => {
                    let message = format!("`{}`: {message}", replaced.text);
                    self.report(at, message, "put the reference in quotes".to_owned());
                    Value::String(replaced.text)
                }
            }
        } else {
            Value::String(replaced.text)
        };
        Scalar {
            value,
            written: None,
            plain: scalar.plain,
        }
    }

    fn fields(&mut self, fields: &[Field], visibility: Visibility) -> Vec<Field> {
        let mut seen: BTreeMap<String, Position> = BTreeMap::new();
        let mut substituted = Vec::with_capacity(fields.len());
        for field in fields {
            let key = self
                .text(&field.key, field.key_at, Visibility::Shown)
                .map_or_else(|| field.key.clone(), |replaced| replaced.text);
            if let Some(&first_at) = seen.get(&key) {
                let first = self.document.place(first_at);
                let message =
                    format!("after substitution key `{key}` is given twice, first at {first}");
                self.report(
                    field.key_at,
                    message,
                    "rename or remove one of the two".to_owned(),
                );
                continue;
            }
            let inner = if SHOWN_FIELDS.contains(&key.as_str()) {
                Visibility::Shown
            } else {
                visibility
            };
            let value = self.node(&field.value, inner);
            seen.insert(key.clone(), field.key_at);
            substituted.push(Field {
                key,
                key_at: field.key_at,
                value,
                merged: field.merged,
            });
        }
        substituted
    }

    /// The text with its references replaced; `None` if there is nothing to replace, or after a
    /// report.
    fn text(&mut self, text: &str, at: Position, visibility: Visibility) -> Option<Replaced> {
        if !text.contains("${") {
            return None;
        }
        let pieces = match pieces(text) {
            Ok(pieces) => pieces,
            Err(malformed) => {
                let help = "write `$${` where a literal `${` is meant".to_owned();
                self.report(at, malformed.message(), help);
                return None;
            }
        };
        let alone = matches!(pieces[..], [Piece::Reference { .. }]);
        let mut replaced = Replaced {
            text: String::new(),
            retyped: alone,
        };
        for piece in pieces {
            let part = match piece {
                Piece::Literal(literal) => literal,
                Piece::Reference { name, default } => {
                    let (part, kind) = self.value(name, default, at, visibility)?;
                    replaced.retyped &= kind == VariableKind::Text;
                    part
                }
            };
            let Some(left) = self.bytes_left.checked_sub(part.len()) else {
                let message = format!("substitution produces more than {MAX_EXPANDED_BYTES} bytes");
                self.report(at, message, "use fewer or shorter variables".to_owned());
                return None;
            };
            self.bytes_left = left;
            replaced.text.push_str(part);
        }
        Some(replaced)
    }

    fn value<'v>(
        &mut self,
        name: &str,
        default: Option<&'v str>,
        at: Position,
        visibility: Visibility,
    ) -> Option<(&'v str, VariableKind)>
    where
        Self: 'v,
    {
        let variables = self.variables;
        match (variables.0.get(name), default) {
            (None, None) => {
                let message = format!("variable `{name}` is not defined");
                self.report(at, message, self.undefined_help(name));
                None
            }
            (None, Some(default)) => Some((default, VariableKind::Text)),
            (Some(variable), Some(default)) if variable.value.is_empty() => {
                Some((default, VariableKind::Text))
            }
            (Some(variable), _) if variable.is_secret() && visibility == Visibility::Shown => {
                let message = format!("secret variable `{name}` cannot be used here");
                let help = "keys, kinds and metadata are shown to everybody who may list objects";
                self.report(at, message, help.to_owned());
                None
            }
            (Some(variable), _) => Some((variable.value.as_str(), variable.kind)),
        }
    }

    fn undefined_help(&self, name: &str) -> String {
        let known = || self.variables.0.keys().map(String::as_str);
        let defined = match known().next() {
            Some(_) => format!("defined are {}", listed(known())),
            None => "no variable is defined".to_owned(),
        };
        let first = match nearest(name, known()) {
            Some(near) => format!("did you mean `{near}`? "),
            None => String::new(),
        };
        format!(
            "{first}{defined}; give a default with `${{{name}:-value}}`, or write `$${{{name}}}` \
             where the text itself is meant"
        )
    }
}
