//! R6.7: each half-done state is recognised, explained, and left behind by the next run.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use underpin_tests::{
    Action, Kubectl, Output, Proxy, RequestInfo, SHORT_LEASE, Stack, eventually, shared,
    with_filters,
};

use super::{
    LIMIT,
    fixtures::{application, ingress},
};

struct Scene {
    proxy: Proxy,
    project: Stack,
    kubectl: Kubectl,
}

impl Scene {
    fn new(name: &str, manifest: &str) -> Result<Self> {
        let cluster = shared()?;
        let proxy = Proxy::start(cluster)?;
        let project = Stack::single(name, &proxy.kubeconfig(), manifest)?;
        Ok(Self {
            proxy,
            project,
            kubectl: Kubectl::new(cluster),
        })
    }

    /// An `up` that is killed right before or after (`kill`) the first write that `at` describes.
    fn killed(
        &self,
        kill: Action,
        at: impl Fn(&RequestInfo) -> bool + Send + Sync + 'static,
    ) -> Result<()> {
        self.proxy.policy(move |request| {
            if request.mutation.is_some() && at(request) {
                kill.clone()
            } else {
                Action::Pass
            }
        });
        let running = self
            .project
            .spawn(&format!("up --yes --wait=false --lease {SHORT_LEASE}"))?;
        self.proxy.victim(running.id()?);
        let output = running.wait()?;
        ensure!(
            output.code.is_none(),
            "it was not killed\n{}",
            output.transcript()
        );
        self.proxy.policy(|_| Action::Pass);
        Ok(())
    }

    /// The plan explains the state in the words of the snapshot; the next `up` ends it.
    /// What the plan says is returned too.
    fn check(&self, snapshot: Option<&str>) -> Result<Output> {
        let plan = self.project.expect(0, "plan")?;
        ensure!(
            plan.stdout.contains("UP602"),
            "not recognised\n{}",
            plan.transcript()
        );
        if let Some(name) = snapshot {
            with_filters(&[], || insta::assert_snapshot!(name, findings(&plan)));
        }
        self.project.expect(0, "up --yes --wait=false")?;
        self.settled()?;
        Ok(plan)
    }

    fn settled(&self) -> Result<()> {
        let plan = self.project.expect(0, "plan --detailed-exitcode")?;
        ensure!(
            !plan.stdout.contains("UP602"),
            "still half-done\n{}",
            plan.transcript()
        );
        Ok(())
    }
}

