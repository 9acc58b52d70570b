//! Images of pods: templates, statuses, and the revisions that controllers keep.

use underpin_model::canonical_group;

use super::{ImageName, ImageRole, Images};
use crate::{
    field::Field,
    pods::{CONTAINER_LISTS, pod_template},
};

/// Where their statuses stand.
const STATUSES: &[&str] = &[
    "initContainerStatuses",
    "containerStatuses",
    "ephemeralContainerStatuses",
];

pub(super) fn collect(images: &mut Images<'_>) {
    let role = role(images);
    if let Some((path, value)) = pod_template(images.object) {
        let template = Field { value, path };
        if let Some(spec) = template.get("spec") {
            pod_spec(images, &spec, role);
        }
    }
    let root = Field::root(images.object);
    if images.is("apps", "ControllerRevision")
        && let Some(spec) = root.at("data.spec.template.spec")
    {
        pod_spec(images, &spec, ImageRole::Rollback);
    }
    if images.is("", "Pod") {
        for list in STATUSES {
            for status in root.each(&format!("status.{list}")) {
                for key in ["image", "imageID"] {
                    let field = status.get(key);
                    if let Some((field, text)) =
                        field.and_then(|field| Some((field.clone(), field.text()?)))
                    {
                        images.add(field.path, ImageRole::Pod, ImageName::Id(text.to_owned()));
                    }
                }
            }
        }
    }
}

/// A pod's `spec`, wherever it stands.
pub(super) fn pod_spec<'a>(images: &mut Images<'a>, spec: &Field<'a>, role: ImageRole) {
    for list in CONTAINER_LISTS {
        for container in spec.each(list) {
            images.reference(container.get("image"), role);
        }
    }
    for volume in spec.each("volumes") {
        images.reference(volume.at("image.reference"), role);
    }
}

pub(super) fn role(images: &Images<'_>) -> ImageRole {
    let kind = &images.object.key.kind;
    let group = canonical_group(&kind.group, &kind.kind);
    match (group, kind.kind.as_str()) {
        ("", "Pod") => ImageRole::Pod,
        ("batch", _) => ImageRole::Job,
        ("apps", "ReplicaSet") => {
            let owners = images.object.owner_references();
            let is_kept = owners.iter().any(|owner| owner.controller);
            let replicas = images.object.at("/spec/replicas");
            let runs_none = replicas.and_then(serde_json::Value::as_u64) == Some(0);
            if is_kept && runs_none {
                ImageRole::Rollback
            } else {
                ImageRole::Workload
            }
        }
        _ => ImageRole::Workload,
    }
}
