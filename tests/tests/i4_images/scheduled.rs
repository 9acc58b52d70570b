//! The manifests that run a plan and what carries it out every day, on a cluster.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use underpin_tests::{Output, shared};

use crate::{pod::Pods, push, scene::Scene};

const NAMESPACE: &str = "underpin-images";
const NAME: &str = "images";
/// What nothing in the cluster needs, and no pin keeps.
const NOT_NEEDED: [(&str, &str); 5] = [
    ("kotkan/cms-plugins", "0.1.40"),
    ("kotkan/cms-plugins", "0.1.41"),
    ("kotkan/cms-plugins", "0.1.42"),
    ("kotkan/report", "2.0.0"),
    ("kotkan/web", "0.9.0"),
];

/// Applies the manifests, with the registry and the limits of this test in them.
fn apply(scene: &Scene) -> Result<()> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../packaging/images/images.yaml"
    );
    let text = fs::read_to_string(path).context(path)?;
    let host = scene.registry.host();
    let limits = "minimumAge: 0s\n      apart: 0s\n      minimumKept: 0\n      maximumShare: 100\n      pause: 0s";
    let pins = format!(
        "{host}/kotkan/cms-plugins:production\n    {host}/kotkan/web:1.0.0\n    {host}/kotkan/report:3.0.0"
    );
    let mut text = replaced(&text, "registry.example.com\n", &format!("{host}\n"))?;
    text = replaced(&text, "image: IMAGE", "image: example.org/underpin:1")?;
    text = replaced(&text, "apart: 23h", limits)?;
    text = replaced(&text, "# container/cms-plugins==production", &pins)?;
    let kubectl = &scene.kubectl;
    if !kubectl
        .run(["get", "--raw", "/apis/batch/v1"])?
        .contains("\"CronJob\"")
    {
        // Kubernetes 1.20 serves the same kind as a beta.
        let kind = "apiVersion: batch/v1beta1\nkind: CronJob";
        text = replaced(&text, "apiVersion: batch/v1\nkind: CronJob", kind)?;
    }
    kubectl.run(["delete", "namespace", NAMESPACE, "--ignore-not-found"])?;
    kubectl.run(["create", "namespace", NAMESPACE])?;
    let server = format!("--docker-server={host}");
    kubectl.run([
        "create",
        "secret",
        "docker-registry",
        "registry",
        "-n",
        NAMESPACE,
        &server,
        "--docker-username=images",
        "--docker-password=not-to-be-seen",
    ])?;
    // As it is told in the manifests.
    let applied = kubectl.with_input(["apply", "-f", "-"], &text)?;
    ensure!(applied.code == Some(0), "{}", applied.transcript());
    Ok(())
}

fn replaced(text: &str, from: &str, to: &str) -> Result<String> {
    ensure!(text.contains(from), "the manifests do not hold {from:?}");
    Ok(text.replace(from, to))
}

/// The tags that are there of those that may go.
fn there(scene: &Scene) -> Vec<String> {
    let host = scene.registry.host();
    let is_there = |(repository, tag): &&(&str, &str)| {
        push::tags(&host, repository).iter().any(|one| one == tag)
    };
    let there = NOT_NEEDED.iter().filter(is_there);
    there
        .map(|(repository, tag)| format!("{repository}:{tag}"))
        .collect()
}

/// R4.1 to R4.4: with the rights, arguments and volumes of the manifests two runs find what nothing needs, and
/// the second one deletes that and nothing else; what they went by lies beside the audit log.
#[test]
fn r4_3_the_manifests_plan_and_reap_every_day() -> Result<()> {
    let scene = Scene::new()?;
    apply(&scene)?;
    let pods = Pods::of(shared()?, NAMESPACE, NAME)?;
    let state = pods.claim(NAME);
    for (run, left) in [(1, NOT_NEEDED.len()), (2, 0)] {
        let said = pods.run()?;
        for (container, output) in &said {
            ensure!(
                output.code == Some(0),
                "run {run}: {container}\n{}",
                output.transcript()
            );
            let told = output.transcript();
            ensure!(!told.contains("not-to-be-seen"), "{told}");
        }
        ensure!(said.len() == 3, "{said:?}");
        assert_eq!(there(&scene).len(), left, "run {run}: {said:?}");
        // What it may not, it does not ask for; and it writes nothing.
        assert_eq!(pods.refused(), [].into(), "run {run}");
        assert_eq!(pods.methods(), ["GET".to_owned()].into(), "run {run}");
        let roots = fs::read_to_string(state.join("roots.txt"))?;
        ensure!(roots.contains("helmrelease"), "{roots}");
        ensure!(roots.contains("in-cluster"), "{roots}");
        let pins = fs::read_to_string(state.join("pins.txt"))?;
        assert_eq!(pins.lines().count(), 3, "{pins}");
    }
    for (repository, tag) in [
        ("cms-plugins", "staging"),
        ("cms-plugins", "production"),
        ("web", "1.0.0"),
    ] {
        let tags = push::tags(&scene.registry.host(), &format!("kotkan/{repository}"));
        assert!(
            tags.iter().any(|one| one == tag),
            "{repository}:{tag} {tags:?}"
        );
    }
    // Three indexes with two images each, and two images.
    assert_eq!(deleted(&state)?, 11);
    Ok(())
}

