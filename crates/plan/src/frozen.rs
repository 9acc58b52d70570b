//! A plan frozen into a document: what `up FILE` may do, and nothing else.
//!
//! It holds no manifest and no secret: of every object that is applied, and of what matters of the
//! live ones, it holds a digest. Whoever carries it out plans anew, freezes that plan under the same
//! key, and compares the two.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use underpin_model::{
    AcceptedFinding, Action, Claim, Finding, KeepReason, Object, Step, hexadecimal, names,
};

use crate::{
    Fingerprints, Plan,
    diff::{comparable, strip},
    redact::{redacted, without_fingerprints},
    wording::list,
};

/// A plan as it was agreed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrozenPlan {
    /// [`FrozenPlan::SCHEMA`].
    pub schema: String,
    /// When it was made, RFC 3339.
    pub at: String,
    /// Stack, as written.
    pub stack: String,
    /// Environment, as written.
    pub environment: String,
    /// The cluster's uid.
    pub cluster: String,
    /// The claim's id; `None` before the first run.
    pub claim: Option<String>,
    /// The newest revision in its history, for people.
    pub revision: Option<u64>,
    /// The namespace that the environment lives in.
    pub namespace: String,
    /// What the digests are keyed with.
    pub digests: DigestKey,
    /// What was accepted by name.
    pub accepted: Vec<AcceptedFinding>,
    /// What each of these was accepted for, by `CODE:subject`: whom it concerned.
    pub accepted_for: BTreeMap<String, BTreeSet<String>>,
    /// Objects that are taken over by name.
    pub adopt: Vec<String>,
    /// One step per object, in the order of the plan.
    pub steps: Vec<FrozenStep>,
    /// Entries that leave the claim because their objects are somebody else's.
    pub forgotten: BTreeSet<String>,
}

/// What digests are keyed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "by")]
pub enum DigestKey {
    /// The fingerprint key of the cluster: everything is compared, secrets too.
    ClusterKey {
        /// Which key.
        id: String,
    },
    /// A salt in the document, because there is no fingerprint key yet or it may not be read:
    /// secrets are left out, since whoever has the document could guess them.
    Salt {
        /// Hexadecimal.
        salt: String,
    },
}

/// One step as it was agreed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrozenStep {
    /// The live identity.
    pub object: String,
    /// The declared identity.
    pub declared: String,
    /// What is done.
    pub action: FrozenAction,
    /// Why, for people.
    pub reason: String,
    /// Digest of what the stack says of the object for good.
    pub desired: Option<String>,
    /// Digest of the object as it is created, with the fields that are left to others afterwards;
    /// `None` unless the step creates and there are such fields.
    pub created: Option<String>,
    /// Digest of what matters of the live object: the fields that an apply changes, or everything
    /// where the object dies.
    pub live: Option<String>,
}

/// What a frozen step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names of `Action` and `KeepReason`")]
pub enum FrozenAction {
    Create,
    Update,
    Replace,
    Delete,
    Adopt,
    Unchanged,
    Protected,
    Foreign,
    InUse,
    Gone,
}

/// Something that is not as it was when the plan was frozen, and matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// What it is about.
    pub subject: String,
    /// What moved, in one sentence without a full stop.
    pub message: String,
}

/// Makes digests under one key.
#[derive(Clone, Debug)]
pub struct Sealer {
    key: DigestKey,
    digests: Fingerprints,
    /// Hides the secrets where digests must not depend on them.
    hiding: Option<Fingerprints>,
}

impl Sealer {
    /// Under the cluster's key; `None` without one.
    pub fn keyed(fingerprints: &Fingerprints) -> Option<Self> {
        Some(Self {
            key: DigestKey::ClusterKey {
                id: fingerprints.key_id()?,
            },
            digests: fingerprints.clone(),
            hiding: None,
        })
    }

