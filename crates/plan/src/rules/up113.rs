#![doc = include_str!("docs/UP113.md")]

use std::collections::{BTreeMap, BTreeSet};

use underpin_model::{
    Action, Code, Evidence, Finding, KeepReason, Object, ObjectKey, Owner, Relation, Severity,
    World,
};
use underpin_refs::{PodSelection, bears_pods, pod_labels, pod_selection, selects_pods};

use crate::{
    Context, Purpose, cascade,
    context::evidence_of,
    ownership::controller_of,
    prepare::is_autoscaler,
    rules::Rule,
    wording::{accept, list},
};

/// The rule's code.
pub const CODE: Code = Code(113);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "pods-of-others-selected",
    summary: "in a shared namespace, a selector of this environment also matches pods of others, or \
              one of theirs its pods",
    documentation: include_str!("docs/UP113.md"),
    check: Some(check),
    survey: None,
};

/// Objects on the far side that are shown.
const SHOWN_LIMIT: usize = 5;

/// Longest chain of controllers that is followed up from a pod.
const CHAIN_LIMIT: usize = 10;

/// An object that governs pods by a selector.
struct Selecting<'c> {
    object: &'c Object,
    selection: PodSelection,
}

/// An object that is, or makes, pods with these labels.
struct Bearing<'c> {
    object: &'c Object,
    labels: BTreeMap<&'c str, &'c str>,
}

/// What one namespace holds after the plan, told apart by whose it is.
#[derive(Default)]
struct Shared<'c> {
    our_selectors: Vec<Selecting<'c>>,
    our_pods: Vec<Bearing<'c>>,
    their_selectors: Vec<(Selecting<'c>, Owner)>,
    their_pods: Vec<(Bearing<'c>, Owner)>,
}

/// What crosses the line between this environment and others.
enum Crossing<'c> {
    /// A selector of this environment matches pods of others.
    Ours {
        selecting: &'c Selecting<'c>,
        pods: Vec<(&'c Object, &'c Owner)>,
    },
    /// Selectors of others match pods of this environment.
    Theirs {
        pods: &'c Object,
        selecting: Vec<(&'c Selecting<'c>, &'c Owner)>,
    },
}

fn check(context: &Context<'_>) -> Vec<Finding> {
    if context.plan.purpose != Purpose::Up {
        return Vec::new();
    }
    let declared = declared(context);
    let namespaces: BTreeSet<&str> = declared
        .iter()
        .filter(|object| pod_selection(object).is_some() || bears_pods(&object.key.kind))
        .filter_map(|object| object.key.namespace.as_deref())
        .collect();
    let mut findings = Vec::new();
    for namespace in namespaces {
        let shared = shared(context, &declared, namespace);
        let crossings = crossings(context, &shared);
        let judged = crossings
            .iter()
            .map(|crossing| judge(context, &shared, crossing));
        let judged: Vec<Finding> = judged.collect();
        let is_blocked = judged.iter().any(|one| one.severity == Severity::Block);
        findings.extend(judged);
        if !is_blocked {
            findings.extend(unread(context, &shared, namespace));
        }
    }
    findings
}

/// Objects of this environment as they will be: what is declared here and not left to others.
fn declared<'c>(context: &'c Context<'_>) -> Vec<&'c Object> {
    let after = &context.simulation.after;
    let steps = context.plan.steps.iter();
    let ours = steps.filter(|step| {
        let is_foreign = matches!(step.action, Action::Keep(KeepReason::Foreign(_)));
        step.desired.is_some() && !is_foreign
    });
    ours.filter_map(|step| after.get(&step.key)).collect()
}

fn shared<'c>(context: &'c Context<'_>, declared: &[&'c Object], namespace: &'c str) -> Shared<'c> {
    let mut shared = Shared::default();
    let ours: BTreeSet<&ObjectKey> = declared.iter().map(|object| &object.key).collect();
    let own = cascade::own(context);
    let after = &context.simulation.after;
    for object in after.in_namespace(namespace) {
        let selecting = selecting(object);
        let bearing = bearing(object);
        if (selecting.is_none() && bearing.is_none()) || object.is_terminating() {
            continue;
        }
        if ours.contains(&object.key) {
            shared.our_selectors.extend(selecting);
            shared.our_pods.extend(bearing);
            continue;
        }
        // What a workload makes has its selector, narrowed; what an operator makes for a resource of
        // its own has the only one.
        let derived = controller_of(after, object)
            .is_some_and(|controller| pod_selection(controller).is_some());
        if is_below(after, object, &ours) {
            continue;
        }
        let owner = context.ownership.owner(context.before, object);
        if !owner.is_claimed() || owner == own {
            continue;
        }
        let selecting = selecting.filter(|_| !derived);
        shared
            .their_selectors
            .extend(selecting.map(|one| (one, owner.clone())));
        shared.their_pods.extend(bearing.map(|one| (one, owner)));
    }
    shared
}

