//! StatefulSets: the governing Service and the claims that outlive their pods.

use underpin_model::GroupKind;

use crate::{
    collector::{Collector, Link},
    field::Field,
};

/// Claims named per template at most; more replicas than this are not enumerated one by one.
pub(crate) const MAXIMUM_ORDINALS: u64 = 1_000;

pub(crate) fn stateful_set(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    collector.local(&spec, "serviceName", &Link::service());
    for template in spec.each("volumeClaimTemplates") {
        collector.local(&template, "spec.storageClassName", &Link::storage_class());
    }
    // A claim that is missing is made anew, empty: the StatefulSet starts without it.
    let link = Link::claim().optional();
    for (template, names) in claim_names(&Field::root(collector.object)) {
        for name in names {
            collector.named_as(template.path.clone(), &name, None, &link);
        }
    }
}

/// The claims of a StatefulSet by template. One that is scaled to nothing still has the data of
/// its first replica.
pub(crate) fn claim_names<'a>(object: &Field<'a>) -> Vec<(Field<'a>, Vec<String>)> {
    let Some(spec) = object.get("spec") else {
        return Vec::new();
    };
    let number = |dotted: &str| spec.at(dotted).and_then(|field| field.value.as_u64());
    let first = number("ordinals.start").unwrap_or(0);
    let count = number("replicas").unwrap_or(1).clamp(1, MAXIMUM_ORDINALS);
    let Some(set) = object.text_at("metadata.name") else {
        return Vec::new();
    };
    let names = |template: Field<'a>| {
        let claim = template.text_at("metadata.name")?;
        let ordinals = first..first.saturating_add(count);
        let names = ordinals.map(|ordinal| format!("{claim}-{set}-{ordinal}"));
        Some((template, names.collect()))
    };
    spec.each("volumeClaimTemplates")
        .filter_map(names)
        .collect()
}

/// The kind of what [`claim_names`] names.
pub(crate) fn claim_kind() -> GroupKind {
    GroupKind::core("PersistentVolumeClaim")
}
