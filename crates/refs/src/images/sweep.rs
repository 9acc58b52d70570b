//! Images in any text of any object: whatever follows the host of a registry.

use serde_json::Value;
use underpin_model::{FieldPath, Object};

use super::{ImageMention, ImageName, ImageRole, ImageSources, images};
use crate::{field::Field, secret::plain_text};

/// Texts that hold everything again, or what nobody runs.
const LEFT_OUT: &[&str] = &[
    "metadata.managedFields",
    "metadata.annotations[\"kubectl.kubernetes.io/last-applied-configuration\"]",
];

/// Longer names are no names.
const LENGTH_LIMIT: usize = 512;

/// What names an image of one of these registries in any text of an object, Secrets' values included: of
/// a text, nothing is told but the name that follows the host. Hosts are in lower case. A name
/// without a tag, whose tag nobody knows, stands for the whole repository.
pub fn images_in_text(
    object: &Object,
    hosts: &[&str],
    sources: ImageSources<'_>,
) -> Vec<ImageMention> {
    let is_secret = object.key.kind.is("", "Secret");
    let role = if is_secret {
        ImageRole::Secret
    } else {
        ImageRole::Text
    };
    let mut found = Vec::new();
    let mut todo = vec![Field::root(object)];
    while let Some(field) = todo.pop() {
        if is_left_out(object, &field) {
            continue;
        }
        if let Value::String(text) = field.value {
            let is_encoded = is_secret && field.path.as_str().starts_with("data");
            let decoded = if is_encoded { plain_text(text) } else { None };
            for name in names(decoded.as_deref().unwrap_or(text), hosts) {
                found.push(ImageMention {
                    evidence: object.evidence(field.path.clone(), String::new()),
                    role,
                    name,
                });
            }
            continue;
        }
        todo.extend(field.items());
        todo.extend(field.entries().map(|(_, value)| value));
    }
    drop_told(object, sources, &mut found);
    found.sort_by(|left, right| {
        let key = |one: &ImageMention| (one.evidence.path.clone(), format!("{:?}", one.name));
        key(left).cmp(&key(right))
    });
    found.dedup();
    found
}

fn is_left_out(object: &Object, field: &Field<'_>) -> bool {
    let (kind, path) = (&object.key.kind, field.path.as_str());
    // What an image list of a node holds is what it has pulled, not what anything needs; and which
    // images of a repository that is scanned are needed, its policies say.
    LEFT_OUT.contains(&path)
        || kind.is("", "Node") && path == "status.images"
        || kind.is("image.toolkit.fluxcd.io", "ImageRepository") && path == "spec.image"
}

/// Drops names without a tag where the fields of the object say more of them, and in what a status or an
/// event tells, which was said elsewhere. Otherwise any image of the repository may be meant: its tag
/// may stand in another text.
fn drop_told(object: &Object, sources: ImageSources<'_>, found: &mut Vec<ImageMention>) {
    let is_bare = |name: &ImageName| match name {
        ImageName::Likely(name) => {
            let (_, last) = name.rsplit_once('/').unwrap_or_default();
            !last.contains([':', '@'])
        }
        _ => false,
    };
    if !found.iter().any(|mention| is_bare(&mention.name)) {
        return;
    }
    let told: Vec<FieldPath> = images(object, sources)
        .into_iter()
        .map(|mention| mention.evidence.path)
        .collect();
    let is_event = object.key.kind.kind == "Event";
    let status = FieldPath::new("status");
    found.retain(|mention| {
        let path = &mention.evidence.path;
        let is_told =
            is_event || path.is_within(&status) || told.iter().any(|told| path.is_within(told));
        !(is_told && is_bare(&mention.name))
    });
}

/// What names an image of one of these registries in a file of any sort, line by line, counted from 1.
/// Hosts are in lower case.
pub fn images_of_file(text: &str, hosts: &[&str]) -> Vec<(u32, ImageName)> {
    let lines = (1..).zip(text.lines());
    let found = lines.flat_map(|(line, text)| {
        let names = names(text, hosts);
        names.into_iter().map(move |name| (line, name))
    });
    found.collect()
}

/// The names in one text.
fn names(text: &str, hosts: &[&str]) -> Vec<ImageName> {
    let lower = text.to_ascii_lowercase();
    let mut found = Vec::new();
    for host in hosts.iter().filter(|host| !host.is_empty()) {
        for (at, _) in lower.match_indices(host) {
            let before = lower[..at].chars().next_back();
            let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            if before.is_some_and(is_part) {
                continue;
            }
            let behind = &text[at + host.len()..];
            // The port that is meant where none is written may be written.
            let behind = behind.strip_prefix(":443").unwrap_or(behind);
            if let Some(path) = behind.strip_prefix('/') {
                found.extend(name(host, path));
            }
        }
    }
    found
}

fn name(host: &str, path: &str) -> Option<ImageName> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    let end = path.find(|c| !is_of_name(c)).unwrap_or(path.len());
    let (written, behind) = path.split_at(end);
    if written.len() > LENGTH_LIMIT {
        return None;
    }
    if behind.starts_with(['$', '{', '%', '<']) {
        return Some(ImageName::Open(format!("{host}/{written}*")));
    }
    // A sentence may end behind it.
    let written = written.trim_end_matches(['.', ':', '-', '_', '/', '@']);
    (!written.is_empty()).then(|| ImageName::Likely(format!("{host}/{written}")))
}