fn selecting(object: &Object) -> Option<Selecting<'_>> {
    let selection = pod_selection(object)?;
    Some(Selecting { object, selection })
}

fn bearing(object: &Object) -> Option<Bearing<'_>> {
    let labels = pod_labels(object)?;
    Some(Bearing { object, labels })
}

/// Whether one of these objects controls this one, directly or through others.
fn is_below(world: &World, object: &Object, above: &BTreeSet<&ObjectKey>) -> bool {
    let mut at = object;
    for _ in 0..CHAIN_LIMIT {
        match controller_of(world, at) {
            Some(controller) if above.contains(&controller.key) => return true,
            Some(controller) => at = controller,
            None => return false,
        }
    }
    false
}

fn crossings<'c>(context: &Context<'_>, shared: &'c Shared<'c>) -> Vec<Crossing<'c>> {
    let mut found = Vec::new();
    for selecting in &shared.our_selectors {
        let pods = shared.their_pods.iter();
        let pods = pods
            .filter(|(pods, _)| selecting.matches(pods))
            .map(|(pods, owner)| (pods.object, owner));
        let pods: Vec<_> = pods.collect();
        let pods = topmost(context, &pods);
        if !pods.is_empty() {
            found.push(Crossing::Ours { selecting, pods });
        }
    }
    for pods in &shared.our_pods {
        let selecting: Vec<(&Selecting<'_>, &Owner)> = shared
            .their_selectors
            .iter()
            .filter(|(selecting, _)| {
                selecting.matches(pods)
                    && (!selecting.selection.is_workload
                        || is_autoscaled(context, &selecting.object.key))
            })
            .map(|(selecting, owner)| (selecting, owner))
            .collect();
        if !selecting.is_empty() {
            let pods = pods.object;
            found.push(Crossing::Theirs { pods, selecting });
        }
    }
    found
}

/// Whether an autoscaler measures whatever the selector of a workload matches.
fn is_autoscaled(context: &Context<'_>, workload: &ObjectKey) -> bool {
    let references = context.references_after.needing(workload);
    references.iter().any(|reference| {
        reference.relation == Relation::ScaleTarget && is_autoscaler(&reference.from.kind)
    })
}

impl Selecting<'_> {
    fn matches(&self, pods: &Bearing<'_>) -> bool {
        self.selection.selector.matches(&pods.labels)
    }
}

/// Leaves out what a controller made whose own pods match as well: the pods of a workload that is
/// shown itself.
fn topmost<'c>(
    context: &Context<'_>,
    matching: &[(&'c Object, &'c Owner)],
) -> Vec<(&'c Object, &'c Owner)> {
    let keys: BTreeSet<&ObjectKey> = matching.iter().map(|(object, _)| &object.key).collect();
    let after = &context.simulation.after;
    matching
        .iter()
        .filter(|(object, _)| !is_below(after, object, &keys))
        .copied()
        .collect()
}

/// Whether the one selected the other before the plan already.
fn matched_before(context: &Context<'_>, selecting: &Object, pods: &Object) -> bool {
    let before = |object: &Object| context.before.get(&object.key);
    let (Some(selecting), Some(pods)) = (before(selecting), before(pods)) else {
        return false;
    };
    match (pod_selection(selecting), pod_labels(pods)) {
        (Some(selection), Some(labels)) => selection.selector.matches(&labels),
        _ => false,
    }
}

