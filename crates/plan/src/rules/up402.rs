#![doc = include_str!("docs/UP402.md")]

use underpin_connect::AllowLists;
use underpin_model::{Code, FieldPath, Finding, GroupKind, Object, Severity, Unread};

use crate::{
    Survey,
    rules::Rule,
    survey::is_of_every_cluster,
    wording::{count, list},
};

/// The rule's code.
pub const CODE: Code = Code(402);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "namespace-unlisted",
    summary: "policies let namespaces in by name, and a declared namespace is in none of their lists",
    documentation: include_str!("docs/UP402.md"),
    check: None,
    survey: Some(survey),
};

/// Names of lists that are shown.
const SHOWN_LIMIT: usize = 5;

fn survey(survey: &Survey<'_>) -> Vec<Finding> {
    let kind = GroupKind::core("Namespace");
    let mut declared = survey.declared.of_kind(&kind).peekable();
    if declared.peek().is_none() {
        return Vec::new();
    }
    let engine = survey.after.engine();
    let lists = engine.allow_lists();
    if lists.is_empty() {
        return Vec::new();
    }
    let unread = unread(survey);
    let name = FieldPath::new("metadata.name");
    declared
        .filter(|object| !is_of_every_cluster(&object.key.name))
        // Which namespace it is, Terraform finds out.
        .filter(|object| object.unknown.around(&name).is_none())
        .filter(|object| !engine.is_listed(&object.key.name, &lists))
        .map(|object| finding(object, &lists, unread))
        .collect()
}

/// Why there may be lists that nobody has seen.
fn unread<'s>(survey: &'s Survey<'_>) -> Option<&'s Unread> {
    let policies = GroupKind::new("networking.k8s.io", "NetworkPolicy");
    survey.after.world.unread(&policies, None)
}

/// The first of many, and how many more there are.
fn several(names: &[String]) -> String {
    let (shown, rest) = names.split_at(names.len().min(SHOWN_LIMIT));
    let mut shown = shown.to_vec();
    if !rest.is_empty() {
        shown.push(count(rest.len(), "other"));
    }
    list(&shown)
}

fn finding(namespace: &Object, lists: &AllowLists, unread: Option<&Unread>) -> Finding {
    let name = &namespace.key.name;
    let mut message = format!(
        "namespace {name} is in no allow list: policies let in {}, and nothing of {name}",
        several(&lists.named())
    );
    if let Some(unread) = unread {
        message.push_str(&format!("; not all policies could be read ({unread})"));
    }
    let mut finding = Finding::new(CODE, Severity::Warn, namespace.key.subject(), message);
    finding.unknown = unread.is_some();
    let evidence = namespace.evidence(FieldPath::new("metadata.name"), "is declared here");
    finding.place.clone_from(&evidence.place);
    finding.evidence = vec![evidence];
    finding.help = vec![
        format!(
            "add it to the list of each policy whose pods it connects to: a peer with \
             namespaceSelector `kubernetes.io/metadata.name: {name}`"
        ),
        format!("if it needs none of them, write so above it: `# underpin: allow {CODE} -- why`"),
    ];
    finding
}