/// R4.3: a pod that is killed while it deletes leaves a batch that nobody has verified. The next one does that
/// first, whether its plan is stopped or not.
#[test]
fn r4_3_what_a_killed_pod_left_is_verified_although_the_plan_is_stopped() -> Result<()> {
    let scene = Scene::new()?;
    apply(&scene)?;
    let pods = Pods::of(shared()?, NAMESPACE, NAME)?;
    let state = pods.claim(NAME);
    for _ in 0..2 {
        let said = pods.run()?;
        ensure!(said.len() == 3, "{said:?}");
    }
    assert_eq!(deleted(&state)?, 11);
    // As if the second one had been killed right after its last deletion.
    let log = fs::read_to_string(state.join("audit.jsonl"))?;
    let end: Value = serde_json::from_str(log.lines().last().context("a line")?)?;
    let (run, batch) = (&end["run"], state.join("batch.json"));
    let open = json!({"run": run, "way": "digests", "entries": 0, "before": {}});
    fs::write(&batch, open.to_string())?;
    may_list_less(&scene)?;
    let said = pods.run()?;
    assert_eq!(ended(&said), [("finish", Some(0)), ("plan", Some(1))]);
    let (_, finish) = &said[0];
    let told = "was cut before it had verified its last 11 manifests";
    assert!(finish.stdout.contains(told), "{}", finish.transcript());
    assert!(!batch.exists());
    Ok(())
}

/// The containers that were started, and how they ended.
fn ended(said: &[(String, Output)]) -> Vec<(&str, Option<i32>)> {
    let said = said.iter();
    said.map(|(name, output)| (name.as_str(), output.code))
        .collect()
}

/// Fewer kinds may be listed than the manifests say.
fn may_list_less(scene: &Scene) -> Result<()> {
    let less =
        r#"[{"op": "replace", "path": "/rules/2/resources", "value": ["pods", "deployments"]}]"#;
    let patch = [
        "patch",
        "clusterrole",
        "underpin-images",
        "--type=json",
        "-p",
        less,
    ];
    scene.kubectl.run(patch)?;
    Ok(())
}

/// R4.3: one kind that may not be listed, and the run ends before anything is deleted; the Job has failed.
#[test]
fn r4_3_with_less_than_these_rights_nothing_is_deleted() -> Result<()> {
    let scene = Scene::new()?;
    apply(&scene)?;
    let pods = Pods::of(shared()?, NAMESPACE, NAME)?;
    let all = [("finish", Some(0)), ("plan", Some(0)), ("reap", Some(0))];
    assert_eq!(ended(&pods.run()?), all);
    may_list_less(&scene)?;
    let said = pods.run()?;
    assert_eq!(ended(&said), [("finish", Some(0)), ("plan", Some(1))]);
    let (_, output) = &said[1];
    assert!(
        output
            .stdout
            .contains("cannot list configmaps at cluster scope"),
        "{}",
        output.transcript()
    );
    assert_eq!(there(&scene).len(), NOT_NEEDED.len());
    Ok(())
}

/// How many deletions are in the audit log.
fn deleted(state: &Path) -> Result<usize> {
    let audit = fs::read_to_string(state.join("audit.jsonl"))?;
    let mut number = 0;
    for line in audit.lines() {
        let entry: Value = serde_json::from_str(line)?;
        number += usize::from(entry["act"] == "deleted");
    }
    Ok(number)
}
