//! Asked before the teardown, the cluster says who would have been hit.

use anyhow::Result;
use underpin_tests::{Action, Kubectl, Proxy, Stack, shared, with_filters};

use crate::wallet::{deploy_like_before, project};

/// The value of the Secrets in the manifests, and as it is written there.
const VALUES: [&str; 2] = ["surprise", "c3VycHJpc2U="];

/// Another team's deployment that calls one of the tenants, with a route before it.
const CALLER: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: { name: shop }
spec:
  selector: { matchLabels: { app: shop } }
  template:
    metadata: { labels: { app: shop } }
    spec:
      containers:
        - name: main
          image: registry.example.org/shop:1
          env: [{ name: WALLET, value: "http://wallet-payhey.wallet-asked.svc.cluster.local" }]
---
apiVersion: v1
kind: Service
metadata: { name: shop }
spec: { selector: { app: shop }, ports: [{ port: 80 }] }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: shop }
spec:
  rules:
    - host: shop.example.org
      http:
        paths: [{ path: /, pathType: Prefix, backend: { service: { name: shop, port: { number: 80 } } } }]
"#;

fn scene() -> Result<(Kubectl, Stack)> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let stack = "wallet-asked";
    deploy_like_before(&kubectl, stack)?;
    kubectl.run(["create", "namespace", "wallet-asked-shop"])?;
    kubectl.create_in("wallet-asked-shop", CALLER)?;
    let project = project(cluster, stack)?;
    for environment in ["caddy-test", "payhey"] {
        let line = format!("import --yes -e {environment} --namespace {stack}");
        project.expect(0, &line)?;
    }
    Ok((kubectl, project))
}

/// R5.1, R2.2: the namespace of two recorded tenants, and of four that nobody recorded, with whoever
/// calls into it; what breaks at once and what at the next start; the same of a dump.
#[test]
fn who_needs_a_namespace_that_is_shared() -> Result<()> {
    let (kubectl, project) = scene()?;
    let namespace = project.expect(0, "why namespace/wallet-asked")?;
    let removed = project.expect(0, "why ns/wallet-asked --if-removed --consumers")?;
    let secret = project.expect(
        0,
        "why secret/wallet-payhey-database -n wallet-asked --if-removed",
    )?;
    with_filters(&[], || {
        insta::assert_snapshot!("why_namespace", namespace.transcript());
        insta::assert_snapshot!("why_namespace_removed", removed.transcript());
        insta::assert_snapshot!("why_secret_removed", secret.transcript());
    });

    let kinds =
        "namespaces,deployments.apps,services,secrets,configmaps,ingresses.networking.k8s.io";
    let dump = kubectl.run(["get", kinds, "--all-namespaces", "-o", "yaml"])?;
    project.write("dump.yaml", &dump)?;
    let asked = "why svc/wallet-asked/wallet-payhey --consumers";
    let live = project.expect(0, asked)?;
    let dumped = project.expect(0, &format!("{asked} --against dump.yaml"))?;
    for output in [&live, &dumped] {
        for line in ["wallet-asked-shop/shop", "serves shop.example.org"] {
            assert!(output.stdout.contains(line), "{}", output.transcript());
        }
    }
    for output in [namespace, removed, secret, live, dumped] {
        for value in VALUES {
            assert!(!output.transcript().contains(value), "a secret was shown");
        }
    }

    // Unknown is not absent.
    let proxy = Proxy::start(shared()?)?;
    proxy.policy(|request| {
        if request.path.ends_with("/deployments") {
            Action::FORBIDDEN
        } else {
            Action::Pass
        }
    });
    let through = project.through(&proxy.kubeconfig())?;
    let blind = through.run(["why", "secret/wallet-asked/wallet-payhey-pull"])?;
    assert_eq!(blind.code, Some(0), "{}", blind.transcript());
    for said in ["incomplete", "deployment"] {
        assert!(blind.stdout.contains(said), "{}", blind.transcript());
    }
    Ok(())
}
