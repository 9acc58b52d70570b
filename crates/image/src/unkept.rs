//! Pins of the running cleaner that keep nothing of what a release needs, though they are written for it.

use std::collections::BTreeSet;

use underpin_model::{Finding, Severity, nearest};

use crate::{
    findings::PIN_UNRESOLVED,
    pin::{Pin, PinTarget},
    reference::Tag,
    registry::Registry,
    root::{Root, Target},
};

/// UP303: pins for repositories that are needed, none of whose tags they name. Only repositories that were
/// read are looked at.
pub fn unkept_pins(registry: &Registry, pins: &[Pin], roots: &[Root]) -> Vec<Finding> {
    let needed: BTreeSet<&str> = roots
        .iter()
        .filter_map(|root| match &root.target {
            Target::Image(reference) => Some(reference.location.repository.as_str()),
            Target::Policy(location, _) => Some(location.repository.as_str()),
            _ => None,
        })
        .collect();
    let mut findings = Vec::new();
    if !registry.unread.is_empty() {
        return findings;
    }
    for pin in pins {
        let PinTarget::Tags { repository, tag } = &pin.target else {
            continue;
        };
        let Some(path) = repository.literal().filter(|path| needed.contains(path)) else {
            continue;
        };
        let mut all = registry.repositories.iter();
        let Some((path, read)) = all.find(|(one, _)| one.as_str() == path) else {
            continue;
        };
        if read.tags.keys().any(|one| registry.tag_matches(tag, one)) {
            continue;
        }
        let location = registry.location(path);
        let message = format!(
            "the running cleaner's pin {} keeps nothing: {location} has no such tag",
            pin.text
        );
        let subject = format!("pin/{}", pin.text);
        let mut finding = Finding::new(PIN_UNRESOLVED, Severity::Warn, subject, message);
        finding.place = Some(pin.place.clone());
        let near = nearest(tag.as_str(), read.tags.keys().map(Tag::as_str));
        finding.help = vec![match near {
            Some(near) => format!("did you mean the tag `{near}`?"),
            None => "push what it is to keep, or take the line out".to_owned(),
        }];
        findings.push(finding);
    }
    findings
}
