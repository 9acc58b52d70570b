//! Keeps a copy of what an `up` applied, redacted, beside the claim.

use underpin_cluster::claims::{RevisionError, StoredRevision};
use underpin_plan::{Fingerprints, Plan, applied_content};

use crate::{Deployment, tools::Tools};

/// Writes the copy, and returns its name for the history; or why there is none. Written before the
/// history names it: what a killed run leaves behind is swept by a later one.
pub(crate) async fn keep(
    deployment: &Deployment,
    tools: &Tools,
    plan: &Plan,
    fingerprints: &Fingerprints,
) -> Result<String, String> {
    let time = tools.time().map_err(|stopped| stopped.to_string())?;
    let name = deployment.claim_name().map_err(|error| error.to_string())?;
    let revision = StoredRevision {
        fingerprint_key: fingerprints.key_id(),
        objects: applied_content(plan, fingerprints),
    };
    let store = deployment.store.with_timeout(time);
    let stored = store.store_revision(&name, &revision).await;
    stored.map_err(|error| match error {
        RevisionError::Cluster(error) => error.to_string(),
        other => other.to_string(),
    })
}
