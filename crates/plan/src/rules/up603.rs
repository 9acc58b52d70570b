#![doc = include_str!("docs/UP603.md")]

use serde_json::Value;
use underpin_model::{
    Code, Evidence, FieldPath, Finding, Object, ObjectKey, Severity, Step, names,
};

use crate::{
    Context, FieldConflict,
    managed_fields::{our_apply, text},
    rules::Rule,
    wording::{count, list},
};

/// The rule's code.
pub const CODE: Code = Code(603);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "drift",
    summary: "an object differs from what was last applied; says who changed it, and when",
    documentation: include_str!("docs/UP603.md"),
    check: Some(check),
    survey: None,
};

/// Somebody who has written to an object.
struct Writer<'o> {
    manager: &'o str,
    /// RFC 3339, of its last write.
    at: &'o str,
}

fn check(context: &Context<'_>) -> Vec<Finding> {
    let steps = context.plan.drifted.iter();
    steps
        .filter_map(|key| finding(context, context.step(key)?))
        .collect()
}

fn finding(context: &Context<'_>, step: &Step) -> Option<Finding> {
    let live = step.before.as_ref()?;
    let conflicts = context.plan.conflicts.get(&step.key);
    let conflicts = conflicts.map(Vec::as_slice).unwrap_or_default();
    let fields = step.changes.len() + conflicts.len();
    let writers = writers(live, conflicts);
    let who = if writers.is_empty() {
        "by somebody that the server does not name any more".to_owned()
    } else {
        let named: Vec<String> = writers.iter().map(Writer::told).collect();
        format!("by {}", list(&named))
    };
    let message = format!(
        "{} of {} changed since it was last applied, {who}",
        count(fields, "field"),
        step.key
    );
    let mut finding = Finding::new(CODE, Severity::Note, step.key.subject(), message);
    finding.evidence = evidence(&step.key, live, step, conflicts);
    finding.step = Some(step.key.clone());
    finding.help = vec![
        "if the change is meant to stay: put it into the manifest, or name the field under \
         `ignoreFields:` in the stack file"
            .to_owned(),
    ];
    if conflicts.is_empty() {
        let undone = "this run puts back what the manifest says";
        finding.help.insert(0, undone.to_owned());
    }
    Some(finding)
}

/// Who may have changed the object: the owners of conflicting fields; where a field has no owner
/// any more, everybody else who wrote to the object after our last apply.
fn writers<'o>(live: &'o Object, conflicts: &[FieldConflict]) -> Vec<Writer<'o>> {
    let entries = live.at("/metadata/managedFields").and_then(Value::as_array);
    let entries = entries.into_iter().flatten();
    let ours = our_apply(live).map_or("", |entry| text(entry, "time"));
    let mut writers: Vec<Writer<'o>> = entries
        // A status is no change to what was applied.
        .filter(|entry| text(entry, "subresource") != "status")
        .filter(|entry| !is_status_alone(entry))
        .map(|entry| Writer {
            manager: text(entry, "manager"),
            at: text(entry, "time"),
        })
        .filter(|writer| writer.manager != names::FIELD_MANAGER)
        .filter(|writer| match conflicts {
            [] => writer.at >= ours,
            _ => conflicts.iter().any(|one| one.names(writer.manager)),
        })
        .collect();
    writers.sort_by_key(|writer| (writer.at, writer.manager));
    writers
}

/// Old servers do not tell who wrote through the status subresource.
fn is_status_alone(entry: &Value) -> bool {
    let fields = entry.get("fieldsV1").and_then(Value::as_object);
    fields.is_some_and(|fields| fields.keys().all(|field| field == "f:status"))
}

impl Writer<'_> {
    fn told(&self) -> String {
        match self.at {
            "" => self.manager.to_owned(),
            at => format!("{} at {at}", self.manager),
        }
    }
}

impl FieldConflict {
    /// Whether it is this manager's: the server may say more than the name.
    fn names(&self, manager: &str) -> bool {
        let rest = self.manager.strip_prefix(manager);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    }
}

fn evidence(
    key: &ObjectKey,
    live: &Object,
    step: &Step,
    conflicts: &[FieldConflict],
) -> Vec<Evidence> {
    let changed = step.changes.iter().map(|change| {
        // Both sides are shown as the plan shows them: secret values as fingerprints.
        let side = |value: &Option<Value>| value.as_ref().map_or("none".into(), Value::to_string);
        let note = format!(
            "{} live, {} as applied",
            side(&change.before),
            side(&change.after)
        );
        live.evidence(change.path.clone(), note)
    });
    let owned = conflicts.iter().map(|conflict| Evidence {
        object: key.clone(),
        path: FieldPath::new(conflict.field.trim_start_matches('.')),
        place: None,
        note: format!("now owned by {}", conflict.manager),
    });
    changed.chain(owned).collect()
}
