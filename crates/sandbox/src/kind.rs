//! A resource that the server serves, and the registry of all of them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;

use underpin_fieldset::schema::KindSchema;
use underpin_model::GroupKind;

/// One resource: a kind at its only served and stored version, as discovery describes it.
#[derive(Clone, Debug)]
pub struct Kind {
    /// Group and kind.
    pub kind: GroupKind,
    /// Version, such as `v1`.
    pub version: String,
    /// The path segment, such as `deployments`.
    pub plural: String,
    /// Such as `deployment`.
    pub singular: String,
    /// Such as `deploy`.
    pub short_names: Vec<String>,
    /// Such as `all`.
    pub categories: Vec<String>,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Whether `/status` is a resource of its own: then writes elsewhere leave the status alone.
    pub has_status: bool,
    /// Where `/scale` finds the replicas, if there is one.
    pub scale: Option<Scale>,
    /// Whether it can be created only, as reviews can: nothing is stored.
    pub is_review: bool,
    /// How its fields merge.
    pub schema: KindSchema,
    /// The definition behind it, of a custom resource.
    pub definition: Option<Arc<Value>>,
}

/// Where a kind keeps what `/scale` shows, as JSON pointers.
#[derive(Clone, Debug)]
pub struct Scale {
    /// Such as `/spec/replicas`.
    pub spec_replicas: String,
    /// Such as `/status/replicas`.
    pub status_replicas: String,
    /// Such as `/status/selector`; of built-in workloads the selector in the spec.
    pub selector: Option<String>,
}

impl Kind {
    /// `group/version`, or the version alone for the core group.
    pub fn api_version(&self) -> String {
        if self.kind.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.kind.group, self.version)
        }
    }

    /// `plural.group`, as messages name it.
    pub fn resource(&self) -> String {
        self.resource_of("")
    }

    /// `plural.group` or `plural/subresource.group`, as messages name it.
    pub(crate) fn resource_of(&self, subresource: &str) -> String {
        let plural = self.plural_of(subresource);
        if self.kind.group.is_empty() {
            plural
        } else {
            format!("{plural}.{}", self.kind.group)
        }
    }

    /// `plural`, or `plural/subresource`.
    pub(crate) fn plural_of(&self, subresource: &str) -> String {
        if subresource.is_empty() {
            self.plural.clone()
        } else {
            format!("{}/{subresource}", self.plural)
        }
    }

    /// Whether a PUT on a name that is free creates.
    pub(crate) fn is_created_by_update(&self) -> bool {
        match self.kind.group.as_str() {
            "" => matches!(
                self.kind.kind.as_str(),
                "Endpoints" | "Event" | "LimitRange" | "Service"
            ),
            "coordination.k8s.io" | "rbac.authorization.k8s.io" => true,
            "node.k8s.io" => self.kind.kind == "RuntimeClass",
            _ => false,
        }
    }

    /// Whether a PUT without a resourceVersion overwrites whatever is there.
    pub(crate) fn is_updated_unconditionally(&self) -> bool {
        self.definition.is_none()
            && match self.kind.group.as_str() {
                "admissionregistration.k8s.io"
                | "apiextensions.k8s.io"
                | "apiregistration.k8s.io"
                | "coordination.k8s.io"
                | "node.k8s.io"
                | "policy" => false,
                "storage.k8s.io" => self.kind.kind == "StorageClass",
                _ => true,
            }
    }

    /// Whether a DELETE answers with the object as it was last, not with a Status.
    pub(crate) fn is_returned_when_deleted(&self) -> bool {
        match self.kind.group.as_str() {
            "" => matches!(
                self.kind.kind.as_str(),
                "Namespace"
                    | "PersistentVolume"
                    | "PersistentVolumeClaim"
                    | "Pod"
                    | "PodTemplate"
                    | "ResourceQuota"
                    | "Service"
                    | "ServiceAccount"
            ),
            "storage.k8s.io" => self.kind.kind != "CSIStorageCapacity",
            _ => false,
        }
    }

    /// Whether a whole collection can be deleted in one request.
    pub(crate) fn is_deleted_by_collection(&self) -> bool {
        !self.is_review && !self.kind.is("", "Namespace")
    }
}

/// All resources that are served at a moment. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kinds {
    tables: Arc<Tables>,
}

#[derive(Clone, Debug, Default)]
struct Tables {
    /// By group, version and plural. Custom resources come and go with their definitions.
    by_path: BTreeMap<(String, String, String), Arc<Kind>>,
    by_kind: BTreeMap<GroupKind, Arc<Kind>>,
    /// Discovery documents of these kinds, made when first asked for: they are large, and every
    /// client begins with them.
    documents: Arc<Mutex<Documents>>,
}

/// Discovery documents by path and version.
type Documents = BTreeMap<(&'static str, &'static str), Arc<Value>>;

impl Kinds {
    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Kind>> {
        let key = (group.to_owned(), version.to_owned(), plural.to_owned());
        self.tables.by_path.get(&key)
    }

    pub(crate) fn of(&self, kind: &GroupKind) -> Option<&Arc<Kind>> {
        self.tables.by_kind.get(kind)
    }

    /// All of them, by group, version and plural.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.tables.by_path.values()
    }

    /// The discovery document of a path and version; `make` is asked if it is not there yet.
    pub(crate) fn document(
        &self,
        of: (&'static str, &'static str),
        make: impl FnOnce() -> Value,
    ) -> Arc<Value> {
        let documents = self.tables.documents.lock();
        let mut documents = documents.unwrap_or_else(PoisonError::into_inner);
        let document = documents.entry(of).or_insert_with(|| Arc::new(make()));
        Arc::clone(document)
    }

    /// The tables, to be changed: what was made of them holds no more.
    fn tables(&mut self) -> &mut Tables {
        let tables = Arc::make_mut(&mut self.tables);
        tables.documents = Arc::default();
        tables
    }

    pub(crate) fn insert(&mut self, kind: Kind) {
        let key = (
            kind.kind.group.clone(),
            kind.version.clone(),
            kind.plural.clone(),
        );
        let kind = Arc::new(kind);
        let tables = self.tables();
        tables.by_kind.insert(kind.kind.clone(), kind.clone());
        tables.by_path.insert(key, kind);
    }

    /// Stops serving every version of a custom resource.
    pub(crate) fn remove(&mut self, group: &str, plural: &str) {
        let tables = self.tables();
        tables
            .by_path
            .retain(|(at, _, name), _| at != group || name != plural);
        tables
            .by_kind
            .retain(|at, kind| at.group != group || kind.plural != plural);
    }
}
