//! What other objects say that the state of an object depends on.

use std::collections::BTreeMap;

use underpin_model::{GroupKind, Object};

/// What an object stands among, as far as its state depends on it.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// StorageClasses by name, and whether they bind claims as soon as these are made.
    classes: BTreeMap<String, bool>,
}

impl Surroundings {
    /// What these objects say; a later one replaces an earlier one of the same name.
    pub fn of<'o>(objects: impl Iterator<Item = &'o Object>) -> Self {
        let classes = objects
            .filter(|object| object.key.kind.is("storage.k8s.io", "StorageClass"))
            .map(|class| {
                let deferred = class.text("/volumeBindingMode") == Some("WaitForFirstConsumer");
                (class.key.name.clone(), !deferred)
            });
        Self {
            classes: classes.collect(),
        }
    }

    /// The kind that tells how claims are bound.
    pub fn storage_class() -> GroupKind {
        GroupKind::new("storage.k8s.io", "StorageClass")
    }

    /// Whether claims of the class are bound as soon as they are made. A claim without class is
    /// bound to a volume that an administrator made, at once if there is one.
    pub(crate) fn binds_at_once(&self, class: &str) -> bool {
        class.is_empty() || self.classes.get(class).copied().unwrap_or(false)
    }
}
