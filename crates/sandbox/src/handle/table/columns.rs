//! Which columns each kind has. One line a column; `wide` ones show with `-o wide`.

use serde_json::Value;

use super::{Column, Row, Source, cells as cell, custom};
use crate::Kind;

/// The columns of a kind.
pub(super) fn of(kind: &Kind) -> Vec<Column> {
    if let Some(definition) = &kind.definition {
        return custom::columns(kind, definition);
    }
    let known = match kind.kind.group.as_str() {
        "" => core(&kind.kind.kind),
        "apps" => apps(&kind.kind.kind),
        "batch" | "autoscaling" | "policy" => workload_policies(&kind.kind.kind),
        "networking.k8s.io" | "discovery.k8s.io" => network(&kind.kind.kind),
        "rbac.authorization.k8s.io" => access(&kind.kind.kind),
        "storage.k8s.io" => storage(&kind.kind.kind),
        _ => others(&kind.kind.kind),
    };
    known.unwrap_or_else(|| vec![name(), string("Created At", cell::created_at)])
}

pub(super) fn name() -> Column {
    Column {
        format: "name".to_owned(),
        ..string("Name", cell::name)
    }
}

pub(super) fn age() -> Column {
    string("Age", cell::age)
}

fn column(name: &str, kind: &str, cell: fn(&Row) -> Value) -> Column {
    Column {
        name: name.to_owned(),
        kind: kind.to_owned(),
        format: String::new(),
        description: String::new(),
        priority: 0,
        source: Source::Built(cell),
    }
}

fn string(name: &str, cell: fn(&Row) -> Value) -> Column {
    column(name, "string", cell)
}

fn integer(name: &str, cell: fn(&Row) -> Value) -> Column {
    column(name, "integer", cell)
}

fn boolean(name: &str, cell: fn(&Row) -> Value) -> Column {
    column(name, "boolean", cell)
}

fn wide(column: Column) -> Column {
    Column {
        priority: 1,
        ..column
    }
}

/// What `-o wide` adds to whatever has a pod template.
fn template(mut columns: Vec<Column>, selector: bool) -> Vec<Column> {
    columns.push(wide(string("Containers", cell::containers)));
    columns.push(wide(string("Images", cell::images)));
    if selector {
        columns.push(wide(string("Selector", cell::selector)));
    }
    columns
}

fn core(kind: &str) -> Option<Vec<Column>> {
    Some(match kind {
        "Pod" => vec![
            name(),
            string("Ready", cell::pod_ready),
            string("Status", cell::pod_status),
            string("Restarts", cell::pod_restarts),
            age(),
            wide(string("IP", cell::pod_ip)),
            wide(string("Node", |row| {
                cell::or(row, "/spec/nodeName", "<none>")
            })),
            wide(string("Nominated Node", |row| {
                cell::or(row, "/status/nominatedNodeName", "<none>")
            })),
            wide(string("Readiness Gates", cell::readiness_gates)),
        ],
        "Namespace" => vec![
            name(),
            string("Status", |row| cell::or(row, "/status/phase", "")),
            age(),
        ],
        "Service" => vec![
            name(),
            string("Type", |row| cell::or(row, "/spec/type", "")),
            string("Cluster-IP", cell::cluster_ip),
            string("External-IP", cell::external_ip),
            string("Port(s)", cell::service_ports),
            age(),
            wide(string("Selector", |row| {
                cell::labels(row, "/spec/selector")
            })),
        ],
        "ConfigMap" => vec![name(), string("Data", cell::data), age()],
        "Secret" => vec![
            name(),
            string("Type", |row| cell::or(row, "/type", "")),
            string("Data", cell::data),
            age(),
        ],
        "ServiceAccount" => vec![
            name(),
            string("Secrets", |row| cell::count(row, "/secrets")),
            age(),
        ],
        "Node" => node(),
        "PersistentVolume" => persistent_volume(),
        "PersistentVolumeClaim" => vec![
            name(),
            string("Status", cell::phase),
            string("Volume", |row| cell::or(row, "/spec/volumeName", "")),
            string("Capacity", |row| {
                cell::or(row, "/status/capacity/storage", "")
            }),
            string("Access Modes", |row| {
                cell::access_modes(row, "/status/accessModes")
            }),
            string("StorageClass", |row| {
                cell::or(row, "/spec/storageClassName", "")
            }),
            string("VolumeAttributesClass", |row| {
                cell::or(row, "/spec/volumeAttributesClassName", "<unset>")
            }),
            age(),
            wide(string("VolumeMode", |row| {
                cell::or(row, "/spec/volumeMode", "<unset>")
            })),
        ],
        "Endpoints" => vec![name(), string("Endpoints", cell::endpoints), age()],
        "Event" => event(),
        "ReplicationController" => replicas(),
        "ResourceQuota" => vec![
            name(),
            string("Request", cell::quota_requests),
            string("Limit", cell::quota_limits),
            age(),
        ],
        "PodTemplate" => vec![
            name(),
            string("Containers", cell::containers),
            string("Images", cell::images),
            string("Pod Labels", |row| {
                cell::labels(row, "/template/metadata/labels")
            }),
        ],
        _ => return None,
    })
}