fn judge(context: &Context<'_>, shared: &Shared<'_>, crossing: &Crossing<'_>) -> Finding {
    let blocks = |selecting: &Selecting<'_>, pods: &Object| {
        !matched_before(context, selecting.object, pods)
            && shared.matches_both_sides(selecting)
            && (!selecting.selection.is_workload || is_autoscaled(context, &selecting.object.key))
    };
    // Others' rule for the whole namespace is meant for whoever comes into it.
    let is_for_all = |selecting: &Selecting<'_>| selecting.selection.selector.0.is_empty();
    let (ours, message, evidence, labels, is_blocked) = match crossing {
        Crossing::Ours { selecting, pods } => (
            &selecting.object.key,
            reaches_out(context, shared, selecting, pods),
            evidence_of_reach(context, selecting, pods),
            Some(tell_apart(context, selecting)),
            pods.iter().any(|(pods, _)| blocks(selecting, pods)),
        ),
        Crossing::Theirs { pods, selecting } => (
            &pods.key,
            is_reached(context, pods, selecting),
            evidence_of_being_reached(context, pods, selecting),
            other_labels(selecting.iter().filter(|(one, _)| !is_for_all(one))),
            selecting
                .iter()
                .any(|(selecting, _)| !is_for_all(selecting) && blocks(selecting, pods)),
        ),
    };
    // A selector that matches nothing of its own side may well be meant for the others' pods.
    let severity = if is_blocked {
        Severity::Block
    } else {
        Severity::Warn
    };
    let subject = ours.subject();
    let mut finding = Finding::new(CODE, severity, subject.clone(), message);
    finding.place = evidence.iter().find_map(|one| one.place.clone());
    finding.evidence = evidence;
    finding.step = Some(ours.clone());
    let or = if labels.is_some() { "or " } else { "" };
    finding.help.extend(labels);
    finding.help.push(format!(
        "{or}let this environment live apart: give it a `parent:`, or a `namespace:` of its own"
    ));
    if is_blocked {
        finding.help.push(accept(CODE, &subject));
    }
    finding
}

impl Shared<'_> {
    /// Whether a selector matches pods of this environment and of others.
    fn matches_both_sides(&self, selecting: &Selecting<'_>) -> bool {
        self.our_pods.iter().any(|pods| selecting.matches(pods))
            && self
                .their_pods
                .iter()
                .any(|(pods, _)| selecting.matches(pods))
    }
}

fn reaches_out(
    context: &Context<'_>,
    shared: &Shared<'_>,
    selecting: &Selecting<'_>,
    pods: &[(&Object, &Owner)],
) -> String {
    let also = if shared.matches_both_sides(selecting) {
        "also "
    } else {
        ""
    };
    let owners: BTreeSet<String> = pods.iter().map(|(_, owner)| owner.to_string()).collect();
    let mut shown: Vec<String> = pods
        .iter()
        .take(SHOWN_LIMIT)
        .map(|(pods, _)| pods.key.to_string())
        .collect();
    if pods.len() > SHOWN_LIMIT {
        shown.push(format!("{} more", pods.len() - SHOWN_LIMIT));
    }
    let belong = if pods.len() == 1 { "belongs" } else { "belong" };
    format!(
        "{} {also}selects pods of {}, which {belong} to {}: it {}",
        selecting.object.key,
        list(&shown),
        list(&owners.into_iter().collect::<Vec<_>>()),
        effect(context, selecting)
    )
}

