//! Collects the references of one object, so that a kind's module only names fields.

use std::collections::BTreeSet;

use underpin_model::{
    FieldPath, GroupKind, LabelSelector, Object, ObjectKey, Reference, Relation, Strength, Target,
    World, canonical_group,
};

use crate::field::Field;

/// The kind, relation and strength of a reference by name.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) kind: GroupKind,
    pub(crate) relation: Relation,
    pub(crate) strength: Strength,
}

impl Link {
    /// A required reference to a kind.
    pub(crate) fn new(group: &str, kind: &str, relation: Relation) -> Self {
        Self {
            kind: GroupKind::new(canonical_group(group, kind), kind),
            relation,
            strength: Strength::Required,
        }
    }

    pub(crate) fn secret() -> Self {
        Self::new("", "Secret", Relation::Secret)
    }

    pub(crate) fn pull_secret() -> Self {
        Self::new("", "Secret", Relation::PullSecret)
    }

    pub(crate) fn config_map() -> Self {
        Self::new("", "ConfigMap", Relation::ConfigMap)
    }

    pub(crate) fn service() -> Self {
        Self::new("", "Service", Relation::Service)
    }

    pub(crate) fn service_account() -> Self {
        Self::new("", "ServiceAccount", Relation::ServiceAccount)
    }

    pub(crate) fn claim() -> Self {
        Self::new("", "PersistentVolumeClaim", Relation::Claim)
    }

    pub(crate) fn storage_class() -> Self {
        Self::new("storage.k8s.io", "StorageClass", Relation::StorageClass)
    }

    pub(crate) fn namespace() -> Self {
        Self::new("", "Namespace", Relation::NamespaceName).optional()
    }

    /// The same reference, written as optional.
    pub(crate) fn optional(mut self) -> Self {
        self.strength = Strength::Optional;
        self
    }

    /// The same reference, optional if `condition` holds.
    pub(crate) fn optional_if(self, condition: bool) -> Self {
        if condition { self.optional() } else { self }
    }

    /// The same reference as a guess.
    pub(crate) fn guessed(mut self) -> Self {
        self.strength = Strength::Guessed;
        self
    }
}

