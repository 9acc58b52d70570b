//! The table of the kinds that the server itself defines.
//!
//! Source: Kubernetes API reference 1.33 and the discovery documents of its server. One version
//! each, as said in the crate's documentation; `events.k8s.io` (a second view of core Events),
//! `componentstatuses` and the plain `bindings` are left out.

use std::sync::LazyLock;

use underpin_fieldset::schema::{self, KindSchema};
use underpin_model::GroupKind;

use crate::kind::{Kind, Kinds, Scale};

/// One line of the table.
struct Row {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    short_names: &'static [&'static str],
    categories: &'static [&'static str],
    namespaced: bool,
    serves: Serves,
}

/// What there is besides the object itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Serves {
    /// Nothing.
    Object,
    /// `/status`.
    Status,
    /// `/status` and `/scale`.
    Scale,
    /// Nothing at all is stored: it is a question with an answer.
    Review,
}

/// All resources that a cluster serves before any definition is made; made once.
pub(crate) fn builtin_kinds() -> Kinds {
    static KINDS: LazyLock<Kinds> = LazyLock::new(|| {
        let mut kinds = Kinds::default();
        for row in ROWS {
            kinds.insert(row.to_kind());
        }
        kinds
    });
    KINDS.clone()
}

impl Row {
    fn to_kind(&self) -> Kind {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Kind {
            kind: GroupKind::new(self.group, self.kind),
            version: self.version.to_owned(),
            plural: self.plural.to_owned(),
            singular: self.kind.to_ascii_lowercase(),
            short_names: owned(self.short_names),
            categories: owned(self.categories),
            namespaced: self.namespaced,
            has_status: matches!(self.serves, Serves::Status | Serves::Scale),
            scale: (self.serves == Serves::Scale).then(|| Scale {
                spec_replicas: "/spec/replicas".to_owned(),
                status_replicas: "/status/replicas".to_owned(),
                selector: None,
            }),
            is_review: self.serves == Serves::Review,
            schema: schema::builtin(self.group, self.version, self.kind)
                .unwrap_or_else(KindSchema::deduced),
            definition: None,
        }
    }
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row { group: "", version: "v1", kind: "ConfigMap", plural: "configmaps", short_names: &["cm"], categories: &[], namespaced: true, serves: Serves::Object },
    Row { group: "", version: "v1", kind: "Endpoints", plural: "endpoints", short_names: &["ep"], categories: &[], namespaced: true, serves: Serves::Object },
    Row { group: "", version: "v1", kind: "Event", plural: "events", short_names: &["ev"], categories: &[], namespaced: true, serves: Serves::Object },
    Row { group: "", version: "v1", kind: "LimitRange", plural: "limitranges", short_names: &["limits"], categories: &[], namespaced: true, serves: Serves::Object },
    Row { group: "", version: "v1", kind: "Namespace", plural: "namespaces", short_names: &["ns"], categories: &[], namespaced: false, serves: Serves::Status },
    Row { group: "", version: "v1", kind: "Node", plural: "nodes", short_names: &["no"], categories: &[], namespaced: false, serves: Serves::Status },
    Row { group: "", version: "v1", kind: "PersistentVolumeClaim", plural: "persistentvolumeclaims", short_names: &["pvc"], categories: &[], namespaced: true, serves: Serves::Status },
    Row { group: "", version: "v1", kind: "PersistentVolume", plural: "persistentvolumes", short_names: &["pv"], categories: &[], namespaced: false, serves: Serves::Status },
    Row { group: "", version: "v1", kind: "Pod", plural: "pods", short_names: &["po"], categories: &["all"], namespaced: true, serves: Serves::Status },
    Row { group: "", version: "v1", kind: "PodTemplate", plural: "podtemplates", short_names: &[], categories: &[], namespaced: true, serves: Serves::Object },
    Row { group: "", version: "v1", kind: "ReplicationController", plural: "replicationcontrollers", short_names: &["rc"], categories: &["all"], namespaced: true, serves: Serves::Scale },
    Row { group: "", version: "v1", kind: "ResourceQuota", plural: "resourcequotas", short_names: &["quota"], categories: &[], namespaced: true, serves: Serves::Status },
    Row { group: "", version: "v1", kind: "Secret", plural: "secrets", short_names: &[], categories: &[], namespaced: true, serves: Serves::Object },
    Row { group: "", version: "v1", kind: "ServiceAccount", plural: "serviceaccounts", short_names: &["sa"], categories: &[], namespaced: true, serves: Serves::Object },
    Row { group: "", version: "v1", kind: "Service", plural: "services", short_names: &["svc"], categories: &["all"], namespaced: true, serves: Serves::Status },
    Row { group: "admissionregistration.k8s.io", version: "v1", kind: "MutatingWebhookConfiguration", plural: "mutatingwebhookconfigurations", short_names: &[], categories: &["api-extensions"], namespaced: false, serves: Serves::Object },
    Row { group: "admissionregistration.k8s.io", version: "v1", kind: "ValidatingAdmissionPolicy", plural: "validatingadmissionpolicies", short_names: &[], categories: &["api-extensions"], namespaced: false, serves: Serves::Status },
    Row { group: "admissionregistration.k8s.io", version: "v1", kind: "ValidatingAdmissionPolicyBinding", plural: "validatingadmissionpolicybindings", short_names: &[], categories: &["api-extensions"], namespaced: false, serves: Serves::Object },
    Row { group: "admissionregistration.k8s.io", version: "v1", kind: "ValidatingWebhookConfiguration", plural: "validatingwebhookconfigurations", short_names: &[], categories: &["api-extensions"], namespaced: false, serves: Serves::Object },
    Row { group: "apiextensions.k8s.io", version: "v1", kind: "CustomResourceDefinition", plural: "customresourcedefinitions", short_names: &["crd", "crds"], categories: &["api-extensions"], namespaced: false, serves: Serves::Status },
    Row { group: "apiregistration.k8s.io", version: "v1", kind: "APIService", plural: "apiservices", short_names: &[], categories: &["api-extensions"], namespaced: false, serves: Serves::Status },
    Row { group: "apps", version: "v1", kind: "ControllerRevision", plural: "controllerrevisions", short_names: &[], categories: &[], namespaced: true, serves: Serves::Object },
    Row { group: "apps", version: "v1", kind: "DaemonSet", plural: "daemonsets", short_names: &["ds"], categories: &["all"], namespaced: true, serves: Serves::Status },
    Row { group: "apps", version: "v1", kind: "Deployment", plural: "deployments", short_names: &["deploy"], categories: &["all"], namespaced: true, serves: Serves::Scale },
    Row { group: "apps", version: "v1", kind: "ReplicaSet", plural: "replicasets", short_names: &["rs"], categories: &["all"], namespaced: true, serves: Serves::Scale },
    Row { group: "apps", version: "v1", kind: "StatefulSet", plural: "statefulsets", short_names: &["sts"], categories: &["all"], namespaced: true, serves: Serves::Scale },
    Row { group: "authentication.k8s.io", version: "v1", kind: "SelfSubjectReview", plural: "selfsubjectreviews", short_names: &[], categories: &[], namespaced: false, serves: Serves::Review },
    Row { group: "authentication.k8s.io", version: "v1", kind: "TokenReview", plural: "tokenreviews", short_names: &[], categories: &[], namespaced: false, serves: Serves::Review },
    Row { group: "authorization.k8s.io", version: "v1", kind: "LocalSubjectAccessReview", plural: "localsubjectaccessreviews", short_names: &[], categories: &[], namespaced: true, serves: Serves::Review },
    Row { group: "authorization.k8s.io", version: "v1", kind: "SelfSubjectAccessReview", plural: "selfsubjectaccessreviews", short_names: &[], categories: &[], namespaced: false, serves: Serves::Review },
    Row { group: "authorization.k8s.io", version: "v1", kind: "SelfSubjectRulesReview", plural: "selfsubjectrulesreviews", short_names: &[], categories: &[], namespaced: false, serves: Serves::Review },
    Row { group: "authorization.k8s.io", version: "v1", kind: "SubjectAccessReview", plural: "subjectaccessreviews", short_names: &[], categories: &[], namespaced: false, serves: Serves::Review },
    Row { group: "autoscaling", version: "v2", kind: "HorizontalPodAutoscaler", plural: "horizontalpodautoscalers", short_names: &["hpa"], categories: &["all"], namespaced: true, serves: Serves::Status },
    Row { group: "batch", version: "v1", kind: "CronJob", plural: "cronjobs", short_names: &["cj"], categories: &["all"], namespaced: true, serves: Serves::Status },
    Row { group: "batch", version: "v1", kind: "Job", plural: "jobs", short_names: &[], categories: &["all"], namespaced: true, serves: Serves::Status },
    Row { group: "certificates.k8s.io", version: "v1", kind: "CertificateSigningRequest", plural: "certificatesigningrequests", short_names: &["csr"], categories: &[], namespaced: false, serves: Serves::Status },
    Row { group: "coordination.k8s.io", version: "v1", kind: "Lease", plural: "leases", short_names: &[], categories: &[], namespaced: true, serves: Serves::Object },
    Row { group: "discovery.k8s.io", version: "v1", kind: "EndpointSlice", plural: "endpointslices", short_names: &[], categories: &[], namespaced: true, serves: Serves::Object },
    Row { group: "flowcontrol.apiserver.k8s.io", version: "v1", kind: "FlowSchema", plural: "flowschemas", short_names: &[], categories: &[], namespaced: false, serves: Serves::Status },
    Row { group: "flowcontrol.apiserver.k8s.io", version: "v1", kind: "PriorityLevelConfiguration", plural: "prioritylevelconfigurations", short_names: &[], categories: &[], namespaced: false, serves: Serves::Status },
    Row { group: "networking.k8s.io", version: "v1", kind: "IngressClass", plural: "ingressclasses", short_names: &[], categories: &[], namespaced: false, serves: Serves::Object },
    Row { group: "networking.k8s.io", version: "v1", kind: "Ingress", plural: "ingresses", short_names: &["ing"], categories: &[], namespaced: true, serves: Serves::Status },
    Row { group: "networking.k8s.io", version: "v1", kind: "NetworkPolicy", plural: "networkpolicies", short_names: &["netpol"], categories: &[], namespaced: true, serves: Serves::Object },
    Row { group: "node.k8s.io", version: "v1", kind: "RuntimeClass", plural: "runtimeclasses", short_names: &[], categories: &[], namespaced: false, serves: Serves::Object },
    Row { group: "policy", version: "v1", kind: "PodDisruptionBudget", plural: "poddisruptionbudgets", short_names: &["pdb"], categories: &[], namespaced: true, serves: Serves::Status },
    Row { group: "rbac.authorization.k8s.io", version: "v1", kind: "ClusterRoleBinding", plural: "clusterrolebindings", short_names: &[], categories: &[], namespaced: false, serves: Serves::Object },
    Row { group: "rbac.authorization.k8s.io", version: "v1", kind: "ClusterRole", plural: "clusterroles", short_names: &[], categories: &[], namespaced: false, serves: Serves::Object },
    Row { group: "rbac.authorization.k8s.io", version: "v1", kind: "RoleBinding", plural: "rolebindings", short_names: &[], categories: &[], namespaced: true, serves: Serves::Object },
    Row { group: "rbac.authorization.k8s.io", version: "v1", kind: "Role", plural: "roles", short_names: &[], categories: &[], namespaced: true, serves: Serves::Object },
    Row { group: "scheduling.k8s.io", version: "v1", kind: "PriorityClass", plural: "priorityclasses", short_names: &["pc"], categories: &[], namespaced: false, serves: Serves::Object },
    Row { group: "storage.k8s.io", version: "v1", kind: "CSIDriver", plural: "csidrivers", short_names: &[], categories: &[], namespaced: false, serves: Serves::Object },
    Row { group: "storage.k8s.io", version: "v1", kind: "CSINode", plural: "csinodes", short_names: &[], categories: &[], namespaced: false, serves: Serves::Object },
    Row { group: "storage.k8s.io", version: "v1", kind: "CSIStorageCapacity", plural: "csistoragecapacities", short_names: &[], categories: &[], namespaced: true, serves: Serves::Object },
    Row { group: "storage.k8s.io", version: "v1", kind: "StorageClass", plural: "storageclasses", short_names: &["sc"], categories: &[], namespaced: false, serves: Serves::Object },
    Row { group: "storage.k8s.io", version: "v1", kind: "VolumeAttachment", plural: "volumeattachments", short_names: &[], categories: &[], namespaced: false, serves: Serves::Status },
];
