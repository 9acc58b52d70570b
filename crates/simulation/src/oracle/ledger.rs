//! What is known of the past: who made what, and what each actor could have seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use http::Method;
use serde_json::Value;
use underpin_sandbox::{Call, State};

use super::{CLAIMS_NAMESPACE, Id, Snapshot, uid};
use crate::scenario::Environment;

/// What is known of the past: forks along with the cluster.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Who made an object, by its uid.
    makers: Arc<BTreeMap<String, String>>,
    /// The cluster when an actor last read all claims: what came later may be unknown to it.
    known: BTreeMap<String, State>,
    /// The same when its run read them first: what it planned from.
    planned_from: BTreeMap<String, State>,
    /// What went along with a namespace or a definition and could not be known to whoever deleted it,
    /// by uid: the window that is left.
    unseen: BTreeSet<String>,
}

impl Ledger {
    /// Who made the object, unless Kubernetes did.
    pub fn maker(&self, object: &Value) -> Option<&str> {
        self.makers.get(uid(object)).map(String::as_str)
    }

    /// Records who made an object, or to whom it went over.
    pub fn made_by(&mut self, object: &Value, actor: &str) {
        let makers = Arc::make_mut(&mut self.makers);
        makers.insert(uid(object).to_owned(), actor.to_owned());
    }

    /// Records what somebody made between two states.
    pub fn made_between(&mut self, before: &Snapshot, after: &Snapshot, actor: &str) {
        for (id, object) in after {
            if before.get(id).map(|old| uid(old)) != Some(uid(object)) {
                self.made_by(object, actor);
            }
        }
    }

    /// Notes what goes along with something that an actor deletes, and that it could not know of.
    pub(super) fn note_unseen(
        &mut self,
        actor: &str,
        before: &Snapshot,
        goes_along: impl Fn(&Id) -> bool,
    ) {
        let along = before.iter().filter(|(id, _)| goes_along(id));
        let unseen: Vec<String> = along
            .filter(|(_, object)| !was_known(self, actor, object))
            .map(|(_, object)| uid(object).to_owned())
            .collect();
        self.unseen.extend(unseen);
    }

    /// Whether an object went along with something whose deleter could not know of it.
    pub(super) fn was_unseen(&self, object: &Value) -> bool {
        self.unseen.contains(uid(object))
    }

    /// Forgets what actors know: a new run begins.
    pub fn begin_run(&mut self, actor: &str) {
        self.known.remove(actor);
        self.planned_from.remove(actor);
        self.unseen.clear();
    }
}

/// Takes note of a read: whoever lists the claims looks at the cluster as it is now.
pub fn observe_read(ledger: &mut Ledger, actor: &Environment, call: &Call, state: &State) {
    let claims = format!("/api/v1/namespaces/{CLAIMS_NAMESPACE}/configmaps");
    if call.request.method == Method::GET && call.request.path == claims {
        ledger.known.insert(actor.id(), state.clone());
        let first = ledger.planned_from.entry(actor.id());
        first.or_insert_with(|| state.clone());
    }
}

/// Whether an object was there when an actor's run began to read.
pub(super) fn was_planned_from(ledger: &Ledger, actor: &str, object: &Value) -> bool {
    holds(ledger.planned_from.get(actor), object)
}

/// Whether an actor could have known of an object when it last read the claims.
pub(super) fn was_known(ledger: &Ledger, actor: &str, object: &Value) -> bool {
    holds(ledger.known.get(actor), object)
}

fn holds(state: Option<&State>, object: &Value) -> bool {
    state.is_none_or(|state| state.all().any(|(_, known)| uid(known) == uid(object)))
}
