//! Values to objects: JSON, positions, what is unknown, what is secret.

use std::sync::Arc;

use serde_json::{Map, Value as Json};
use underpin_model::{Depth, FieldPath, GroupKind, Object, Origin, Place, SpanIndex};

use super::{
    text::{FileId, Texts},
    value::{Data, Value},
};

/// Part of an object that is unknown before Terraform runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPart {
    /// Where it is; the root for the whole object.
    pub path: FieldPath,
    /// Why it is unknown.
    pub reason: String,
}

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
                self.unknown(path, reason);
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
                    self.unknown(path, reason);
                }
                Json::Object(fields)
            }
        }
    }

    fn unknown(&mut self, path: &FieldPath, reason: &Arc<str>) {
        if self.unknown.len() < MAX_UNKNOWN_PARTS {
            self.unknown.push(UnknownPart {
                path: path.clone(),
                reason: reason.to_string(),
            });
        }
    }
}

/// An object whose identity is known; `None` if part of it is not, or is wrong.
pub(super) fn object(made: &Made, place: &Place) -> Option<Object> {
    let identity = ["apiVersion", "kind", "metadata.name", "metadata.namespace"];
    let covered = |part: &UnknownPart| {
        part.path == FieldPath::root()
            || part.path.as_str() == "metadata"
            || identity.contains(&part.path.as_str())
    };
    if made.unknown.iter().any(covered) {
        return None;
    }
    let origin = Origin::Declared {
        place: place.clone(),
        spans: Arc::new(made.spans.clone()),
    };
    Object::from_value(made.json.clone(), Depth::Full, origin)
}

/// Group and kind, as far as the manifest says.
pub(super) fn kind(json: &Json) -> Option<GroupKind> {
    let version = json.get("apiVersion")?.as_str()?;
    let group = version.split_once('/').map_or("", |(group, _)| group);
    Some(GroupKind::new(group, json.get("kind")?.as_str()?))
}
