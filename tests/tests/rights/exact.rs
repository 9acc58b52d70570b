//! With exactly the printed roles every command does all that it does for an administrator.

use anyhow::Result;
use underpin_tests::{OUTCOME, fresh, with_filters};

use super::scene::{Bearer, Scene, manifest, set};

/// All that who is bound may not, and that is asked for all the same: Secrets of the whole cluster,
/// for want of which the namespaces of the environment are asked one by one.
const ALL_SECRETS: [&str; 1] = ["GET /api/v1/secrets"];

/// What everybody who has some of the roles may look at, after two runs.
const LOOKS: [&str; 4] = [
    "status",
    "history",
    "diff",
    "why configmap/exact/app --if-removed --consumers",
];

/// A workload that never becomes ready, with a Secret in its environment.
const CRASHING: &str = r#"apiVersion: v1
kind: Secret
metadata: { name: password }
stringData: { password: not-to-be-seen }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web }, annotations: { OUTCOME: crashing } }
    spec:
      containers:
        - { name: main, image: "example.org/web:1", envFrom: [{ secretRef: { name: password } }] }
"#;

/// A manifest without the objects of some kinds.
fn without(manifest: &str, kinds: &[&str]) -> String {
    let documents = manifest.split("---\n");
    let kept = documents.filter(|document| {
        let is_of = |kind: &&str| document.contains(&format!("kind: {kind}\n"));
        !kinds.iter().any(is_of)
    });
    kept.collect::<Vec<_>>().join("---\n")
}

/// On a control plane of its own, so that no custom kind of others is there.
#[test]
fn plan_up_and_down_run_with_their_roles_and_miss_nothing() -> Result<()> {
    let cluster = fresh()?;
    let scene = Scene::new(&cluster, "exact")?;
    let planner = scene.bearer("plan", "")?;
    let plan = planner.expect(0, "plan")?;
    assert!(!plan.stdout.contains("not asked"), "{}", plan.transcript());
    assert_eq!(planner.refused(), set(&ALL_SECRETS));

    let deployer = scene.bearer("up", "")?;
    deployer.expect(0, "up --yes")?;
    assert_eq!(deployer.refused(), set(&ALL_SECRETS));
    planner.expect(0, "plan --detailed-exitcode")?;

    // Changed, replaced in place, and no longer declared.
    let changed = manifest("exact")
        .replace("greeting: hello", "greeting: changed")
        .replace(
            "name: web }\nspec: { selector",
            "name: other }\nspec: { selector",
        );
    scene.project.declare(&changed)?;
    let plan = planner.expect(6, "plan --detailed-exitcode")?;
    assert!(plan.stdout.contains("- delete service/exact/web"));
    assert!(!plan.stdout.contains("not asked"), "{}", plan.transcript());
    assert_eq!(planner.refused(), set(&ALL_SECRETS));
    // What was frozen by who may plan is carried out by who may deploy.
    let frozen = planner.expect(0, "plan --out plan.json")?;
    assert!(
        !frozen.stderr.contains("not compared"),
        "{}",
        frozen.transcript()
    );
    assert!(
        !frozen.stderr.contains("not known"),
        "{}",
        frozen.transcript()
    );
    deployer.expect(0, "up plan.json")?;
    assert_eq!(deployer.refused(), set(&ALL_SECRETS));
    deployer.expect(0, "plan --detailed-exitcode")?;

    let remover = scene.bearer("down", "")?;
    for bearer in [&planner, &deployer, &remover] {
        check_looks(bearer)?;
    }
    let down = remover.expect(0, "down --yes")?;
    assert_eq!(remover.refused(), set(&ALL_SECRETS));
    // The roles live in the namespaces, which were there before the environment.
    assert!(
        down.stdout.contains("kept namespace exact:"),
        "{}",
        down.transcript()
    );
    for (kind, name) in [("deployment", "web"), ("secret", "password")] {
        assert_eq!(scene.admin.find(&["-n", "exact", kind, name])?, None);
    }
    Ok(())
}

/// Secrets of the whole cluster are all that a bearer misses who looks.
#[track_caller]
fn check_looks(bearer: &Bearer) -> Result<()> {
    for line in LOOKS {
        let output = bearer.expect(0, line)?;
        let refused = bearer.refused();
        assert!(
            refused.is_subset(&set(&ALL_SECRETS)),
            "{} may not {refused:?}\n{}",
            bearer.name,
            output.transcript()
        );
    }
    Ok(())
}

