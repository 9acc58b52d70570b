//! Reasons and stops in words, with the roots that they are about.

use underpin_image::{By, PlanInput, Reason, Root, Stop, Target};

/// Why a manifest stays, in a sentence.
pub(super) fn reason(reason: &Reason, is_stopped: bool, input: &PlanInput<'_>) -> String {
    match reason {
        // Nobody knows whether anything needs it.
        other if is_stopped && other.is_pace() => Reason::Stopped.to_string(),
        Reason::Needed(number, by) => match input.roots.get(*number) {
            Some(root) => format!("{}{}", needed(root), by_what(by)),
            None => reason.to_string(),
        },
        Reason::Opaque(_) => with_roots(&reason.to_string(), input),
        other => other.to_string(),
    }
}

fn by_what(by: &By) -> String {
    match by {
        By::Tag(tag) => format!(", by tag {tag}"),
        By::Digest => ", by its digest".to_owned(),
        By::Configuration => ", by the digest of its configuration".to_owned(),
    }
}

/// `a suspended HelmRelease needs it at its resume (context production: helmrelease… spec.values.image)`.
pub(super) fn needed(root: &Root) -> String {
    format!(
        "{} ({}: {})",
        root.kind.phrase(),
        root.source,
        root.evidence
    )
}

/// Roots that a reason tells by their numbers, by what they are.
pub(super) fn with_roots(text: &str, input: &PlanInput<'_>) -> String {
    let Some((before, rest)) = text.split_once("root ") else {
        return text.to_owned();
    };
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (number, behind) = rest.split_at(end);
    let root = number
        .parse()
        .ok()
        .and_then(|number: usize| input.roots.get(number));
    match root {
        Some(root) => format!("{before}{}: {}{behind}", root.source, root.evidence),
        None => text.to_owned(),
    }
}

/// Why nothing may be deleted, in a sentence.
pub(super) fn stop(stop: &Stop, input: &PlanInput<'_>) -> String {
    let Stop::Unreadable { root } = stop else {
        return stop.to_string();
    };
    match input.roots.get(*root) {
        Some(root) => {
            let why = match &root.target {
                Target::Unreadable { text, reason } => format!("`{text}`: {reason}"),
                other => other.to_string(),
            };
            format!(
                "{}: {} cannot be read, and may name an image of this registry: {why}",
                root.source, root.evidence
            )
        }
        None => stop.to_string(),
    }
}