    /// Under a salt; secrets, and what `fingerprints` hides, do not count.
    pub fn salted(salt: [u8; 32], fingerprints: &Fingerprints) -> Self {
        Self {
            key: DigestKey::Salt {
                salt: hexadecimal(&salt),
            },
            digests: Fingerprints::new(Some(salt)),
            hiding: Some(fingerprints.unkeyed()),
        }
    }

    /// As the document says; `None` when it is under another key than the cluster's, or under none
    /// that makes sense.
    pub fn like(document: &FrozenPlan, fingerprints: &Fingerprints) -> Option<Self> {
        match &document.digests {
            DigestKey::ClusterKey { id } if fingerprints.key_id().as_ref() == Some(id) => {
                Self::keyed(fingerprints)
            }
            DigestKey::ClusterKey { .. } => None,
            DigestKey::Salt { salt } => Some(Self::salted(from_hexadecimal(salt)?, fingerprints)),
        }
    }

    /// Whether digests depend on secrets.
    pub fn covers_secrets(&self) -> bool {
        self.hiding.is_none()
    }

    fn object(&self, object: &Object) -> Value {
        let mut value = match &self.hiding {
            None => (*object.value).clone(),
            Some(hiding) => redacted(object, hiding),
        };
        // Drawn anew by each plan, until the first run has recorded it; and by each run.
        strip(
            &mut value,
            &[names::STAMP_ANNOTATION, names::LAST_UP_ANNOTATION],
        );
        value
    }

    fn digest(&self, value: &Value) -> Option<String> {
        self.digests.digest(value)
    }

    /// What is created with fields that are left to others afterwards.
    fn created(&self, step: &Step) -> Option<String> {
        let creates = matches!(step.action, Action::Create | Action::Replace);
        let desired = step.desired.as_ref()?;
        let counts = creates && !step.left_alone.is_empty();
        counts.then(|| self.digest(&self.object(desired)))?
    }

    /// What matters of the live object.
    fn live(&self, plan: &Plan, step: &Step) -> Option<String> {
        let before = step.before.as_ref()?;
        let matters = match step.action {
            Action::Create | Action::Keep(_) => return None,
            Action::Replace | Action::Delete => comparable(&self.object(before)),
            Action::Update | Action::Adopt => {
                let taken = plan.taken.get(&step.key).into_iter().flatten();
                let taken: Vec<_> = taken.map(|one| (&one.manager, &one.field)).collect();
                let changes = step.changes.iter().map(|change| {
                    let path = change.path.as_str();
                    json!([path, change.before, change.after])
                });
                let changes = Value::Array(changes.collect());
                let changes = match self.hiding {
                    None => changes,
                    Some(_) => without_fingerprints(changes),
                };
                json!([changes, taken])
            }
        };
        self.digest(&json!([before.uid(), matters]))
    }
}

fn from_hexadecimal(text: &str) -> Option<[u8; 32]> {
    if !text.is_ascii() || text.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}

/// What a plan is frozen with, beside the plan.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// When, RFC 3339.
    pub at: &'a str,
    /// The cluster's uid.
    pub cluster: &'a str,
    /// The environment's claim, unless it has none yet.
    pub claim: Option<&'a Claim>,
    /// What was accepted by name.
    pub accepted: &'a [AcceptedFinding],
    /// What the rules found.
    pub findings: &'a [Finding],
    /// Objects that are taken over by name.
    pub adopt: &'a BTreeSet<String>,
}

impl FrozenPlan {
    /// Version of the document.
    pub const SCHEMA: &'static str = "underpin.dev/frozen-plan/v1";