fn node() -> Vec<Column> {
    vec![
        name(),
        string("Status", cell::node_status),
        string("Roles", cell::node_roles),
        age(),
        string("Version", |row| {
            cell::or(row, "/status/nodeInfo/kubeletVersion", "")
        }),
        wide(string("Internal-IP", |row| {
            cell::node_address(row, "InternalIP")
        })),
        wide(string("External-IP", |row| {
            cell::node_address(row, "ExternalIP")
        })),
        wide(string("OS-Image", |row| {
            cell::or(row, "/status/nodeInfo/osImage", "<unknown>")
        })),
        wide(string("Kernel-Version", |row| {
            cell::or(row, "/status/nodeInfo/kernelVersion", "<unknown>")
        })),
        wide(string("Container-Runtime", |row| {
            cell::or(row, "/status/nodeInfo/containerRuntimeVersion", "<unknown>")
        })),
    ]
}

fn persistent_volume() -> Vec<Column> {
    vec![
        name(),
        string("Capacity", |row| {
            cell::or(row, "/spec/capacity/storage", "0")
        }),
        string("Access Modes", |row| {
            cell::access_modes(row, "/spec/accessModes")
        }),
        string("Reclaim Policy", |row| {
            cell::or(row, "/spec/persistentVolumeReclaimPolicy", "")
        }),
        string("Status", cell::phase),
        string("Claim", cell::claim),
        string("StorageClass", |row| {
            cell::or(row, "/spec/storageClassName", "")
        }),
        string("VolumeAttributesClass", |row| {
            cell::or(row, "/spec/volumeAttributesClassName", "<unset>")
        }),
        string("Reason", |row| cell::or(row, "/status/reason", "")),
        age(),
        wide(string("VolumeMode", |row| {
            cell::or(row, "/spec/volumeMode", "<unset>")
        })),
    ]
}

fn event() -> Vec<Column> {
    vec![
        string("Last Seen", cell::event_last_seen),
        string("Type", |row| cell::or(row, "/type", "")),
        string("Reason", |row| cell::or(row, "/reason", "")),
        string("Object", cell::event_object),
        wide(string("Subobject", |row| {
            cell::or(row, "/involvedObject/fieldPath", "")
        })),
        wide(string("Source", cell::event_source)),
        string("Message", |row| cell::or(row, "/message", "")),
        wide(string("First Seen", cell::event_first_seen)),
        wide(string("Count", cell::event_count)),
        wide(string("Name", cell::name)),
    ]
}

fn replicas() -> Vec<Column> {
    let columns = vec![
        name(),
        integer("Desired", |row| cell::number(row, "/spec/replicas")),
        integer("Current", |row| cell::number(row, "/status/replicas")),
        integer("Ready", |row| cell::number(row, "/status/readyReplicas")),
        age(),
    ];
    template(columns, true)
}

fn apps(kind: &str) -> Option<Vec<Column>> {
    Some(match kind {
        "Deployment" => {
            let columns = vec![
                name(),
                string("Ready", cell::replicas_ready),
                integer("Up-to-date", |row| {
                    cell::number(row, "/status/updatedReplicas")
                }),
                integer("Available", |row| {
                    cell::number(row, "/status/availableReplicas")
                }),
                age(),
            ];
            template(columns, true)
        }
        "ReplicaSet" => replicas(),
        "StatefulSet" => {
            let columns = vec![name(), string("Ready", cell::replicas_ready), age()];
            template(columns, false)
        }
        "DaemonSet" => {
            let columns = vec![
                name(),
                integer("Desired", |row| {
                    cell::number(row, "/status/desiredNumberScheduled")
                }),
                integer("Current", |row| {
                    cell::number(row, "/status/currentNumberScheduled")
                }),
                integer("Ready", |row| cell::number(row, "/status/numberReady")),
                integer("Up-to-date", |row| {
                    cell::number(row, "/status/updatedNumberScheduled")
                }),
                integer("Available", |row| {
                    cell::number(row, "/status/numberAvailable")
                }),
                string("Node Selector", |row| {
                    cell::labels(row, "/spec/template/spec/nodeSelector")
                }),
                age(),
            ];
            template(columns, true)
        }
        "ControllerRevision" => vec![
            name(),
            string("Controller", cell::controller),
            string("Revision", |row| cell::number(row, "/revision")),
            age(),
        ],
        _ => return None,
    })
}

