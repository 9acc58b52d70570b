//! References that lead nowhere in declared files.
//!
//! Files of one repository are hardly ever all that a cluster holds: Secrets are made elsewhere, and
//! so are classes, roles of others, and much else. What is not declared is told only where the files
//! make it likely that it should be.

use std::collections::{BTreeMap, BTreeSet};

use underpin_model::{Finding, ObjectKey, Reference, Severity, nearest};
use underpin_refs::ReferenceIndex;

use super::{CODE, breaks, finding, needers, referrers};
use crate::{Survey, dangling::named, rules::up108};

/// The account that every namespace has.
const DEFAULT_ACCOUNT: &str = "default";

/// Kinds that whoever declares some of in a namespace declares all of there.
const DECLARED_TOGETHER: &[(&str, &str)] = &[
    ("", "ConfigMap"),
    ("", "PersistentVolumeClaim"),
    ("", "Service"),
    ("", "ServiceAccount"),
    ("rbac.authorization.k8s.io", "Role"),
];

pub(super) fn survey(survey: &Survey<'_>) -> Vec<Finding> {
    let world = survey.after.world;
    let made: BTreeSet<ObjectKey> = world.objects().flat_map(underpin_refs::generated).collect();
    let mut missing: BTreeMap<&ObjectKey, Vec<&Reference>> = BTreeMap::new();
    for reference in survey.references().all() {
        let Some(target) = named(reference) else {
            continue;
        };
        let is_there = world.get(target).is_some() || made.contains(target);
        if is_there || !breaks(reference) || !survey.declares(&reference.from) {
            continue;
        }
        if !is_default_account(target) && !up108::is_stale_in(survey, reference) {
            missing.entry(target).or_default().push(reference);
        }
    }
    let beside = beside(survey);
    let former = survey
        .live
        .as_ref()
        .map(|live| ReferenceIndex::build(live.world));
    let judged = missing.iter().filter_map(|(target, references)| {
        judge(survey, target, references, &beside, former.as_ref())
    });
    judged.collect()
}

fn is_default_account(key: &ObjectKey) -> bool {
    key.kind.is("", "ServiceAccount") && key.name == DEFAULT_ACCOUNT
}

/// The names of what the files declare, by kind and namespace.
type Beside<'s> = BTreeMap<(&'s underpin_model::GroupKind, &'s Option<String>), Vec<&'s str>>;

fn beside<'s>(survey: &Survey<'s>) -> Beside<'s> {
    let mut beside = Beside::new();
    for object in survey.declared.objects() {
        let names = beside.entry((&object.key.kind, &object.key.namespace));
        names.or_default().push(&object.key.name);
    }
    beside
}

fn judge(
    survey: &Survey<'_>,
    target: &ObjectKey,
    references: &[&Reference],
    beside: &Beside<'_>,
    former: Option<&ReferenceIndex>,
) -> Option<Finding> {
    let before = survey.before.as_ref();
    let was_there = before.is_some_and(|before| before.world.get(target).is_some());
    let told = |severity, what: &str, unknown| {
        let message = format!(
            "{target} {what}, and {} it: {}",
            needers(references),
            referrers(references)
        );
        let mut found = finding(target, severity, message, references);
        found.unknown = unknown;
        found.help = help(target, beside);
        found
    };
    if was_there && !is_in_gone_namespace(survey, target) {
        return Some(told(Severity::Block, "is removed by this change", false));
    }
    if was_there {
        return None; // the rename of a namespace that was forgotten here: UP403
    }
    let world = survey.after.world;
    if let Some(former) = former {
        if world
            .unread(&target.kind, target.namespace.as_deref())
            .is_some()
        {
            return None;
        }
        let is_new = |reference: &&&Reference| {
            let mut same = former.from(&reference.from);
            !same.any(|old| old.target == reference.target)
        };
        let severity = match references.iter().find(is_new) {
            Some(_) => Severity::Block,
            None => Severity::Warn,
        };
        return Some(told(severity, "is neither live nor declared", false));
    }
    let unread = world.unread(&target.kind, target.namespace.as_deref());
    let names = beside.get(&(&target.kind, &target.namespace));
    let kind = (target.kind.group.as_str(), target.kind.kind.as_str());
    let others = names.is_some() && DECLARED_TOGETHER.contains(&kind);
    let near = names.and_then(|names| nearest(&target.name, names.iter().copied()));
    let is_likely = near.is_some() || (others && !survey.is_opaque);
    (is_likely && unread.is_none()).then(|| {
        let what = "is not declared in these files, unlike others of its kind beside it: it may be \
                    made elsewhere";
        told(Severity::Warn, what, true)
    })
}

/// Whether the namespace of a thing went with the change.
fn is_in_gone_namespace(survey: &Survey<'_>, target: &ObjectKey) -> bool {
    let namespace = target.namespace.as_deref();
    namespace.is_some_and(|namespace| !survey.after.namespaces().contains(namespace))
}

fn help(target: &ObjectKey, beside: &Beside<'_>) -> Vec<String> {
    let names = beside.get(&(&target.kind, &target.namespace));
    let near = names.and_then(|names| nearest(&target.name, names.iter().copied()));
    let mut help = Vec::new();
    if let Some(near) = near {
        let other = ObjectKey {
            name: near.to_owned(),
            ..target.clone()
        };
        help.push(format!(
            "if {other} is meant: correct the name at the place shown"
        ));
    }
    help.push(format!("declare {target}, or remove the reference"));
    help.push(format!(
        "if it is made elsewhere, say so above the line: `# underpin: allow {CODE} -- where`"
    ));
    help
}