/// What explains why something is not ready: pods, events, logs, and the Secrets that must not show in
/// them.
#[test]
fn the_role_of_up_reads_what_explains_a_failure() -> Result<()> {
    let cluster = fresh()?;
    let scene = Scene::declaring(&cluster, "crash", &CRASHING.replace("OUTCOME", OUTCOME))?;
    let deployer = scene.bearer("up", "")?;
    let up = deployer.expect(1, "up --yes --wait-timeout 8s")?;
    let told = up.transcript();
    assert!(told.contains("CrashLoopBackOff"), "{told}");
    assert_eq!(deployer.refused(), set(&ALL_SECRETS), "{told}");
    let asked = deployer.proxy.records();
    for end in [
        "/pods",
        "/replicasets",
        "/events",
        "/log",
        "/secrets/password",
    ] {
        let is_asked = asked
            .iter()
            .any(|record| record.request.method == "GET" && record.request.path.ends_with(end));
        assert!(is_asked, "{end}\n{told}");
    }
    Ok(())
}

/// An environment that makes and deletes its own namespaces, as those of a pipeline do.
#[test]
fn cluster_wide_roles_let_an_environment_come_and_go() -> Result<()> {
    let cluster = fresh()?;
    let scene = Scene::new(&cluster, "come")?;
    let planner = scene.bearer("plan", "--cluster-wide")?;
    planner.expect(0, "plan")?;
    assert_eq!(planner.refused(), set(&[]));
    let deployer = scene.bearer("up", "--cluster-wide")?;
    deployer.expect(0, "up --yes")?;
    assert_eq!(deployer.refused(), set(&[]));
    let remover = scene.bearer("down", "--cluster-wide")?;
    remover.expect(0, "down --yes")?;
    assert_eq!(remover.refused(), set(&[]));
    for gone in ["come", "come-more"] {
        assert_eq!(scene.admin.find(&["namespace", gone])?, None);
    }
    Ok(())
}

/// What is recorded where it lives, and no longer declared: the record says which rights its removal
/// takes, and the cluster how custom kinds are called.
#[test]
fn roles_are_made_from_the_record_of_a_cluster() -> Result<()> {
    let cluster = fresh()?;
    let scene = Scene::new(&cluster, "recorded")?;
    scene.project.expect(0, "up --yes")?;
    scene.project.write(
        "app.yaml",
        &without(&manifest("recorded"), &["Deployment", "PriorityClass"]),
    )?;
    // Without the record, what is to go may not be touched, and nothing is begun.
    let deployer = scene.bearer("up", "")?;
    let up = deployer.expect(1, "up --yes")?;
    assert!(
        up.transcript()
            .contains("no right to delete deployments.apps"),
        "{}",
        up.transcript()
    );
    let context = scene.admin.run(["config", "current-context"])?;
    let against = format!("--against {}", context.trim());
    let deployer = scene.bearer("up", &against)?;
    deployer.expect(0, "up --yes")?;
    assert_eq!(deployer.refused(), set(&ALL_SECRETS));
    assert_eq!(scene.admin.find(&["priorityclass", "recorded"])?, None);
    let remover = scene.bearer("down", &against)?;
    remover.expect(0, "down --yes")?;
    assert_eq!(remover.refused(), set(&ALL_SECRETS));
    Ok(())
}

/// Who may look and no more: no Secret, no dry run, and every command that only reads says what it
/// does not know.
#[test]
fn a_reviewer_sees_all_but_secrets_and_is_told_so() -> Result<()> {
    let cluster = fresh()?;
    // What old servers make of a Service cannot be told without asking them.
    let all = without(&manifest("looked-at"), &["Service"]);
    let scene = Scene::declaring(&cluster, "looked-at", &all)?;
    let reviewer = scene.bearer("review", "")?;
    // Before anything is there, and after.
    reviewer.expect(0, "plan")?;
    scene.project.expect(0, "up --yes")?;
    scene
        .project
        .declare(&all.replace("greeting: hello", "greeting: changed"))?;
    let plan = reviewer.expect(0, "plan")?;
    with_filters(&[], || {
        insta::assert_snapshot!("reviewed_plan", plan.stdout);
    });
    for line in [
        "plan --output json",
        "status",
        "why configmap/looked-at/app",
        "why secret/looked-at/password --if-removed",
    ] {
        let output = reviewer.expect(0, line)?;
        assert!(!output.transcript().contains("not-to-be-seen"));
    }
    // Refused before anything is begun.
    let up = reviewer.expect(1, "up --yes")?;
    with_filters(&[], || {
        insta::assert_snapshot!("reviewer_up", up.transcript());
    });
    assert_eq!(reviewer.proxy.mutations(), []);
    // A plan that does not know everything says so, and is right.
    let frozen = reviewer.expect(0, "plan --out plan.json")?;
    with_filters(&[], || {
        insta::assert_snapshot!("reviewer_frozen", frozen.stderr);
    });
    scene.project.expect(0, "up plan.json")?;
    for line in ["history", "diff"] {
        reviewer.expect(0, line)?;
        assert_eq!(reviewer.refused(), set(&[]), "{line}");
    }
    Ok(())
}