fn workload_policies(kind: &str) -> Option<Vec<Column>> {
    Some(match kind {
        "Job" => {
            let columns = vec![
                name(),
                string("Status", cell::job_status),
                string("Completions", cell::job_completions),
                string("Duration", cell::job_duration),
                age(),
            ];
            template(columns, true)
        }
        "CronJob" => {
            let columns = vec![
                name(),
                string("Schedule", |row| cell::or(row, "/spec/schedule", "")),
                string("Timezone", |row| cell::or(row, "/spec/timeZone", "<none>")),
                boolean("Suspend", cell::suspended),
                integer("Active", |row| cell::count(row, "/status/active")),
                string("Last Schedule", cell::last_schedule),
                age(),
            ];
            template(columns, true)
        }
        "HorizontalPodAutoscaler" => vec![
            name(),
            string("Reference", cell::scale_target),
            string("Targets", cell::scale_metrics),
            string("MinPods", |row| {
                cell::or(row, "/spec/minReplicas", "<unset>")
            }),
            string("MaxPods", |row| cell::number(row, "/spec/maxReplicas")),
            string("Replicas", |row| {
                cell::number(row, "/status/currentReplicas")
            }),
            age(),
        ],
        "PodDisruptionBudget" => vec![
            name(),
            string("Min Available", |row| {
                cell::or(row, "/spec/minAvailable", "N/A")
            }),
            string("Max Unavailable", |row| {
                cell::or(row, "/spec/maxUnavailable", "N/A")
            }),
            integer("Allowed Disruptions", |row| {
                cell::number(row, "/status/disruptionsAllowed")
            }),
            age(),
        ],
        _ => return None,
    })
}

fn network(kind: &str) -> Option<Vec<Column>> {
    Some(match kind {
        "Ingress" => vec![
            name(),
            string("Class", |row| {
                cell::or(row, "/spec/ingressClassName", "<none>")
            }),
            string("Hosts", cell::ingress_hosts),
            string("Address", cell::load_balancer),
            string("Ports", cell::ingress_ports),
            age(),
        ],
        "IngressClass" => vec![
            name(),
            string("Controller", |row| cell::or(row, "/spec/controller", "")),
            string("Parameters", cell::ingress_parameters),
            age(),
        ],
        "NetworkPolicy" => vec![
            name(),
            string("Pod-Selector", |row| {
                cell::structured_selector(row, "/spec/podSelector")
            }),
            age(),
        ],
        "EndpointSlice" => vec![
            name(),
            string("AddressType", |row| cell::or(row, "/addressType", "")),
            string("Ports", cell::slice_ports),
            string("Endpoints", cell::slice_endpoints),
            age(),
        ],
        _ => return None,
    })
}

fn access(kind: &str) -> Option<Vec<Column>> {
    Some(match kind {
        "RoleBinding" | "ClusterRoleBinding" => vec![
            name(),
            string("Role", cell::role),
            age(),
            wide(string("Users", |row| cell::subjects(row, "User"))),
            wide(string("Groups", |row| cell::subjects(row, "Group"))),
            wide(string("ServiceAccounts", |row| {
                cell::subjects(row, "ServiceAccount")
            })),
        ],
        _ => return None,
    })
}

fn storage(kind: &str) -> Option<Vec<Column>> {
    Some(match kind {
        "StorageClass" => vec![
            name_of_class(),
            string("Provisioner", |row| cell::or(row, "/provisioner", "")),
            string("ReclaimPolicy", |row| {
                cell::or(row, "/reclaimPolicy", "Delete")
            }),
            string("VolumeBindingMode", |row| {
                cell::or(row, "/volumeBindingMode", "Immediate")
            }),
            string("AllowVolumeExpansion", |row| {
                cell::flag(row, "/allowVolumeExpansion")
            }),
            age(),
        ],
        "VolumeAttachment" => vec![
            name(),
            string("Attacher", |row| cell::or(row, "/spec/attacher", "")),
            string("PV", |row| {
                cell::or(row, "/spec/source/persistentVolumeName", "")
            }),
            string("Node", |row| cell::or(row, "/spec/nodeName", "")),
            boolean("Attached", |row| cell::flag(row, "/status/attached")),
            age(),
        ],
        "CSINode" => vec![
            name(),
            integer("Drivers", |row| cell::count(row, "/spec/drivers")),
            age(),
        ],
        _ => return None,
    })
}

fn name_of_class() -> Column {
    Column {
        source: Source::Built(cell::storage_class),
        ..name()
    }
}

fn others(kind: &str) -> Option<Vec<Column>> {
    Some(match kind {
        "Lease" => vec![
            name(),
            string("Holder", |row| cell::or(row, "/spec/holderIdentity", "")),
            age(),
        ],
        "PriorityClass" => vec![
            name(),
            integer("Value", |row| cell::number(row, "/value")),
            boolean("Global-Default", |row| cell::flag(row, "/globalDefault")),
            age(),
            string("PreemptionPolicy", |row| {
                cell::or(row, "/preemptionPolicy", "")
            }),
        ],
        "RuntimeClass" => vec![
            name(),
            string("Handler", |row| cell::or(row, "/handler", "")),
            age(),
        ],
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => vec![
            name(),
            integer("Webhooks", |row| cell::count(row, "/webhooks")),
            age(),
        ],
        "APIService" => vec![
            name(),
            string("Service", cell::api_service),
            string("Available", cell::api_service_available),
            age(),
        ],
        _ => return None,
    })
}
