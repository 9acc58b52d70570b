//! What a plan does to connections where too little could be read to tell whether something that is
//! needed goes lost: that is unknown, and not done unasked.

use std::collections::BTreeSet;

use underpin_connect::{
    Allowance, Connections, Direction, Endpoint, Engine, Outcome, Reason, is_network, is_policy,
    takes_part, unread_pods, unread_policies,
};
use underpin_model::{
    Action, Consumer, Finding, GroupKind, ObjectKey, Severity, Step, Supplier, Unread, World,
};

use crate::{
    Context, NeedFate, Plan,
    connectivity::{SHOWN_LIMIT, shown, told},
    context::evidence_of,
    rules::up406,
    wording::{accept, list},
};

/// An allowance that a plan takes away, while it could not be read who makes use of it.
#[derive(Debug)]
pub(crate) struct Loss {
    allowance: Allowance,
    /// Between whom.
    pairs: Vec<String>,
    /// What could not be read of them.
    unread: Unread,
}

/// The allowances that a plan takes away between pods of which some could not be read.
pub(crate) fn unseen_losses(
    world: &World,
    plan: &Plan,
    before: &Engine,
    after: &Engine,
) -> Vec<Loss> {
    let unseen = Unseen::new(world);
    if unseen.nothing() {
        return Vec::new();
    }
    let changed = plan.steps.iter().filter(|step| changes(step));
    let changed: BTreeSet<&ObjectKey> = changed.map(|step| &step.key).collect();
    let allowances = before.allowances(|key| changed.contains(key)).into_iter();
    let lost = allowances.filter_map(|allowance| {
        let (pairs, unread) = unseen.lost(&allowance, before, after);
        Some(Loss {
            unread: unread?.clone(),
            allowance,
            pairs,
        })
    });
    lost.collect()
}

/// Which pods could not be read.
struct Unseen<'w> {
    world: &'w World,
    /// Why any may be missing.
    pods: Option<&'w Unread>,
    /// Why whole namespaces may be missing.
    namespaces: Option<&'w Unread>,
}

impl<'w> Unseen<'w> {
    fn new(world: &'w World) -> Self {
        Self {
            world,
            pods: unread_pods(world, None),
            namespaces: world.unread(&GroupKind::core("Namespace"), None),
        }
    }

    fn nothing(&self) -> bool {
        self.pods.is_none() && self.namespaces.is_none()
    }

    /// Why not all pods that an end stands for could be read.
    fn of(&self, end: &Endpoint) -> Option<&'w Unread> {
        match end {
            Endpoint::Pods { namespace, .. } => unread_pods(self.world, Some(namespace)),
            // Everybody is known by the pods, if these are.
            Endpoint::PodsOfSome { namespaces, .. } if namespaces.is_empty() => {
                self.pods.and(self.namespaces)
            }
            Endpoint::PodsOfSome { .. } => self.namespaces,
            _ => None,
        }
    }

    /// Who loses a connection to or from whom, where one of them could not be read, and why the first of
    /// them could not.
    fn lost(
        &self,
        allowance: &Allowance,
        before: &Engine,
        after: &Engine,
    ) -> (Vec<String>, Option<&'w Unread>) {
        let direction = allowance.direction;
        let known = allowance.subjects.iter().cloned().map(Endpoint::Workload);
        let selected = allowance.selected.iter().cloned();
        let subjects: Vec<(Endpoint, Option<&Unread>)> = known
            .map(|subject| (subject, None))
            .chain(selected.filter_map(|subject| {
                let unread = self.of(&subject)?;
                Some((subject, Some(unread)))
            }))
            .collect();
        let (mut pairs, mut why) = (Vec::new(), None);
        for peer in allowance.peers.iter().chain(&allowance.unlisted) {
            let is_listed = !matches!(peer, Endpoint::PodsOfSome { .. });
            let peer_unread = self.of(peer);
            if !is_listed && peer_unread.is_none() {
                continue;
            }
            // Between ends that could be read, needs are judged one by one.
            let meant = if peer_unread.is_some() {
                &subjects[..]
            } else {
                &subjects[allowance.subjects.len()..]
            };
            for (subject, unread) in meant {
                let Some(unread) = peer_unread.or(*unread) else {
                    continue;
                };
                let (from, to) = match direction {
                    Direction::Ingress => (peer, subject),
                    Direction::Egress => (subject, peer),
                };
                let reach = |engine: &Engine| engine.reach_one_way(from, to, direction).ok();
                let (Some(was), Some(is)) = (reach(before), reach(after)) else {
                    continue;
                };
                let gone = gone(&was, &is, is_listed);
                if !gone.is_empty() {
                    why = why.or(Some(unread));
                    pairs.push(told(from, to, &gone));
                }
                if pairs.len() > SHOWN_LIMIT {
                    return (pairs, why);
                }
            }
        }
        (pairs, why)
    }
}

/// What was let pass and is not. Of pods of which not all labels are known, also what may not be any more,
/// and what might have been.
fn gone(was: &Outcome, is: &Outcome, is_known: bool) -> Connections {
    let certain = was.allowed.without(&is.allowed);
    if is_known {
        return certain.without(&is.unknown);
    }
    let mut gone = certain;
    gone.add(&was.unknown.without(&is.allowed).without(&is.unknown));
    gone
}

