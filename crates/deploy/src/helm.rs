//! What Helm has stored of its releases: what an import takes over, and what an uninstall would
//! read.

use std::collections::BTreeSet;

use underpin_model::{GroupKind, Object, World};
use underpin_plan::{Recorded, RecordedObject, UnreadRecord};
use underpin_refs::protections;
use underpin_source::helm_release::{self, Release};

use crate::{DeployError, kinds::placed};

/// The tool, as its protections name it.
const TOOL: &str = "Helm";

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

/// What Helm would read at an uninstall, for every release whose Secrets are in the world in full;
/// what cannot be read or decoded is told as such. Nothing here makes a plan more permissive.
pub(crate) fn recorded(world: &World, namespace: &str) -> Recorded {
    let secrets = GroupKind::core("Secret");
    let unread = |unit: Option<&str>, reason: String| UnreadRecord {
        tool: TOOL,
        unit: unit.map(str::to_owned),
        namespace: namespace.to_owned(),
        reason,
    };
    let mut recorded = Recorded::default();
    if let Some(why) = world.unread(&secrets, Some(namespace)) {
        recorded.unread.push(unread(None, why.to_string()));
        return recorded;
    }
    let names: BTreeSet<&str> = world
        .of_kind(&secrets)
        .filter(|secret| secret.key.namespace.as_deref() == Some(namespace))
        .filter_map(release_name)
        .collect();
    for name in names {
        let release = match latest_release(name, namespace, world) {
            Ok(release) => release,
            Err(error) => {
                recorded.unread.push(unread(Some(name), error.to_string()));
                continue;
            }
        };
        let objects = release.objects.iter().map(|object| RecordedObject {
            key: placed(object, world, namespace),
            tool: TOOL,
            unit: name.to_owned(),
            protections: protections(object)
                .into_iter()
                .map(|found| found.key)
                .collect(),
        });
        recorded.objects.extend(objects);
    }
    recorded
}

/// The release whose revision a Secret holds.
fn release_name(secret: &Object) -> Option<&str> {
    (secret.label("owner") == Some("helm"))
        .then(|| secret.label("name"))
        .flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use underpin_model::{Depth, Origin, Unread};

    use super::*;

    /// A world with one revision of release `web`.
    fn world(payload: &str) -> World {
        let value = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
            "metadata": {
                "name": "sh.helm.release.v1.web.v1", "namespace": "wallet",
                "labels": {"owner": "helm", "name": "web"},
            },
            "data": {"release": payload},
        });
        let mut world = World::default();
        world.insert(Object::from_value(value, Depth::Full, Origin::Live).unwrap());
        world
    }

    #[track_caller]
    fn check(world: &World, expect: &[Option<&str>]) {
        let recorded = recorded(world, "wallet");
        let units: Vec<Option<&str>> = recorded
            .unread
            .iter()
            .map(|unread| unread.unit.as_deref())
            .collect();
        assert_eq!(units, expect, "{recorded:?}");
        let shown = format!("{recorded:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    /// Unknown is not absent: a release that cannot be decoded may record anything.
    #[test]
    fn what_cannot_be_read_is_told_as_unread() {
        check(&world("hunter2"), &[Some("web")]);
        check(&World::default(), &[]);
        let mut forbidden = World::default();
        forbidden.unread.push(Unread {
            kind: Some(GroupKind::core("Secret")),
            group: String::new(),
            namespace: Some("wallet".to_owned()),
            reason: "forbidden".to_owned(),
        });
        check(&forbidden, &[None]);
    }
}
