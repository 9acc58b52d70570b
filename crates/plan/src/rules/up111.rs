#![doc = include_str!("docs/UP111.md")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use underpin_model::{
    Code, Evidence, FieldPath, Finding, GroupKind, Object, ObjectKey, Severity, names,
};
use underpin_refs::pod_template;

use crate::{
    Context, Environment, Purpose,
    naming::sanitize,
    ownership::controller_of,
    rules::{Rule, up102::derive},
    wording::count,
};

/// The rule's code.
pub const CODE: Code = Code(111);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "unclaimed-duplicate",
    summary: "nothing is recorded for this environment, and objects of it exist elsewhere",
    documentation: include_str!("docs/UP111.md"),
    check: Some(check),
    survey: None,
};

/// Objects shown as evidence.
const EVIDENCE_LIMIT: usize = 5;

/// Matches that make a namespace suspicious where nothing else does.
const LEAST_MATCHES: usize = 2;

/// Characters of a name that may stand in any other.
const SHORT: usize = 2;

/// Matches that are no chance, whatever else is known.
const MANY_MATCHES: usize = 4;

/// What speaks for a namespace being where this environment lives already.
#[derive(Default)]
struct Traces<'c> {
    /// Objects that say so by annotation.
    annotated: Vec<&'c Object>,
    /// Objects of a declared kind and name.
    same_name: Vec<&'c Object>,
    /// How akin the workloads among them are to the declared ones, at most.
    kinship: Kinship,
}

/// How akin a live workload is to the declared one of its kind and name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Kinship {
    /// Nothing speaks for it.
    #[default]
    None,
    /// They share what anybody may share: an image that Docker Hub offers to all, or an instance
    /// label that is the name of the workload itself or of its image.
    Common,
    /// They share what only one make has: an image of somebody's own repository, or any other
    /// instance label.
    Own,
}

fn check(context: &Context<'_>) -> Vec<Finding> {
    let Some(environment) = context
        .environment
        .filter(|_| context.plan.purpose == Purpose::Up)
    else {
        return Vec::new();
    };
    if context.claim.is_some_and(|claim| !claim.is_blank()) {
        return Vec::new();
    }
    let declared = declared(context);
    let mut findings = Vec::new();
    for (namespace, traces) in traces(context, &declared) {
        findings.extend(match lives_there(environment, namespace, &traces) {
            Likelihood::None => None,
            Likelihood::Chance => Some(look_alike(context, namespace, &traces)),
            Likelihood::Certain => Some(duplicate(context, namespace, &traces)),
        });
    }
    if !findings.iter().any(|one| one.severity == Severity::Block) {
        findings.extend(unread(context, &declared));
    }
    findings
}

/// What the plan applies in the environment's own namespace and whose name tells something:
/// workloads, Services and Ingresses.
fn declared<'c>(context: &Context<'c>) -> BTreeMap<(&'c GroupKind, &'c str), &'c Object> {
    let home = context.home();
    context
        .plan
        .steps
        .iter()
        .filter_map(|step| step.desired.as_ref())
        .filter(|object| tells(&object.key.kind) && object.key.namespace.as_deref() == Some(home))
        .map(|object| ((&object.key.kind, object.key.name.as_str()), object))
        .collect()
}

fn tells(kind: &GroupKind) -> bool {
    matches!(
        (kind.group.as_str(), kind.kind.as_str()),
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet")
            | ("batch", "CronJob" | "Job")
            | ("", "Service" | "Pod" | "ReplicationController")
            | ("networking.k8s.io", "Ingress")
    )
}

fn traces<'c>(
    context: &'c Context<'_>,
    declared: &BTreeMap<(&GroupKind, &str), &Object>,
) -> BTreeMap<&'c str, Traces<'c>> {
    let mut found: BTreeMap<&str, Traces<'_>> = BTreeMap::new();
    let own = context.environment_name();
    let marks = own_marks(context);
    for object in context.before.objects() {
        let Some(namespace) = object.key.namespace.as_deref() else {
            continue;
        };
        let said = object.annotation(names::ENVIRONMENT_ANNOTATION);
        let same = declared.get(&(&object.key.kind, object.key.name.as_str()));
        let is_candidate = said == Some(own.as_str()) || (said.is_none() && same.is_some());
        if namespace == context.home()
            || !is_candidate
            || object.is_terminating()
            || context.ownership.claim_of(context.before, object).is_some()
            || controller_of(context.before, object).is_some()
        {
            continue;
        }
        let traces = found.entry(namespace).or_default();
        if said.is_some() {
            traces.annotated.push(object);
        }
        if let Some(same) = same {
            traces.same_name.push(object);
            traces.kinship = traces.kinship.max(kinship(&marks, same, object));
        }
    }
    found
}

