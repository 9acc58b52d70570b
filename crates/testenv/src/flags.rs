//! Command lines of the components. All listeners are on 127.0.0.1.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::pki::Pki;

/// Ports of one instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) etcd_client: u16,
    pub(crate) etcd_peer: u16,
    pub(crate) apiserver: u16,
    pub(crate) controller_manager: u16,
    pub(crate) scheduler: u16,
}

/// First minor version of Kubernetes whose controllers know no insecure port (and no flag to
/// switch it off).
const NO_INSECURE_PORT_SINCE: u32 = 24;

/// The minor version that `kube-apiserver --version` prints (`Kubernetes v1.20.2` → 20).
pub(crate) fn minor_version(apiserver: &Path) -> Result<u32> {
    let output = Command::new(apiserver)
        .arg("--version")
        .output()
        .with_context(|| format!("run {}", apiserver.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse_minor(&text).with_context(|| format!("{}: version {text:?}", apiserver.display()))
}

fn parse_minor(text: &str) -> Option<u32> {
    text.trim()
        .strip_prefix("Kubernetes v1.")?
        .split(['.', '-', '+'])
        .next()?
        .parse()
        .ok()
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

pub(crate) fn etcd(program: &Path, data: &Path, ports: &Ports) -> Result<Vec<String>> {
    let client = format!("http://127.0.0.1:{}", ports.etcd_client);
    let peer = format!("http://127.0.0.1:{}", ports.etcd_peer);
    let mut args = vec![
        "--name=test".to_owned(),
        format!("--data-dir={}", data.display()),
        "--log-level=warn".to_owned(),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=test={peer}"),
    ];
    // Since 3.5. Nothing here must survive a power cut.
    let help = Command::new(program)
        .arg("--help")
        .output()
        .with_context(|| format!("run {} --help", program.display()))?;
    let text = [help.stdout, help.stderr].concat();
    if String::from_utf8_lossy(&text).contains("unsafe-no-fsync") {
        args.push("--unsafe-no-fsync=true".to_owned());
    }
    Ok(args)
}

pub(crate) fn apiserver(pki: &Pki, ports: &Ports, extra: &[String]) -> Vec<String> {
    let file = |name: &str| path(&pki.path(name));
    let mut args = vec![
        format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd_client),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        format!("--secure-port={}", ports.apiserver),
        // Otherwise the loopback address is refused as an endpoint.
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--cert-dir={}", file("")),
        format!("--tls-cert-file={}", file("apiserver.crt")),
        format!("--tls-private-key-file={}", file("apiserver.key")),
        format!("--client-ca-file={}", file("ca.crt")),
        "--authorization-mode=RBAC".to_owned(),
        format!("--service-account-key-file={}", file("sa.pub")),
        format!("--service-account-signing-key-file={}", file("sa.key")),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        format!("--requestheader-client-ca-file={}", file("ca.crt")),
        "--requestheader-allowed-names=front-proxy".to_owned(),
        "--requestheader-username-headers=X-Remote-User".to_owned(),
        "--requestheader-group-headers=X-Remote-Group".to_owned(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
        "--allow-privileged=true".to_owned(),
        "--profiling=false".to_owned(),
    ];
    args.extend_from_slice(extra);
    args
}

pub(crate) fn controller_manager(
    pki: &Pki,
    ports: &Ports,
    kubeconfig: &Path,
    minor: u32,
    extra: &[String],
) -> Vec<String> {
    let file = |name: &str| path(&pki.path(name));
    let mut args = controller(pki, "kcm", ports.controller_manager, kubeconfig, minor);
    args.extend([
        format!("--service-account-private-key-file={}", file("sa.key")),
        format!("--root-ca-file={}", file("ca.crt")),
        format!("--cluster-signing-cert-file={}", file("ca.crt")),
        format!("--cluster-signing-key-file={}", file("ca.key")),
        // A fake node has no kubelet to renew its heartbeat: it stays ready for ten years.
        "--node-monitor-grace-period=87600h".to_owned(),
        "--concurrent-namespace-syncs=10".to_owned(),
    ]);
    args.extend_from_slice(extra);
    args
}

pub(crate) fn scheduler(
    pki: &Pki,
    ports: &Ports,
    kubeconfig: &Path,
    minor: u32,
    extra: &[String],
) -> Vec<String> {
    let mut args = controller(pki, "scheduler", ports.scheduler, kubeconfig, minor);
    args.extend_from_slice(extra);
    args
}

/// What controller manager and scheduler have in common.
fn controller(pki: &Pki, name: &str, port: u16, kubeconfig: &Path, minor: u32) -> Vec<String> {
    let config = kubeconfig.display();
    let mut args = vec![
        format!("--kubeconfig={config}"),
        format!("--authentication-kubeconfig={config}"),
        format!("--authorization-kubeconfig={config}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        format!(
            "--tls-cert-file={}",
            path(&pki.path(&format!("{name}.crt")))
        ),
        format!(
            "--tls-private-key-file={}",
            path(&pki.path(&format!("{name}.key")))
        ),
        "--leader-elect=false".to_owned(),
        "--kube-api-qps=500".to_owned(),
        "--kube-api-burst=1000".to_owned(),
        "--profiling=false".to_owned(),
    ];
    if minor < NO_INSECURE_PORT_SINCE {
        args.push("--port=0".to_owned());
    }
    args
}

#[cfg(test)]
mod tests {
    #[track_caller]
    fn check(text: &str, expect: Option<u32>) {
        assert_eq!(super::parse_minor(text), expect, "{text:?}");
    }

    #[test]
    fn versions() {
        check("Kubernetes v1.20.2\n", Some(20));
        check("Kubernetes v1.33.0-alpha.1+abc\n", Some(33));
        check("Kubernetes v1.31+\n", Some(31));
        check("kubernetes 1.20", None);
        check("", None);
    }
}
