//! `underpin routes render`, as far as it goes without Caddy: Ingresses alone.

use std::fs;

use crate::harness::{check, underpin_in};

const CLUSTER: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec:
  ingressClassName: caddy
  rules:
  - host: shop.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}
";

/// What every dump of a whole cluster has besides.
const ELSEWHERE: &str = "\
---
apiVersion: v1
kind: Service
metadata: {name: kubernetes, namespace: default}
spec: {ports: [{port: 443}]}
";

const ENTRY: &str = "\
---
apiVersion: v1
kind: Service
metadata:
  name: docs
  namespace: shop
  annotations:
    underpin.dev/route: |
      http://docs.example.com {
        reverse_proxy http://docs.shop.svc.cluster.local:80
      }
spec: {ports: [{port: 80}]}
";

/// Of this cluster, into `caddy.json`, which is there afterwards or not.
#[track_caller]
fn rendered(name: &str, code: i32, cluster: &str, more: &str) {
    let folder = tempfile::tempdir().unwrap();
    let cluster = format!("{cluster}{ELSEWHERE}");
    fs::write(folder.path().join("cluster.yaml"), cluster).unwrap();
    let line = format!(
        "routes render --against cluster.yaml --out caddy.json --http-port 8080 \
         --ingress-class caddy --caddy no-such-caddy {more}"
    );
    let arguments: Vec<&str> = line.split_whitespace().collect();
    check(name, code, underpin_in(folder.path(), &arguments));
    let is_written = folder.path().join("caddy.json").exists();
    assert_eq!(is_written, code == 0, "{name}");
}

#[test]
fn ingresses_need_no_caddy_to_be_tried_on() {
    rendered("routes_render", 0, CLUSTER, "");
    rendered("routes_render_json", 0, CLUSTER, "--output json");
}

/// An entry that cannot be tried is not served untried.
#[test]
fn entries_take_caddy() {
    let cluster = format!("{CLUSTER}{ENTRY}");
    rendered("routes_render_no_caddy", 1, &cluster, "");
}

/// R3.2: no document without a route unless somebody asks for that very one.
#[test]
fn r3_2_nothing_to_serve_is_held() {
    let cluster = CLUSTER.replace("ingressClassName: caddy", "ingressClassName: other");
    rendered("routes_render_nothing", 3, &cluster, "");
    let consent = "--accept-loss 0-e3b0c44298fc";
    rendered("routes_render_nothing_accepted", 0, &cluster, consent);
}

/// R3.2: a dump of one namespace does not say that there is nothing elsewhere.
#[test]
fn r3_2_a_dump_of_one_namespace_is_not_the_cluster() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cluster.yaml"), CLUSTER).unwrap();
    let line = "routes render --against cluster.yaml --out caddy.json --ingress-class caddy";
    let arguments: Vec<&str> = line.split_whitespace().collect();
    check(
        "routes_render_one_namespace",
        1,
        underpin_in(folder.path(), &arguments),
    );
    assert!(!folder.path().join("caddy.json").exists());
}

/// `--keep-last` is for a cluster that cannot be read, and not for arguments that do not fit.
#[test]
fn what_is_wrong_with_the_arguments_is_not_kept_quiet() {
    for (name, wrong) in [
        ("routes_render_no_dump", "--against missing.yaml"),
        ("routes_render_no_context", "--against nowhere"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("edge")).unwrap();
        fs::write(folder.path().join("edge/caddy.json"), "{}").unwrap();
        let line = format!("routes render --folder edge --keep-last {wrong}");
        let arguments: Vec<&str> = line.split_whitespace().collect();
        check(name, 1, underpin_in(folder.path(), &arguments));
    }
}
