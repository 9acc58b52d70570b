//! `why`: who needs a thing, transitively; what breaks if it goes; and whom to ask before.
//!
//! ```text
//! objects ──assemble──▶ World ──Graph──▶ needs (transitive)
//!                                  ├──▶ removal: what dies, what breaks and when
//!                                  ╰──▶ consumers: a checklist
//! ```
//!
//! One [`Graph`] holds every need of a world: who lives by whom, with the field that says so. The
//! rest walks it.

mod answer;
mod assemble;
mod consumers;
mod graph;
mod removal;
mod thing;
mod walk;

pub use answer::{Need, Standing, Why, why};
pub use assemble::{kinds_not_held, place_in, with_namespace, world_of};
pub use consumers::{Consumer, Consumers, consumers};
pub use graph::{Edge, Graph};
pub use removal::{Broken, Removal, removal};
pub use thing::{Thing, ThingError, is_called, plural_of, resolve};
pub use underpin_refs::Effect;

use underpin_model::{Object, ObjectKey, Owner, World};

use crate::{LOST_CLAIM, Ownership};

/// A world to be asked, and whose everything in it is.
pub struct Asked<'a> {
    /// The world.
    pub world: &'a World,
    /// Every need in it.
    pub graph: Graph,
    owner_of: Box<dyn Fn(&Object) -> Owner + 'a>,
}

impl<'a> Asked<'a> {
    /// A world that was read from a cluster.
    pub fn of_cluster(world: &'a World, ownership: &'a Ownership) -> Self {
        Self {
            world,
            graph: Graph::of(world, ownership),
            owner_of: Box::new(move |object| ownership.owner(world, object)),
        }
    }

    /// A world that was read from a dump of a cluster. A claim that the dump does not hold is not
    /// lost: what bears its stamp is its environment's.
    pub fn of_dump(world: &'a World, ownership: &'a Ownership) -> Self {
        let owner_of = move |object: &Object| match ownership.owner(world, object) {
            Owner::Tool { tool, name } if tool == LOST_CLAIM => match name.split_once('/') {
                Some((stack, environment)) => Owner::Claim {
                    stack: stack.to_owned(),
                    environment: environment.to_owned(),
                },
                None => Owner::Tool { tool, name },
            },
            known => known,
        };
        Self {
            world,
            graph: Graph::of(world, ownership),
            owner_of: Box::new(owner_of),
        }
    }

    /// A world of declared objects: `owner_of` tells whose stack file declares each.
    pub fn of_declared(
        world: &'a World,
        ownership: &Ownership,
        owner_of: impl Fn(&ObjectKey) -> Owner + 'a,
    ) -> Self {
        Self {
            world,
            graph: Graph::of(world, ownership),
            owner_of: Box::new(move |object| owner_of(&object.key)),
        }
    }

    /// Whose an object is; `None` for one that is not there.
    pub fn owner(&self, key: &ObjectKey) -> Option<Owner> {
        self.world.get(key).map(|object| (self.owner_of)(object))
    }
}
