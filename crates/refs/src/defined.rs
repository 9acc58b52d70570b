//! The kind that a definition defines.

use underpin_model::{GroupKind, Object, ResourceKind};

use crate::field::Field;

/// The kind that a `CustomResourceDefinition` serves, as far as the definition tells.
pub fn defined(object: &Object) -> Option<ResourceKind> {
    let kind = &object.key.kind;
    if !kind.is("apiextensions.k8s.io", "CustomResourceDefinition") {
        return None;
    }
    let spec = Field::root(object).get("spec")?;
    let listed = spec
        .each("versions")
        .filter_map(|version| version.text_at("name").map(str::to_owned));
    let mut versions: Vec<String> = listed.collect();
    // `v1beta1` knows a single version beside the list.
    versions.extend(spec.text_at("version").map(str::to_owned));
    versions.dedup();
    Some(ResourceKind {
        kind: GroupKind::new(spec.text_at("group")?, spec.text_at("names.kind")?),
        version: versions.first()?.clone(),
        versions,
        plural: spec.text_at("names.plural")?.to_owned(),
        namespaced: spec.text_at("scope") != Some("Cluster"),
        listable: true,
    })
}
