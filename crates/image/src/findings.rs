//! Rules UP301, UP303 and UP304: what they find in a plan and its roots.

use std::collections::{BTreeMap, BTreeSet};

use underpin_model::{Code, Evidence, Finding, Severity, nearest, wording::count};

use crate::{
    digest::Digest,
    needs::By,
    plan::{Plan, PlanInput, Reason},
    policy::Selection,
    reference::{RepositoryPath, Tag},
    registry::Registry,
    root::{Root, RootKind, Target},
};

/// An image that is needed would be deleted.
pub const IMAGE_NEEDED: Code = Code(301);
/// A suspended release would not find its image at its resume.
pub const GOLIVE_IMAGE_MISSING: Code = Code(302);
/// A pin keeps nothing.
pub const PIN_UNRESOLVED: Code = Code(303);
/// A tag that an image policy follows is kept by nothing but what runs.
pub const FLOATING_TAG_UNPROTECTED: Code = Code(304);

/// How much evidence is shown of one finding.
const SHOWN_LIMIT: usize = 5;

/// A manifest of a repository, as findings are about it.
pub(crate) fn subject(registry: &Registry, repository: &RepositoryPath, what: &str) -> String {
    format!("image/{}{what}", registry.location(repository))
}

/// UP301: of manifests that somebody wants to delete, those that are needed, whoever wants it. What
/// the plan itself deletes is never among them.
pub fn images_needed<'d>(
    plan: &Plan,
    input: &PlanInput<'_>,
    doomed: impl IntoIterator<Item = (&'d RepositoryPath, &'d Digest)>,
) -> Vec<Finding> {
    let doomed: BTreeSet<_> = doomed.into_iter().collect();
    let found = doomed.into_iter().filter_map(|(repository, digest)| {
        let of = plan.repositories.get(repository);
        if let Some(manifest) = of.and_then(|of| of.manifests.get(digest)) {
            return needed(plan, input, repository, digest, &manifest.reasons);
        }
        let why = input.registry.unseen(repository, digest)?;
        Some(finding_of(input, repository, digest, 0, Some(&why)))
    });
    found.collect()
}

fn needed(
    plan: &Plan,
    input: &PlanInput<'_>,
    repository: &RepositoryPath,
    digest: &Digest,
    reasons: &[Reason],
) -> Option<Finding> {
    let unknown = reasons.iter().find_map(|reason| match reason {
        Reason::Opaque(why) | Reason::Held(why) => Some(why),
        _ => None,
    });
    let needs = roots_of(plan, repository, digest);
    if needs.is_empty() && unknown.is_none() {
        return None;
    }
    let mut finding = finding_of(input, repository, digest, needs.len(), unknown);
    let roots = needs.iter().filter_map(|number| input.roots.get(*number));
    finding.evidence = roots.take(SHOWN_LIMIT).map(evidence).collect();
    Some(finding)
}

/// That a manifest would go which `needs` roots need, or of which that is not known.
fn finding_of(
    input: &PlanInput<'_>,
    repository: &RepositoryPath,
    digest: &Digest,
    needs: usize,
    unknown: Option<&String>,
) -> Finding {
    let subject = subject(input.registry, repository, &format!("@{digest}"));
    let name = format!("{}@{digest}", input.registry.location(repository));
    let message = match (needs, unknown) {
        (0, Some(why)) => format!("whether {name} is needed is not known: {why}"),
        (number, _) => {
            let needs_it = if number == 1 { "needs it" } else { "need it" };
            format!(
                "{name} would be deleted, and {} {needs_it}",
                count(number, "root")
            )
        }
    };
    let mut finding = Finding::new(IMAGE_NEEDED, Severity::Block, subject, message);
    finding.unknown = needs == 0;
    finding.help = vec![
        "leave it out of what is deleted".to_owned(),
        "or take the need away first: each is named above with its field".to_owned(),
    ];
    finding
}

/// The roots that need a manifest, straight or through what holds it.
fn roots_of(plan: &Plan, repository: &RepositoryPath, digest: &Digest) -> BTreeSet<usize> {
    let mut roots = BTreeSet::new();
    let Some(repository) = plan.repositories.get(repository) else {
        return roots;
    };
    let (mut seen, mut todo) = (BTreeSet::from([digest]), vec![digest]);
    while let Some(digest) = todo.pop() {
        let reasons = repository.manifests.get(digest);
        for reason in reasons.iter().flat_map(|manifest| &manifest.reasons) {
            match reason {
                Reason::Needed(root, _) => {
                    roots.insert(*root);
                }
                Reason::ChildOf(other)
                | Reason::RefersTo(other)
                | Reason::ReferredBy(other)
                | Reason::Holds(other)
                    if seen.insert(other) =>
                {
                    todo.push(other);
                }
                _ => {}
            }
        }
    }
    roots
}

/// The evidence of a root, with what it is one for.
pub(crate) fn evidence(root: &Root) -> Evidence {
    let mut evidence = root.evidence.clone();
    let note = std::mem::take(&mut evidence.note);
    let said = if note.is_empty() {
        String::new()
    } else {
        format!(": {note}")
    };
    evidence.note = format!("{} ({}){said}", root.kind.phrase(), root.source);
    evidence
}

