//! Records that cannot be written.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use underpin_tests::{Action, Proxy, Stack, shared};

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: only }\ndata: { a: b }\n";

/// R6.2: what a run applied and was not let record at once is recorded when it ends.
#[test]
fn what_could_not_be_recorded_at_once_is_recorded_at_the_end() -> Result<()> {
    let proxy = Proxy::start(shared()?)?;
    let project = Stack::single("unrecorded", &proxy.kubeconfig(), MAP)?;
    let (applied, refused) = (AtomicBool::new(false), AtomicBool::new(false));
    proxy.policy(move |request| {
        if request.mutation.is_none() {
            return Action::Pass;
        }
        if request.path.ends_with("/configmaps/only") {
            applied.store(true, Ordering::Relaxed);
            return Action::Pass;
        }
        let is_claim = request.path.ends_with("/configmaps/unrecorded.test");
        if is_claim && applied.load(Ordering::Relaxed) && !refused.swap(true, Ordering::Relaxed) {
            return Action::FORBIDDEN;
        }
        Action::Pass
    });
    let up = project.run("up --yes")?;
    assert_eq!(up.code, Some(1), "{}", up.transcript());
    let plan = project.expect(0, "plan --detailed-exitcode")?;
    assert!(!plan.stdout.contains("UP602"), "{}", plan.transcript());
    Ok(())
}
