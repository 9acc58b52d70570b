//! Reading fields that may be missing or malformed, with a defect for each that is.

use serde_json::Value;
use underpin_model::{FieldPath, LabelSelector, Object, Protocol};

use crate::{
    addresses::AddressRange,
    gap::Gap,
    labels::Selector,
    policy::{Defect, Peer, PeerId, Peers},
};

/// One object being read.
pub(crate) struct Reader<'a> {
    object: &'a Object,
    peers: &'a mut Peers,
    defects: &'a mut Vec<Defect>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(
        object: &'a Object,
        peers: &'a mut Peers,
        defects: &'a mut Vec<Defect>,
    ) -> Self {
        Self {
            object,
            peers,
            defects,
        }
    }

    /// The kind of the object.
    pub(crate) fn kind(&self) -> &str {
        &self.object.key.kind.kind
    }

    pub(crate) fn peer(&mut self, peer: Peer) -> PeerId {
        self.peers.intern(peer)
    }

    pub(crate) fn defect(&mut self, path: &FieldPath, note: impl Into<String>) {
        let evidence = self.object.evidence(path.clone(), note);
        self.defects.push(Defect { evidence });
    }

    /// Why what is missing at a key may be there all the same.
    pub(crate) fn missing(&self, path: &FieldPath, key: &str) -> Option<Gap> {
        let unknown = &self.object.unknown;
        if unknown.is_empty() {
            return None;
        }
        unknown.around(&path.key(key)).map(Gap::later)
    }

    /// Why a map, or what should be one, is not known to be complete.
    pub(crate) fn incomplete(&self, value: &Value, path: &FieldPath) -> Option<Gap> {
        let unknown = &self.object.unknown;
        if unknown.is_empty() {
            return None;
        }
        let found = if value.is_null() {
            unknown.around(path)
        } else {
            unknown.iter().find(|part| part.path == *path)
        };
        found.map(Gap::later)
    }

    /// Why something at a path or inside of it is not known.
    pub(crate) fn inside(&self, path: &FieldPath) -> Option<Gap> {
        self.object.unknown.inside(path).map(Gap::later)
    }

    /// Whether and why the object may not exist.
    pub(crate) fn existence(&self) -> Option<Gap> {
        let why = self.object.unknown.existence()?;
        Some(Gap::Existence(why.into()))
    }

    /// A selector; a missing one is `None`.
    pub(crate) fn selector(
        &mut self,
        parent: &Value,
        path: &FieldPath,
        key: &str,
    ) -> Option<Selector> {
        let Some(value) = field(parent, key) else {
            return self.missing(path, key).map(Selector::unknown);
        };
        let path = path.key(key);
        let gap = self.inside(&path);
        let selector = match &gap {
            None => LabelSelector::from_structured(value),
            Some(_) => LabelSelector::from_structured(&without_unknown(value)),
        };
        Some(match (selector, gap) {
            (Some(selector), None) => selector.into(),
            (Some(selector), Some(gap)) => Selector::partial(selector, gap),
            (None, _) => {
                self.defect(&path, "is no valid label selector");
                Selector::unknown(Gap::Unreadable)
            }
        })
    }

    /// A list; `None` when it is missing, `Err` when it is no list, or not known.
    pub(crate) fn list<'v>(
        &mut self,
        parent: &'v Value,
        path: &FieldPath,
        key: &str,
    ) -> Result<Option<&'v [Value]>, Gap> {
        match field(parent, key) {
            None => self.missing(path, key).map_or(Ok(None), Err),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(_) => {
                self.defect(&path.key(key), "is no list");
                Err(Gap::Unreadable)
            }
        }
    }

    /// A protocol, TCP when it is missing.
    pub(crate) fn protocol(&mut self, parent: &Value, path: &FieldPath) -> Result<Protocol, Gap> {
        let Some(value) = field(parent, "protocol") else {
            return self
                .missing(path, "protocol")
                .map_or(Ok(Protocol::Tcp), Err);
        };
        let Some(protocol) = value.as_str().and_then(Protocol::from_name) else {
            self.defect(&path.key("protocol"), "is none of TCP, UDP and SCTP");
            return Err(Gap::Unreadable);
        };
        Ok(protocol)
    }

    /// A port's number.
    pub(crate) fn port(&mut self, value: &Value, path: &FieldPath) -> Result<u16, Gap> {
        if let Some(gap) = self.incomplete(value, path) {
            return Err(gap);
        }
        let number = value.as_u64().and_then(|number| u16::try_from(number).ok());
        let Some(number) = number.filter(|number| *number > 0) else {
            self.defect(path, "is no port between 1 and 65535");
            return Err(Gap::Unreadable);
        };
        Ok(number)
    }

    /// A block of addresses.
    pub(crate) fn block(
        &mut self,
        value: Option<&Value>,
        path: &FieldPath,
    ) -> Result<AddressRange, Gap> {
        let value = value.unwrap_or(&Value::Null);
        if let Some(gap) = self.incomplete(value, path) {
            return Err(gap);
        }
        let Some(block) = value.as_str().and_then(AddressRange::block) else {
            self.defect(
                path,
                "is no block of addresses such as 10.0.0.0/8 or fd00::/8",
            );
            return Err(Gap::Unreadable);
        };
        Ok(block)
    }
}

/// What a selector asks for as far as it is known: labels of unknown values must be there all the
/// same, and expressions of which a part is unknown may ask for anything.
fn without_unknown(selector: &Value) -> Value {
    let Some(fields) = selector.as_object() else {
        return selector.clone();
    };
    let mut fields = fields.clone();
    let mut keys = Vec::new();
    if let Some(Value::Object(labels)) = fields.get_mut("matchLabels") {
        keys.extend(
            labels
                .iter()
                .filter(|(_, value)| value.is_null())
                .map(|(key, _)| key.clone()),
        );
        labels.retain(|_, value| !value.is_null());
    }
    let has_null = |expression: &Value| match expression {
        Value::Object(fields) => fields.values().any(|value| match value {
            Value::Array(items) => items.iter().any(Value::is_null),
            value => value.is_null(),
        }),
        value => value.is_null(),
    };
    if let Some(Value::Array(expressions)) = fields.get_mut("matchExpressions") {
        expressions.retain(|expression| !has_null(expression));
    }
    let exists = |key| serde_json::json!({"key": key, "operator": "Exists"});
    let exists: Vec<Value> = keys.into_iter().map(exists).collect();
    match fields.get_mut("matchExpressions") {
        Some(Value::Array(expressions)) => expressions.extend(exists),
        Some(value) if !value.is_null() => {}
        _ => {
            fields.insert("matchExpressions".to_owned(), Value::Array(exists));
        }
    }
    Value::Object(fields)
}

/// A field that is there and not null.
pub(crate) fn field<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    value.get(key).filter(|value| !value.is_null())
}
