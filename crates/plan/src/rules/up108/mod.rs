#![doc = include_str!("../docs/UP108.md")]

mod files;

pub(crate) use files::is_stale_in;

use std::collections::BTreeMap;

use underpin_model::{Code, Finding, ObjectKey, Reference, Relation, Severity, Strength};

use crate::{
    Context,
    dangling::{Fate, fate, is_declared, is_derived, is_introduced, named},
    rules::Rule,
    wording::{accept, list},
};

/// The rule's code.
pub const CODE: Code = Code(108);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "stale-namespace-value",
    summary: "a value names a namespace other than the one in which the thing lives after the plan",
    documentation: include_str!("../docs/UP108.md"),
    check: Some(check),
    survey: Some(files::survey),
};

/// A value that names the wrong namespace.
pub(crate) struct Stale {
    /// The namespace it names.
    named: String,
    /// Where the thing is instead; none if the namespace itself is what is named and goes.
    lives: Option<ObjectKey>,
    /// Whether the plan takes away what was named.
    dies: bool,
    /// Why nobody can tell, where the named namespace could not be read.
    unknown: Option<String>,
}

fn check(context: &Context<'_>) -> Vec<Finding> {
    let mut found: BTreeMap<&ObjectKey, Vec<(&Reference, Stale)>> = BTreeMap::new();
    for reference in context.references_after.all() {
        if is_derived(context, &reference.from) {
            continue;
        }
        if let Some(stale) = stale(context, reference) {
            found
                .entry(&reference.from)
                .or_default()
                .push((reference, stale));
        }
    }
    found
        .into_iter()
        .filter_map(|(from, values)| judge(context, from, &values))
        .collect()
}

/// Whether a reference names a namespace in which its thing will not be, while it is, or will be,
/// where this environment lives.
pub(crate) fn stale(context: &Context<'_>, reference: &Reference) -> Option<Stale> {
    let target = named(reference)?;
    match reference.relation {
        Relation::NamespaceName => namespace_named(context, target),
        Relation::Contained => contained(context, reference, target),
        Relation::Host
        | Relation::Upstream
        | Relation::Subject
        | Relation::Service
        | Relation::ScaleTarget => thing_named(context, target),
        _ => None,
    }
}

/// A thing by name in another namespace.
fn thing_named(context: &Context<'_>, target: &ObjectKey) -> Option<Stale> {
    let home = context.home();
    let elsewhere = target
        .namespace
        .as_deref()
        .filter(|namespace| *namespace != home)?;
    let here = ObjectKey {
        namespace: Some(home.to_owned()),
        ..target.clone()
    };
    if !context.simulation.will_exist(&here) {
        return None;
    }
    let (dies, unknown) = match fate(context, target) {
        Fate::Stays => return None,
        Fate::Dies => (true, None),
        Fate::Missing => (false, None),
        Fate::Unknown(unread) => (false, Some(unread.to_string())),
    };
    Some(Stale {
        named: elsewhere.to_owned(),
        lives: Some(here),
        dies,
        unknown,
    })
}

/// A namespace by name, in a selector or a group of accounts.
fn namespace_named(context: &Context<'_>, target: &ObjectKey) -> Option<Stale> {
    let computed = is_computed(context, &target.name);
    let (dies, unknown) = match fate(context, target) {
        Fate::Dies => (true, None),
        Fate::Missing if computed => (false, None),
        Fate::Unknown(unread) if computed => (false, Some(unread.to_string())),
        Fate::Stays | Fate::Missing | Fate::Unknown(_) => return None,
    };
    let lives = computed.then(|| ObjectKey::of_namespace(context.home()));
    Some(Stale {
        named: target.name.clone(),
        lives,
        dies,
        unknown,
    })
}

/// An object declared into the computed namespace, which is not there.
fn contained(context: &Context<'_>, reference: &Reference, target: &ObjectKey) -> Option<Stale> {
    let declared = is_declared(context, &reference.from);
    if !declared || !is_computed(context, &target.name) {
        return None;
    }
    match fate(context, target) {
        Fate::Missing => Some(Stale {
            named: target.name.clone(),
            lives: Some(ObjectKey::of_namespace(context.home())),
            dies: false,
            unknown: None,
        }),
        _ => None,
    }
}

