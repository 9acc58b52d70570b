//! The roles that every cluster has, and roles that gather others' rules.
//!
//! Of the roles that Kubernetes' own components use none are here: those components are part of the
//! sandbox and ask nobody.
//!
//! Source: Kubernetes documentation, "Using RBAC Authorization", "Default roles and role bindings"
//! and "Aggregated ClusterRoles"; rules as the API server lists them.

use serde_json::{Value, json};

use super::{rules_for, selector::matches_selector};
use crate::{Kind, State, object};

const READ: &str = "get list watch";
const WRITE: &str = "create delete deletecollection patch update";

/// API group (`core` for the empty one), resources, verbs.
type RuleRow = (&'static str, &'static str, &'static str);

const CLUSTER_ADMIN: &[RuleRow] = &[("*", "*", "*")];

const BASIC_USER: &[RuleRow] = &[
    (
        "authorization.k8s.io",
        "selfsubjectaccessreviews selfsubjectrulesreviews",
        "create",
    ),
    ("authentication.k8s.io", "selfsubjectreviews", "create"),
];

const AUTH_DELEGATOR: &[RuleRow] = &[
    ("authentication.k8s.io", "tokenreviews", "create"),
    ("authorization.k8s.io", "subjectaccessreviews", "create"),
];

const TO_ADMIN: &[RuleRow] = &[
    (
        "authorization.k8s.io",
        "localsubjectaccessreviews",
        "create",
    ),
    (
        "rbac.authorization.k8s.io",
        "rolebindings roles",
        "create delete deletecollection get list patch update watch",
    ),
];

const TO_EDIT: &[RuleRow] = &[
    (
        "core",
        "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy",
        READ,
    ),
    ("core", "serviceaccounts", "impersonate"),
    (
        "core",
        "pods pods/attach pods/exec pods/portforward pods/proxy",
        WRITE,
    ),
    ("core", "pods/eviction", "create"),
    (
        "core",
        "configmaps events persistentvolumeclaims replicationcontrollers \
         replicationcontrollers/scale secrets serviceaccounts services services/proxy",
        WRITE,
    ),
    ("core", "serviceaccounts/token", "create"),
    (
        "apps",
        "daemonsets deployments deployments/rollback deployments/scale replicasets \
         replicasets/scale statefulsets statefulsets/scale",
        WRITE,
    ),
    ("autoscaling", "horizontalpodautoscalers", WRITE),
    ("batch", "cronjobs jobs", WRITE),
    ("policy", "poddisruptionbudgets", WRITE),
    ("networking.k8s.io", "ingresses networkpolicies", WRITE),
    (
        "coordination.k8s.io",
        "leases",
        "create delete deletecollection get list patch update watch",
    ),
];

const TO_VIEW: &[RuleRow] = &[
    (
        "core",
        "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods \
         replicationcontrollers replicationcontrollers/scale serviceaccounts services \
         services/status",
        READ,
    ),
    (
        "core",
        "bindings events limitranges namespaces/status pods/log pods/status \
         replicationcontrollers/status resourcequotas resourcequotas/status",
        READ,
    ),
    ("core", "namespaces", READ),
    ("discovery.k8s.io", "endpointslices", READ),
    (
        "apps",
        "controllerrevisions daemonsets daemonsets/status deployments deployments/scale \
         deployments/status replicasets replicasets/scale replicasets/status statefulsets \
         statefulsets/scale statefulsets/status",
        READ,
    ),
    (
        "autoscaling",
        "horizontalpodautoscalers horizontalpodautoscalers/status",
        READ,
    ),
    ("batch", "cronjobs cronjobs/status jobs jobs/status", READ),
    (
        "policy",
        "poddisruptionbudgets poddisruptionbudgets/status",
        READ,
    ),
    (
        "networking.k8s.io",
        "ingresses ingresses/status networkpolicies",
        READ,
    ),
];

const DISCOVERY: &str =
    "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/";
const PUBLIC_INFO: &str = "/healthz /livez /readyz /version /version/";
const MONITORING: &str = "/healthz /healthz/* /livez /livez/* /metrics /readyz /readyz/*";

/// Name, aggregation label, rules, paths to read.
const ROLES: &[(&str, &str, &[RuleRow], &str)] = &[
    ("cluster-admin", "", CLUSTER_ADMIN, "*"),
    ("system:aggregate-to-admin", "admin", TO_ADMIN, ""),
    ("system:aggregate-to-edit", "edit", TO_EDIT, ""),
    ("system:aggregate-to-view", "view", TO_VIEW, ""),
    ("system:auth-delegator", "", AUTH_DELEGATOR, ""),
    ("system:basic-user", "", BASIC_USER, ""),
    ("system:discovery", "", &[], DISCOVERY),
    ("system:monitoring", "", &[], MONITORING),
    ("system:public-info-viewer", "", &[], PUBLIC_INFO),
];

/// Name, label that it carries itself, label that it gathers.
const AGGREGATED: &[(&str, &str, &str)] = &[
    ("admin", "", "admin"),
    ("edit", "admin", "edit"),
    ("view", "edit", "view"),
];

/// Name of role and binding, and the groups that it is bound to.
const BINDINGS: &[(&str, &[&str])] = &[
    ("cluster-admin", &["system:masters"]),
    ("system:basic-user", &["system:authenticated"]),
    ("system:discovery", &["system:authenticated"]),
    ("system:monitoring", &["system:monitoring"]),
    (
        "system:public-info-viewer",
        &["system:authenticated", "system:unauthenticated"],
    ),
];

/// Puts the roles and bindings that every cluster has into a fresh one.
pub(crate) fn bootstrap(state: &mut State) {
    for (name, label, rows, urls) in ROLES {
        let mut rules: Vec<Value> = rows.iter().map(rule).collect();
        if !urls.is_empty() {
            let verb = if *urls == "*" { "*" } else { "get" };
            rules.push(json!({"nonResourceURLs": words(urls), "verbs": [verb]}));
        }
        let role = json!({"metadata": metadata(name, label), "rules": rules});
        create(state, "ClusterRole", role);
    }
    for (name, label, gathers) in AGGREGATED {
        let role = json!({
            "metadata": metadata(name, label), "rules": null,
            "aggregationRule": {
                "clusterRoleSelectors": [{"matchLabels": {aggregation(gathers): "true"}}],
            },
        });
        create(state, "ClusterRole", role);
    }
    for (name, groups) in BINDINGS {
        let group = rules_for::GROUP;
        let subjects: Vec<Value> = groups
            .iter()
            .map(|name| json!({"apiGroup": group, "kind": "Group", "name": name}))
            .collect();
        let binding = json!({
            "metadata": metadata(name, ""),
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": subjects,
        });
        create(state, "ClusterRoleBinding", binding);
    }
    aggregate(state);
}

fn aggregation(name: &str) -> String {
    format!("rbac.authorization.k8s.io/aggregate-to-{name}")
}

fn metadata(name: &str, label: &str) -> Value {
    let mut labels = json!({"kubernetes.io/bootstrapping": "rbac-defaults"});
    if !label.is_empty() {
        labels[aggregation(label)] = json!("true");
    }
    json!({
        "name": name, "labels": labels,
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
    })
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

fn rule((group, resources, verbs): &RuleRow) -> Value {
    let group = if *group == "core" { "" } else { *group };
    json!({"apiGroups": [group], "resources": words(resources), "verbs": words(verbs)})
}

fn create(state: &mut State, name: &str, mut object: Value) {
    let Some(kind) = state.kinds.of(&rules_for::kind(name)).cloned() else {
        return;
    };
    object["apiVersion"] = json!(kind.api_version());
    object["kind"] = json!(name);
    object["metadata"]["uid"] = json!(state.new_uid());
    object["metadata"]["creationTimestamp"] = json!(object::seconds(state.now));
    state.put(&kind, object);
}

/// Rounds of gathering: a role may gather from one that gathers itself.
const MAX_ROUNDS: usize = 8;

/// Brings the rules of every role that gathers others' rules up to date.
pub(crate) fn aggregate(state: &mut State) {
    let Some(kind) = state.kinds.of(&rules_for::kind("ClusterRole")).cloned() else {
        return;
    };
    for _ in 0..MAX_ROUNDS {
        let stale = stale(state, &kind);
        if stale.is_empty() {
            return;
        }
        for role in stale {
            state.put(&kind, role);
        }
    }
}

/// The roles whose rules are not those that they gather, as they should be.
fn stale(state: &State, kind: &Kind) -> Vec<Value> {
    let roles = state.objects(&kind.kind);
    let mut stale = Vec::new();
    for role in roles.values() {
        let selectors = role.pointer("/aggregationRule/clusterRoleSelectors");
        let Some(selectors) = selectors.and_then(Value::as_array) else {
            continue;
        };
        let mut rules: Vec<&Value> = Vec::new();
        for selector in selectors {
            let selected = roles.values().filter(|other| {
                let labels = other.pointer("/metadata/labels").unwrap_or(&Value::Null);
                object::name(other) != object::name(role) && matches_selector(selector, labels)
            });
            for other in selected {
                let others = other.get("rules").and_then(Value::as_array);
                for rule in others.into_iter().flatten() {
                    if !rules.contains(&rule) {
                        rules.push(rule);
                    }
                }
            }
        }
        let held = role.get("rules").and_then(Value::as_array);
        if !held.into_iter().flatten().eq(rules.iter().copied()) {
            let mut fresh = role.as_ref().clone();
            fresh["rules"] = json!(rules);
            stale.push(fresh);
        }
    }
    stale
}
