//! A field of an object together with its path, walked without ever failing.

use serde_json::Value;
use underpin_model::{FieldPath, Object, PortRef};

/// One field: its value and the path that leads to it.
#[derive(Clone, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) value: &'a Value,
    pub(crate) path: FieldPath,
}

impl<'a> Field<'a> {
    /// The object as a whole.
    pub(crate) fn root(object: &'a Object) -> Self {
        Self {
            value: &object.value,
            path: FieldPath::root(),
        }
    }

    /// The field under `key`; `None` when it is absent, null, or this is not a map.
    pub(crate) fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(Self {
            value,
            path: self.path.key(key),
        })
    }

    /// The field at a dotted path such as `spec.template.spec`; paths are built only for what is
    /// there.
    pub(crate) fn at(&self, dotted: &str) -> Option<Self> {
        let mut value = self.value;
        for key in dotted.split('.') {
            value = value.get(key)?;
        }
        if value.is_null() {
            return None;
        }
        let path = dotted
            .split('.')
            .fold(self.path.clone(), |path, key| path.key(key));
        Some(Self { value, path })
    }

    /// The port that this is, by number or by name; old manifests may write a number as a text.
    pub(crate) fn port(&self) -> Option<PortRef> {
        match self.value {
            Value::String(name) => Some(match name.parse() {
                Ok(number) => PortRef::Number(number),
                Err(_) => PortRef::Name(name.clone()),
            }),
            value => u16::try_from(value.as_u64()?).ok().map(PortRef::Number),
        }
    }

    /// The items of the list at a dotted path; none when there is no list.
    pub(crate) fn each(&self, dotted: &str) -> impl Iterator<Item = Self> + use<'a> {
        self.at(dotted).into_iter().flat_map(|list| list.items())
    }

    /// The items, when this is a list.
    pub(crate) fn items(&self) -> impl Iterator<Item = Self> + use<'a> {
        let path = self.path.clone();
        let list = self.value.as_array().map_or(&[][..], Vec::as_slice);
        list.iter().enumerate().map(move |(index, value)| Self {
            value,
            path: path.index(index),
        })
    }

    /// The entries, when this is a map.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, Self)> + use<'a> {
        let path = self.path.clone();
        self.value
            .as_object()
            .into_iter()
            .flatten()
            .map(move |(key, value)| {
                let field = Self {
                    value,
                    path: path.key(key),
                };
                (key.as_str(), field)
            })
    }

    /// The text, when this is a string that is not empty.
    pub(crate) fn text(&self) -> Option<&'a str> {
        self.value.as_str().filter(|text| !text.is_empty())
    }

    /// The text at a dotted path.
    pub(crate) fn text_at(&self, dotted: &str) -> Option<&'a str> {
        let mut value = self.value;
        for key in dotted.split('.') {
            value = value.get(key)?;
        }
        value.as_str().filter(|text| !text.is_empty())
    }

    /// Whether the field `key` is the boolean `true`.
    pub(crate) fn is_true(&self, key: &str) -> bool {
        self.value.get(key).and_then(Value::as_bool) == Some(true)
    }
}
