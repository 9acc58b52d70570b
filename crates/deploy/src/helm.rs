//! What Helm has stored of its releases: what an import takes over, and what an uninstall would
//! read.

use std::collections::BTreeSet;

use underpin_model::{GroupKind, Object, World};
use underpin_plan::RecordedObject;
use underpin_refs::protections;
use underpin_source::helm_release::{self, Release};

use crate::{DeployError, kinds::placed};

/// The revision that Helm takes for the release's present: the newest deployed one, else the
/// newest. An error when there is none, or it cannot be read.
pub(crate) fn latest_release(
    name: &str,
    namespace: &str,
    world: &World,
) -> Result<Release, DeployError> {
    let secrets = GroupKind::core("Secret");
    if let Some(unread) = world.unread(&secrets, Some(namespace)) {
        let text = format!("Helm keeps its releases in Secrets, which could not be read: {unread}");
        return Err(DeployError::Import(text));
    }
    let mut newest: Option<Release> = None;
    let stored = world.of_kind(&secrets).filter(|secret| {
        secret.key.namespace.as_deref() == Some(namespace) && release_name(secret) == Some(name)
    });
    for secret in stored {
        let data = secret.text("/data/release").unwrap_or_default();
        let release = helm_release::decode(data)
            .map_err(|error| DeployError::Import(format!("{}: {error}", secret.key)))?;
        let rank = |release: &Release| (release.status == "deployed", release.version);
        if newest
            .as_ref()
            .is_none_or(|newest| rank(&release) > rank(newest))
        {
            newest = Some(release);
        }
    }
    newest.ok_or_else(|| {
        DeployError::Import(format!(
            "there is no Helm release {name} in namespace {namespace}"
        ))
    })
}

/// What Helm would read at an uninstall, for every release whose Secrets are in the world in full.
/// A release that cannot be decoded records nothing; nothing here makes a plan more permissive.
pub(crate) fn recorded(world: &World, namespace: &str) -> Vec<RecordedObject> {
    let secrets = GroupKind::core("Secret");
    let names: BTreeSet<&str> = world
        .of_kind(&secrets)
        .filter(|secret| secret.key.namespace.as_deref() == Some(namespace))
        .filter_map(release_name)
        .collect();
    let mut recorded = Vec::new();
    for name in names {
        let Ok(release) = latest_release(name, namespace, world) else {
            continue;
        };
        recorded.extend(release.objects.iter().map(|object| {
            RecordedObject {
                key: placed(object, world, namespace),
                tool: "Helm",
                unit: name.to_owned(),
                protections: protections(object)
                    .into_iter()
                    .map(|found| found.key)
                    .collect(),
            }
        }));
    }
    recorded
}

/// The release whose revision a Secret holds.
fn release_name(secret: &Object) -> Option<&str> {
    (secret.label("owner") == Some("helm"))
        .then(|| secret.label("name"))
        .flatten()
}
