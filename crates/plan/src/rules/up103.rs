#![doc = include_str!("docs/UP103.md")]

use underpin_model::{
    Action, Code, Depth, Evidence, FieldPath, Finding, GroupKind, Object, ObjectKey, Severity,
};

use crate::{
    Context, Purpose, context::evidence_of, rules::Rule, simulate::Cause, wording::accept,
};

/// The rule's code.
pub const CODE: Code = Code(103);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "data-loss",
    summary: "a PersistentVolumeClaim or PersistentVolume dies, directly or by a cascade, and its \
              data with it",
    documentation: include_str!("docs/UP103.md"),
    check: Some(check),
    survey: None,
};

/// What becomes of the data.
enum Data {
    /// There is none, or it outlives the plan.
    Safe,
    /// It is lost, and why.
    Lost(String),
    /// Nobody can tell, and why.
    Unknown(String),
}

fn check(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, cause) in &context.simulation.deaths {
        let Some(object) = context.before.get(key) else {
            continue;
        };
        let data = if key.kind.is("", "PersistentVolumeClaim") {
            claim_data(context, object)
        } else if key.kind.is("", "PersistentVolume") && !matches!(cause, Cause::Volume(_)) {
            volume_data(context, object)
        } else {
            continue;
        };
        findings.extend(finding(context, key, cause, data));
    }
    findings
}

fn finding(context: &Context<'_>, key: &ObjectKey, cause: &Cause, data: Data) -> Option<Finding> {
    let (why, unknown) = match data {
        Data::Safe => return None,
        Data::Lost(why) => (why, false),
        Data::Unknown(why) => (why, true),
    };
    let root = root_of(context, key);
    let how = match cause.above() {
        None => "is deleted by this plan".to_owned(),
        Some(above) => format!("dies with {above}"),
    };
    let loss = if unknown {
        "its data may be lost"
    } else {
        "its data is lost"
    };
    let message = format!("{} {} {how} and {loss}: {why}", key.kind.kind, key.name);
    let mut finding = Finding::new(CODE, Severity::Block, key.subject(), message);
    finding.unknown = unknown;
    finding.evidence = evidence(context, key);
    finding.step = Some(root);
    finding.help = help(context, key);
    Some(finding)
}

/// The step at the top of the chain that kills an object.
pub(crate) fn root_of(context: &Context<'_>, key: &ObjectKey) -> ObjectKey {
    let deaths = &context.simulation.deaths;
    let mut at = key;
    // A chain visits no object twice, so it is never longer than what dies.
    for _ in 0..deaths.len() {
        match deaths.get(at).and_then(Cause::above) {
            Some(above) => at = above,
            None => break,
        }
    }
    at.clone()
}

fn claim_data(context: &Context<'_>, claim: &Object) -> Data {
    let ephemeral =
        |owner: &underpin_model::OwnerReference| owner.controller && owner.kind.is("", "Pod");
    if claim.owner_references().iter().any(ephemeral) {
        return Data::Safe; // the volume of one pod, gone with it by intent
    }
    if claim.depth == Depth::Metadata {
        return Data::Unknown(
            "only its metadata could be read, not which volume it is bound to".to_owned(),
        );
    }
    if matches!(claim.text("/status/phase"), Some("Pending" | "Lost")) {
        return Data::Safe;
    }
    let Some(name) = claim
        .text("/spec/volumeName")
        .filter(|name| !name.is_empty())
    else {
        return Data::Safe;
    };
    let key = volume_key(name);
    match context.before.get(&key) {
        Some(volume) => by_policy(context, volume),
        None => match context.before.unread(&key.kind, None) {
            Some(unread) => Data::Unknown(format!(
                "the reclaim policy of its volume {name} could not be read ({unread})"
            )),
            None => Data::Safe, // the volume is gone already
        },
    }
}

fn volume_data(context: &Context<'_>, volume: &Object) -> Data {
    let held = volume.at("/spec/claimRef").is_some();
    let never_used = matches!(
        volume.text("/status/phase"),
        None | Some("Available" | "Pending")
    );
    if volume.depth == Depth::Full && !held && never_used {
        return Data::Safe;
    }
    by_policy(context, volume)
}

/// What becomes of a volume's data when its claim goes. The policy counts as it will be when the
/// deletion runs: a plan that sets `Retain` sets it first.
fn by_policy(context: &Context<'_>, volume: &Object) -> Data {
    let name = &volume.key.name;
    let applied = context
        .step(&volume.key)
        .filter(|step| step.action.applies() && step.action != Action::Replace)
        .and_then(|step| step.after.as_ref().or(step.desired.as_ref()));
    let decides = applied.unwrap_or(volume);
    if decides.depth == Depth::Metadata {
        return Data::Unknown(format!("only metadata of its volume {name} could be read"));
    }
    match decides.text("/spec/persistentVolumeReclaimPolicy") {
        Some("Retain") => Data::Safe,
        Some("Delete") => Data::Lost(format!("the reclaim policy of volume {name} is Delete")),
        Some("Recycle") => Data::Lost(format!(
            "the reclaim policy of volume {name} is Recycle, which wipes it"
        )),
        _ => Data::Unknown(format!("volume {name} states no reclaim policy")),
    }
}

fn volume_key(name: &str) -> ObjectKey {
    ObjectKey::cluster(GroupKind::core("PersistentVolume"), name)
}

/// The volume behind a claim, or the volume itself.
fn volume_of(context: &Context<'_>, key: &ObjectKey) -> Option<ObjectKey> {
    if key.kind.is("", "PersistentVolume") {
        return Some(key.clone());
    }
    context
        .before
        .get(key)?
        .text("/spec/volumeName")
        .map(volume_key)
}

fn evidence(context: &Context<'_>, key: &ObjectKey) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    let volume = volume_of(context, key).and_then(|key| context.before.get(&key));
    if let Some(volume) = volume
        && let Some(policy) = volume.text("/spec/persistentVolumeReclaimPolicy")
    {
        let path = FieldPath::new("spec.persistentVolumeReclaimPolicy");
        evidence.push(volume.evidence(path, format!("reclaim policy {policy}")));
    }
    // Who reads and writes it: the first reason why it matters.
    for reference in context.references_before.needing(key) {
        if reference.relation == underpin_model::Relation::Claim {
            evidence.push(reference.evidence.clone());
        }
    }
    if evidence.is_empty() {
        evidence.push(evidence_of(context, key, "dies in this plan".to_owned()));
    }
    evidence
}

fn help(context: &Context<'_>, key: &ObjectKey) -> Vec<String> {
    let mut help = Vec::new();
    if let Some(volume) = volume_of(context, key) {
        help.push(format!(
            "to keep the data, first: kubectl patch pv {} -p \
             '{{\"spec\":{{\"persistentVolumeReclaimPolicy\":\"Retain\"}}}}'",
            volume.name
        ));
    }
    if context.plan.purpose == Purpose::Up {
        help.push(format!(
            "to keep the {} too, go on declaring it",
            key.kind.kind
        ));
    }
    help.push(accept(CODE, &key.subject()));
    help
}