/// Whether a name is what the present rule derives while the environment lives elsewhere.
fn is_computed(context: &Context<'_>, name: &str) -> bool {
    context.plan.placement.derived == name && context.home() != name
}

fn judge(
    context: &Context<'_>,
    from: &ObjectKey,
    values: &[(&Reference, Stale)],
) -> Option<Finding> {
    let caused =
        |(reference, stale): &&(&Reference, Stale)| stale.dies || is_introduced(context, reference);
    let own = is_declared(context, from);
    let blocking = values
        .iter()
        .filter(caused)
        .any(|(reference, stale)| stale.unknown.is_none() && is_certain(context, reference, stale));
    let any_caused = values.iter().any(|value| caused(&value));
    if !any_caused && !own {
        return None; // stale before, and somebody else's
    }
    let unknown = values.iter().all(|(_, stale)| stale.unknown.is_some());
    let severity = if blocking {
        Severity::Block
    } else {
        Severity::Warn
    };
    let mut finding = Finding::new(CODE, severity, from.subject(), message(from, values));
    finding.unknown = unknown;
    finding.evidence = values
        .iter()
        .map(|(reference, _)| reference.evidence.clone())
        .collect();
    finding.place = finding.evidence.iter().find_map(|one| one.place.clone());
    finding.step = Some(from.clone());
    finding.help = help(context, from, values);
    if blocking {
        finding.help.push(accept(CODE, &from.subject()));
    }
    Some(finding)
}

/// A guess from text never blocks by itself; neither does an allow list that names what is going.
fn is_certain(context: &Context<'_>, reference: &Reference, stale: &Stale) -> bool {
    reference.strength != Strength::Guessed
        && (reference.relation != Relation::NamespaceName
            || is_computed(context, &stale.named)
            || stale.dies)
}

fn message(from: &ObjectKey, values: &[(&Reference, Stale)]) -> String {
    let mut parts: Vec<String> = values
        .iter()
        .map(|(reference, stale)| {
            let what = if stale.dies {
                "will not be there after this plan".to_owned()
            } else if let Some(unread) = &stale.unknown {
                format!("could not be read ({unread})")
            } else {
                "does not exist".to_owned()
            };
            let lives = match &stale.lives {
                Some(lives) if lives.is_namespace() => {
                    format!(" (this environment lives in {})", lives.name)
                }
                Some(lives) => format!(
                    " ({} {} lives in {})",
                    lives.kind.kind,
                    lives.name,
                    lives.namespace.as_deref().unwrap_or_default()
                ),
                None => String::new(),
            };
            format!("{}, which {what}{lives}", reference.target)
        })
        .collect();
    parts.sort();
    parts.dedup();
    format!("{from} names {}", list(&parts))
}

fn help(context: &Context<'_>, from: &ObjectKey, values: &[(&Reference, Stale)]) -> Vec<String> {
    let home = context.home();
    let mut help = Vec::new();
    for (reference, stale) in values {
        let should = match (&stale.lives, reference.relation) {
            (None, _) => continue,
            (Some(lives), Relation::Host | Relation::Upstream) => {
                format!("{}.{home}.svc.cluster.local", lives.name)
            }
            (Some(_), _) => home.to_owned(),
        };
        help.push(format!(
            "the value should be {should}; in a manifest, write ${{namespace}} for {home}"
        ));
        if reference.relation == Relation::ScaleTarget || reference.relation == Relation::Contained
        {
            help.push(format!(
                "or leave metadata.namespace out: {} then lies in {home}",
                from.kind.kind
            ));
        }
    }
    if help.is_empty() {
        help.push("remove the name where it stands, or keep the namespace".to_owned());
    }
    let mut seen = std::collections::BTreeSet::new();
    help.retain(|line| seen.insert(line.clone()));
    help
}
