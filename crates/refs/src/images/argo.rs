//! Images of Argo CD: what an Application sets, what it says that it deployed, and its history.

use super::{ImageName, ImageRole, Images, values};
use crate::field::Field;

pub(super) fn collect(images: &mut Images<'_>) {
    if !images.is("argoproj.io", "Application") {
        return;
    }
    let root = Field::root(images.object);
    let source = root.at("spec.source");
    for source in source.into_iter().chain(root.each("spec.sources")) {
        of_source(images, &source, ImageRole::Custom);
    }
    for image in root.each("status.summary.images") {
        images.reference(Some(image), ImageRole::Workload);
    }
    for revision in root.each("status.history") {
        let source = revision.get("source");
        for source in source.into_iter().chain(revision.each("sources")) {
            of_source(images, &source, ImageRole::Rollback);
        }
    }
}

fn of_source<'a>(images: &mut Images<'a>, source: &Field<'a>, role: ImageRole) {
    for image in source.each("kustomize.images") {
        // `name=newName:tag`, or the new name alone.
        let Some(text) = image.text() else { continue };
        let new = text.split_once('=').map_or(text, |(_, new)| new);
        images.add(image.path.clone(), role, ImageName::Likely(new.to_owned()));
    }
    if let Some(given) = source.at("helm.valuesObject") {
        images.values(&given.path, role, given.value);
    }
    if let Some(given) = source.at("helm.values")
        && let Some(text) = given.text()
    {
        images.values_text(&given.path, role, text);
    }
    for parameter in source.each("helm.parameters") {
        let name = parameter.text_at("name").unwrap_or_default();
        let last = name.rsplit('.').next().unwrap_or(name);
        if !values::is_image_key(last) {
            continue;
        }
        if let Some(value) = parameter.get("value")
            && let Some(text) = value.text()
        {
            images.add(value.path.clone(), role, ImageName::Likely(text.to_owned()));
        }
    }
}