    /// Freezes a plan.
    pub fn of(plan: &Plan, around: Surroundings<'_>, sealer: &Sealer) -> Self {
        let steps = plan.steps.iter().map(|step| FrozenStep {
            object: step.key.to_string(),
            declared: step.logical.to_string(),
            action: FrozenAction::of(&step.action),
            reason: step.reason.clone(),
            desired: step
                .declared()
                .and_then(|declared| sealer.digest(&sealer.object(&declared))),
            created: sealer.created(step),
            live: sealer.live(plan, step),
        });
        Self {
            schema: Self::SCHEMA.to_owned(),
            at: around.at.to_owned(),
            stack: plan.stack.clone(),
            environment: plan.environment.clone(),
            cluster: around.cluster.to_owned(),
            claim: around.claim.map(|claim| claim.id.0.clone()),
            revision: around.claim.and_then(Claim::newest_revision),
            namespace: plan.placement.placement.namespace.clone(),
            digests: sealer.key.clone(),
            accepted: around.accepted.to_vec(),
            accepted_for: accepted_for(around.findings),
            adopt: around.adopt.iter().cloned().collect(),
            steps: steps.collect(),
            forgotten: plan.dropped.keys().map(ToString::to_string).collect(),
        }
    }

    /// What moved, as far as it matters, when `fresh` is the same plan made now under the same key.
    /// What is done already does not matter: a run that was cut is run again.
    pub fn moved(&self, fresh: &Self) -> Vec<Movement> {
        let mut movements = self.moved_around(fresh);
        movements.extend(self.grown(fresh));
        let planned: BTreeMap<&str, &FrozenStep> = by_declared(&self.steps);
        let now: BTreeMap<&str, &FrozenStep> = by_declared(&fresh.steps);
        let all: BTreeSet<&str> = planned.keys().chain(now.keys()).copied().collect();
        for declared in all {
            let pair = (planned.get(declared).copied(), now.get(declared).copied());
            let (Some(step), Some(message)) = (pair.0.or(pair.1), moved_step(pair)) else {
                continue;
            };
            movements.push(Movement {
                subject: step.object.clone(),
                message,
            });
        }
        for entry in fresh.forgotten.difference(&self.forgotten) {
            movements.push(Movement {
                subject: entry.clone(),
                message: "the object under this name is not this environment's any more".to_owned(),
            });
        }
        movements
    }

    /// Accepted findings that concern more than was accepted. What they concern no longer is not
    /// missed.
    fn grown(&self, fresh: &Self) -> Vec<Movement> {
        let grown = fresh.accepted_for.iter().filter_map(|(finding, now)| {
            let then = self.accepted_for.get(finding);
            let new = now
                .iter()
                .filter(|one| then.is_none_or(|then| !then.contains(*one)));
            let new: Vec<&str> = new.map(String::as_str).collect();
            if new.is_empty() && then.is_some() {
                return None;
            }
            let message = if then.is_none() {
                "was not found when the plan was frozen".to_owned()
            } else {
                format!("was accepted for less, and now concerns {} too", list(&new))
            };
            Some(Movement {
                subject: finding.clone(),
                message,
            })
        });
        grown.collect()
    }

    fn moved_around(&self, fresh: &Self) -> Vec<Movement> {
        let mut movements = Vec::new();
        let environment = format!("{}/{}", self.stack, self.environment);
        let mut note = |subject: &str, message: String| {
            movements.push(Movement {
                subject: subject.to_owned(),
                message,
            });
        };
        if self.cluster != fresh.cluster {
            let message = format!(
                "the plan is for the cluster of uid {}, and this one has uid {}",
                self.cluster, fresh.cluster
            );
            note("cluster", message);
        }
        // The first run makes the claim, and may have been cut.
        if self.claim.is_some() && self.claim != fresh.claim {
            let message = match &fresh.claim {
                Some(_) => "is recorded under another claim: it was torn down and made anew",
                None => "is not recorded any more: it was torn down",
            };
            note(&environment, message.to_owned());
        }
        if self.namespace != fresh.namespace {
            let message = format!(
                "was to live in namespace {}, and would now live in {}",
                self.namespace, fresh.namespace
            );
            note(&environment, message);
        }
        movements
    }
}

