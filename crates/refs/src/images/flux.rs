//! Images of Flux: releases, kustomizations, artifacts of charts and manifests, and image policies.

use underpin_model::{GroupKind, ObjectKey};

use super::{
    ImageName, ImageRole, Images, TagOrder, TagSelection,
    release::{is_suspended, values_of_source},
    replacement::replacements_in,
    values,
};
use crate::field::Field;

const HELM: &str = "helm.toolkit.fluxcd.io";
const IMAGE: &str = "image.toolkit.fluxcd.io";
const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io";
const SOURCE: &str = "source.toolkit.fluxcd.io";

/// The key of values where none is named.
pub(super) const VALUES_KEY: &str = "values.yaml";

/// How an artifact's address begins.
const OCI: &str = "oci://";

pub(super) fn collect(images: &mut Images<'_>) {
    if images.is(HELM, "HelmRelease") {
        helm_release(images);
    } else if images.is(KUSTOMIZE, "Kustomization") {
        let suspended = is_suspended(images.object);
        let role = ImageRole::Kustomization { suspended };
        let root = Field::root(images.object);
        replacements(images, &root, "spec.images", role);
    } else if images.is(SOURCE, "OCIRepository") {
        artifact(images);
    } else if images.is(SOURCE, "HelmChart") {
        let spec = Field::root(images.object).get("spec");
        if let Some(spec) = spec {
            chart(images, &spec, ImageRole::Custom);
        }
    } else if images.is(IMAGE, "ImagePolicy") {
        policy(images);
    }
}

fn helm_release(images: &mut Images<'_>) {
    let suspended = is_suspended(images.object);
    let role = ImageRole::HelmRelease { suspended };
    let root = Field::root(images.object);
    if let Some(values) = root.at("spec.values") {
        images.values(&values.path, role, values.value);
    }
    for source in root.each("spec.valuesFrom") {
        values_from(images, &source, role);
    }
    for renderer in root.each("spec.postRenderers") {
        replacements(images, &renderer, "kustomize.images", role);
    }
    if let Some(spec) = root.at("spec.chart.spec") {
        chart(images, &spec, role);
    }
}

/// Values that come from a ConfigMap or Secret: all of a text, or one by its path.
fn values_from(images: &mut Images<'_>, source: &Field<'_>, role: ImageRole) {
    let role = match source.text_at("kind") {
        Some("Secret") => ImageRole::Secret,
        _ => role,
    };
    match values_of_source(images, source) {
        Ok(Some(values)) => images.values(&source.path, role, &values),
        Ok(None) => {}
        Err(reason) => images.add(source.path.clone(), role, ImageName::Unknown(reason)),
    }
}

/// What is put for images by a list below a field.
fn replacements(images: &mut Images<'_>, field: &Field<'_>, list: &str, role: ImageRole) {
    for one in replacements_in(field, list) {
        let name = one.image();
        images.add(one.path, role, name);
    }
}

/// An artifact with manifests or a chart.
fn artifact(images: &mut Images<'_>) {
    let root = Field::root(images.object);
    let Some(url) = root.at("spec.url") else {
        return;
    };
    let Some(image) = url.text().and_then(|text| text.strip_prefix(OCI)) else {
        return;
    };
    let reference = root.at("spec.ref");
    let text = |key: &str| reference.as_ref()?.text_at(key);
    // The digest counts before the range, the range before the tag.
    let name = match (text("digest"), text("semver"), text("tag")) {
        (Some(digest), _, _) => values::joined(None, image, None, Some(digest)),
        (None, Some(range), _) => ImageName::Selected {
            image: image.to_owned(),
            by: TagSelection {
                pattern: text("semverFilter").map(str::to_owned),
                ..in_range(range)
            },
        },
        (None, None, tag) => values::joined(None, image, Some(tag.unwrap_or("latest")), None),
    };
    images.add(url.path.clone(), ImageRole::Custom, name);
}

fn in_range(range: &str) -> TagSelection {
    TagSelection {
        order: TagOrder::Semver(range.to_owned()),
        pattern: None,
        extract: None,
        exclusions: None,
    }
}