/// UP303: pins that keep nothing.
pub fn pins_unresolved(plan: &Plan, input: &PlanInput<'_>) -> Vec<Finding> {
    let missing = plan.missing.iter();
    let pins = missing.filter_map(|missing| {
        let root = input.roots.get(missing.root)?;
        match &root.target {
            Target::Pin(pin) => Some((root, pin)),
            _ => None,
        }
    });
    let found = pins.map(|(root, pin)| {
        let unread = input.registry.unread.first();
        let message = match unread {
            None => format!(
                "the pin {} keeps nothing: nothing of that name is in the registry",
                pin.text
            ),
            Some(part) => format!(
                "whether the pin {} keeps anything is not known: could not read {}: {}",
                pin.text, part.what, part.reason
            ),
        };
        let subject = format!("pin/{}", pin.text);
        let mut finding = Finding::new(PIN_UNRESOLVED, Severity::Warn, subject, message);
        finding.unknown = unread.is_some();
        finding.place = Some(pin.place.clone());
        finding.evidence = vec![evidence(root)];
        if let Some(near) = nearest_pin(input.registry, &pin.text) {
            finding.help.push(format!("did you mean `{near}`?"));
        }
        finding.help.push(
            "push what it is to keep, or take the line out: a pin that keeps nothing protects \
             nobody"
                .to_owned(),
        );
        finding
    });
    found.collect()
}

/// The pin of an image that is there and is written most like this one.
fn nearest_pin(registry: &Registry, text: &str) -> Option<String> {
    let (package, version) = text.split_once("==")?;
    let name = package.split_once('/')?.1;
    let mut near: Vec<String> = Vec::new();
    for (path, repository) in &registry.repositories {
        let path = path.as_str();
        let image = path.split_once('/').map_or(path, |(_, image)| image);
        if image == name {
            let tags = repository.tags.keys().map(Tag::as_str);
            near.extend(nearest(version, tags).map(|tag| format!("{package}=={tag}")));
        } else if repository.tags.keys().any(|tag| tag.as_str() == version) {
            near.push(format!("container/{image}=={version}"));
        }
    }
    let found = nearest(text, near.iter().map(String::as_str));
    found.map(str::to_owned)
}

/// UP304: tags that are moved, that an image policy follows, and that no pin keeps. A cleaner that
/// knows only what runs takes them as soon as nothing runs.
pub fn floating_tags_unprotected(plan: &Plan, input: &PlanInput<'_>) -> Vec<Finding> {
    let mut followed: BTreeMap<(&RepositoryPath, Tag), Vec<&Root>> = BTreeMap::new();
    for root in input.roots {
        let Target::Policy(location, policy) = &root.target else {
            continue;
        };
        let named = input.registry.is_named(&location.host);
        let repository = input
            .registry
            .repositories
            .get_key_value(&location.repository);
        let Some((path, repository)) = repository.filter(|_| named) else {
            continue;
        };
        if let Selection::Selected(tags) = policy.select(repository.tags.keys()) {
            for tag in tags
                .into_iter()
                .filter(|tag| input.settings.is_mutable(tag))
            {
                followed.entry((path, tag)).or_default().push(root);
            }
        }
    }
    let found = followed.iter().filter_map(|((path, tag), policies)| {
        let digest = input
            .registry
            .repositories
            .get(*path)?
            .tags
            .get(tag)?
            .present()?;
        let reasons = &plan.repositories.get(*path)?.manifests.get(digest)?.reasons;
        unprotected(input, path, tag, policies, reasons)
    });
    found.collect()
}

fn unprotected(
    input: &PlanInput<'_>,
    repository: &RepositoryPath,
    tag: &Tag,
    policies: &[&Root],
    reasons: &[Reason],
) -> Option<Finding> {
    let needs = reasons.iter().filter_map(|reason| match reason {
        Reason::Needed(root, by) => Some((input.roots.get(*root)?, by)),
        _ => None,
    });
    let needs: Vec<(&Root, &By)> = needs.collect();
    let keeps = |root: &Root, by: &By| {
        let is_of_tag = matches!(by, By::Tag(one) if one == tag) || matches!(by, By::Digest);
        root.kind == RootKind::Pin && is_of_tag
    };
    if needs.iter().any(|(root, by)| keeps(root, by)) {
        return None;
    }
    let live = needs.iter().filter(|(root, _)| root.kind.is_live());
    let live: Vec<&Root> = live.map(|(root, _)| *root).collect();
    let name = format!("{}:{tag}", input.registry.location(repository));
    let message = if live.is_empty() {
        format!("{name} is followed by an image policy, no pin keeps it, and nothing runs it")
    } else {
        format!("{name} is followed by an image policy, and nothing keeps it but what runs it now")
    };
    let subject = subject(input.registry, repository, &format!(":{tag}"));
    let mut finding = Finding::new(FLOATING_TAG_UNPROTECTED, Severity::Warn, subject, message);
    let shown = policies.iter().copied().chain(live).take(SHOWN_LIMIT);
    finding.evidence = shown.map(evidence).collect();
    finding.help = vec![format!(
        "write `{}` into the pins file, and deploy the cleaner anew so that it reads it",
        pin_line(repository, tag)
    )];
    Some(finding)
}

/// The line that pins a tag.
pub(crate) fn pin_line(repository: &RepositoryPath, tag: &Tag) -> String {
    let path = repository.as_str();
    let image = path.split_once('/').map_or(path, |(_, image)| image);
    format!("container/{image}=={tag}")
}
