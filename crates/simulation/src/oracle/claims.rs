//! The claims as they are stored, read without the product's own code.

use serde_json::Value;

use super::snapshot::{Id, Snapshot, text};
use crate::scenario::Environment;

/// Where claims live.
pub const CLAIMS_NAMESPACE: &str = "underpin-system";
/// The ConfigMap beside them in which every teardown says what it takes.
pub const TAKEN_DOWN: &str = "underpin-taken-down";

/// One stored claim, as far as the oracle asks.
#[derive(Clone, Debug)]
pub struct StoredClaim {
    /// `stack.environment`, the ConfigMap's name.
    pub name: String,
    /// The claim proper.
    pub claim: Value,
    /// Entries by logical key.
    pub entries: Value,
    /// Who holds the lock.
    pub lock: Option<String>,
}

impl StoredClaim {
    /// Its id.
    pub fn id(&self) -> &str {
        text(&self.claim, "/id")
    }

    /// The namespace it lives in.
    pub fn placement(&self) -> Option<&str> {
        self.claim.pointer("/placement/namespace")?.as_str()
    }

    /// Whether `down` has retired it.
    pub fn is_retired(&self) -> bool {
        self.claim.get("retired").is_some()
    }

    /// The entry about the object of that identity.
    pub fn entry(&self, kind: &str, namespace: &str, name: &str) -> Option<&Value> {
        self.keys()
            .find(|(_, key)| {
                text(key, "/kind") == kind
                    && text(key, "/namespace") == namespace
                    && text(key, "/name") == name
            })
            .map(|(entry, _)| entry)
    }

    /// Whether any entry lies in a namespace.
    pub fn records_in(&self, namespace: &str) -> bool {
        self.keys()
            .any(|(_, key)| text(key, "/namespace") == namespace)
    }

    fn keys(&self) -> impl Iterator<Item = (&Value, &Value)> {
        let entries = self.entries.as_object().into_iter().flatten();
        entries.filter_map(|(_, entry)| Some((entry, entry.get("key")?)))
    }
}

/// The name of an environment's claim.
pub fn claim_name(stack: &str, environment: &str) -> String {
    format!("{stack}.{environment}")
}

/// A claim by its name, if it is there. Simulated stacks are small: their entries fit its head.
pub fn claim(world: &Snapshot, name: &str) -> Option<StoredClaim> {
    claims(world).find(|claim| claim.name == name)
}

/// Whether a teardown has kept a namespace on record: `down --kept` asks for it by name.
pub(super) fn was_kept(before: &Snapshot, actor: &Environment, target: &Id) -> bool {
    let claim = claim(before, &claim_name(actor.stack, actor.name));
    target.kind == "Namespace"
        && claim.is_some_and(|claim| {
            let is_home = claim.placement() == Some(&target.name);
            claim.is_retired() && (is_home || claim.entry(&target.kind, "", &target.name).is_some())
        })
}

/// Every stored claim.
pub fn claims(world: &Snapshot) -> impl Iterator<Item = StoredClaim> {
    world
        .iter()
        .filter(|(id, _)| id.kind == "ConfigMap" && id.namespace == CLAIMS_NAMESPACE)
        .filter_map(|(id, object)| {
            let parse = |field: &str| {
                let text = object.get("data")?.get(field)?.as_str()?;
                serde_json::from_str::<Value>(text).ok()
            };
            Some(StoredClaim {
                name: id.name.clone(),
                claim: parse("claim")?,
                entries: parse("entries").unwrap_or_default(),
                lock: parse("lock").map(|lock| text(&lock, "/holder").to_owned()),
            })
        })
}
