//! The typed resources of Terraform's Kubernetes provider: which kind each makes, and where its
//! arguments differ from the API's fields by more than the case of letters.
//!
//! Source: documentation of the provider, 2.38 and 3.0.

/// A resource type: its name without `kubernetes_`, API version and kind.
const KINDS: &[(&str, &str, &str)] = &[
    ("api_service", "apiregistration.k8s.io/v1", "APIService"),
    (
        "cluster_role",
        "rbac.authorization.k8s.io/v1",
        "ClusterRole",
    ),
    (
        "cluster_role_binding",
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
    ),
    ("config_map", "v1", "ConfigMap"),
    ("cron_job", "batch/v1", "CronJob"),
    ("csi_driver", "storage.k8s.io/v1", "CSIDriver"),
    ("daemon_set", "apps/v1", "DaemonSet"),
    ("daemonset", "apps/v1", "DaemonSet"),
    ("deployment", "apps/v1", "Deployment"),
    ("endpoint_slice", "discovery.k8s.io/v1", "EndpointSlice"),
    ("endpoints", "v1", "Endpoints"),
    (
        "horizontal_pod_autoscaler",
        "autoscaling/v1",
        "HorizontalPodAutoscaler",
    ),
    (
        "horizontal_pod_autoscaler_v2",
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
    ),
    (
        "horizontal_pod_autoscaler_v2beta2",
        "autoscaling/v2beta2",
        "HorizontalPodAutoscaler",
    ),
    ("ingress", "networking.k8s.io/v1beta1", "Ingress"),
    ("ingress_class", "networking.k8s.io/v1", "IngressClass"),
    ("ingress_v1", "networking.k8s.io/v1", "Ingress"),
    ("job", "batch/v1", "Job"),
    ("limit_range", "v1", "LimitRange"),
    (
        "mutating_webhook_configuration",
        "admissionregistration.k8s.io/v1",
        "MutatingWebhookConfiguration",
    ),
    ("namespace", "v1", "Namespace"),
    ("network_policy", "networking.k8s.io/v1", "NetworkPolicy"),
    ("persistent_volume", "v1", "PersistentVolume"),
    ("persistent_volume_claim", "v1", "PersistentVolumeClaim"),
    ("pod", "v1", "Pod"),
    ("pod_disruption_budget", "policy/v1", "PodDisruptionBudget"),
    ("priority_class", "scheduling.k8s.io/v1", "PriorityClass"),
    ("replication_controller", "v1", "ReplicationController"),
    ("resource_quota", "v1", "ResourceQuota"),
    ("role", "rbac.authorization.k8s.io/v1", "Role"),
    (
        "role_binding",
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
    ),
    ("runtime_class", "node.k8s.io/v1", "RuntimeClass"),
    ("secret", "v1", "Secret"),
    ("service", "v1", "Service"),
    ("service_account", "v1", "ServiceAccount"),
    ("stateful_set", "apps/v1", "StatefulSet"),
    ("storage_class", "storage.k8s.io/v1", "StorageClass"),
    (
        "validating_webhook_configuration",
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
    ),
];

/// API version and kind of a resource type.
pub(super) fn kind_of(resource: &str) -> Option<(&'static str, &'static str)> {
    let name = resource.strip_prefix("kubernetes_")?;
    let find = |name: &str| KINDS.iter().find(|row| row.0 == name);
    let row = find(name).or_else(|| find(name.strip_suffix("_v1")?))?;
    Some((row.1, row.2))
}

/// Names that are not what changing the case of letters makes of them.
const NAMES: &[(&str, &str)] = &[
    ("ca_bundle", "caBundle"),
    ("client_ip", "clientIP"),
    ("cluster_ip", "clusterIP"),
    ("cluster_ips", "clusterIPs"),
    ("external_ips", "externalIPs"),
    ("host_ip", "hostIP"),
    ("host_ipc", "hostIPC"),
    ("host_pid", "hostPID"),
    ("insecure_skip_tls_verify", "insecureSkipTLSVerify"),
    ("load_balancer_ip", "loadBalancerIP"),
    ("non_resource_urls", "nonResourceURLs"),
    ("pd_id", "pdID"),
    ("pod_ip", "podIP"),
    (
        "target_cpu_utilization_percentage",
        "targetCPUUtilizationPercentage",
    ),
    ("volume_id", "volumeID"),
];

