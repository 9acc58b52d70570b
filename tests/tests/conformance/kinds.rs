//! Short names of kinds, so that sequences stay readable.

/// A kind: where it is served, and what its objects call themselves.
pub(crate) struct Kind {
    pub(crate) short: &'static str,
    pub(crate) version: &'static str,
    pub(crate) name: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) namespaced: bool,
}

impl Kind {
    /// The kind of a short name.
    pub(crate) fn find(short: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.short == short)
    }

    /// The path of its objects in a namespace.
    pub(crate) fn path(&self, namespace: &str) -> String {
        let root = if self.version == "v1" { "api" } else { "apis" };
        let place = if self.namespaced {
            format!("/namespaces/{namespace}")
        } else {
            String::new()
        };
        format!("/{root}/{}{place}/{}", self.version, self.plural)
    }
}

const fn of(
    short: &'static str,
    version: &'static str,
    name: &'static str,
    plural: &'static str,
    namespaced: bool,
) -> Kind {
    Kind {
        short,
        version,
        name,
        plural,
        namespaced,
    }
}

#[rustfmt::skip]
const KINDS: &[Kind] = &[
    of("cm", "v1", "ConfigMap", "configmaps", true),
    of("secret", "v1", "Secret", "secrets", true),
    of("svc", "v1", "Service", "services", true),
    of("ep", "v1", "Endpoints", "endpoints", true),
    of("pod", "v1", "Pod", "pods", true),
    of("tpl", "v1", "PodTemplate", "podtemplates", true),
    of("rc", "v1", "ReplicationController", "replicationcontrollers", true),
    of("sa", "v1", "ServiceAccount", "serviceaccounts", true),
    of("pvc", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", true),
    of("pv", "v1", "PersistentVolume", "persistentvolumes", false),
    of("ns", "v1", "Namespace", "namespaces", false),
    of("node", "v1", "Node", "nodes", false),
    of("event", "v1", "Event", "events", true),
    of("quota", "v1", "ResourceQuota", "resourcequotas", true),
    of("limits", "v1", "LimitRange", "limitranges", true),
    of("deploy", "apps/v1", "Deployment", "deployments", true),
    of("rs", "apps/v1", "ReplicaSet", "replicasets", true),
    of("sts", "apps/v1", "StatefulSet", "statefulsets", true),
    of("ds", "apps/v1", "DaemonSet", "daemonsets", true),
    of("rev", "apps/v1", "ControllerRevision", "controllerrevisions", true),
    of("job", "batch/v1", "Job", "jobs", true),
    of("ing", "networking.k8s.io/v1", "Ingress", "ingresses", true),
    of("ingclass", "networking.k8s.io/v1", "IngressClass", "ingressclasses", false),
    of("netpol", "networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", true),
    of("role", "rbac.authorization.k8s.io/v1", "Role", "roles", true),
    of("rb", "rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", true),
    of("crole", "rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", false),
    of("crb", "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", false),
    of("lease", "coordination.k8s.io/v1", "Lease", "leases", true),
    of("sc", "storage.k8s.io/v1", "StorageClass", "storageclasses", false),
    of("pc", "scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", false),
    of("crd", "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", false),
    of("sar", "authorization.k8s.io/v1", "SubjectAccessReview", "subjectaccessreviews", false),
    of("lsar", "authorization.k8s.io/v1", "LocalSubjectAccessReview", "localsubjectaccessreviews", true),
    of("ssar", "authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", false),
    of("ssrr", "authorization.k8s.io/v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", false),
];
