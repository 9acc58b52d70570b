#![doc = include_str!("docs/UP403.md")]

use std::collections::{BTreeMap, BTreeSet};

use underpin_connect::{Missing, UnmatchedSelector};
use underpin_model::{
    Code, Evidence, Finding, GroupKind, Reference, Relation, Severity, builtin_kind, nearest,
};
use underpin_refs::bears_pods;

use crate::{
    Context, Survey, context::with_places, dangling::is_declared, rules::Rule,
    survey::is_of_every_cluster, wording::list,
};

/// The rule's code.
pub const CODE: Code = Code(403);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "selector-matches-nothing",
    summary: "a policy names a namespace or labels that nothing has, or a value a namespace that \
              was renamed",
    documentation: include_str!("docs/UP403.md"),
    check: Some(check),
    survey: Some(survey),
};

/// How evidence begins that names a namespace which the files do not declare.
const NAMES: &str = "names namespace ";

/// Selectors of this environment's policies that nothing matches once the plan is done. What names a
/// namespace that the plan takes away is UP108's to tell.
fn check(context: &Context<'_>) -> Vec<Finding> {
    let after = &context.simulation.after;
    let there = |namespace: &str| {
        let key = underpin_model::ObjectKey::of_namespace(namespace);
        context.simulation.will_exist(&key) || context.before.get(&key).is_some()
    };
    let gaps = context.connectivity().unmatched.iter();
    gaps.filter(|gap| is_declared(context, &gap.policy) && !is_unread(after, &gap.missing))
        .filter(|gap| !matches!(&gap.missing, Missing::Namespace(name) if there(name)))
        .map(|gap| with_places(context, told(gap, &nobody(&gap.missing))))
        .collect()
}

fn survey(survey: &Survey<'_>) -> Vec<Finding> {
    let gone = gone(survey);
    let mut findings: Vec<Finding> = Vec::new();
    let there = survey.after.namespaces();
    let newly = former_gaps(survey);
    for gap in survey.after.engine().unmatched_selectors() {
        if !survey.declares(&gap.policy) {
            continue;
        }
        findings.extend(match &gap.missing {
            Missing::Namespace(name) => named(survey, &gap, name, &gone, there),
            Missing::NamespaceLabels(_) | Missing::Pods { .. } => {
                labelled(survey, &gap, newly.as_ref())
            }
        });
    }
    findings.extend(left_behind(survey, &gone, &findings));
    findings
}

/// Namespaces that were there before the change and are not any more.
fn gone(survey: &Survey<'_>) -> BTreeSet<String> {
    let Some(before) = &survey.before else {
        return BTreeSet::new();
    };
    let after = survey.after.namespaces();
    let gone = before.namespaces().iter();
    gone.filter(|name| !after.contains(*name))
        .map(|name| (*name).to_owned())
        .collect()
}

/// What was missing before the change already; nothing is known of that without one.
fn former_gaps(survey: &Survey<'_>) -> Option<Vec<UnmatchedSelector>> {
    let before = survey.before.as_ref()?;
    Some(before.engine().unmatched_selectors())
}

/// A namespace by name.
fn named(
    survey: &Survey<'_>,
    gap: &UnmatchedSelector,
    name: &str,
    gone: &BTreeSet<String>,
    there: &BTreeSet<&str>,
) -> Option<Finding> {
    if there.contains(name) || is_of_every_cluster(name) {
        return None;
    }
    if gone.contains(name) {
        let finding = told(gap, &taken_away(survey, name));
        return Some(with_new_name(survey, finding, name));
    }
    let kind = GroupKind::core("Namespace");
    let unread = survey.after.world.unread(&kind, None);
    if survey.is_whole() && unread.is_none() {
        return Some(told(gap, &nobody(&gap.missing)));
    }
    // Files that declare no namespace at all leave that to others.
    let declared: Vec<&str> = survey
        .declared
        .of_kind(&kind)
        .map(|object| object.key.name.as_str())
        .collect();
    if declared.is_empty() {
        return None;
    }
    let mut finding = told(gap, &undeclared(&[name]));
    finding.unknown = true;
    for evidence in &mut finding.evidence {
        evidence.note = format!("{NAMES}{name}");
    }
    if let Some(near) = nearest(name, declared) {
        let hint = format!("if namespace {near} is meant by {name}: correct the name");
        finding.help.insert(0, hint);
    }
    finding
        .help
        .push("to have the cluster decide, add `--against CONTEXT`, or a dump of it".to_owned());
    Some(finding)
}

