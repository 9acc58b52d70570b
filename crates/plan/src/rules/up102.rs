#![doc = include_str!("docs/UP102.md")]

use std::collections::{BTreeMap, BTreeSet};

use underpin_model::{Claim, Code, Evidence, FieldPath, Finding, ObjectKey, Severity};

use crate::{
    Context, DeclaredEnvironment, Environment, Purpose,
    naming::{claim_name, derive_namespace},
    occupancy::placed_in,
    rules::Rule,
    wording::{accept, list},
};

/// The rule's code.
pub const CODE: Code = Code(102);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "namespace-claimed-twice",
    summary: "two environments derive one namespace in one cluster, neither recorded there nor \
              sharing on purpose",
    documentation: include_str!("docs/UP102.md"),
    check: Some(check),
    survey: Some(|survey| collisions(survey.environments)),
};

/// Somebody who would live in the same namespace.
struct Rival {
    name: String,
    evidence: Evidence,
    /// Whether it is certain that it means the same cluster.
    certain: bool,
}

fn check(context: &Context<'_>) -> Vec<Finding> {
    let Some(environment) = context
        .environment
        .filter(|_| context.plan.purpose == Purpose::Up)
    else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    // Where it is recorded, it stays: the standing risk is UP112's to tell.
    if !context.plan.placement.recorded {
        findings.extend(same_namespace(context, environment));
    }
    findings.extend(same_claim(context, environment));
    findings
}

fn same_namespace(context: &Context<'_>, environment: &Environment) -> Option<Finding> {
    let home = context.home();
    let shared = context.plan.placement.placement.shared;
    let mut rivals = Vec::new();
    for claim in placed_in(context.before, home, context.claim_id()) {
        let both = shared
            && claim
                .placement
                .as_ref()
                .is_some_and(|placement| placement.shared);
        if !both {
            rivals.push(living(claim, home));
        }
    }
    for other in siblings(environment) {
        let lives = context.before.claim(&other.stack, &other.name);
        let settled = lives.is_some_and(|claim| claim.placement.is_some());
        let derived = derive(other);
        if settled || (shared && other.shared) || derived.as_deref() != Some(home) {
            continue;
        }
        if let Some(certain) = same_cluster(own_context(environment), other.context.as_deref()) {
            rivals.push(Rival {
                name: display(other),
                evidence: declared(other, home),
                certain,
            });
        }
    }
    let own = context.environment_name();
    claimed_twice(home, &own, rivals)
}

fn claimed_twice(namespace: &str, own: &str, rivals: Vec<Rival>) -> Option<Finding> {
    if rivals.is_empty() {
        return None;
    }
    let certain = rivals.iter().any(|rival| rival.certain);
    let names: Vec<&str> = rivals.iter().map(|rival| rival.name.as_str()).collect();
    let subject = ObjectKey::of_namespace(namespace).subject();
    let severity = if certain {
        Severity::Block
    } else {
        Severity::Warn
    };
    let condition = if certain {
        ""
    } else {
        ", if they mean the same cluster"
    };
    let message = format!(
        "{own} and {} would both live in namespace {namespace}{condition}: a teardown of one could \
         take the other, and objects of one name would be fought over",
        list(&names)
    );
    let mut finding = Finding::new(CODE, severity, subject.clone(), message);
    finding.unknown = !certain;
    finding.help = ways_out(&subject, certain);
    finding.evidence = rivals.into_iter().map(|rival| rival.evidence).collect();
    Some(finding)
}

fn ways_out(subject: &str, certain: bool) -> Vec<String> {
    let mut help = vec![
        "give one of them a namespace of its own: `namespace:` in the stack file, or `parent:` for \
         a child environment"
            .to_owned(),
        "if they run in different clusters, pin each with `context:`".to_owned(),
        "if they share on purpose, say so in both: `namespace: …` with `shared: true`".to_owned(),
    ];
    if certain {
        help.push(accept(CODE, subject));
    }
    help
}

fn same_claim(context: &Context<'_>, environment: &Environment) -> Option<Finding> {
    let name = claim_name(&environment.stack, &environment.name).ok()?;
    let is_own = |stack: &str, other: &str| stack == environment.stack && other == environment.name;
    let mut others = BTreeSet::new();
    let claims = context
        .before
        .claims
        .iter()
        .map(|claim| (&claim.stack, &claim.environment));
    let declared = environment
        .declared
        .iter()
        .map(|other| (&other.stack, &other.name));
    for (stack, other) in claims.chain(declared) {
        if !is_own(stack, other) && claim_name(stack, other).as_ref() == Ok(&name) {
            others.insert(format!("{stack}/{other}"));
        }
    }
    let others: Vec<String> = others.into_iter().collect();
    (!others.is_empty()).then(|| one_claim(&name, &context.environment_name(), &others))
}

fn one_claim(name: &str, own: &str, others: &[String]) -> Finding {
    let message = format!(
        "{own} and {} are spelled differently but have one claim, {name}: each would take the \
         other's objects for its own",
        list(others)
    );
    let mut finding = Finding::new(CODE, Severity::Block, format!("claim/{name}"), message);
    finding.help = vec![
        "write stack and environment the same way everywhere, or rename one of them".to_owned(),
    ];
    finding
}

