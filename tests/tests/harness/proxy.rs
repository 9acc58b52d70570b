use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use underpin_tests::{Action, ControlPlane, Kubectl, Proxy, eventually, shared};

use super::LIMIT;

fn through(cluster: &ControlPlane, proxy: &Proxy) -> Kubectl {
    Kubectl::new(cluster).with_kubeconfig(&proxy.kubeconfig())
}

#[test]
fn every_request_is_recorded_and_only_changes_are_counted() -> Result<()> {
    let cluster = shared()?;
    let proxy = Proxy::start(cluster)?;
    let kubectl = through(cluster, &proxy);
    kubectl.run(["get", "namespaces"])?;
    kubectl.run(["create", "namespace", "proxy-dry", "--dry-run=server"])?;
    kubectl.run(["auth", "can-i", "create", "namespaces"])?;
    assert!(
        proxy
            .records()
            .iter()
            .any(|record| record.request.method == "POST")
    );
    assert_eq!(proxy.mutations(), []);
    kubectl.run(["create", "namespace", "proxy-counted"])?;
    kubectl.run(["delete", "namespace", "proxy-counted", "--wait=false"])?;
    let seen: Vec<_> = proxy
        .mutations()
        .into_iter()
        .map(|record| {
            (
                record.request.mutation,
                record.request.method,
                record.delivered,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (Some(1), "POST".to_owned(), Some(201)),
            (Some(2), "DELETE".to_owned(), Some(200)),
        ]
    );
    Ok(())
}

#[track_caller]
fn check_refusal(name: &str, action: Action, status: u16) -> Result<()> {
    let cluster = shared()?;
    let proxy = Proxy::start(cluster)?;
    proxy.policy(move |request| match request.mutation {
        Some(_) => action.clone(),
        None => Action::Pass,
    });
    let output = through(cluster, &proxy).try_run(["create", "namespace", name])?;
    assert_ne!(output.code, Some(0), "{}", output.transcript());
    let mutations = proxy.mutations();
    let last = mutations.last().context("a mutating request")?;
    assert_eq!((last.upstream, last.delivered), (None, Some(status)));
    assert_eq!(Kubectl::new(cluster).find(&["namespace", name])?, None);
    Ok(())
}

#[test]
fn refusals_reach_the_client_and_have_no_effect() -> Result<()> {
    check_refusal("refused-403", Action::FORBIDDEN, 403)?;
    check_refusal("refused-409", Action::CONFLICT, 409)?;
    check_refusal("refused-500", Action::INTERNAL_ERROR, 500)?;
    check_refusal("refused-504", Action::TIMEOUT, 504)
}

#[test]
fn a_throttled_client_that_tries_again_succeeds() -> Result<()> {
    let cluster = shared()?;
    let proxy = Proxy::start(cluster)?;
    proxy.at_mutation(1, Action::TOO_MANY_REQUESTS);
    through(cluster, &proxy).run(["create", "namespace", "throttled"])?;
    let statuses: Vec<_> = proxy
        .mutations()
        .into_iter()
        .map(|record| record.delivered)
        .collect();
    assert_eq!(statuses, [Some(429), Some(201)]);
    Ok(())
}

#[track_caller]
fn check_cut(name: &str, action: Action, effect: bool) -> Result<()> {
    let cluster = shared()?;
    let proxy = Proxy::start(cluster)?;
    proxy.at_mutation(1, action);
    let output = through(cluster, &proxy).try_run(["create", "namespace", name])?;
    assert_ne!(output.code, Some(0), "{}", output.transcript());
    assert_eq!(proxy.mutations()[0].delivered, None);
    assert_eq!(
        Kubectl::new(cluster).find(&["namespace", name])?.is_some(),
        effect
    );
    Ok(())
}

#[test]
fn a_cut_connection_hides_whether_there_was_an_effect() -> Result<()> {
    check_cut("cut-before", Action::CutBefore, false)?;
    check_cut("cut-after", Action::CutAfter, true)
}

#[track_caller]
fn check_kill(first: &str, second: &str, action: Action, effect: bool) -> Result<()> {
    let cluster = shared()?;
    let proxy = Proxy::start(cluster)?;
    proxy.at_mutation(2, action);
    // One process that makes two changes, one after the other.
    let list =
        |name: &str| format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {name} }}\n");
    let file = proxy.path().join("two.yaml");
    std::fs::write(&file, format!("{}---\n{}", list(first), list(second)))?;
    let mut child = Command::new(cluster.kubectl())
        .arg("--kubeconfig")
        .arg(proxy.kubeconfig())
        .args(["create", "--validate=false", "-f"])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    proxy.victim(child.id());
    assert_eq!(child.wait()?.signal(), Some(9));
    assert!(proxy.has_killed());
    let admin = Kubectl::new(cluster);
    assert!(admin.find(&["namespace", first])?.is_some());
    assert_eq!(admin.find(&["namespace", second])?.is_some(), effect);
    // A dead proxy changes nothing until a policy revives it.
    let late = through(cluster, &proxy);
    assert_ne!(
        late.try_run(["create", "namespace", "after-the-kill"])?
            .code,
        Some(0)
    );
    proxy.policy(|_| Action::Pass);
    late.run(["create", "namespace", &format!("{first}-revived")])?;
    Ok(())
}

#[test]
fn the_victim_dies_at_the_named_change() -> Result<()> {
    check_kill("kill-a1", "kill-a2", Action::KillAfter, true)?;
    check_kill("kill-b1", "kill-b2", Action::KillBefore, false)
}

#[test]
fn watches_stream_through() -> Result<()> {
    let cluster = shared()?;
    let proxy = Proxy::start(cluster)?;
    let output = proxy.path().join("watch");
    let mut child = Command::new(cluster.kubectl())
        .arg("--kubeconfig")
        .arg(proxy.kubeconfig())
        .args(["get", "namespaces", "--watch", "-o", "name"])
        .stdout(std::fs::File::create(&output)?)
        .stderr(Stdio::null())
        .spawn()?;
    let saw = |name: &'static str| {
        eventually(name, LIMIT, || {
            Ok(std::fs::read_to_string(&output)?
                .contains(name)
                .then_some(()))
        })
    };
    let seen = saw("namespace/default")
        .and_then(|()| Kubectl::new(cluster).run(["create", "namespace", "watched"]))
        .and_then(|_| saw("namespace/watched"));
    child.kill()?;
    child.wait()?;
    seen
}