/// That names of namespaces are not declared, which says nothing for certain.
fn undeclared(names: &[&str]) -> String {
    let (noun, they, are) = match names {
        [_] => ("namespace", "it", "is"),
        _ => ("namespaces", "they", "are"),
    };
    format!(
        "names {noun} {}, which these files do not declare: {they} may be declared elsewhere, or {are} \
         called otherwise by now",
        list(names)
    )
}

/// The same findings, with one for all namespaces that a policy names and the files do not declare. Until
/// comments have had their say each is one of its own: a comment may be about a single name.
pub fn brought_together(findings: Vec<Finding>) -> Vec<Finding> {
    let mut together: Vec<Finding> = Vec::with_capacity(findings.len());
    let mut of_policies: BTreeMap<String, usize> = BTreeMap::new();
    for finding in findings {
        // Nothing else is unknown to this rule.
        if finding.code != CODE || !finding.unknown {
            together.push(finding);
            continue;
        }
        if let Some(at) = of_policies.get(&finding.subject) {
            join(&mut together[*at], finding);
        } else {
            of_policies.insert(finding.subject.clone(), together.len());
            together.push(finding);
        }
    }
    together
}

/// Adds to a finding about undeclared namespaces another about the same policy.
fn join(finding: &mut Finding, other: Finding) {
    finding.evidence.extend(other.evidence);
    finding
        .evidence
        .sort_by(|a, b| (&a.place, &a.path).cmp(&(&b.place, &b.path)));
    let ways = other.help.into_iter();
    let new: Vec<String> = ways.filter(|way| !finding.help.contains(way)).collect();
    finding.help.splice(0..0, new);
    let first = finding.evidence.first();
    finding.place = first.and_then(|one| one.place.clone());
    let evidence = finding.evidence.iter();
    let mut names: Vec<&str> = evidence
        .filter_map(|one| one.note.strip_prefix(NAMES))
        .collect();
    names.sort_unstable();
    names.dedup();
    finding.message = format!("{} {}", finding.subject, undeclared(&names));
}

/// Labels of namespaces or of pods.
fn labelled(
    survey: &Survey<'_>,
    gap: &UnmatchedSelector,
    former: Option<&Vec<UnmatchedSelector>>,
) -> Option<Finding> {
    let is_former = |former: &Vec<UnmatchedSelector>| {
        let alike =
            |one: &UnmatchedSelector| one.policy == gap.policy && one.missing == gap.missing;
        former.iter().any(alike)
    };
    let is_new = former.as_ref().is_some_and(|former| !is_former(former));
    let was_declared = survey
        .before
        .as_ref()
        .is_some_and(|before| before.world.get(&gap.policy).is_some());
    let certain = match &gap.missing {
        // Labels of namespaces that others declare are not known.
        Missing::NamespaceLabels(_) => survey.is_whole() || (is_new && was_declared),
        _ => survey.is_whole() || !may_be_elsewhere(survey, &gap.missing),
    };
    if !certain || is_unread(survey.after.world, &gap.missing) {
        return None;
    }
    Some(told(gap, &nobody(&gap.missing)))
}

/// Whether the namespaces may hold pods that the files do not show: those of custom resources, and
/// of charts that were not looked into.
fn may_be_elsewhere(survey: &Survey<'_>, missing: &Missing) -> bool {
    let Missing::Pods { namespaces, .. } = missing else {
        return false;
    };
    survey.is_opaque
        || survey.after.world.objects().any(|object| {
            let kind = &object.key.kind;
            let inside = object.key.namespace.as_ref();
            inside.is_some_and(|namespace| namespaces.contains(namespace))
                && builtin_kind(&kind.group, &kind.kind).is_none()
        })
}

/// Whether pods of the namespaces could not be read.
fn is_unread(world: &underpin_model::World, missing: &Missing) -> bool {
    let kinds = world
        .unread
        .iter()
        .filter_map(|unread| unread.kind.as_ref());
    let kinds: BTreeSet<&GroupKind> = kinds.filter(|kind| bears_pods(kind)).collect();
    let unread = |namespace: Option<&str>| {
        kinds
            .iter()
            .any(|kind| world.unread(kind, namespace).is_some())
    };
    match missing {
        Missing::Pods { namespaces, .. } => {
            namespaces.iter().any(|namespace| unread(Some(namespace)))
        }
        Missing::Namespace(_) | Missing::NamespaceLabels(_) => {
            world.unread(&GroupKind::core("Namespace"), None).is_some()
        }
    }
}