/// What a plan says besides its steps.
fn findings(plan: &Output) -> String {
    let lines = plan.stdout.lines();
    lines
        .skip_while(|line| !line.starts_with("note") && !line.contains("UP602"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_claim(request: &RequestInfo) -> bool {
    request
        .path
        .contains("/namespaces/underpin-system/configmaps")
}

/// R6.7: namespace there and empty.
#[test]
fn the_namespace_is_there_and_empty() -> Result<()> {
    let scene = Scene::new("empty-home", &application("empty-home"))?;
    scene.kubectl.run(["create", "namespace", "empty-home"])?;
    scene.check(Some("namespace_there_and_empty"))?;
    Ok(())
}

/// R6.7: infrastructure there, application never applied.
#[test]
fn the_infrastructure_is_there_and_the_application_is_not() -> Result<()> {
    let name = "half";
    let scene = Scene::new(
        name,
        &format!("{}---\n{}", ingress(name, 1), application(name)),
    )?;
    // Nothing of the application gets through, and then the run dies.
    scene.killed(Action::KillBefore, |request| {
        request.path.contains("/namespaces/half/")
    })?;
    assert_eq!(
        scene.kubectl.find(&["-n", name, "deployment", "web"])?,
        None
    );
    // Which parts of the infrastructure were there by then differs from run to run.
    let plan = scene.check(None)?;
    assert!(
        plan.stdout.contains("deployment.apps/half/web"),
        "{}",
        plan.transcript()
    );
    scene.kubectl.get(&["-n", name, "deployment", "web"])?;
    Ok(())
}

/// R6.7: claim written, objects missing.
#[test]
fn the_claim_is_written_and_the_objects_are_missing() -> Result<()> {
    let name = "claim-only";
    let scene = Scene::new(name, &application(name))?;
    scene.killed(Action::KillBefore, |request| {
        !is_claim(request) && request.path.ends_with("/namespaces/claim-only")
    })?;
    assert_eq!(scene.kubectl.find(&["namespace", name])?, None);
    scene.check(Some("objects_missing"))?;
    Ok(())
}

/// R6.7: objects there, claim final not written: told by stamp and intent, and made once only.
#[test]
fn the_objects_are_there_and_the_final_claim_is_not() -> Result<()> {
    let name = "not-final";
    let scene = Scene::new(name, &application(name))?;
    // Before the first of the last wave: what goes together in one may be there or not.
    scene.killed(Action::KillBefore, |request| {
        request.path.ends_with("/deployments/web")
    })?;
    let uid = scene.kubectl.uid(&["-n", name, "configmap", "web"])?;
    scene.check(Some("claim_not_final"))?;
    assert_eq!(
        scene.kubectl.uid(&["-n", name, "configmap", "web"])?,
        uid,
        "it was made twice"
    );
    Ok(())
}

/// R6.7: lock held by the dead: `status` and `plan` do not mind it, `up` says who and waits.
#[test]
fn the_lock_is_held_by_the_dead() -> Result<()> {
    let name = "dead-lock";
    let scene = Scene::new(name, &application(name))?;
    scene.killed(Action::KillBefore, |request| {
        request.path.ends_with("/deployments/web")
    })?;
    let status = scene.project.expect(0, "status")?;
    assert!(
        status.stdout.contains("locked by")
            && status
                .stdout
                .contains("if that run is dead, `underpin up -e test` waits 8 s")
            && status.stdout.contains("not recorded as made: configmap/"),
        "{}",
        status.transcript()
    );
    // Not a moment's patience: left with 5, and told how to take over.
    let busy = scene.project.run("up --yes --lock-wait 0")?;
    assert_eq!(busy.code, Some(5), "{}", busy.transcript());
    assert!(busy.stderr.contains("--lock-wait"), "{}", busy.transcript());
    scene.check(Some("lock_held_by_the_dead"))?;
    let status = scene.project.expect(0, "status")?;
    assert!(
        !status.stdout.contains("locked by"),
        "{}",
        status.transcript()
    );
    Ok(())
}

/// R6.7: a Namespace that is being deleted and held by a finalizer: what holds it is named; once it
/// is released the run goes on.
#[test]
fn the_namespace_is_terminating() -> Result<()> {
    let name = "terminating";
    let scene = Scene::new(name, &application(name))?;
    let held = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: held, namespace: {name}, finalizers: [example.org/holds] }}\n"
    );
    scene.kubectl.run(["create", "namespace", name])?;
    scene.kubectl.apply("somebody", &held)?;
    scene
        .kubectl
        .run(["delete", "namespace", name, "--wait=false"])?;
    eventually("the server says what holds it", LIMIT, || {
        let live = scene.kubectl.get(&["namespace", name])?;
        let conditions = live["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let said = |condition: &Value| {
            condition["type"] == "NamespaceFinalizersRemaining" && condition["status"] == "True"
        };
        Ok(conditions.iter().any(said).then_some(()))
    })?;
    let plan = scene.project.expect(1, "plan")?;
    assert!(plan.stdout.contains("UP602"), "{}", plan.transcript());
    assert!(
        plan.stdout.contains("example.org/holds"),
        "{}",
        plan.transcript()
    );
    with_filters(&[], || {
        insta::assert_snapshot!("namespace_terminating", findings(&plan));
    });
    let refused = scene.project.expect(1, "up --yes --wait=false")?;
    assert!(
        refused.stdout.contains("nothing was changed"),
        "{}",
        refused.transcript()
    );

    let waiting = scene.project.spawn("up --yes")?;
    scene.proxy.clear();
    eventually("it looks again", LIMIT, || {
        Ok((scene.proxy.records().len() > 5).then_some(()))
    })?;
    let release = json!({"metadata": {"finalizers": null}}).to_string();
    scene.kubectl.run([
        "-n",
        name,
        "patch",
        "configmap",
        "held",
        "--type=merge",
        "-p",
        &release,
    ])?;
    let up = waiting.wait()?;
    assert_eq!(up.code, Some(0), "{}", up.transcript());
    scene
        .kubectl
        .get(&["-n", name, "deployment", "web"])
        .context("deployed")?;
    scene.settled()
}