/// The references of one object, in the order in which they are found.
pub(crate) struct Collector<'a> {
    pub(crate) object: &'a Object,
    world: &'a World,
    references: Vec<Reference>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(object: &'a Object, world: &'a World) -> Self {
        Self {
            object,
            world,
            references: Vec::new(),
        }
    }

    /// The references, each field's target once: what a kind's own module states stands before
    /// what conventions state of the same field.
    pub(crate) fn finish(mut self) -> Vec<Reference> {
        let mut seen = BTreeSet::new();
        self.references.retain(|reference| {
            seen.insert((
                reference.evidence.path.clone(),
                reference.relation,
                reference.target.clone(),
            ))
        });
        self.references
    }

    /// The object as a field.
    pub(crate) fn root(&self) -> Field<'a> {
        Field::root(self.object)
    }

    /// The object's `spec`.
    pub(crate) fn spec(&self) -> Option<Field<'a>> {
        self.root().get("spec")
    }

    /// The namespace of the object; absent too for one that is declared without.
    pub(crate) fn own_namespace(&self) -> Option<&'a str> {
        self.object.key.namespace.as_deref()
    }

    /// Whether a kind lives in namespaces, if the world knows.
    pub(crate) fn is_namespaced(&self, kind: &GroupKind) -> Option<bool> {
        self.world.is_namespaced(kind)
    }

    /// The plural under which the world serves a kind.
    pub(crate) fn plural(&self, kind: &GroupKind) -> Option<&'a str> {
        self.world.kinds.get(kind).map(|kind| kind.plural.as_str())
    }

    /// One annotation as a field with its path.
    pub(crate) fn annotation(&self, name: &str) -> Option<Field<'a>> {
        self.root()
            .get("metadata")?
            .get("annotations")?
            .get(name)
            .filter(|field| field.text().is_some())
    }

    /// States a reference with a note of its own, which must hold no secret.
    pub(crate) fn state(
        &mut self,
        path: FieldPath,
        target: Target,
        relation: Relation,
        strength: Strength,
        note: String,
    ) {
        self.references.push(Reference {
            from: self.object.key.clone(),
            target,
            relation,
            strength,
            evidence: self.object.evidence(path, note),
        });
    }

    /// States a reference to the object whose name is the text of `name`. It is looked for in
    /// `namespace` if its kind lives in one; a namespaced kind without a namespace is looked for
    /// beside the object.
    pub(crate) fn named(&mut self, name: &Field<'a>, namespace: Option<&str>, link: &Link) {
        let Some(text) = name.text() else { return };
        self.named_as(name.path.clone(), text, namespace, link);
    }

    /// As [`Self::named`], for a name that is derived from the field at `path`.
    pub(crate) fn named_as(
        &mut self,
        path: FieldPath,
        name: &str,
        namespace: Option<&str>,
        link: &Link,
    ) {
        if name.is_empty() {
            return;
        }
        let namespace = match self.is_namespaced(&link.kind) {
            Some(false) => None,
            _ => namespace.or(self.own_namespace()).map(str::to_owned),
        };
        let key = ObjectKey {
            kind: link.kind.clone(),
            namespace,
            name: name.to_owned(),
        };
        let note = match key.namespace.as_deref() {
            Some(other) if Some(other) != self.own_namespace() => {
                format!(
                    "{} {} {other}/{name}",
                    link.relation.phrase(),
                    key.kind.kind
                )
            }
            _ => format!("{} {} {name}", link.relation.phrase(), key.kind.kind),
        };
        let target = Target::Object(key);
        self.state(path, target, link.relation, link.strength, note);
    }

    /// States a reference to a cluster-scoped object, of a kind that the world need not know.
    pub(crate) fn cluster_named(&mut self, path: FieldPath, name: &str, link: &Link) {
        if name.is_empty() {
            return;
        }
        let target = Target::Object(ObjectKey::cluster(link.kind.clone(), name));
        let note = format!("{} {} {name}", link.relation.phrase(), link.kind.kind);
        self.state(path, target, link.relation, link.strength, note);
    }

    /// States a reference to the object that the text at `dotted` below `field` names, beside the
    /// object itself.
    pub(crate) fn local(&mut self, field: &Field<'a>, dotted: &str, link: &Link) {
        if let Some(name) = field.at(dotted) {
            self.named(&name, None, link);
        }
    }

    /// States a reference to `{name, namespace}`; where the namespace is missing, beside the
    /// object itself, and nothing where the object has none either.
    pub(crate) fn elsewhere(&mut self, field: &Field<'a>, link: &Link) {
        let namespace = field.text_at("namespace").or(self.own_namespace());
        if let (Some(name), Some(namespace)) = (field.get("name"), namespace) {
            self.named(&name, Some(namespace), link);
        }
    }

    /// States a reference to `{name, namespace}`; where the namespace is missing, beside the
    /// object itself.
    pub(crate) fn elsewhere_or_here(&mut self, field: &Field<'a>, link: &Link) {
        if let Some(name) = field.get("name") {
            self.named(&name, field.text_at("namespace"), link);
        }
    }

    /// States a reference to `{apiVersion | apiGroup | group, kind, name, namespace}`; group and
    /// kind default to those of `link`.
    pub(crate) fn typed(&mut self, field: &Field<'a>, link: &Link) {
        let Some(name) = field.get("name") else {
            return;
        };
        let kind = field.text_at("kind").unwrap_or(&link.kind.kind);
        let group = match field.text_at("apiVersion") {
            Some(version) => Some(version.split_once('/').map_or("", |(group, _)| group)),
            None => field.text_at("apiGroup").or_else(|| field.text_at("group")),
        };
        let group = group.unwrap_or(&link.kind.group);
        let link = Link {
            kind: GroupKind::new(canonical_group(group, kind), kind),
            ..link.clone()
        };
        self.named(&name, field.text_at("namespace"), &link);
    }

    /// States that the selector at `field` selects objects of a kind. Selection is optional by
    /// nature: an empty match breaks nothing by itself. A selector without any requirement that
    /// searches all namespaces singles nothing out and states nothing.
    pub(crate) fn selects(
        &mut self,
        field: &Field<'a>,
        kind: GroupKind,
        namespace: Option<&str>,
        selector: LabelSelector,
    ) {
        if namespace.is_none() && selector.0.is_empty() {
            return;
        }
        let note = format!("selects {}s with {selector}", kind.kind);
        let target = Target::Selected {
            kind,
            namespace: namespace.map(str::to_owned),
            selector,
        };
        let path = field.path.clone();
        self.state(path, target, Relation::Selects, Strength::Optional, note);
    }
}
