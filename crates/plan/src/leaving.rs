//! What of the world goes by itself before a plan comes to it.

use underpin_model::{GroupKind, Object, ObjectKey, OwnerReference, canonical_group};
use underpin_refs::{Neighbours, goes_by_itself};

use crate::Context;

/// Owners of owners are followed this far; beyond that an object is taken to stay.
const DEPTH_LIMIT: usize = 8;

/// Whether an object goes by itself, as a run leaves many behind that deletes what they were made for and
/// is interrupted then. What could not be read may be there.
pub(crate) fn leaves(context: &Context<'_>, object: &Object) -> bool {
    let surroundings = Surroundings {
        context,
        namespace: object.key.namespace.as_deref(),
        depth: DEPTH_LIMIT,
    };
    goes_by_itself(object, &surroundings)
}

/// What is around an object.
struct Surroundings<'a> {
    context: &'a Context<'a>,
    namespace: Option<&'a str>,
    /// How far owners of owners are still followed.
    depth: usize,
}

impl Neighbours for Surroundings<'_> {
    fn may_be_there(&self, owner: &OwnerReference) -> bool {
        let world = self.context.before;
        let group = canonical_group(&owner.kind.group, &owner.kind.kind);
        let key = ObjectKey {
            kind: GroupKind::new(group, owner.kind.kind.as_str()),
            namespace: self.namespace.map(str::to_owned),
            name: owner.name.clone(),
        };
        let is_listed = world.kinds.get(&key.kind).is_none_or(|kind| kind.listable);
        let is_read = is_listed
            && world.is_namespaced(&key.kind) == Some(true)
            && world.unread(&key.kind, self.namespace).is_none();
        if !is_read || self.depth == 0 {
            return true;
        }
        let above = Self {
            depth: self.depth - 1,
            ..*self
        };
        let found = world.get(&key);
        found
            .filter(|found| found.uid() == Some(owner.uid.as_str()))
            .is_some_and(|found| !goes_by_itself(found, &above))
    }

    fn is_absent(&self, key: &ObjectKey) -> bool {
        let world = self.context.before;
        world.get(key).is_none() && world.unread(&key.kind, key.namespace.as_deref()).is_none()
    }

    fn was_there(&self, key: &ObjectKey) -> bool {
        self.context.ownership.claims().records(key)
    }
}