/// The names of the stack and of the environment, as labels spell them, but for those that may stand in
/// any text.
fn own_marks(context: &Context<'_>) -> Vec<String> {
    let names = [&context.plan.stack, &context.plan.environment];
    let names = names.map(|name| sanitize("name", name).unwrap_or_default());
    names
        .into_iter()
        .filter(|name| name.len() > SHORT)
        .collect()
}

/// How akin two workloads of one kind and name are: an image repository in common, or the same
/// instance or part-of label.
fn kinship(marks: &[String], declared: &Object, live: &Object) -> Kinship {
    let (ours, theirs) = (repositories(declared), repositories(live));
    let by_image = ours.intersection(&theirs).map(|repository| {
        if is_for_all(repository) {
            Kinship::Common
        } else {
            Kinship::Own
        }
    });
    let labels = ["app.kubernetes.io/instance", "app.kubernetes.io/part-of"];
    let by_label = labels.iter().filter_map(|label| {
        let value = declared.label(label)?;
        (live.label(label) == Some(value)).then_some(value)
    });
    let by_label = by_label.map(|value| {
        let names_itself = value == declared.key.name
            || ours
                .iter()
                .any(|image| image.rsplit('/').next() == Some(value));
        let value = sanitize("label", value).unwrap_or_default();
        if names_itself && !marks.iter().any(|mark| value.contains(mark)) {
            Kinship::Common
        } else {
            Kinship::Own
        }
    });
    by_image.chain(by_label).max().unwrap_or_default()
}

/// Whether a repository is one of those that Docker Hub offers to all, such as `nginx`.
fn is_for_all(repository: &str) -> bool {
    !repository.contains('/')
}

/// Image repositories of a workload, without tag and digest.
fn repositories(object: &Object) -> BTreeSet<&str> {
    let Some((_, template)) = pod_template(object) else {
        return BTreeSet::new();
    };
    let containers = template
        .pointer("/spec/containers")
        .and_then(Value::as_array);
    containers
        .into_iter()
        .flatten()
        .filter_map(|container| container.get("image")?.as_str())
        .map(repository)
        .collect()
}

/// `registry:5000/team/web:1.2@sha256:…` is the repository `registry:5000/team/web`, and
/// `docker.io/library/nginx` is `nginx`.
fn repository(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    let image = match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => image,
    };
    let hub = ["docker.io/", "index.docker.io/"];
    let short = hub.iter().find_map(|host| image.strip_prefix(host));
    let short = short.unwrap_or(image);
    short.strip_prefix("library/").unwrap_or(short)
}

/// How likely the environment lives in a namespace already.
enum Likelihood {
    /// Nothing to speak of.
    None,
    /// Things have the same names, which may be by chance.
    Chance,
    /// It does, for all that can be told.
    Certain,
}

fn lives_there(environment: &Environment, namespace: &str, traces: &Traces<'_>) -> Likelihood {
    if !traces.annotated.is_empty() {
        return Likelihood::Certain;
    }
    let matches = traces.same_name.len();
    let base = environment
        .namespace
        .as_deref()
        .unwrap_or(&environment.stack);
    if sanitize("namespace", base).as_deref() == Ok(namespace) {
        return match (traces.kinship, matches) {
            (Kinship::None, ..LEAST_MATCHES) => Likelihood::None,
            _ => Likelihood::Certain,
        };
    }
    if matches < LEAST_MATCHES || traces.kinship == Kinship::None {
        return Likelihood::None;
    }
    // A sibling that was deployed before by another tool has the same names, unless they carry the
    // environment's own.
    let sibling = environment.declared.iter().any(|other| {
        (&other.stack, &other.name) != (&environment.stack, &environment.name)
            && derive(other).as_deref() == Some(namespace)
    });
    let named = sanitize("environment", &environment.name).unwrap_or_default();
    let carry_the_name = named.len() > SHORT
        && traces
            .same_name
            .iter()
            .any(|object| object.key.name.contains(&named));
    if sibling && !carry_the_name {
        return Likelihood::None;
    }
    // A whole stack of the same names is none by chance, whatever images it runs; a `web` of nginx is.
    if traces.kinship == Kinship::Own || carry_the_name || matches >= MANY_MATCHES {
        Likelihood::Certain
    } else {
        Likelihood::Chance
    }
}