/// Blocks that may be repeated and are lists in the API: where (kind or enclosing field, empty for
/// anywhere), block, field.
const LISTS: &[(&str, &str, &str)] = &[
    ("", "cluster_role_selectors", "clusterRoleSelectors"),
    ("", "container", "containers"),
    ("", "egress", "egress"),
    ("", "endpoint", "endpoints"),
    ("", "env", "env"),
    ("", "env_from", "envFrom"),
    ("", "from", "from"),
    ("", "host_aliases", "hostAliases"),
    ("", "http_header", "httpHeaders"),
    ("", "image_pull_secret", "imagePullSecrets"),
    ("", "image_pull_secrets", "imagePullSecrets"),
    ("", "init_container", "initContainers"),
    ("", "items", "items"),
    ("", "match_expression", "matchExpressions"),
    ("", "match_expressions", "matchExpressions"),
    ("", "match_fields", "matchFields"),
    ("", "metric", "metrics"),
    ("", "node_selector_term", "nodeSelectorTerms"),
    ("", "on_pod_condition", "onPodConditions"),
    ("", "ports", "ports"),
    (
        "",
        "preferred_during_scheduling_ignored_during_execution",
        "preferredDuringSchedulingIgnoredDuringExecution",
    ),
    ("", "readiness_gate", "readinessGates"),
    ("", "rule", "rules"),
    ("", "sources", "sources"),
    ("", "subject", "subjects"),
    ("", "subset", "subsets"),
    ("", "sysctl", "sysctls"),
    ("", "to", "to"),
    ("", "toleration", "tolerations"),
    (
        "",
        "topology_spread_constraint",
        "topologySpreadConstraints",
    ),
    ("", "volume", "volumes"),
    ("", "volume_claim_template", "volumeClaimTemplates"),
    ("", "volume_device", "volumeDevices"),
    ("", "volume_mount", "volumeMounts"),
    ("", "webhook", "webhooks"),
    ("EndpointSlice", "port", "ports"),
    ("Ingress", "tls", "tls"),
    ("LimitRange", "limit", "limits"),
    ("NetworkPolicy", "ingress", "ingress"),
    ("ServiceAccount", "secret", "secrets"),
    ("StorageClass", "allowed_topologies", "allowedTopologies"),
    ("containers", "port", "ports"),
    ("dnsConfig", "option", "options"),
    ("http", "path", "paths"),
    ("initContainers", "port", "ports"),
    (
        "podAffinity",
        "required_during_scheduling_ignored_during_execution",
        "requiredDuringSchedulingIgnoredDuringExecution",
    ),
    (
        "podAntiAffinity",
        "required_during_scheduling_ignored_during_execution",
        "requiredDuringSchedulingIgnoredDuringExecution",
    ),
    ("scaleDown", "policy", "policies"),
    ("scaleUp", "policy", "policies"),
    ("spec of Service", "port", "ports"),
    ("subsets", "address", "addresses"),
    ("subsets", "not_ready_address", "notReadyAddresses"),
    ("subsets", "port", "ports"),
];

/// Arguments whose value is a map, with keys that are the user's own.
const MAPS: &[(&str, &str)] = &[
    ("", "annotations"),
    ("", "binary_data"),
    ("", "binary_data_wo"),
    ("", "capacity"),
    ("", "data"),
    ("", "data_wo"),
    ("", "default"),
    ("", "default_request"),
    ("", "hard"),
    ("", "labels"),
    ("", "limits"),
    ("", "match_labels"),
    ("", "max"),
    ("", "max_limit_request_ratio"),
    ("", "min"),
    ("", "node_selector"),
    ("", "options"),
    ("", "parameters"),
    ("", "requests"),
    ("", "string_data"),
    ("", "volume_attributes"),
    ("spec of ReplicationController", "selector"),
    ("spec of Service", "selector"),
];

/// Arguments that are numbers in the API wherever their text is one, whatever their type here.
const NUMBERS: &[&str] = &[
    "container_port",
    "end_port",
    "fs_group",
    "health_check_node_port",
    "host_port",
    "max_surge",
    "max_unavailable",
    "min_available",
    "node_port",
    "number",
    "port",
    "replicas",
    "run_as_group",
    "run_as_user",
    "service_port",
    "target_port",
];

/// Arguments that are modes of files, written in octal.
pub(super) const MODES: &[&str] = &["default_mode", "mode"];

/// Arguments of the provider that are no fields.
const NOT_FIELDS: &[&str] = &[
    "data_wo_revision",
    "binary_data_wo_revision",
    "id",
    "timeouts",
    "wait_for_completion",
    "wait_for_default_service_account",
    "wait_for_load_balancer",
    "wait_for_rollout",
    "wait_for_service_account_token",
    "wait_until_bound",
];

/// Where an argument stands.
#[derive(Clone, Copy)]
pub(in crate::terraform) struct At<'n> {
    pub(in crate::terraform) kind: &'n str,
    /// The enclosing field of the API; empty at the top.
    pub(in crate::terraform) field: &'n str,
}

impl At<'_> {
    fn is(self, place: &str) -> bool {
        place.is_empty()
            || place == self.field
            || (place == self.kind && matches!(self.field, "" | "spec"))
            || place
                .strip_suffix(self.kind)
                .is_some_and(|rest| rest.strip_suffix(" of ") == Some(self.field))
    }
}

/// The list that a repeated block becomes.
pub(super) fn list(at: At<'_>, name: &str) -> Option<&'static str> {
    let row = LISTS.iter().find(|row| row.1 == name && at.is(row.0))?;
    Some(row.2)
}

pub(super) fn is_map(at: At<'_>, name: &str) -> bool {
    MAPS.iter().any(|row| row.1 == name && at.is(row.0))
}

pub(super) fn is_number(name: &str) -> bool {
    NUMBERS.contains(&name)
}

pub(super) fn is_field(at: At<'_>, name: &str) -> bool {
    !(at.field.is_empty() && NOT_FIELDS.contains(&name))
}

/// The API's name of an argument: `match_labels` is `matchLabels`.
pub(super) fn field_name(name: &str) -> String {
    if let Some(row) = NAMES.iter().find(|row| row.0 == name) {
        return row.1.to_owned();
    }
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                out.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => out.push(c),
        }
    }
    out
}
