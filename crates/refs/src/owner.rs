//! Whose an object is, by the marks that deployment tools leave.

use serde_json::Value;
use underpin_model::{Object, Owner};

/// How a tool is recognised: returns the name of its unit, empty when the mark does not tell.
type Mark = fn(&Object) -> Option<String>;

/// Tools in the order in which their marks are looked for. A tool that drives another comes
/// first: Flux installs Helm releases, and the release is then Flux's.
const TABLE: &[(&str, Mark)] = &[
    ("Flux", flux),
    ("Argo CD", argo_application),
    ("Config Sync", config_sync),
    ("kapp", |object| label(object, "kapp.k14s.io/app")),
    ("kluctl", kluctl),
    ("k3s", k3s),
    ("Rancher Fleet", fleet),
    ("Rancher", rancher),
    ("OLM", |object| {
        let namespace = object.label("olm.owner.namespace");
        object
            .label("olm.owner")
            .map(|name| qualified(namespace, name))
    }),
    ("Crossplane", |object| {
        label(object, "crossplane.io/composite")
    }),
    ("Karmada", |object| {
        annotation(object, "resourcetemplate.karmada.io/uid").map(|_| String::new())
    }),
    ("HNC", |object| label(object, "hnc.x-k8s.io/inherited-from")),
    ("cli-utils", |object| {
        annotation(object, "config.k8s.io/owning-inventory")
    }),
    ("ApplySet", |object| {
        label(object, "applyset.kubernetes.io/part-of")
    }),
    ("Timoni", timoni),
    ("Garden", |object| annotation(object, "garden.io/service")),
    ("Tanka", |object| label(object, "tanka.dev/environment")),
    ("Skaffold", |object| {
        label(object, "skaffold.dev/run-id").map(|_| String::new())
    }),
    ("Helm", helm),
    ("Pulumi", pulumi),
    ("Terraform", terraform),
    ("addon manager", |object| {
        label(object, "addonmanager.kubernetes.io/mode").map(|_| String::new())
    }),
];

/// The tool that holds an object, by its marks; else the field manager that made it; else
/// nothing. Claims are judged elsewhere, so this is never [`Owner::Claim`].
pub fn tool_owner(object: &Object) -> Owner {
    for (tool, mark) in TABLE {
        if let Some(name) = mark(object) {
            return Owner::Tool { tool, name };
        }
    }
    creator(object).map_or(Owner::Unknown, |manager| Owner::Manager(manager.to_owned()))
}

/// Field managers that deployers leave behind and whose fields adoption may take over: nobody
/// reconciles them but the deployer itself. What people change by hand on a running object, such
/// as `kubectl-scale` or `kubectl-rollout`, and what controllers write, is not among them.
pub fn is_deployer_manager(manager: &str) -> bool {
    const EXACT: &[&str] = &[
        "HashiCorp",
        "Terraform",
        "argocd-application-controller",
        "argocd-controller",
        "before-first-apply",
        "helm",
        "helm-controller",
        "kapp",
        "kapp-server-side",
        "kluctl",
        "kpt",
        "kubecfg",
        "kubectl",
        "kubectl-apply",
        "kubectl-client-side-apply",
        "kubectl-create",
        "kubectl-edit",
        "kubectl-expose",
        "kubectl-patch",
        "kubectl-replace",
        "kubectl-run",
        "kustomize-controller",
        "nelm",
        "skaffold",
        "tanka",
        "terraform",
        "tilt",
        "timoni",
        "werf",
    ];
    const PREFIXES: &[&str] = &["pulumi-", "terraform-provider-"];
    EXACT.contains(&manager) || PREFIXES.iter().any(|prefix| manager.starts_with(prefix))
}

fn label(object: &Object, name: &str) -> Option<String> {
    object.label(name).map(str::to_owned)
}

fn annotation(object: &Object, name: &str) -> Option<String> {
    object.annotation(name).map(str::to_owned)
}

/// `namespace/name`, where the namespace is known.
fn qualified(namespace: Option<&str>, name: &str) -> String {
    match namespace.filter(|namespace| !namespace.is_empty()) {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    }
}

/// Field managers that wrote to the object itself, not to a subresource such as `status`.
fn writers(object: &Object) -> impl Iterator<Item = (&str, &Value)> {
    let entries = object
        .at("/metadata/managedFields")
        .and_then(Value::as_array);
    entries.into_iter().flatten().filter_map(|entry| {
        let subresource = entry.get("subresource").and_then(Value::as_str);
        if subresource.is_some_and(|subresource| !subresource.is_empty()) {
            return None;
        }
        Some((entry.get("manager")?.as_str()?, entry))
    })
}

fn written_by(object: &Object, is_tool: impl Fn(&str) -> bool) -> bool {
    writers(object).any(|(manager, _)| is_tool(manager))
}

/// Managers that also write to what others made: status, which older servers do not tell apart,
/// and annotations such as a Deployment's revision.
const CONTROL_PLANE: &[&str] = &["kube-controller-manager", "kube-scheduler", "kubelet"];

