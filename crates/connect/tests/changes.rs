//! What two worlds allow differently (R5.3).

mod support;

use underpin_connect::{
    Engine, Member, NeedChange, Profile, Renames, Verdict, changed_needs, changes,
};
use underpin_model::Protocol;

const DATABASE: &str = r"
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: postgres}
spec: {template: {metadata: {labels: {app: db}}, spec: {containers: [{name: c, image: i}]}}}
---
{apiVersion: v1, kind: Service, metadata: {name: db-rw, namespace: postgres}, spec: {selector: {app: db}, ports: [{port: 5432}]}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: postgres}}
";

/// A workload `web` in each namespace, the database, and a policy that lists `allowed`.
fn world(namespaces: &[&str], allowed: &[&str]) -> Engine {
    let mut text = DATABASE.to_owned();
    for namespace in namespaces {
        text += &format!(
            "---\n{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}\n---\n\
             apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web-{}, namespace: {namespace}}}\n\
             spec: {{template: {{metadata: {{labels: {{app: web}}}}, spec: {{}}}}}}\n",
            namespace.split('-').next_back().unwrap_or_default()
        );
    }
    text += "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n\
             metadata: {name: default-deny-ingress, namespace: postgres}\n\
             spec:\n  podSelector: {}\n  policyTypes: [Ingress]\n  ingress:\n";
    for name in allowed {
        text += &format!(
            "  - from: [{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {name}}}}}}}]\n"
        );
    }
    support::engine(&support::world("policies.yaml", &text), Profile::Documented)
}

#[test]
fn r5_3_a_rename_that_the_policies_follow_changes_nothing() {
    let before = world(&["production-app", "docs"], &["production-app", "docs"]);
    let after = world(&["app", "docs"], &["app", "docs"]);
    let renames = Renames::detect(&before, &after);
    assert_eq!(
        renames.iter().collect::<Vec<_>>(),
        [("production-app", "app")]
    );
    let changes = changes(&before, &after, &renames);
    assert_eq!(
        (changes.pairs, changes.gone, changes.new),
        (vec![], vec![], vec![])
    );
}

#[test]
fn r5_3_a_rename_that_is_not_known_is_a_workload_gone_and_one_come() {
    let before = world(&["production-app"], &["production-app"]);
    let after = world(&["app"], &["app"]);
    let changes = changes(&before, &after, &Renames::default());
    let names = |keys: &[underpin_model::ObjectKey]| {
        keys.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        names(&changes.gone),
        ["deployment.apps/production-app/web-app"]
    );
    assert_eq!(names(&changes.new), ["deployment.apps/app/web-app"]);
    assert_eq!(changes.pairs, []);
}

/// Incident I5: a mass rename rewrote the list and dropped a consumer that had been in it.
#[test]
fn r5_3_a_rename_that_drops_a_consumer_loses_its_need() {
    let before = world(&["production-app", "docs"], &["production-app", "docs"]);
    let after = world(&["app", "docs"], &["app"]);
    let renames = Renames::detect(&before, &after);

    let changes = changes(&before, &after, &renames);
    assert_eq!(changes.pairs.len(), 1);
    let change = &changes.pairs[0];
    assert!(matches!(&change.from, Member::Workload(key) if key.name == "web-docs"));
    assert!(change.lost().contains(Protocol::Tcp, 5432));
    assert!(change.gained().is_empty());

    let needs = ["app/web-app", "docs/web-docs"]
        .map(|from| support::question(&after, &format!("{from} -> svc:postgres/db-rw TCP 5432")));
    let changed = changed_needs(&before, &after, &renames, &needs);
    assert_eq!(changed.len(), 1);
    assert!(changed[0].is_lost());
    assert_eq!(changed[0].question, needs[1]);
    let by: Vec<String> = changed[0]
        .allowed_by()
        .iter()
        .map(ToString::to_string)
        .collect();
    // The line of the peer that is no longer there.
    assert_eq!(
        by,
        [
            "policies.yaml:33:12 networkpolicy.networking.k8s.io/postgres/default-deny-ingress \
          spec.ingress[1].from[0]: allows it"
        ]
    );
    // And from the files after the change alone.
    assert_eq!(after.answer(&needs[1]).verdict, Verdict::Refused);
    assert_eq!(after.answer(&needs[0]).verdict, Verdict::Allowed);
}

#[test]
fn r5_3_two_namespaces_that_would_do_are_no_rename() {
    let before = world(&["old-app"], &[]);
    let after = world(&["one-app", "two-app"], &[]);
    assert_eq!(Renames::detect(&before, &after), Renames::default());
}

#[test]
fn lost_needs_come_first_and_addresses_are_compared_piece_by_piece() {
    let policies = |block: &str, other: &str| {
        let text = format!(
            "{DATABASE}---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n\
             metadata: {{name: p, namespace: postgres}}\nspec:\n  podSelector: {{}}\n  ingress:\n  \
             - from: [{{ipBlock: {{cidr: {block}}}}}]\n  \
             - from: [{{ipBlock: {{cidr: {other}}}}}]\n"
        );
        support::engine(&support::world("p.yaml", &text), Profile::Documented)
    };
    let (before, after) = (
        policies("10.0.0.0/8", "192.0.2.0/25"),
        policies("10.0.0.0/9", "192.0.2.0/24"),
    );
    let found = changes(&before, &after, &Renames::default());
    let outside: Vec<String> = found
        .pairs
        .iter()
        .map(|change| match &change.from {
            Member::Outside(range) => range.to_string(),
            Member::Workload(key) => key.to_string(),
        })
        .collect();
    assert_eq!(
        outside,
        ["10.128.0.0-10.255.255.255", "192.0.2.128-192.0.2.255"]
    );
    assert!(found.pairs[0].gained().is_empty() && found.pairs[0].lost().is_all());
    assert!(found.pairs[1].lost().is_empty() && found.pairs[1].gained().is_all());
    let needs = [
        "ip:192.0.2.200 -> svc:postgres/db-rw TCP 5432",
        "ip:10.200.0.1 -> svc:postgres/db-rw TCP 5432",
        "ip:10.1.0.1 -> svc:postgres/db-rw TCP 5432",
    ]
    .map(|text| support::question(&after, text));
    let changed = changed_needs(&before, &after, &Renames::default(), &needs);
    let order: Vec<bool> = changed.iter().map(NeedChange::is_lost).collect();
    assert_eq!(order, [true, false]);
    assert_eq!(changed[0].question, needs[1]);
}
