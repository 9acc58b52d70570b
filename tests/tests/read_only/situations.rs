//! Nothing but reads, server-side dry runs and questions about rights, in every situation.

use anyhow::Result;
use underpin_tests::{Action, Kubectl, Proxy, SHORT_LEASE, Stack, shared};

/// A stack with a kind for each sort of answer: definition and instance, Secret, workload.
const STACK: &str = include_str!("stack.yaml");

/// Every way to look, and to be turned away.
const LOOKS: [&str; 9] = [
    "plan",
    "plan --detailed-exitcode --output json",
    "status",
    "status --kept",
    "check .",
    "why namespace/looks --if-removed --consumers",
    "reach --exposure",
    "reach --show-needs",
    "up",
];

struct Scene {
    proxy: Proxy,
    project: Stack,
    kubectl: Kubectl,
}

impl Scene {
    fn new(name: &str) -> Result<Self> {
        let cluster = shared()?;
        let proxy = Proxy::start(cluster)?;
        let project = Stack::single(name, &proxy.kubeconfig(), &STACK.replace("SUFFIX", name))?;
        Ok(Self {
            proxy,
            project,
            kubectl: Kubectl::new(cluster),
        })
    }

    /// Looks in all ways and asserts that nothing was sent that could change anything, and that
    /// something was sent at all.
    #[track_caller]
    fn check_looks(&self, situation: &str) -> Result<()> {
        for look in LOOKS {
            self.proxy.clear();
            let output = self.project.run(look)?;
            let told = || format!("{situation}: {look}\n{}", output.transcript());
            assert_eq!(self.proxy.mutations(), [], "{}", told());
            for record in self.proxy.records() {
                let request = record.request;
                let dry = request.query.split('&').any(|pair| pair == "dryRun=All");
                let asks = request.method == "POST" && request.path.ends_with("reviews");
                assert!(
                    request.method == "GET" || dry || asks,
                    "{request:?}\n{}",
                    told()
                );
            }
            let silent = look.starts_with("check");
            assert_eq!(self.proxy.records().is_empty(), silent, "{}", told());
            // Without --yes and without a terminal an `up` that has something to do changes
            // nothing and fails.
            if look == "up" && situation != "settled" {
                assert!(matches!(output.code, Some(1 | 3 | 5)), "{}", told());
            }
        }
        Ok(())
    }
}

/// R9 of the design, R6.7: before the first run, after it, with changes pending, half-done, held.
#[test]
fn looking_changes_nothing_in_any_situation() -> Result<()> {
    let scene = Scene::new("looks")?;
    scene.check_looks("nothing there")?;
    let dry_runs = |scene: &Scene| {
        let records = scene.proxy.records();
        records
            .iter()
            .filter(|record| record.request.query.contains("dryRun=All"))
            .count()
    };

    // Killed in the middle: lock held by the dead, intents recorded.
    scene.proxy.clear();
    scene.proxy.policy(|request| match request.mutation {
        Some(_) if request.path.ends_with("/deployments/web") => Action::KillAfter,
        _ => Action::Pass,
    });
    let running = scene
        .project
        .spawn(&format!("up --yes --wait=false --lease {SHORT_LEASE}"))?;
    scene.proxy.victim(running.id()?);
    assert_eq!(running.wait()?.code, None);
    scene.proxy.policy(|_| Action::Pass);
    // `up` would take over the lock of the dead; it is not given consent and does not come to it.
    scene.check_looks("half done, lock held by the dead")?;

    scene.project.expect(0, "up --yes --wait=false")?;
    scene.check_looks("settled")?;
    scene.project.run("plan")?;

    let changed = STACK
        .replace("SUFFIX", "looks")
        .replace("greeting: hello", "greeting: changed");
    scene.project.declare(&changed)?;
    scene.check_looks("changes pending")?;
    scene.proxy.clear();
    scene.project.expect(6, "plan --detailed-exitcode")?;
    assert!(dry_runs(&scene) > 0, "the plan asks the server");

    // A field conflict blocks; a foreign object too.
    let patch = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: app, namespace: looks }\ndata: { greeting: theirs }\n";
    scene
        .kubectl
        .run(["-n", "looks", "delete", "configmap", "app"])?;
    scene.kubectl.apply("somebody", patch)?;
    scene.check_looks("blocked by another's value")?;
    scene.project.expect(3, "up --yes")?;

    // Right of dry run refused: it degrades, and says so.
    scene.proxy.policy(|request| {
        if request.query.contains("dryRun=All") {
            Action::FORBIDDEN
        } else {
            Action::Pass
        }
    });
    scene.check_looks("no right to dry-run")?;
    let plan = scene.project.run("plan")?;
    assert!(
        plan.stdout.contains("not server-validated"),
        "{}",
        plan.transcript()
    );
    scene.proxy.policy(|_| Action::Pass);

    scene
        .kubectl
        .run(["delete", "namespace", "looks", "--wait=false"])?;
    scene.check_looks("namespace terminating or gone")?;
    Ok(())
}

/// `down` without consent looks only, and a `down` of nothing has nothing to look at.
#[test]
fn an_unconfirmed_teardown_changes_nothing() -> Result<()> {
    let scene = Scene::new("unconfirmed")?;
    scene.project.expect(0, "up --yes --wait=false")?;
    let before = scene.kubectl.uid(&["namespace", "unconfirmed"])?;
    scene.proxy.clear();
    let output = scene.project.expect(1, "down")?;
    assert!(output.stderr.contains("--yes"), "{}", output.transcript());
    assert_eq!(scene.proxy.mutations(), []);
    assert_eq!(scene.kubectl.uid(&["namespace", "unconfirmed"])?, before);
    Ok(())
}