/// A chart from a repository of artifacts.
pub(super) fn chart<'a>(images: &mut Images<'a>, spec: &Field<'a>, role: ImageRole) {
    if spec.text_at("sourceRef.kind") != Some("HelmRepository") {
        return;
    }
    let (Some(chart), Some(repository)) = (spec.get("chart"), spec.text_at("sourceRef.name"))
    else {
        return;
    };
    let namespace = spec.text_at("sourceRef.namespace");
    let namespace = namespace.or(images.object.key.namespace.as_deref());
    let key = ObjectKey {
        kind: GroupKind::new(SOURCE, "HelmRepository"),
        namespace: namespace.map(str::to_owned),
        name: repository.to_owned(),
    };
    let Some(name) = chart.text() else { return };
    let Some(repository) = images.sources.world.get(&key) else {
        // Wherever it is, the chart is the last part of the name.
        let name = ImageName::Open(format!("*/{name}:*"));
        images.add(chart.path.clone(), role, name);
        return;
    };
    let url = repository.text("/spec/url");
    let Some(base) = url.and_then(|url| url.strip_prefix(OCI)) else {
        return;
    };
    let image = format!("{}/{name}", base.trim_end_matches('/'));
    let by = in_range(spec.text_at("version").unwrap_or("*"));
    images.add(chart.path.clone(), role, ImageName::Selected { image, by });
}

fn policy(images: &mut Images<'_>) {
    let root = Field::root(images.object);
    for status in ["status.latestRef", "status.observedPreviousRef"] {
        let Some(reference) = root.at(status) else {
            continue;
        };
        let name = reference
            .text_at("name")
            .or_else(|| reference.text_at("image"));
        let Some(name) = name else { continue };
        let (tag, digest) = (reference.text_at("tag"), reference.text_at("digest"));
        let name = values::joined(None, name, tag, digest);
        images.add(reference.path.clone(), ImageRole::PolicyStatus, name);
    }
    for status in ["status.latestImage", "status.observedPreviousImage"] {
        images.reference(root.at(status), ImageRole::PolicyStatus);
    }
    let Some(spec) = root.get("spec") else { return };
    let repository = repository_of(images, &spec);
    let name = match repository {
        Ok((image, exclusions)) => ImageName::Selected {
            image,
            by: TagSelection {
                order: order(&spec),
                pattern: spec.text_at("filterTags.pattern").map(str::to_owned),
                extract: spec.text_at("filterTags.extract").map(str::to_owned),
                exclusions,
            },
        },
        Err(reason) => ImageName::Unknown(reason),
    };
    let path = spec
        .at("policy")
        .map_or(spec.path.clone(), |field| field.path);
    images.add(path, ImageRole::Policy, name);
}

type Scanned = (String, Option<Vec<String>>);

/// The image that the policy's repository scans, and what that leaves out.
fn repository_of(images: &Images<'_>, spec: &Field<'_>) -> Result<Scanned, String> {
    let name = spec.text_at("imageRepositoryRef.name");
    let name = name.ok_or_else(|| "the policy names no ImageRepository".to_owned())?;
    let namespace = spec.text_at("imageRepositoryRef.namespace");
    let namespace = namespace.or(images.object.key.namespace.as_deref());
    let key = ObjectKey {
        kind: GroupKind::new(IMAGE, "ImageRepository"),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    };
    let object = images.sources.world.get(&key);
    let object = object.ok_or_else(|| format!("{key} is not among what was read"))?;
    let image = object.text("/spec/image");
    let image = image.ok_or_else(|| format!("{key} names no image"))?;
    let written = object
        .at("/spec/exclusionList")
        .and_then(|list| list.as_array());
    let exclusions = written.map(|list| {
        let texts = list.iter().filter_map(|one| one.as_str());
        texts.map(str::to_owned).collect()
    });
    Ok((image.to_owned(), exclusions))
}

fn order(spec: &Field<'_>) -> TagOrder {
    let order = |kind: &str| {
        let found = spec.at(&format!("policy.{kind}"))?;
        Some(found.text_at("order").unwrap_or_default().to_owned())
    };
    if let Some(range) = spec.text_at("policy.semver.range") {
        return TagOrder::Semver(range.to_owned());
    }
    if let Some(order) = order("alphabetical") {
        return TagOrder::Alphabetical(order);
    }
    order("numerical").map_or(TagOrder::Missing, TagOrder::Numerical)
}
