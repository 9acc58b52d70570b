//! The values of ConfigMaps and Secrets.

use std::borrow::Cow;

use serde_json::Value;
use underpin_model::{Depth, FieldPath, GroupKind, Object, ObjectKey, World};

use crate::secret::plain_text;

/// A ConfigMap or a Secret of the world, to be read key by key.
#[derive(Clone, Copy)]
pub(crate) struct Configuration<'w> {
    pub(crate) object: &'w Object,
    pub(crate) is_secret: bool,
}

/// One value, with the field that holds it.
pub(crate) struct Entry<'w> {
    pub(crate) key: &'w str,
    pub(crate) path: FieldPath,
    /// Decoded, in memory alone.
    pub(crate) text: Cow<'w, str>,
}

impl<'w> Configuration<'w> {
    /// The ConfigMap or Secret of a namespace; `None` where it was not read.
    pub(crate) fn of(world: &'w World, kind: &str, namespace: &str, name: &str) -> Option<Self> {
        let mut key = ObjectKey::namespaced(GroupKind::core(kind), namespace, name);
        let object = world.get(&key).or_else(|| {
            key.namespace = None;
            let is_default = namespace == crate::pods::DEFAULT_NAMESPACE;
            world.get(&key).filter(|_| is_default)
        })?;
        (object.depth == Depth::Full).then_some(Self {
            object,
            is_secret: kind == "Secret",
        })
    }

    /// All values that are texts, by key.
    pub(crate) fn entries(self) -> impl Iterator<Item = Entry<'w>> {
        let fields = ["data", "stringData"].into_iter();
        fields.flat_map(move |field| {
            let map = self.object.value.get(field).and_then(Value::as_object);
            map.into_iter()
                .flatten()
                .filter_map(move |(key, value)| self.entry_of(field, key, value))
        })
    }

    /// One value. What a Secret declares in plain overwrites what it declares encoded.
    pub(crate) fn entry(self, key: &str) -> Option<Entry<'w>> {
        ["stringData", "data"].into_iter().find_map(|field| {
            let map = self.object.value.get(field)?.as_object()?;
            let (key, value) = map.get_key_value(key)?;
            self.entry_of(field, key, value)
        })
    }

    fn entry_of(self, field: &str, key: &'w str, value: &'w Value) -> Option<Entry<'w>> {
        let text = value.as_str()?;
        let text = if self.is_secret && field == "data" {
            Cow::Owned(plain_text(text)?)
        } else {
            Cow::Borrowed(text)
        };
        Some(Entry {
            key,
            path: FieldPath::root().key(field).key(key),
            text,
        })
    }
}
