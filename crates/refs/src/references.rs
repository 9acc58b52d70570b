//! All references of an object: those that every object has, then those of its kind.

use std::collections::BTreeSet;

use underpin_model::{Depth, GroupKind, Object, Reference, World, builtin_kind, canonical_group};

use crate::{
    collector::Collector,
    kinds::{TABLE, caddy, custom, metadata},
};

/// All references that `object` states, in a stable order. `world` is used only to learn how a
/// kind is served: whether it is namespaced, and its plural. An object of which only metadata was
/// read states only what its metadata says.
pub fn references(object: &Object, world: &World) -> Vec<Reference> {
    let mut collector = Collector::new(object, world);
    metadata::extract(&mut collector);
    caddy::extract(&mut collector);
    if object.depth == Depth::Full {
        let kind = &object.key.kind;
        let group = canonical_group(&kind.group, &kind.kind);
        for row in TABLE {
            if row.kind == kind.kind && row.group == group {
                (row.extract)(&mut collector);
            }
        }
        custom::extract_by_convention(&mut collector);
    }
    collector.finish()
}

/// The built-in kinds whose fields may name other objects: those that a look for needs has to see.
/// Custom kinds may do so, too.
pub fn referring_kinds() -> BTreeSet<GroupKind> {
    TABLE
        .iter()
        .filter(|row| builtin_kind(row.group, row.kind).is_some())
        .map(|row| GroupKind::new(row.group, row.kind))
        .collect()
}
