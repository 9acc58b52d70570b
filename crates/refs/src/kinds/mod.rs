//! One module per API group or subject, and the table that lists which kinds each knows.

pub(crate) mod admission;
pub(crate) mod apps;
pub(crate) mod autoscaling;
pub(crate) mod caddy;
pub(crate) mod cert_manager;
pub(crate) mod core;
pub(crate) mod custom;
pub(crate) mod extensions;
pub(crate) mod gateway;
pub(crate) mod hosts;
pub(crate) mod metadata;
pub(crate) mod networking;
pub(crate) mod pod;
pub(crate) mod policy;
pub(crate) mod rbac;
pub(crate) mod selectors;
pub(crate) mod storage;

use crate::collector::Collector;

/// A kind and the function that extracts its references.
pub(crate) struct Row {
    pub(crate) group: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) extract: fn(&mut Collector<'_>),
}

const fn row(group: &'static str, kind: &'static str, extract: fn(&mut Collector<'_>)) -> Row {
    Row {
        group,
        kind,
        extract,
    }
}

const ADMISSION: &str = "admissionregistration.k8s.io";
const CERT_MANAGER: &str = "cert-manager.io";
const GATEWAY: &str = "gateway.networking.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";
const SNAPSHOT: &str = "snapshot.storage.k8s.io";

/// Every kind whose fields are known, under its canonical group.
pub(crate) const TABLE: &[Row] = &[
    row("", "ConfigMap", core::config_map),
    row("", "PersistentVolume", storage::persistent_volume),
    row(
        "",
        "PersistentVolumeClaim",
        storage::persistent_volume_claim,
    ),
    row("", "Pod", pod::workload),
    row("", "PodTemplate", pod::workload),
    row("", "ReplicationController", pod::workload),
    row("", "Service", core::service),
    row("", "ServiceAccount", core::service_account),
    row(
        ADMISSION,
        "MutatingAdmissionPolicyBinding",
        admission::mutating_binding,
    ),
    row(
        ADMISSION,
        "MutatingWebhookConfiguration",
        admission::webhooks,
    ),
    row(
        ADMISSION,
        "ValidatingAdmissionPolicyBinding",
        admission::validating_binding,
    ),
    row(
        ADMISSION,
        "ValidatingWebhookConfiguration",
        admission::webhooks,
    ),
    row(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        extensions::definition,
    ),
    row(
        "apiregistration.k8s.io",
        "APIService",
        extensions::api_service,
    ),
    row("apps", "DaemonSet", pod::workload),
    row("apps", "Deployment", pod::workload),
    row("apps", "ReplicaSet", pod::workload),
    row("apps", "StatefulSet", pod::workload),
    row("apps", "StatefulSet", apps::stateful_set),
    row("argoproj.io", "Application", custom::argo_application),
    row("argoproj.io", "Rollout", custom::argo_rollout),
    row(
        "autoscaling",
        "HorizontalPodAutoscaler",
        autoscaling::horizontal,
    ),
    row(
        "autoscaling.k8s.io",
        "VerticalPodAutoscaler",
        autoscaling::vertical,
    ),
    row("batch", "CronJob", pod::workload),
    row("batch", "Job", pod::workload),
    row(CERT_MANAGER, "Certificate", cert_manager::certificate),
    row(CERT_MANAGER, "Issuer", cert_manager::issuer),
    row(
        "external-secrets.io",
        "ExternalSecret",
        custom::external_secret,
    ),
    row("external-secrets.io", "PushSecret", custom::push_secret),
    row(GATEWAY, "GRPCRoute", gateway::route),
    row(GATEWAY, "Gateway", gateway::gateway),
    row(GATEWAY, "HTTPRoute", gateway::route),
    row(GATEWAY, "TCPRoute", gateway::route),
    row(GATEWAY, "TLSRoute", gateway::route),
    row(GATEWAY, "UDPRoute", gateway::route),
    row("helm.toolkit.fluxcd.io", "HelmRelease", custom::flux_source),
    row("keda.sh", "ScaledJob", autoscaling::keda_scaled_job),
    row("keda.sh", "ScaledObject", autoscaling::keda_scaled_object),
    row(
        "keda.sh",
        "TriggerAuthentication",
        autoscaling::keda_authentication,
    ),
    row(
        "kustomize.toolkit.fluxcd.io",
        "Kustomization",
        custom::flux_source,
    ),
    row("monitoring.coreos.com", "PodMonitor", custom::pod_monitor),
    row(
        "monitoring.coreos.com",
        "ServiceMonitor",
        custom::service_monitor,
    ),
    row(
        "networking.istio.io",
        "DestinationRule",
        custom::istio_destination_rule,
    ),
    row(
        "networking.istio.io",
        "VirtualService",
        custom::istio_virtual_service,
    ),
    row("networking.k8s.io", "Ingress", networking::ingress),
    row(
        "networking.k8s.io",
        "IngressClass",
        networking::ingress_class,
    ),
    row(
        "networking.k8s.io",
        "NetworkPolicy",
        networking::network_policy,
    ),
    row("policy", "PodDisruptionBudget", policy::disruption_budget),
    row("postgresql.cnpg.io", "Backup", custom::cnpg_member),
    row("postgresql.cnpg.io", "Database", custom::cnpg_member),
    row("postgresql.cnpg.io", "Pooler", custom::cnpg_member),
    row("postgresql.cnpg.io", "ScheduledBackup", custom::cnpg_member),
    row(RBAC, "ClusterRole", rbac::cluster_role),
    row(RBAC, "ClusterRoleBinding", rbac::binding),
    row(RBAC, "RoleBinding", rbac::binding),
    row(SNAPSHOT, "VolumeSnapshot", storage::volume_snapshot),
    row(SNAPSHOT, "VolumeSnapshotClass", storage::secret_parameters),
    row("storage.k8s.io", "StorageClass", storage::secret_parameters),
    row(
        "storage.k8s.io",
        "VolumeAttachment",
        storage::volume_attachment,
    ),
    row("traefik.containo.us", "IngressRoute", custom::traefik_route),
    row(
        "traefik.containo.us",
        "IngressRouteTCP",
        custom::traefik_route,
    ),
    row("traefik.io", "IngressRoute", custom::traefik_route),
    row("traefik.io", "IngressRouteTCP", custom::traefik_route),
];