/// Environments declared in several stack files, judged without a cluster: those that derive one
/// namespace in one cluster, and those that would share a claim. The same environment declared
/// twice is one environment.
pub fn collisions(declared: &[DeclaredEnvironment]) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let distinct: Vec<&DeclaredEnvironment> = declared
        .iter()
        .filter(|one| seen.insert((&one.stack, &one.name, &one.context)))
        .collect();
    let mut homes: BTreeMap<String, Vec<&DeclaredEnvironment>> = BTreeMap::new();
    let mut claims: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for one in distinct {
        if let Some(namespace) = derive(one) {
            homes.entry(namespace).or_default().push(one);
        }
        if let Ok(name) = claim_name(&one.stack, &one.name) {
            claims.entry(name).or_default().insert(display(one));
        }
    }
    let mut findings: Vec<Finding> = homes
        .iter()
        .flat_map(|(namespace, group)| crowded(namespace, group))
        .collect();
    for (name, spellings) in claims {
        let spellings: Vec<String> = spellings.into_iter().collect();
        if let [first, others @ ..] = spellings.as_slice()
            && !others.is_empty()
        {
            findings.push(one_claim(&name, first, others));
        }
    }
    findings
}

/// The collisions in one namespace: certain ones per cluster, and the possible ones between
/// environments of which one names no cluster.
fn crowded(namespace: &str, group: &[&DeclaredEnvironment]) -> Vec<Finding> {
    let mut clusters: BTreeMap<Option<&str>, Vec<&DeclaredEnvironment>> = BTreeMap::new();
    for one in group {
        clusters
            .entry(one.context.as_deref())
            .or_default()
            .push(one);
    }
    let mut findings = Vec::new();
    for members in clusters.values() {
        findings.extend(between(namespace, members, true));
    }
    let pinned: Vec<&DeclaredEnvironment> = clusters
        .iter()
        .filter(|(context, _)| context.is_some())
        .flat_map(|(_, members)| members.iter().copied())
        .collect();
    if let Some([floating, ..]) = clusters.get(&None).map(Vec::as_slice)
        && findings.is_empty()
    {
        let mut members = vec![*floating];
        members.extend(
            pinned
                .into_iter()
                .filter(|one| display(one) != display(floating)),
        );
        findings.extend(between(namespace, &members, false));
    }
    findings
}

/// A finding where not all members share on purpose and at least two differ.
fn between(namespace: &str, members: &[&DeclaredEnvironment], certain: bool) -> Option<Finding> {
    let names: BTreeSet<String> = members.iter().map(|one| display(one)).collect();
    if names.len() < 2 || members.iter().all(|one| one.shared) {
        return None;
    }
    let (first, others) = members.split_first()?;
    let rivals = others.iter().map(|other| Rival {
        name: display(other),
        evidence: declared(other, namespace),
        certain,
    });
    let mut finding = claimed_twice(namespace, &display(first), rivals.collect())?;
    finding.evidence.insert(0, declared(first, namespace));
    // `check` knows no acceptances: they are given to the run that they are about.
    finding.offer_no_acceptance();
    finding.place = Some(first.place.clone());
    Some(finding)
}

fn siblings(environment: &Environment) -> impl Iterator<Item = &DeclaredEnvironment> {
    environment
        .declared
        .iter()
        .filter(|other| other.stack != environment.stack || other.name != environment.name)
}

fn own_context(environment: &Environment) -> Option<&str> {
    let own = environment
        .declared
        .iter()
        .find(|other| other.stack == environment.stack && other.name == environment.name)?;
    own.context.as_deref()
}

/// Whether two environments mean one cluster: `None` for certainly not, else how certain it is.
fn same_cluster(one: Option<&str>, other: Option<&str>) -> Option<bool> {
    match (one, other) {
        (Some(one), Some(other)) => (one == other).then_some(true),
        (None, None) => Some(true),
        _ => Some(false),
    }
}

pub(crate) fn derive(one: &DeclaredEnvironment) -> Option<String> {
    let derivation = crate::naming::Derivation {
        stack: &one.stack,
        environment: &one.name,
        parent: one.parent.as_deref(),
        namespace: one.namespace.as_deref(),
        shared: one.shared,
    };
    derive_namespace(&derivation).ok()
}

fn display(one: &DeclaredEnvironment) -> String {
    format!("{}/{}", one.stack, one.name)
}

fn declared(one: &DeclaredEnvironment, namespace: &str) -> Evidence {
    Evidence {
        object: ObjectKey::of_namespace(namespace),
        path: FieldPath::root(),
        place: Some(one.place.clone()),
        note: format!("derived by {}", display(one)),
    }
}

fn living(claim: &Claim, namespace: &str) -> Rival {
    let name = claim.display_name();
    let evidence = Evidence {
        object: ObjectKey::of_namespace(namespace),
        path: FieldPath::root(),
        place: None,
        note: format!("home of {name}, as its claim records"),
    };
    Rival {
        name,
        evidence,
        certain: true,
    }
}
