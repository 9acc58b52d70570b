//! What is recorded: status, history, revisions and import.

use underpin_deploy::{ClaimStatus, History, Imported, KeptNamespace, RevisionComparison, Status};
use underpin_model::{
    AcceptedFinding, Claim, ClaimId, ClusterIdentity, Code, FieldChange, FieldPath, HistoryRecord,
    Lock, NamespaceProvenance, Owner, Retirement, RevisionContent,
};
use underpin_plan::{Environment, Occupancy, Occupant, RevisionDiff};

use super::{
    plain,
    samples::{key, placement, unread},
};
use crate::render::{json, text};

fn claim(environment: &str) -> Claim {
    let mut claim = Claim::new(ClaimId("c1".into()), "shop", environment, "cluster-uid");
    claim.placement = Some(placement(NamespaceProvenance::Created).placement);
    claim
}

fn plain_status(claim: Claim) -> ClaimStatus {
    ClaimStatus {
        claim,
        missing: Vec::new(),
        replaced: Vec::new(),
        unread: Vec::new(),
    }
}

fn full() -> Status {
    let mut busy = claim("production");
    busy.lock = Some(Lock {
        holder: "h1".into(),
        who: "ada (ada@desk, process 7, underpin up)".into(),
        acquired: "2026-01-02T03:04:05Z".into(),
        renewed: "n1".into(),
        lease_seconds: 60,
    });
    busy.history = vec![HistoryRecord {
        at: "2026-01-01T00:00:00Z".into(),
        who: "ada".into(),
        command: "up".into(),
        outcome: "3 done".into(),
        accepted: vec![AcceptedFinding {
            code: Code(103),
            subject: "persistentvolumeclaim/shop/data".into(),
            reason: "moved".into(),
        }],
        ..HistoryRecord::default()
    }];
    let mut retired = claim("gone");
    retired.retired = Some(Retirement {
        at: "2026-01-03T00:00:00Z".into(),
        kept_because: "others live in it".into(),
    });
    let mut young = claim("young");
    young.placement = None;
    let occupants = (0..25).map(|n| Occupant {
        key: key("ConfigMap", &format!("c{n:02}")),
        owner: Owner::Unknown,
        created: (n > 0).then(|| "2026-01-01T00:00:00Z".to_owned()),
    });
    let kept = |environment: &str, occupancy| KeptNamespace {
        environment: environment.into(),
        namespace: "shop".into(),
        since: "2026-01-03T00:00:00Z".into(),
        occupancy,
    };
    Status {
        context: "test".into(),
        claims: vec![
            ClaimStatus {
                missing: vec![key("ConfigMap", "lost")],
                replaced: vec![key("ConfigMap", "swapped")],
                unread: vec![key("Secret", "hidden")],
                ..plain_status(busy)
            },
            plain_status(retired),
            plain_status(young),
        ],
        kept: vec![
            kept("shop/empty", Occupancy::default()),
            kept(
                "shop/gone",
                Occupancy {
                    occupants: occupants.collect(),
                    unread: unread(),
                    placed: vec!["billing/production".into()],
                    expecting: vec!["billing/young".into()],
                },
            ),
        ],
    }
}

#[test]
fn status() {
    let status = full();
    insta::assert_snapshot!("status", text::status(&status, false));
    insta::assert_snapshot!("status_kept", text::status(&status, true));
    insta::assert_snapshot!("status_json", json::status(&status));
}

fn run(revision: Option<u64>, content: Option<RevisionContent>) -> HistoryRecord {
    HistoryRecord {
        revision,
        at: "2026-01-02T03:04:05Z".into(),
        who: "ada (ada@desk, process 7, underpin up)".into(),
        command: "up".into(),
        outcome: "3 done".into(),
        changed: revision.map(|_| 3),
        content,
        accepted: Vec::new(),
    }
}

fn environment() -> Environment {
    Environment {
        stack: "shop".into(),
        name: "production".into(),
        parent: None,
        namespace: None,
        shared: false,
        ignored: Vec::new(),
        removal_percent: 50,
        declared: Vec::new(),
        adopt: [].into(),
    }
}

#[test]
fn history() {
    let mut claim = claim("production");
    claim.history = vec![
        run(None, None),
        run(
            Some(1),
            Some(RevisionContent::NotKept("compressed it has 9 bytes".into())),
        ),
        HistoryRecord {
            accepted: vec![AcceptedFinding {
                code: Code(103),
                subject: "persistentvolumeclaim/shop/data".into(),
                reason: "moved".into(),
            }],
            ..run(
                Some(2),
                Some(RevisionContent::Stored("shop.production.r1".into())),
            )
        },
    ];
    let mut history = History {
        cluster: ClusterIdentity {
            uid: "cluster-uid".into(),
            context: "test".into(),
            version: "v1.20.2".into(),
        },
        claim: Some(claim),
    };
    let environment = environment();
    insta::assert_snapshot!("history", plain(&text::history(&environment, &history, 9)));
    insta::assert_snapshot!(
        "history_capped",
        plain(&text::history(&environment, &history, 1))
    );
    insta::assert_snapshot!("history_json", json::history(&environment, &history, 2));
    history.claim = None;
    assert_eq!(
        text::history(&environment, &history, 9),
        "nothing is recorded for shop/production in context test\n"
    );
}

#[test]
fn diff() {
    let stored = || Some(RevisionContent::Stored("shop.production.r1".into()));
    let change = |path: &str, before: Option<&str>, after: Option<&str>| FieldChange {
        path: FieldPath::new(path),
        before: before.map(Into::into),
        after: after.map(Into::into),
    };
    let changes = vec![
        change("data.a", Some("1"), Some("2")),
        change("data.b", None, Some("(secret 0123456789ab)")),
        change("data.c", Some("3"), None),
    ];
    let mut compared = RevisionComparison {
        from: run(Some(1), stored()),
        to: run(Some(4), stored()),
        diff: RevisionDiff {
            added: vec![key("ConfigMap", "new")],
            removed: vec![key("Deployment.apps", "old")],
            changed: [(key("ConfigMap", "app"), changes)].into(),
            unchanged: 3,
        },
        secrets_comparable: true,
    };
    let environment = environment();
    insta::assert_snapshot!("diff", plain(&text::diff(&environment, &compared)));
    insta::assert_snapshot!("diff_json", json::diff(&environment, &compared));
    compared.diff = RevisionDiff::default();
    compared.secrets_comparable = false;
    insta::assert_snapshot!(
        "diff_of_nothing",
        plain(&text::diff(&environment, &compared))
    );
}

#[test]
fn status_of_nothing() {
    let nothing = Status {
        context: "test".into(),
        claims: Vec::new(),
        kept: Vec::new(),
    };
    assert_eq!(
        text::status(&nothing, false),
        "nothing is recorded in context test\n"
    );
    assert_eq!(
        text::status(&nothing, true),
        "nothing was kept in context test\n"
    );
}

#[test]
fn import() {
    let environment = environment();
    let mut imported = Imported {
        placement: placement(NamespaceProvenance::Imported).placement,
        found: vec![key("ConfigMap", "app"), key("Deployment.apps", "web")],
        already: vec![key("Secret", "db")],
        missing: vec![key("Service", "web")],
        owners: [("Helm shop".to_owned(), 2)].into(),
        written: true,
    };
    insta::assert_snapshot!("import_plan", text::import_plan(&environment, &imported));
    insta::assert_snapshot!("import_done", text::imported(&environment, &imported));
    insta::assert_snapshot!("import_json", json::imported(&environment, &imported));
    imported.written = false;
    insta::assert_snapshot!("import_again", text::imported(&environment, &imported));
}
