//! What the edge serves in the worlds that rules look at.

use std::{fmt, sync::Arc};

use serde_json::Value;
use underpin_model::{FieldPath, GroupKind, ObjectKey, Origin, Place, SpanIndex, World};
use underpin_route::{Published, Refusal, RoutingTable, Settings, may_ask, resolve};

/// What is asked of the edge where nothing is planned.
#[derive(Clone, Debug, Default)]
pub struct EdgeOptions {
    /// Which annotations and Ingresses it reads.
    pub settings: Settings,
    /// Whether nothing but the edge is asked about.
    pub alone: bool,
    /// Whether what is declared is all that there is, as it is of a dump of a cluster.
    pub is_whole: bool,
    /// Configurations of the proxy.
    pub configurations: Vec<Configuration>,
}

/// A configuration of the proxy, in its own form.
#[derive(Clone)]
pub struct Configuration {
    /// The file.
    pub file: Arc<str>,
    /// What Caddy is given. It may hold credentials.
    pub value: Value,
    /// Where its fields stand; nothing where it was made from another form.
    pub spans: Arc<SpanIndex>,
}

/// Without the value.
impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configuration")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Configuration {
    /// The place of a field: its own, or the nearest enclosing one that is known.
    pub fn place_of(&self, path: &FieldPath) -> Place {
        let start = Place {
            file: self.file.clone(),
            line: 1,
            column: 1,
        };
        let origin = Origin::Declared {
            place: start.clone(),
            spans: self.spans.clone(),
        };
        origin.place_of(path).unwrap_or(start)
    }
}

/// What the edge serves in two worlds.
#[derive(Debug)]
pub(crate) struct Tables {
    /// In the one that is compared with, if there is one.
    pub(crate) before: Option<RoutingTable>,
    /// In the other.
    pub(crate) after: RoutingTable,
}

impl Tables {
    /// Who serves an address in the first world holds it in the second against other owners.
    pub(crate) fn of(before: Option<&World>, after: &World, settings: &Settings) -> Self {
        let before = before.map(|world| resolve(world, settings, &Published::default()));
        let held = before.as_ref().map(|table| Published::of(1, table));
        let after = resolve(after, settings, &held.unwrap_or_default());
        Self { before, after }
    }

    /// Whether an object's entry was refused for the same before.
    pub(crate) fn was_refused(&self, refusal: &Refusal) -> bool {
        let before = self.before.iter().flat_map(|table| &table.refused);
        let same = |one: &Refusal| one.object == refusal.object && one.reason == refusal.reason;
        before.into_iter().any(same)
    }

    /// Whether a field of an object asks for routes that it gets, or that others get.
    pub(crate) fn asks(&self, object: &ObjectKey, path: &FieldPath) -> bool {
        let mut routes = self.after.routes.values();
        let mut conflicts = self.after.conflicts.iter();
        routes.any(|route| *route.source.object == *object && route.path == *path)
            || conflicts.any(|one| one.loser == *object && one.path == *path)
    }
}

/// Whether objects of a kind may change what the edge serves.
pub(crate) fn takes_part_in_routes(kind: &GroupKind) -> bool {
    kind.is("", "Namespace") || may_ask(kind)
}
