//! R6.4: what fails does not hide or stop what does not need it.

use anyhow::Result;
use underpin_tests::{Action, Kubectl, Proxy, Stack, shared, with_filters};

use super::fixtures::{application, ingress, sorted_progress};

/// R6.4: the ingress is refused while it is applied; the application is deployed all the same, and
/// what needs the refused part is left out and named.
#[test]
fn a_failed_ingress_leaves_the_application_deployed() -> Result<()> {
    let cluster = shared()?;
    let (proxy, kubectl) = (Proxy::start(cluster)?, Kubectl::new(cluster));
    let suffix = "partial";
    let manifest = format!("{}---\n{}", ingress(suffix, 1), application(suffix));
    let project = Stack::single(suffix, &proxy.kubeconfig(), &manifest)?;
    // As an admission policy would: the account that the ingress runs as is refused.
    proxy.policy(|request| match request.mutation {
        Some(_) if request.path.contains("/serviceaccounts/caddy-") => Action::FORBIDDEN,
        _ => Action::Pass,
    });
    let output = project.expect(1, "up --yes --wait=false")?;
    with_filters(&[], || {
        insta::assert_snapshot!("partial", sorted_progress(&output.transcript()));
    });
    kubectl.get(&["-n", suffix, "deployment", "web"])?;
    kubectl.get(&["-n", suffix, "service", "web"])?;
    let home = format!("caddy-system-{suffix}");
    let deployment = format!("caddy-{suffix}");
    assert_eq!(
        kubectl.find(&["-n", &home, "deployment", &deployment])?,
        None
    );
    assert!(
        output.stderr.contains(&format!("skipped deployment.apps/{home}/{deployment}: it needs serviceaccount/{home}/{deployment}, which failed")),
        "{}",
        output.transcript()
    );

    // The cause gone, the next run does only the rest.
    proxy.policy(|_| Action::Pass);
    let again = project.expect(0, "up --yes --wait=false")?;
    assert!(
        !again.stderr.contains("deployment.apps/partial/web"),
        "{}",
        again.transcript()
    );
    kubectl.get(&["-n", &home, "deployment", &deployment])?;
    Ok(())
}
