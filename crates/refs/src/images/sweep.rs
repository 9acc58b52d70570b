//! Images in any text of any object: whatever follows the host of a registry.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use underpin_model::Object;

use super::{ImageMention, ImageName, ImageRole};
use crate::field::Field;

/// Texts that hold everything again, or what nobody runs.
const LEFT_OUT: &[&str] = &[
    "metadata.managedFields",
    "metadata.annotations[\"kubectl.kubernetes.io/last-applied-configuration\"]",
];

/// Longer names are no names.
const LENGTH_LIMIT: usize = 512;

/// What names an image of one of these registries in any text of an object, Secrets' values included: of
/// a text, nothing is told but the name that follows the host. Hosts are in lower case.
pub fn images_in_text(object: &Object, hosts: &[&str]) -> Vec<ImageMention> {
    let is_secret = object.key.kind.is("", "Secret");
    let role = if is_secret {
        ImageRole::Secret
    } else {
        ImageRole::Text
    };
    let mut found = Vec::new();
    let mut todo = vec![Field::root(object)];
    while let Some(field) = todo.pop() {
        // What an image list of a node holds is what it has pulled, not what anything needs.
        let is_node = object.key.kind.is("", "Node") && field.path.as_str() == "status.images";
        if is_node || LEFT_OUT.contains(&field.path.as_str()) {
            continue;
        }
        if let Value::String(text) = field.value {
            let decoded = (is_secret && field.path.as_str().starts_with("data"))
                .then(|| STANDARD.decode(text).ok())
                .flatten();
            let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
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
    found.sort_by(|left, right| {
        let key = |one: &ImageMention| (one.evidence.path.clone(), format!("{:?}", one.name));
        key(left).cmp(&key(right))
    });
    found.dedup();
    found
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
        return Some(ImageName::Open(format!("{host}/{written}")));
    }
    // A sentence may end behind it.
    let written = written.trim_end_matches(['.', ':', '-', '_', '/', '@']);
    (!written.is_empty()).then(|| ImageName::Likely(format!("{host}/{written}")))
}
