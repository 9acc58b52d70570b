//! The parsed tree: what a value needs to be substituted, placed and turned into JSON.

use serde_json::{Map, Value};
use underpin_model::{FieldPath, SpanIndex};

use super::MAX_SPAN_BYTES;

/// Line and column, both from 1, the column in characters.
pub(crate) type Position = (u32, u32);

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) at: Position,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<Field>),
}

/// A leaf.
#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    /// Null, boolean, number or string.
    pub(crate) value: Value,
    /// The text as written, where it is not the value itself.
    pub(crate) written: Option<Box<str>>,
    /// Whether it was written without quotes and tag, so that its text decided its type.
    pub(crate) plain: bool,
}

impl Scalar {
    /// The text as written, quotes and escapes resolved.
    pub(crate) fn text(&self) -> &str {
        match (&self.written, &self.value) {
            (Some(written), _) => written,
            (None, Value::String(text)) => text,
            (None, _) => "",
        }
    }
}

/// One key of a mapping with its value.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) key: String,
    pub(crate) key_at: Position,
    pub(crate) value: Node,
    /// Brought by a merge key rather than written here.
    pub(crate) merged: bool,
}

impl Node {
    /// The field `key` of a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Field> {
        match &self.content {
            Content::Mapping(fields) => fields.iter().find(|field| field.key == key),
            _ => None,
        }
    }

    /// The string at `key` of a mapping.
    pub(crate) fn text_at(&self, key: &str) -> Option<&str> {
        match &self.get(key)?.value.content {
            Content::Scalar(Scalar {
                value: Value::String(text),
                ..
            }) => Some(text),
            _ => None,
        }
    }

    /// What it is, for a sentence.
    pub(crate) fn describe(&self) -> &'static str {
        match &self.content {
            Content::Sequence(_) => "a list",
            Content::Mapping(_) => "a mapping",
            Content::Scalar(scalar) => describe(&scalar.value),
        }
    }
}

/// What a value is, for a sentence.
pub(crate) fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// The tree as JSON, and where each field begins.
pub(crate) fn to_value_and_spans(node: Node) -> (Value, SpanIndex) {
    let mut spans = Spans {
        index: SpanIndex::new(),
        bytes_left: MAX_SPAN_BYTES,
    };
    let at = node.at;
    let value = convert(node, at, FieldPath::root(), &mut spans);
    (value, spans.index)
}

struct Spans {
    index: SpanIndex,
    bytes_left: usize,
}

impl Spans {
    fn insert(&mut self, path: FieldPath, at: Position) {
        if let Some(left) = self.bytes_left.checked_sub(path.as_str().len()) {
            self.bytes_left = left;
            self.index.insert(path, at);
        }
    }
}

/// Recursion is bounded by [`super::MAX_DEPTH`], which the builder enforces.
fn convert(node: Node, at: Position, path: FieldPath, spans: &mut Spans) -> Value {
    let value = match node.content {
        Content::Scalar(scalar) => scalar.value,
        Content::Sequence(items) => {
            let items = items.into_iter().enumerate().map(|(index, item)| {
                let at = item.at;
                convert(item, at, path.index(index), spans)
            });
            Value::Array(items.collect())
        }
        Content::Mapping(fields) => {
            let mut map = Map::new();
            for field in fields {
                let path = path.key(&field.key);
                let value = convert(field.value, field.key_at, path, spans);
                map.insert(field.key, value);
            }
            Value::Object(map)
        }
    };
    spans.insert(path, at);
    value
}
