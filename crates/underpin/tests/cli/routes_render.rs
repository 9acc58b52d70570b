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
