//! What a change of the world does to connections.

use schemars::JsonSchema;
use serde::Serialize;
use underpin_connect::Change;
use underpin_model::ObjectKey;
use underpin_plan::NeedFate;

use super::{NeedDocument, PortsDocument, WorldDocument};
use crate::{
    commands::reach::Comparison,
    render::{documents::EvidenceDocument, reach::listing::name},
};

/// What is different between two worlds.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangeDocument {
    /// The world before.
    before: WorldDocument,
    /// Namespaces that have another name.
    renamed: Vec<RenameDocument>,
    /// Needs that were allowed and are refused, or of which it cannot be told any more.
    lost_needs: Vec<LostNeedDocument>,
    /// Pairs between which something else is allowed.
    pairs: Vec<ChangedPairDocument>,
    /// Workloads that are new.
    new: Vec<String>,
    /// Workloads that are gone.
    gone: Vec<String>,
}

/// A namespace that has another name.
#[derive(Serialize, JsonSchema)]
struct RenameDocument {
    /// Its name before.
    before: String,
    /// Its name now.
    after: String,
}

/// A need that is lost.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LostNeedDocument {
    /// The need as it is now.
    need: NeedDocument,
    /// What allowed it before: the peers and rules with their places.
    allowed_by: Vec<EvidenceDocument>,
}

/// A pair between which something else is allowed.
#[derive(Serialize, JsonSchema)]
struct ChangedPairDocument {
    /// Who connects, by the name after the change.
    from: String,
    /// To whom, by the name after the change.
    to: String,
    /// Ports that were allowed and are refused.
    lost: String,
    /// Ports that were refused and are allowed.
    gained: String,
    /// What was allowed and unknown before.
    before: PortsDocument,
    /// What is allowed and unknown now.
    after: PortsDocument,
}

impl From<&Comparison<'_>> for ChangeDocument {
    fn from(comparison: &Comparison<'_>) -> Self {
        let changes = &comparison.changes;
        let names = |keys: &[ObjectKey]| keys.iter().map(ToString::to_string).collect();
        Self {
            before: comparison.before.into(),
            renamed: changes
                .renames
                .iter()
                .map(|(before, after)| RenameDocument {
                    before: before.to_owned(),
                    after: after.to_owned(),
                })
                .collect(),
            lost_needs: comparison.lost.iter().map(Into::into).collect(),
            pairs: changes.pairs.iter().map(Into::into).collect(),
            new: names(&changes.new),
            gone: names(&changes.gone),
        }
    }
}

impl From<&NeedFate> for LostNeedDocument {
    fn from(fate: &NeedFate) -> Self {
        let lines = fate.formerly_allowing().into_iter();
        Self {
            need: (&fate.now).into(),
            allowed_by: lines.map(|line| (&line.evidence).into()).collect(),
        }
    }
}

impl From<&Change> for ChangedPairDocument {
    fn from(change: &Change) -> Self {
        Self {
            from: name(&change.from),
            to: name(&change.to),
            lost: change.lost().to_string(),
            gained: change.gained().to_string(),
            before: (&change.before).into(),
            after: (&change.after).into(),
        }
    }
}