/// What UP406 says of changes to policies and to labels of namespaces that cannot be judged.
pub(crate) fn unproven(context: &Context<'_>) -> Vec<Finding> {
    let steps = context.plan.steps.iter().filter(|step| changes(step));
    let mut findings: Vec<Finding> = steps
        .filter_map(|step| match &step.key {
            key if is_policy(&key.kind) => beside_unread_policies(context, step),
            key if key.is_namespace() => under_unread_policies(context, step),
            _ => None,
        })
        .collect();
    let told: BTreeSet<String> = findings.iter().map(|one| one.subject.clone()).collect();
    let losses = context.connectivity().losses.iter();
    let untold = losses.filter(|loss| !told.contains(&loss.allowance.policy.subject()));
    findings.extend(untold.map(|loss| of_unseen_pods(context, loss)));
    findings
}

/// A policy among others that could not be read: what it lets pass, or comes to refuse, is not known.
fn beside_unread_policies(context: &Context<'_>, step: &Step) -> Option<Finding> {
    let namespace = step.key.namespace.as_deref();
    if namespace.is_some_and(|namespace| is_new(context, namespace)) {
        return None;
    }
    let unread = unread_policies(context.before, namespace)?;
    let message = format!(
        "{} {}, and which connections that takes away is unknown: not all policies about these pods could \
         be read ({unread})",
        step.key,
        deed(step)
    );
    Some(finding(context, &step.key, message, unread))
}

/// A namespace that loses labels by which policies that could not be read may let it in.
fn under_unread_policies(context: &Context<'_>, step: &Step) -> Option<Finding> {
    let was = context.before.get(&step.key)?.labels();
    let after = context.simulation.after.get(&step.key)?;
    let is = after.labels();
    let lost = was
        .iter()
        .filter(|(key, value)| is.get(*key) != Some(value));
    let lost: Vec<String> = lost.map(|(key, value)| format!("{key}={value}")).collect();
    let unread = unread_policies(context.before, None).filter(|_| !lost.is_empty())?;
    let message = format!(
        "{} loses {}, and whether policies let its pods in by that is unknown: not all could be read \
         ({unread})",
        step.key,
        list(&lost)
    );
    Some(finding(context, &step.key, message, unread))
}

/// An allowance for pods that could not be read.
fn of_unseen_pods(context: &Context<'_>, loss: &Loss) -> Finding {
    let (pairs, more) = shown(&loss.pairs);
    let policy = &loss.allowance.policy;
    let message = format!(
        "{policy} {} no longer, and whether anything there needs that is unknown ({}): {}{more}",
        loss.allowance.evidence.note,
        loss.unread,
        list(pairs)
    );
    let mut finding = finding(context, policy, message, &loss.unread);
    finding.evidence.insert(0, loss.allowance.evidence.clone());
    finding
}

fn finding(context: &Context<'_>, key: &ObjectKey, message: String, unread: &Unread) -> Finding {
    let mut finding = Finding::new(up406::CODE, Severity::Block, key.subject(), message);
    finding.unknown = true;
    let evidence = evidence_of(context, key, "is changed by this plan".to_owned());
    finding.place.clone_from(&evidence.place);
    finding.evidence = vec![evidence];
    finding.step = Some(key.clone());
    finding.help = vec![
        format!("run with the right to list {}", what(unread)),
        accept(up406::CODE, &finding.subject),
    ];
    finding
}

/// What could not be read, as a right names it.
fn what(unread: &Unread) -> String {
    let kind = match &unread.kind {
        Some(kind) => kind.to_string(),
        None => format!("all kinds of {}", unread.group),
    };
    match &unread.namespace {
        Some(namespace) => format!("{kind} in {namespace}"),
        None => format!("{kind} in the cluster"),
    }
}

/// Why a need that is neither allowed nor refused for certain is so, if something could not be read.
pub(crate) fn unread_of<'c>(context: &'c Context<'_>, fate: &'c NeedFate) -> Option<&'c Unread> {
    let need = &fate.now.need;
    let from = match &need.from {
        Consumer::Workload(key) => key.namespace.as_deref(),
        Consumer::Named { namespace, .. } | Consumer::Namespace(namespace) => Some(&**namespace),
        Consumer::IngressController | Consumer::ApiServer | Consumer::Address(_) => None,
    };
    let to = match &need.to {
        Supplier::Service { namespace, .. } => Some(&**namespace),
        Supplier::Workload(key) => key.namespace.as_deref(),
        Supplier::Host(_) | Supplier::Address(_) => None,
    };
    // Networks that pods may be on count where a namespace asks for one.
    let of_networks = || {
        let mut reasons = fate.now.reasons.iter();
        reasons.any(|reason| matches!(reason, Reason::Unread(_)))
    };
    let is_meant = |kind: &GroupKind| takes_part(kind) && (!is_network(kind) || of_networks());
    let mut ends = [to, from].into_iter().flatten();
    ends.find_map(|namespace| {
        let is_new = is_new(context, namespace);
        let policies = unread_policies(context.before, Some(namespace));
        let others = context.before.unread_in(namespace);
        let mut others = others.filter(|one| one.kind.as_ref().is_some_and(is_meant));
        let pods = || unread_pods(context.before, Some(namespace));
        let unread = policies.or_else(|| others.next()).or_else(pods);
        unread.filter(|_| !is_new)
    })
}

/// Whether a namespace comes with this plan, so that nothing is in it that nobody could read.
fn is_new(context: &Context<'_>, namespace: &str) -> bool {
    let key = ObjectKey::of_namespace(namespace);
    let namespaces = GroupKind::core("Namespace");
    context.before.get(&key).is_none() && context.before.unread(&namespaces, None).is_none()
}

fn changes(step: &Step) -> bool {
    !matches!(step.action, Action::Keep(_))
}

fn deed(step: &Step) -> &'static str {
    match step.action {
        Action::Create => "is created",
        Action::Delete => "is deleted",
        Action::Replace => "is replaced",
        Action::Update | Action::Adopt | Action::Keep(_) => "is changed",
    }
}