/// The manager of the oldest entry, one of the control plane only where there is no other. A later write by the same manager moves its time, so this is
/// the best that the record tells.
fn creator(object: &Object) -> Option<&str> {
    writers(object)
        .min_by_key(|(manager, entry)| {
            let time = entry.get("time").and_then(Value::as_str).unwrap_or("~");
            (CONTROL_PLANE.contains(manager), time)
        })
        .map(|(manager, _)| manager)
}

fn flux(object: &Object) -> Option<String> {
    ["kustomize", "helm"].iter().find_map(|kind| {
        let name = object.label(&format!("{kind}.toolkit.fluxcd.io/name"))?;
        let namespace = object.label(&format!("{kind}.toolkit.fluxcd.io/namespace"));
        Some(qualified(namespace, name))
    })
}

/// The Argo CD Application that applies an object, by its marks.
pub(crate) fn argo_application(object: &Object) -> Option<String> {
    let tracked = object
        .annotation("argocd.argoproj.io/tracking-id")
        .and_then(|id| argo_tracked(object, id));
    let by_label = || label(object, "argocd.argoproj.io/instance");
    let by_manager = || {
        let name = object.label("app.kubernetes.io/instance")?;
        let written = written_by(object, |manager| {
            matches!(
                manager,
                "argocd-controller" | "argocd-application-controller"
            )
        });
        written.then(|| name.to_owned())
    };
    tracked.or_else(by_label).or_else(by_manager)
}

/// `application:group/Kind:namespace/name`, if it speaks of this very object: controllers copy
/// annotations to what they make.
fn argo_tracked(object: &Object, id: &str) -> Option<String> {
    let (application, rest) = id.split_once(':')?;
    let (group_kind, identity) = rest.split_once(':')?;
    let (group, kind) = group_kind.split_once('/')?;
    let (namespace, name) = identity.split_once('/')?;
    let key = &object.key;
    let same_namespace = key.namespace.as_deref().is_none_or(|own| own == namespace);
    let same = key.kind.is(group, kind) && key.name == name && same_namespace;
    same.then(|| application.to_owned())
}

fn config_sync(object: &Object) -> Option<String> {
    let managed = object.annotation("configmanagement.gke.io/managed") == Some("enabled")
        || object.label("app.kubernetes.io/managed-by") == Some("configmanagement.gke.io");
    managed.then(|| annotation(object, "configsync.gke.io/manager").unwrap_or_default())
}

fn kluctl(object: &Object) -> Option<String> {
    label(object, "kluctl.io/discriminator")
        .or_else(|| written_by(object, |manager| manager == "kluctl").then(String::new))
}

const OBJECT_SET_OWNER_KIND: &str = "objectset.rio.cattle.io/owner-gvk";

/// The manifests that k3s deploys by itself carry the same marks as Fleet's, owned by an Addon.
fn k3s(object: &Object) -> Option<String> {
    let owner = object.annotation(OBJECT_SET_OWNER_KIND)?;
    owner
        .contains("k3s.cattle.io")
        .then(|| object_set_owner(object))
}

/// Fleet's agent leaves no owner's kind, or its own; other controllers of Rancher leave theirs.
fn fleet(object: &Object) -> Option<String> {
    let owner = object.annotation(OBJECT_SET_OWNER_KIND);
    let is_fleet = owner.is_none_or(|owner| owner.contains("fleet.cattle.io"));
    rancher(object).filter(|_| is_fleet)
}

fn rancher(object: &Object) -> Option<String> {
    let marked = object.annotation("objectset.rio.cattle.io/id").is_some()
        || object.label("objectset.rio.cattle.io/hash").is_some();
    marked.then(|| object_set_owner(object))
}

fn object_set_owner(object: &Object) -> String {
    let namespace = object.annotation("objectset.rio.cattle.io/owner-namespace");
    match object.annotation("objectset.rio.cattle.io/owner-name") {
        Some(name) => qualified(namespace, name),
        None => annotation(object, "objectset.rio.cattle.io/id").unwrap_or_default(),
    }
}

fn timoni(object: &Object) -> Option<String> {
    let managed = object.label("app.kubernetes.io/managed-by") == Some("timoni")
        || written_by(object, |manager| manager == "timoni");
    managed.then(|| label(object, "app.kubernetes.io/name").unwrap_or_default())
}

/// The release's annotations are what Helm itself checks. The label alone is left behind by
/// `helm template` and says nothing, unless Helm also wrote the object.
fn helm(object: &Object) -> Option<String> {
    if let Some(release) = object.annotation("meta.helm.sh/release-name") {
        let namespace = object.annotation("meta.helm.sh/release-namespace");
        return Some(qualified(namespace, release));
    }
    written_by(object, |manager| manager == "helm")
        .then(|| label(object, "app.kubernetes.io/instance").unwrap_or_default())
}

fn pulumi(object: &Object) -> Option<String> {
    let managed = object.label("app.kubernetes.io/managed-by") == Some("pulumi")
        || written_by(object, |manager| manager.starts_with("pulumi-"));
    managed.then(String::new)
}

fn terraform(object: &Object) -> Option<String> {
    written_by(object, |manager| {
        matches!(manager, "Terraform" | "terraform" | "HashiCorp")
            || manager.starts_with("terraform-provider-")
    })
    .then(String::new)
}
