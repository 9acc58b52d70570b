//! Which built-in kinds exist, and whether they live in namespaces.
//!
//! A cluster's own discovery decides where there is a cluster; this table serves offline checks.
//! Source: Kubernetes API reference, v1.20 to v1.33.

/// A kind that every Kubernetes cluster serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltinKind {
    /// API group, empty for core.
    pub group: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Whether objects of the kind live in a namespace.
    pub namespaced: bool,
}

const fn namespaced(group: &'static str, kind: &'static str) -> BuiltinKind {
    BuiltinKind {
        group,
        kind,
        namespaced: true,
    }
}

const fn cluster(group: &'static str, kind: &'static str) -> BuiltinKind {
    BuiltinKind {
        group,
        kind,
        namespaced: false,
    }
}

/// All built-in kinds that can be declared.
pub const BUILTIN_KINDS: &[BuiltinKind] = &[
    namespaced("", "ConfigMap"),
    namespaced("", "Endpoints"),
    namespaced("", "Event"),
    namespaced("", "LimitRange"),
    cluster("", "Namespace"),
    cluster("", "Node"),
    cluster("", "PersistentVolume"),
    namespaced("", "PersistentVolumeClaim"),
    namespaced("", "Pod"),
    namespaced("", "PodTemplate"),
    namespaced("", "ReplicationController"),
    namespaced("", "ResourceQuota"),
    namespaced("", "Secret"),
    namespaced("", "Service"),
    namespaced("", "ServiceAccount"),
    cluster("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
    cluster(
        "admissionregistration.k8s.io",
        "MutatingAdmissionPolicyBinding",
    ),
    cluster(
        "admissionregistration.k8s.io",
        "MutatingWebhookConfiguration",
    ),
    cluster("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    cluster(
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicyBinding",
    ),
    cluster(
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
    ),
    cluster("apiextensions.k8s.io", "CustomResourceDefinition"),
    cluster("apiregistration.k8s.io", "APIService"),
    namespaced("apps", "ControllerRevision"),
    namespaced("apps", "DaemonSet"),
    namespaced("apps", "Deployment"),
    namespaced("apps", "ReplicaSet"),
    namespaced("apps", "StatefulSet"),
    namespaced("autoscaling", "HorizontalPodAutoscaler"),
    namespaced("batch", "CronJob"),
    namespaced("batch", "Job"),
    cluster("certificates.k8s.io", "CertificateSigningRequest"),
    namespaced("coordination.k8s.io", "Lease"),
    namespaced("discovery.k8s.io", "EndpointSlice"),
    cluster("flowcontrol.apiserver.k8s.io", "FlowSchema"),
    cluster("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
    namespaced("networking.k8s.io", "Ingress"),
    cluster("networking.k8s.io", "IngressClass"),
    cluster("networking.k8s.io", "IPAddress"),
    namespaced("networking.k8s.io", "NetworkPolicy"),
    cluster("networking.k8s.io", "ServiceCIDR"),
    cluster("node.k8s.io", "RuntimeClass"),
    namespaced("policy", "PodDisruptionBudget"),
    cluster("policy", "PodSecurityPolicy"),
    cluster("rbac.authorization.k8s.io", "ClusterRole"),
    cluster("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    namespaced("rbac.authorization.k8s.io", "Role"),
    namespaced("rbac.authorization.k8s.io", "RoleBinding"),
    cluster("scheduling.k8s.io", "PriorityClass"),
    cluster("storage.k8s.io", "CSIDriver"),
    cluster("storage.k8s.io", "CSINode"),
    namespaced("storage.k8s.io", "CSIStorageCapacity"),
    cluster("storage.k8s.io", "StorageClass"),
    cluster("storage.k8s.io", "VolumeAttachment"),
];

/// The table's row for a kind, after [`canonical_group`].
pub fn builtin_kind(group: &str, kind: &str) -> Option<&'static BuiltinKind> {
    let group = canonical_group(group, kind);
    BUILTIN_KINDS
        .iter()
        .find(|row| row.group == group && row.kind == kind)
}

/// The group under which an object is known when old servers serve it under two: the same Ingress
/// answers in `extensions` and `networking.k8s.io` and must not count twice.
pub fn canonical_group<'a>(group: &'a str, kind: &str) -> &'a str {
    match (group, kind) {
        ("extensions", "Ingress" | "NetworkPolicy") => "networking.k8s.io",
        ("extensions", "Deployment" | "DaemonSet" | "ReplicaSet") => "apps",
        ("extensions", "PodSecurityPolicy") => "policy",
        ("events.k8s.io", "Event") => "",
        _ => group,
    }
}
