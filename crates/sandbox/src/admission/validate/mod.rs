//! What is wrong with an object, a file for each family of kinds.

mod affinity;
mod batch;
mod common;
mod config;
mod containers;
mod cron;
mod definitions;
mod metadata;
mod names;
mod networking;
mod pods;
mod policy;
mod rbac;
mod services;
mod storage;
mod volumes;
mod webhooks;
mod workloads;

use serde_json::Value;

use super::{Operation, causes::Causes, custom, path::Path, view::field};
use crate::{Cause, Kind, State};

/// What is wrong with a prepared object; nothing if it may be stored.
pub(crate) fn validate(
    state: &State,
    kind: &Kind,
    operation: Operation,
    old: Option<&Value>,
    new: &Value,
    subresource: &str,
) -> Vec<Cause> {
    let mut causes = Causes::default();
    let old = old.filter(|_| operation == Operation::Update);
    metadata::validate(&mut causes, kind, old, new);
    if kind.definition.is_some() {
        custom::validate(&mut causes, kind, new);
    } else if subresource.is_empty() || kind.kind.is("", "Namespace") {
        by_kind(&mut causes, kind, old, new, subresource);
    }
    if causes.is_empty() && subresource.is_empty() && kind.kind.is("", "Service") {
        services::allocation(&mut causes, state, old, new);
    }
    causes.into_inner()
}

fn by_kind(causes: &mut Causes, kind: &Kind, old: Option<&Value>, new: &Value, subresource: &str) {
    match (kind.kind.group.as_str(), kind.kind.kind.as_str()) {
        ("", "ConfigMap") => config::config_map(causes, old, new),
        ("", "Endpoints") => services::endpoints(causes, new),
        ("", "Event") => config::event(causes, new),
        ("", "LimitRange") => policy::limit_range(causes, new),
        ("", "Namespace") => config::namespace(causes, new, subresource),
        ("", "PersistentVolume") => storage::volume(causes, old, new),
        ("", "PersistentVolumeClaim") => storage::claim(causes, old, new),
        ("", "Pod") => pods::pod(causes, old, new),
        ("", "PodTemplate") => {
            pods::template(causes, &Path::root("template"), field(new, "template"));
        }
        ("", "ReplicationController") => workloads::replication_controller(causes, new),
        ("", "ResourceQuota") => policy::resource_quota(causes, old, new),
        ("", "Secret") => config::secret(causes, old, new),
        ("", "Service") => services::service(causes, old, new),
        ("apps", "ControllerRevision") => config::revision(causes, old, new),
        ("apps", "DaemonSet") => workloads::daemon_set(causes, old, new),
        ("apps", "Deployment") => workloads::deployment(causes, old, new),
        ("apps", "ReplicaSet") => workloads::replica_set(causes, old, new),
        ("apps", "StatefulSet") => workloads::stateful_set(causes, old, new),
        ("batch", "CronJob") => batch::cron_job(causes, old, new),
        ("batch", "Job") => batch::job(causes, old, new),
        ("autoscaling", "HorizontalPodAutoscaler") => policy::autoscaler(causes, new),
        ("policy", "PodDisruptionBudget") => policy::budget(causes, new),
        ("networking.k8s.io", "Ingress") => networking::ingress(causes, old, new),
        ("networking.k8s.io", "IngressClass") => networking::ingress_class(causes, old, new),
        ("networking.k8s.io", "NetworkPolicy") => networking::network_policy(causes, new),
        ("discovery.k8s.io", "EndpointSlice") => services::endpoint_slice(causes, old, new),
        ("coordination.k8s.io", "Lease") => policy::lease(causes, new),
        ("rbac.authorization.k8s.io", "ClusterRole") => rbac::role(causes, new, false),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding") => {
            rbac::binding(causes, old, new, false);
        }
        ("rbac.authorization.k8s.io", "Role") => rbac::role(causes, new, true),
        ("rbac.authorization.k8s.io", "RoleBinding") => rbac::binding(causes, old, new, true),
        ("storage.k8s.io", "StorageClass") => storage::class(causes, old, new),
        ("scheduling.k8s.io", "PriorityClass") => policy::priority_class(causes, old, new),
        ("node.k8s.io", "RuntimeClass") => policy::runtime_class(causes, old, new),
        (
            "admissionregistration.k8s.io",
            "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration",
        ) => webhooks::configuration(causes, new),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            definitions::definition(causes, old, new);
        }
        _ => {}
    }
}
