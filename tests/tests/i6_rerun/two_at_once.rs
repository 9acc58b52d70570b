//! R6.5: two at once on one environment.

use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use underpin_tests::{
    Action, Kubectl, Proxy, RequestInfo, SHORT_LEASE, Stack, eventually, shared, with_filters,
};

use super::LIMIT;

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: app }\ndata: { a: b }\n";

/// Starts a run that has taken the lock and now stands still.
fn hold(proxy: &Proxy, project: &Stack, flags: &str) -> Result<underpin_tests::Running> {
    proxy.policy(|request| match request.mutation {
        Some(_) if request.path.ends_with("/configmaps/app") => {
            Action::Delay(Duration::from_secs(8))
        }
        _ => Action::Pass,
    });
    let running = project.spawn(&format!("up --yes {flags}"))?;
    eventually("the lock is held", LIMIT, || {
        let applies = |record: &underpin_tests::Record| {
            record.request.mutation.is_some() && record.request.path.ends_with("/configmaps/app")
        };
        Ok(proxy.records().iter().any(applies).then_some(()))
    })?;
    Ok(running)
}

/// R6.5: with no patience the second leaves with 5 and says who holds the lock; with patience it
/// waits, and then finds nothing to do.
#[test]
fn the_second_leaves_or_waits() -> Result<()> {
    let cluster = shared()?;
    let (proxy, other) = (Proxy::start(cluster)?, Proxy::start(cluster)?);
    let project = Stack::single("both", &proxy.kubeconfig(), MAP)?;
    let holder = hold(&proxy, &project, "")?;
    let second = project.through(&other.kubeconfig())?;
    let busy = second.run(["up", "--yes", "--lock-wait", "0"])?;
    assert_eq!(busy.code, Some(5), "{}", busy.transcript());
    let process = format!("process {}", holder.id()?);
    assert!(busy.stderr.contains(&process), "{}", busy.transcript());
    with_filters(&[(&process, "process [id]")], || {
        insta::assert_snapshot!("busy", busy.transcript());
    });
    let status = second.run(["status"])?;
    assert!(status.stdout.contains(&process), "{}", status.transcript());
    let waited = second.run(["up", "--yes"])?;
    assert_eq!(waited.code, Some(0), "{}", waited.transcript());
    assert!(
        waited.stdout.contains("up to date"),
        "{}",
        waited.transcript()
    );
    assert_eq!(other.mutations(), [], "there was nothing left to do");
    let first = holder.wait()?;
    assert_eq!(first.code, Some(0), "{}", first.transcript());
    Ok(())
}

/// R6.5, R6.7: the lock of a dead run is waited out, its holder named, and taken over; by `down`
/// too.
#[test]
fn a_dead_holder_is_taken_over() -> Result<()> {
    let cluster = shared()?;
    let (proxy, kubectl) = (Proxy::start(cluster)?, Kubectl::new(cluster));
    let project = Stack::single("dead", &proxy.kubeconfig(), MAP)?;
    for command in ["up", "down"] {
        project.declare(&MAP.replace("a: b", &format!("a: {command}")))?;
        proxy.policy(|request| match request.mutation {
            Some(_) if applies(request) => Action::KillBefore,
            _ => Action::Pass,
        });
        let holder = project.spawn(&format!("up --yes --lease {SHORT_LEASE}"))?;
        let process = format!("process {}", holder.id()?);
        proxy.victim(holder.id()?);
        assert_eq!(holder.wait()?.code, None);
        proxy.policy(|_| Action::Pass);
        let next = project.expect(0, &format!("{command} --yes"))?;
        assert!(next.stderr.contains(&process), "{}", next.transcript());
    }
    assert_eq!(kubectl.find(&["namespace", "dead"])?, None);
    Ok(())
}

/// Whether it creates or changes the one object.
fn applies(request: &RequestInfo) -> bool {
    request.path.ends_with("/configmaps/app")
}

/// R6.5: started together again and again, both end well and the environment is as declared.
#[test]
fn started_together_both_end_well() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let project = Stack::single("together", &cluster.kubeconfig(), MAP)?;
    for round in 0..6 {
        let value = format!("v{round}");
        project.declare(&MAP.replace("a: b", &format!("a: {value}")))?;
        let outputs = thread::scope(|scope| {
            let runs: Vec<_> = (0..3)
                .map(|_| scope.spawn(|| project.run("up --yes")))
                .collect();
            runs.into_iter()
                .map(|run| run.join().map_err(|_| anyhow!("panic"))?)
                .collect::<Result<Vec<_>>>()
        })?;
        for output in &outputs {
            assert_eq!(output.code, Some(0), "{}", output.transcript());
        }
        let live = kubectl.get(&["-n", "together", "configmap", "app"])?;
        assert_eq!(live["data"]["a"], value.as_str());
    }
    Ok(())
}