fn is_reached(
    context: &Context<'_>,
    pods: &Object,
    selecting: &[(&Selecting<'_>, &Owner)],
) -> String {
    let mut parts: Vec<String> = selecting
        .iter()
        .take(SHOWN_LIMIT)
        .map(|(selecting, owner)| {
            let effect = effect(context, selecting);
            format!("{} of {owner}, which {effect}", selecting.object.key)
        })
        .collect();
    if selecting.len() > SHOWN_LIMIT {
        parts.push(format!("{} more", selecting.len() - SHOWN_LIMIT));
    }
    format!("pods of {} are also selected by {}", pods.key, list(&parts))
}

fn effect(context: &Context<'_>, selecting: &Selecting<'_>) -> &'static str {
    if selecting.selection.is_workload && is_autoscaled(context, &selecting.object.key) {
        "is scaled by the usage of all of them together"
    } else {
        selecting.selection.effect
    }
}

fn evidence_of_selector(selecting: &Selecting<'_>, whose: &str) -> Evidence {
    let selector = selector_text(&selecting.selection);
    selecting.object.evidence(
        selecting.selection.path.clone(),
        format!("selects {selector}{whose}"),
    )
}

fn evidence_of_reach(
    context: &Context<'_>,
    selecting: &Selecting<'_>,
    pods: &[(&Object, &Owner)],
) -> Vec<Evidence> {
    let mut evidence = vec![evidence_of_selector(selecting, "")];
    evidence.extend(pods.iter().take(SHOWN_LIMIT).map(|(pods, owner)| {
        let note = format!("its pods match; belongs to {owner}");
        evidence_of(context, &pods.key, note)
    }));
    evidence
}

fn evidence_of_being_reached(
    context: &Context<'_>,
    pods: &Object,
    selecting: &[(&Selecting<'_>, &Owner)],
) -> Vec<Evidence> {
    let mut evidence = vec![evidence_of(context, &pods.key, "its pods match".to_owned())];
    let selecting = selecting.iter().take(SHOWN_LIMIT);
    evidence.extend(selecting.map(|(selecting, owner)| {
        evidence_of_selector(selecting, &format!("; belongs to {owner}"))
    }));
    evidence
}

/// `pods with app=web`, or words for the selector that matches everything.
fn selector_text(selection: &PodSelection) -> String {
    if selection.selector.0.is_empty() {
        "every pod of the namespace".to_owned()
    } else {
        format!("pods with {}", selection.selector)
    }
}

fn tell_apart(context: &Context<'_>, selecting: &Selecting<'_>) -> String {
    let label = format!(
        "app.kubernetes.io/instance: ${{environment}} ({})",
        context.plan.environment
    );
    let key = &selecting.object.key;
    let live = context.before.get(key).is_some();
    if selecting.selection.is_immutable && live {
        return format!(
            "tell the pods apart by a label such as {label}, here and in the selector; the selector \
             of an existing {} cannot be changed: that takes one of another name",
            key.kind.kind
        );
    }
    format!(
        "tell the pods apart: add a label such as {label} to the pods of this environment, and to \
         this selector"
    )
}

/// What to do about selectors that labels can tell apart; nothing where there is none.
fn other_labels<'s, 'c: 's>(
    selecting: impl Iterator<Item = &'s (&'c Selecting<'c>, &'c Owner)>,
) -> Option<String> {
    let mut texts: Vec<String> = selecting
        .take(SHOWN_LIMIT)
        .map(|(selecting, _)| selector_text(&selecting.selection))
        .collect();
    texts.sort();
    texts.dedup();
    (!texts.is_empty()).then(|| {
        format!(
            "give the pods of this environment other labels; these are selected: {}",
            list(&texts)
        )
    })
}

/// Where others are known to live in the namespace, and what makes pods, or selects them, could not be
/// read.
fn unread(context: &Context<'_>, shared: &Shared<'_>, namespace: &str) -> Option<Finding> {
    let others = crate::occupancy::placed_in(context.before, namespace, context.claim_id());
    let others: Vec<String> = others.map(underpin_model::Claim::display_name).collect();
    if others.is_empty() {
        return None;
    }
    let (we_select, we_run) = (
        !shared.our_selectors.is_empty(),
        !shared.our_pods.is_empty(),
    );
    let unread = context.before.unread_in(namespace).find(|unread| {
        let kind = unread.kind.as_ref();
        kind.is_none_or(|kind| we_select && bears_pods(kind) || we_run && selects_pods(kind))
    })?;
    let subject = ObjectKey::of_namespace(namespace).subject();
    let message = format!(
        "whether selectors match pods both of {} and of {} could not be told ({unread})",
        context.environment_name(),
        list(&others)
    );
    let mut finding = Finding::new(CODE, Severity::Warn, subject, message);
    finding.unknown = true;
    finding.help = vec![
        "grant the right to list what makes pods, and what selects them, in that namespace"
            .to_owned(),
    ];
    Some(finding)
}
