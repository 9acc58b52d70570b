//! `plan --out FILE` and `up FILE`.

use std::fs;

use anyhow::Result;
use underpin_tests::{Action, Kubectl, Proxy, Stack, shared, with_filters};

use super::{PASSWORD, holds_no_secret, says_no_secret};

fn manifest(level: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: app }}\ndata: {{ level: {level} }}\n\
         ---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: db }}\n\
         stringData: {{ password: {PASSWORD} }}\n"
    )
}

fn frozen(project: &Stack) -> Result<String> {
    Ok(fs::read_to_string(project.path().join("plan.json"))?)
}

/// The first plan of all and a later one: done as they are, and a second time nothing is left to do.
#[test]
fn a_frozen_plan_is_carried_out_without_asking() -> Result<()> {
    let kubectl = Kubectl::new(shared()?);
    let name = "frozen";
    let project = Stack::single(name, &shared()?.kubeconfig(), &manifest("info"))?;
    for level in ["info", "debug"] {
        project.declare(&manifest(level))?;
        let plan = project.expect(0, "plan --out plan.json")?;
        says_no_secret(&plan);
        assert!(
            plan.stderr.contains("frozen into plan.json"),
            "{}",
            plan.transcript()
        );
        holds_no_secret("the file", &frozen(&project)?);
        let up = project.expect(0, "up plan.json")?;
        says_no_secret(&up);
        let app = kubectl.get(&["configmap", "app", "-n", name])?;
        assert_eq!(app["data"]["level"], level);
    }
    let again = project.expect(0, "up plan.json")?;
    assert!(
        again.stdout.contains("up to date"),
        "{}",
        again.transcript()
    );
    Ok(())
}

/// What moved is named, and nothing is done; what does not matter does not refuse.
#[test]
fn a_frozen_plan_is_refused_when_the_world_moved() -> Result<()> {
    let kubectl = Kubectl::new(shared()?);
    let name = "moved";
    let project = Stack::single(name, &shared()?.kubeconfig(), &manifest("info"))?;
    project.expect(0, "up --yes")?;
    project.declare(&manifest("debug"))?;
    project.expect(0, "plan --out plan.json")?;

    let patch = [
        "patch",
        "configmap",
        "app",
        "-n",
        name,
        "--type=merge",
        "-p",
    ];
    let patch = |value: &str| {
        let value = format!(r#"{{"data": {{"level": "{value}"}}}}"#);
        kubectl.run(patch.iter().copied().chain([value.as_str()]))
    };
    // What nobody declares, and something else that came, does not matter.
    kubectl.run(["label", "configmap", "app", "-n", name, "team=blue"])?;
    kubectl.run(["create", "configmap", "frozen-other", "-n", "default"])?;
    project.expect(0, "up plan.json")?;
    kubectl.run(["delete", "configmap", "frozen-other", "-n", "default"])?;

    project.declare(&manifest("trace"))?;
    project.expect(0, "plan --out plan.json")?;
    patch("elsewhere")?;
    let moved = project.expect(1, "up plan.json")?;
    with_filters(&[], || insta::assert_snapshot!("moved", moved.stderr));
    let json = project.expect(1, "up plan.json -o json")?;
    let json: serde_json::Value = serde_json::from_str(&json.stdout)?;
    assert_eq!(
        json["error"]["moved"][0]["object"],
        format!("configmap/{name}/app")
    );
    let app = kubectl.get(&["configmap", "app", "-n", name])?;
    assert_eq!(app["data"]["level"], "elsewhere");

    // As it was, but now it is somebody's whom the plan did not know of.
    patch("debug")?;
    project.expect(1, "up plan.json")?;

    // The files moved.
    project.declare(&manifest("warn"))?;
    let moved = project.expect(1, "up plan.json")?;
    assert!(
        moved
            .stderr
            .contains("what the stack declares of it changed since"),
        "{}",
        moved.transcript()
    );
    Ok(())
}

/// A blocked plan is not frozen; what a frozen plan accepts is accepted and recorded.
#[test]
fn what_is_accepted_is_frozen_along() -> Result<()> {
    let map = |n| format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: map-{n} }}\n");
    let maps: String = (0..12).map(map).collect();
    let name = "accepted";
    let whole = format!("{}{maps}", manifest("info"));
    let project = Stack::single(name, &shared()?.kubeconfig(), &whole)?;
    project.expect(0, "up --yes")?;
    project.declare("apiVersion: v1\nkind: ConfigMap\nmetadata: { name: app }\n")?;
    let blocked = project.expect(3, "plan --out plan.json")?;
    assert!(
        blocked.stderr.contains("was not written"),
        "{}",
        blocked.transcript()
    );
    assert!(frozen(&project).is_err());
    let accept = "UP110:accepted/test";
    let accepting = ["--accept", accept, "--reason", "they moved"];
    project.expect_with(0, "plan --out plan.json", &accepting)?;
    project.expect(0, "up plan.json")?;
    let history = project.expect(0, "history --limit 1")?;
    assert!(
        history.stdout.contains("they moved"),
        "{}",
        history.transcript()
    );
    Ok(())
}

/// A run of a frozen plan that was cut is run again, by the same command.
#[test]
fn a_cut_run_of_a_frozen_plan_continues() -> Result<()> {
    let cluster = shared()?;
    let proxy = Proxy::start(cluster)?;
    let project = Stack::single("cut", &proxy.kubeconfig(), &manifest("info"))?;
    project.expect(0, "plan --out plan.json")?;
    proxy.policy(|request| {
        let last = request.mutation.is_some() && request.path.contains("/secrets/db");
        if last {
            Action::CutBefore
        } else {
            Action::Pass
        }
    });
    project.run("up plan.json --lease 4 --deadline 20")?;
    proxy.policy(|_| Action::Pass);
    project.expect(0, "up plan.json --lock-wait 30")?;
    let again = project.expect(0, "plan --detailed-exitcode")?;
    assert!(
        again.stdout.contains("nothing to change"),
        "{}",
        again.transcript()
    );
    Ok(())
}
