//! Plans, findings and outcomes made by hand.

use serde_json::{Value, json};
use underpin_model::{
    Action, CascadeGroup, ClusterIdentity, Code, Evidence, FieldChange, FieldPath, Finding,
    GroupKind, LogicalKey, NamespaceProvenance, ObjectKey, Owner, Place, Placement, Severity, Step,
    Unread, World,
};
use underpin_plan::{Plan, Purpose, ResolvedPlacement, Verdict};

use crate::render::Judged;

pub(super) const HOME: &str = "shop";

/// A plan with its world and verdict, owned.
pub(super) struct Sample {
    pub(super) plan: Plan,
    pub(super) world: World,
    pub(super) verdict: Verdict,
}

impl Sample {
    pub(super) fn new(purpose: Purpose, steps: Vec<Step>) -> Self {
        let mut world = World::default();
        world.cluster = ClusterIdentity {
            uid: "cluster-uid".into(),
            context: "test".into(),
            version: "v1.20.2".into(),
        };
        Self {
            plan: Plan {
                purpose,
                stack: "shop".into(),
                environment: "production".into(),
                placement: placement(NamespaceProvenance::Created),
                steps,
                conflicts: [].into(),
                taken: [].into(),
                drifted: [].into(),
                nonces: [].into(),
                dropped: [].into(),
                problems: Vec::new(),
            },
            world,
            verdict: Verdict {
                findings: Vec::new(),
                unused: Vec::new(),
            },
        }
    }

    pub(super) fn with_findings(mut self, findings: Vec<Finding>) -> Self {
        self.verdict.findings = findings;
        self
    }

    pub(super) fn judged(&self) -> Judged<'_> {
        Judged {
            plan: &self.plan,
            world: &self.world,
            verdict: &self.verdict,
        }
    }
}

pub(super) fn placement(provenance: NamespaceProvenance) -> ResolvedPlacement {
    ResolvedPlacement {
        placement: Placement {
            namespace: HOME.into(),
            uid: None,
            provenance,
            shared: false,
        },
        derived: HOME.into(),
        recorded: true,
    }
}

pub(super) fn key(kind: &str, name: &str) -> ObjectKey {
    let kind = match kind.split_once('.') {
        Some((kind, group)) => GroupKind::new(group, kind),
        None => GroupKind::core(kind),
    };
    ObjectKey::namespaced(kind, HOME, name)
}

pub(super) fn namespace(name: &str) -> ObjectKey {
    ObjectKey::of_namespace(name)
}

pub(super) fn step(action: Action, key: ObjectKey, reason: &str) -> Step {
    let logical = LogicalKey::of(&key, HOME);
    Step {
        reason: reason.into(),
        validated: true,
        ..Step::new(action, key, logical)
    }
}

pub(super) fn change(path: &str, before: Option<Value>, after: Option<Value>) -> FieldChange {
    FieldChange {
        path: FieldPath::new(path),
        before,
        after,
    }
}

pub(super) fn place(line: u32) -> Place {
    Place {
        file: "k8s/app.yaml".into(),
        line,
        column: 3,
    }
}

pub(super) fn unread() -> Vec<Unread> {
    let forbidden = "cannot list it: forbidden";
    vec![
        Unread {
            kind: Some(GroupKind::core("Secret")),
            group: String::new(),
            namespace: None,
            reason: forbidden.into(),
        },
        Unread {
            kind: Some(GroupKind::core("Pod")),
            group: String::new(),
            namespace: Some("shop".into()),
            reason: forbidden.into(),
        },
        Unread {
            kind: None,
            group: "metrics.k8s.io".into(),
            namespace: None,
            reason: "discovery failed".into(),
        },
    ]
}

pub(super) fn finding(code: u16, severity: Severity, subject: &ObjectKey, text: &str) -> Finding {
    Finding::new(Code(code), severity, subject.to_string(), text.into())
}

/// A blocking finding with everything a finding can have.
pub(super) fn cascade() -> Finding {
    let mut one = finding(
        101,
        Severity::Block,
        &namespace(HOME),
        "this deletes namespace shop with everything in it",
    );
    one.place = Some(place(7));
    one.step = Some(namespace(HOME));
    one.evidence = vec![
        Evidence {
            object: key("Deployment.apps", "web"),
            path: FieldPath::new("spec.template.spec.volumes[0].secret.secretName"),
            place: Some(place(12)),
            note: "reads Secret db".into(),
        },
        Evidence {
            object: key("ConfigMap", "app"),
            path: FieldPath::root(),
            place: None,
            note: String::new(),
        },
    ];
    one.cascade = vec![
        CascadeGroup {
            owner: Owner::Claim {
                stack: "billing".into(),
                environment: "production".into(),
            },
            objects: vec![
                key("Service", "billing"),
                key("StatefulSet.apps", "billing"),
            ],
        },
        CascadeGroup {
            owner: Owner::Tool {
                tool: "Helm",
                name: "redis".into(),
            },
            objects: vec![key("Service", "redis")],
        },
        CascadeGroup {
            owner: Owner::Unknown,
            objects: (0..50)
                .map(|n| key("ConfigMap", &format!("c{n:02}")))
                .collect(),
        },
    ];
    one.help = vec![
        "tear the other environment down first".into(),
        "or keep it".into(),
    ];
    one
}

/// One finding of each severity, one accepted and one unknown.
pub(super) fn severities() -> Vec<Finding> {
    let volume = key("PersistentVolumeClaim", "data");
    let mut accepted = finding(103, Severity::Block, &volume, "the data dies");
    accepted.accepted = Some("moved to the new cluster".into());
    let mut unknown = finding(
        107,
        Severity::Block,
        &key("Secret", "db"),
        "it may be needed",
    );
    unknown.unknown = true;
    vec![
        unknown,
        accepted,
        finding(
            112,
            Severity::Warn,
            &namespace(HOME),
            "two environments live here",
        ),
        finding(
            602,
            Severity::Note,
            &namespace(HOME),
            "a run was interrupted",
        ),
    ]
}

/// More changes than are shown, among them values of every form and length.
pub(super) fn changes() -> Vec<FieldChange> {
    let mut changes = vec![
        change("spec.replicas", Some(json!(1)), Some(json!(2))),
        change("metadata.labels.new", None, Some(json!("yes"))),
        change("metadata.labels.old", Some(json!("yes")), None),
        change(
            "data.long",
            Some(json!("é".repeat(500))),
            Some(json!("short")),
        ),
        change(
            "data.lines",
            Some(json!("one\ntwo")),
            Some(json!("\u{1b}[31mred")),
        ),
        change("spec.template", None, Some(json!({"a": [1, true, null]}))),
    ];
    changes.extend((0..30).map(|n| {
        let path = format!("data.key{n:02}");
        change(&path, Some(json!(n)), Some(json!(n + 1)))
    }));
    changes
}