/// Objects of the same names that may be another's: worth a look before a second copy is there.
fn look_alike(context: &Context<'_>, namespace: &str, traces: &Traces<'_>) -> Finding {
    let subject = ObjectKey::of_namespace(namespace).subject();
    let environment = &context.plan.environment;
    let message = format!(
        "nothing is recorded for {}, and {} of kinds and names that it declares are in namespace \
         {namespace}, perhaps by chance: nothing there is of this stack's own make",
        context.environment_name(),
        count(traces.same_name.len(), "object")
    );
    let mut finding = Finding::new(CODE, Severity::Warn, subject, message);
    let shown = traces.same_name.iter().take(EVIDENCE_LIMIT);
    finding.evidence = shown.map(|object| witness(context, object)).collect();
    finding.help = vec![format!(
        "if it is this environment: underpin import -e {environment} --namespace {namespace}"
    )];
    finding
}

fn duplicate(context: &Context<'_>, namespace: &str, traces: &Traces<'_>) -> Finding {
    let subject = ObjectKey::of_namespace(namespace).subject();
    let own = context.environment_name();
    let mut objects: Vec<&Object> = traces.annotated.clone();
    objects.extend(
        traces
            .same_name
            .iter()
            .filter(|object| traces.annotated.iter().all(|other| other.key != object.key)),
    );
    let message = format!(
        "nothing is recorded for {own}, but {} of it seem to live in namespace {namespace} \
         already: a second copy would be deployed into {} beside it",
        count(objects.len(), "object"),
        context.home()
    );
    let mut finding = Finding::new(CODE, Severity::Block, subject.clone(), message);
    let shown = objects.iter().take(EVIDENCE_LIMIT);
    finding.evidence = shown.map(|object| witness(context, object)).collect();
    let environment = &context.plan.environment;
    finding.help = vec![
        format!(
            "if it is this environment: underpin import -e {environment} --namespace {namespace}"
        ),
        "if it is another environment, import that one: what is recorded for it is no trace of \
         this one"
            .to_owned(),
        format!("to deploy afresh beside it: --accept {CODE}:{subject} --reason \"…\""),
        "to abandon it, delete those objects first with the tool that deployed them".to_owned(),
    ];
    finding
}

fn witness(context: &Context<'_>, object: &Object) -> Evidence {
    let owner = context.ownership.owner(context.before, object);
    if object.annotation(names::ENVIRONMENT_ANNOTATION).is_some() {
        let path = FieldPath::new("metadata.annotations").key(names::ENVIRONMENT_ANNOTATION);
        return object.evidence(path, format!("names this environment; {owner}"));
    }
    object.evidence(
        FieldPath::new("metadata.name"),
        format!("declared here too; {owner}"),
    )
}

/// Without the lists, an existing copy could not be seen: worth a warning, for creating takes
/// nothing away.
fn unread(
    context: &Context<'_>,
    declared: &BTreeMap<(&GroupKind, &str), &Object>,
) -> Option<Finding> {
    let kinds: BTreeSet<&GroupKind> = declared.keys().map(|(kind, _)| *kind).collect();
    let unread = context.before.unread.iter().find(|unread| {
        unread.namespace.as_deref() != Some(context.home())
            && kinds
                .iter()
                .any(|kind| unread.covers(kind, unread.namespace.as_deref()))
    })?;
    let subject = ObjectKey::of_namespace(context.home()).subject();
    let message = format!(
        "nothing is recorded for {}, and whether a copy of it lives elsewhere could not be read \
         ({unread})",
        context.environment_name()
    );
    let mut finding = Finding::new(CODE, Severity::Warn, subject, message);
    finding.unknown = true;
    finding.help = vec![format!(
        "if it was deployed before: underpin import -e {} --namespace NS",
        context.plan.environment
    )];
    Some(finding)
}