/// Other values that name a namespace which the change took away: hosts, subjects, backends.
fn left_behind(survey: &Survey<'_>, gone: &BTreeSet<String>, told: &[Finding]) -> Vec<Finding> {
    if gone.is_empty() {
        return Vec::new();
    }
    let known: BTreeSet<_> = told
        .iter()
        .flat_map(|finding| &finding.evidence)
        .map(|evidence| (&evidence.object, &evidence.path))
        .collect();
    let mut findings = Vec::new();
    for reference in survey.references().all() {
        let Some(name) = namespace_named(reference).filter(|name| gone.contains(*name)) else {
            continue;
        };
        let evidence = &reference.evidence;
        if !survey.declares(&reference.from) || known.contains(&(&evidence.object, &evidence.path))
        {
            continue;
        }
        let what = format!(
            "{} {}, {}",
            reference.relation.phrase(),
            reference.target,
            {
                let taken = taken_away(survey, name);
                taken.replacen(
                    &format!("names namespace {name}"),
                    &format!("in namespace {name}"),
                    1,
                )
            }
        );
        let finding = finding_at(reference.from.subject(), &reference.from, evidence, &what);
        findings.push(with_new_name(survey, finding, name));
    }
    findings
}

/// The namespace that a reference names, if it names one as the place of something else.
fn namespace_named(reference: &Reference) -> Option<&str> {
    let target = crate::dangling::named(reference)?;
    match reference.relation {
        Relation::NamespaceName => Some(&target.name),
        Relation::Host
        | Relation::Upstream
        | Relation::Service
        | Relation::Subject
        | Relation::ScaleTarget
            if target.namespace != reference.from.namespace =>
        {
            target.namespace.as_deref()
        }
        _ => None,
    }
}

fn taken_away(survey: &Survey<'_>, name: &str) -> String {
    match new_name(survey, name) {
        Some(new) => format!("names namespace {name}, which this change renames to {new}"),
        None => format!("names namespace {name}, which this change removes"),
    }
}

fn new_name<'s>(survey: &'s Survey<'_>, name: &str) -> Option<&'s str> {
    let mut renames = survey.renames().iter();
    renames.find(|(old, _)| *old == name).map(|(_, new)| new)
}

fn with_new_name(survey: &Survey<'_>, mut finding: Finding, name: &str) -> Finding {
    finding.help = match new_name(survey, name) {
        Some(new) => vec![format!("write {new} for {name} at the place shown")],
        None => vec![format!(
            "correct the name at the place shown, or take it out if {name} is gone for good"
        )],
    };
    finding
}

/// What a selector asks for, and that nobody is it.
fn nobody(missing: &Missing) -> String {
    match missing {
        Missing::Namespace(name) => format!("names namespace {name}, which is not there"),
        Missing::NamespaceLabels(selector) => {
            format!("selects namespaces with {selector}, and no namespace has such labels")
        }
        Missing::Pods {
            namespaces,
            selector,
        } => format!(
            "selects pods with {selector} in {}, and no workload there has such labels",
            list(namespaces)
        ),
    }
}

fn told(gap: &UnmatchedSelector, what: &str) -> Finding {
    let mut finding = finding_at(gap.policy.subject(), &gap.policy, &gap.evidence, what);
    finding.help = vec![match gap.direction {
        None => "correct the labels at the place shown: as it is, the policy protects nothing"
            .to_owned(),
        Some(_) => "correct the selector at the place shown, or remove the peer".to_owned(),
    }];
    finding
}

fn finding_at(
    subject: String,
    object: &underpin_model::ObjectKey,
    evidence: &Evidence,
    what: &str,
) -> Finding {
    let message = format!("{object} {what}");
    let mut finding = Finding::new(CODE, Severity::Warn, subject, message);
    finding.place.clone_from(&evidence.place);
    finding.evidence = vec![evidence.clone()];
    finding.step = Some(object.clone());
    finding
}
