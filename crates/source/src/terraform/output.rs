//! Values to objects: JSON, positions, what is unknown, what is secret.

use std::sync::Arc;

use serde_json::{Map, Value as Json};
use underpin_model::{
    Depth, FieldPath, GroupKind, Object, Origin, Place, SpanIndex, UnknownPart, UnknownParts,
    builtin_kind,
};

use super::{
    text::{FileId, Texts},
    value::{Data, Value},
};

/// What a resource makes of itself.
pub(super) struct Made {
    pub(super) json: Json,
    pub(super) spans: SpanIndex,
    pub(super) unknown: Vec<UnknownPart>,
    pub(super) secrets: Vec<String>,
}

/// Most unknown parts of one object that are told of.
const MAX_UNKNOWN_PARTS: usize = 1_000;

/// Writes a value as an object that is declared in a file.
pub(super) fn make(value: &Value, texts: &Texts, file: FileId) -> Made {
    let mut writer = Writer {
        texts,
        file,
        spans: SpanIndex::new(),
        unknown: Vec::new(),
        secrets: Vec::new(),
    };
    let json = writer.write(value, &FieldPath::root(), false);
    Made {
        json,
        spans: writer.spans,
        unknown: writer.unknown,
        secrets: writer.secrets,
    }
}

struct Writer<'t> {
    texts: &'t Texts,
    file: FileId,
    spans: SpanIndex,
    unknown: Vec<UnknownPart>,
    secrets: Vec<String>,
}

impl Writer<'_> {
    /// Recursion is bounded by the depth of values.
    fn write(&mut self, value: &Value, path: &FieldPath, secret: bool) -> Json {
        let secret = secret || value.secret;
        // Positions are of one file; what another says is placed where it is used.
        // The object itself is where its resource is.
        if let Some(site) = value.at
            && *path != FieldPath::root()
            && site.file == self.file
            && let Some(text) = self.texts.get(site.file)
        {
            let position = text.position(site.offset as usize);
            self.spans.insert(path.clone(), position);
        }
        match &value.data {
            Data::Unknown(reason) => {
                let pattern = value.pattern.as_deref().filter(|_| !secret);
                self.unknown(path, reason, pattern);
                Json::Null
            }
            Data::Null => Json::Null,
            Data::Bool(value) => Json::Bool(*value),
            Data::Number(number) => number.to_json(),
            Data::Text(text) => {
                if secret {
                    self.secrets.push(text.to_string());
                }
                Json::from(&**text)
            }
            Data::List(items) | Data::Set(items) => {
                let items = items.items.iter().enumerate();
                let items = items.map(|(index, item)| self.write(item, &path.index(index), secret));
                Json::Array(items.collect())
            }
            Data::Object(object) => {
                let mut fields = Map::new();
                for (key, field) in &object.fields {
                    let field = self.write(field, &path.key(key), secret);
                    fields.insert(key.to_string(), field);
                }
                if let Some(reason) = &object.rest {
                    self.unknown(path, reason, None);
                }
                Json::Object(fields)
            }
        }
    }

    fn unknown(&mut self, path: &FieldPath, reason: &Arc<str>, pattern: Option<&str>) {
        if self.unknown.len() < MAX_UNKNOWN_PARTS {
            self.unknown.push(UnknownPart {
                path: path.clone(),
                reason: reason.to_string(),
                pattern: pattern.map(str::to_owned),
            });
        }
    }
}

/// The object with what is unknown of it; `None` if its kind is unknown. `typed` is the API version
/// and kind that its resource always makes. Where name or namespace is unknown, it has the
/// resource's address for a name, so that it is mistaken for no other.
pub(super) fn object(
    made: &Made,
    place: &Place,
    typed: Option<(&str, &str)>,
    address: &str,
    doubt: Option<&str>,
) -> Option<Object> {
    let unknown = UnknownParts::new(made.unknown.clone(), doubt.map(str::to_owned));
    let mut json = match &made.json {
        Json::Object(fields) => fields.clone(),
        _ => Map::new(),
    };
    for (key, value) in [("apiVersion", typed?.0), ("kind", typed?.1)] {
        json.entry(key).or_insert_with(|| Json::from(value));
    }
    let json = Json::Object(json);
    let mut named = json.clone();
    if is_nameless(&json, &unknown) {
        let mut metadata = match json.get("metadata") {
            Some(Json::Object(metadata)) => metadata.clone(),
            _ => Map::new(),
        };
        metadata.insert("name".to_owned(), Json::from(address));
        named
            .as_object_mut()?
            .insert("metadata".to_owned(), Json::Object(metadata));
    }
    let origin = Origin::Declared {
        place: place.clone(),
        spans: Arc::new(made.spans.clone()),
    };
    let object = Object::from_value(named, Depth::Full, origin)?;
    Some(Object {
        value: Arc::new(json),
        unknown,
        ..object
    })
}

/// Whether the name of an object is unknown, or its namespace, without which the name says little.
fn is_nameless(json: &Json, unknown: &UnknownParts) -> bool {
    let is_unknown = |name: &str| {
        let path = FieldPath::new("metadata").key(name);
        let there = json.pointer(&format!("/metadata/{name}"));
        there.is_none_or(|value| !value.is_string()) && unknown.around(&path).is_some()
    };
    let namespaced = kind(json)
        .is_none_or(|kind| builtin_kind(&kind.group, &kind.kind).is_none_or(|row| row.namespaced));
    is_unknown("name") || (namespaced && is_unknown("namespace"))
}

/// API version and kind, as far as the manifest says.
pub(super) fn version_and_kind(json: &Json) -> Option<(&str, &str)> {
    Some((
        json.get("apiVersion")?.as_str()?,
        json.get("kind")?.as_str()?,
    ))
}

/// Group and kind, as far as the manifest says.
pub(super) fn kind(json: &Json) -> Option<GroupKind> {
    let (version, kind) = version_and_kind(json)?;
    Some(group_kind(version, kind))
}

/// Group and kind out of API version and kind.
pub(super) fn group_kind(version: &str, kind: &str) -> GroupKind {
    let group = version.split_once('/').map_or("", |(group, _)| group);
    GroupKind::new(group, kind)
}