/// Whom every accepted finding concerns: what dies, whose it is, and who says that it is needed.
fn accepted_for(findings: &[Finding]) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.accepted.is_some()) {
        let name = format!("{}:{}", finding.code, finding.subject);
        let concerned = all.entry(name).or_default();
        if finding.unknown {
            concerned.insert("what could not be read".to_owned());
        }
        for group in &finding.cascade {
            let objects = group.objects.iter();
            concerned.extend(objects.map(|object| format!("{object} ({})", group.owner)));
        }
        let evidence = finding.evidence.iter();
        concerned.extend(evidence.map(|one| format!("{} {}", one.object, one.path)));
    }
    all
}

fn by_declared(steps: &[FrozenStep]) -> BTreeMap<&str, &FrozenStep> {
    let keyed = steps.iter().map(|step| (step.declared.as_str(), step));
    keyed.collect()
}

/// What moved under one declared object: planned, and now.
fn moved_step(pair: (Option<&FrozenStep>, Option<&FrozenStep>)) -> Option<String> {
    use FrozenAction::{Create, Delete, Gone, Replace, Unchanged};
    let (planned, now) = match pair {
        (Some(planned), Some(now)) => (planned, now),
        (Some(planned), None) => {
            let done = matches!(planned.action, Delete | Gone);
            return (!done).then(|| {
                let what = planned.action.wording();
                format!("{what} by the plan, and would now not be touched at all")
            });
        }
        (None, Some(now)) => {
            let nothing = now.action == Gone;
            let what = now.action.wording_now();
            return (!nothing)
                .then(|| format!("{what}{}, and the plan does not have it", why(now)));
        }
        (None, None) => return None,
    };
    if planned.object != now.object {
        return Some(format!("is now {}", now.object));
    }
    // Once it is there, what it was to be created with does not matter any more.
    let both_create = planned.created.is_some() && now.created.is_some();
    if planned.desired != now.desired || both_create && planned.created != now.created {
        return Some("what the stack declares of it changed since".to_owned());
    }
    if planned.action == now.action {
        let moved = planned.live != now.live;
        return moved.then(|| "it was changed in the cluster since".to_owned());
    }
    let done = match (planned.action, now.action) {
        (_, Gone) => true,
        (before, Unchanged) => before.applies(),
        (Replace, Create) => true,
        _ => false,
    };
    (!done).then(|| {
        let (planned, would) = (planned.action.wording(), now.action.wording_now());
        format!("{planned} by the plan, and {would}{}", why(now))
    })
}

fn why(step: &FrozenStep) -> String {
    if step.reason.is_empty() || step.action == FrozenAction::Unchanged {
        String::new()
    } else {
        format!(" ({})", step.reason)
    }
}

impl FrozenAction {
    fn of(action: &Action) -> Self {
        match action {
            Action::Create => Self::Create,
            Action::Update => Self::Update,
            Action::Replace => Self::Replace,
            Action::Delete => Self::Delete,
            Action::Adopt => Self::Adopt,
            Action::Keep(KeepReason::Unchanged) => Self::Unchanged,
            Action::Keep(KeepReason::Protected(_)) => Self::Protected,
            Action::Keep(KeepReason::Foreign(_)) => Self::Foreign,
            Action::Keep(KeepReason::InUse(_)) => Self::InUse,
            Action::Keep(KeepReason::Gone) => Self::Gone,
        }
    }

    fn applies(self) -> bool {
        matches!(
            self,
            Self::Create | Self::Update | Self::Replace | Self::Adopt
        )
    }

    fn past(self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Update => "updated",
            Self::Replace => "replaced",
            Self::Delete => "deleted",
            Self::Adopt => "adopted",
            Self::Unchanged => "left as it is",
            Self::Protected => "kept, being protected",
            Self::Foreign => "left to its owner",
            Self::InUse => "kept, being in use",
            Self::Gone => "forgotten, being gone",
        }
    }

    fn wording(self) -> String {
        format!("was to be {}", self.past())
    }

    fn wording_now(self) -> String {
        format!("would now be {}", self.past())
    }
}
