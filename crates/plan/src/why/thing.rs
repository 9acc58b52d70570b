//! What is asked about, as people write it: `secret/db`, `deploy/wallet/web`, `namespace/wallet`.

use std::{collections::BTreeSet, fmt, str::FromStr};

use underpin_model::{
    BUILTIN_KINDS, GroupKind, ObjectKey, ResourceKind, World, canonical_group, nearest,
};

use super::graph::Graph;

/// Most candidates that an error lists.
const CANDIDATE_LIMIT: usize = 10;
/// Objects of a kind that are all listed where none is called nearly so.
const FEW: usize = 4;

/// Short names as `kubectl api-resources` lists them.
const SHORT_NAMES: &[(&str, &str)] = &[
    ("cm", "ConfigMap"),
    ("crd", "CustomResourceDefinition"),
    ("crds", "CustomResourceDefinition"),
    ("cj", "CronJob"),
    ("deploy", "Deployment"),
    ("ds", "DaemonSet"),
    ("ep", "Endpoints"),
    ("hpa", "HorizontalPodAutoscaler"),
    ("ing", "Ingress"),
    ("limits", "LimitRange"),
    ("netpol", "NetworkPolicy"),
    ("no", "Node"),
    ("ns", "Namespace"),
    ("pc", "PriorityClass"),
    ("pdb", "PodDisruptionBudget"),
    ("po", "Pod"),
    ("pv", "PersistentVolume"),
    ("pvc", "PersistentVolumeClaim"),
    ("quota", "ResourceQuota"),
    ("rc", "ReplicationController"),
    ("rs", "ReplicaSet"),
    ("sa", "ServiceAccount"),
    ("sc", "StorageClass"),
    ("sts", "StatefulSet"),
    ("svc", "Service"),
];

/// A thing as it was written: `KIND/NAME` or `KIND/NAMESPACE/NAME`, the kind singular, plural or
/// short, with or without its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    kind: String,
    namespace: Option<String>,
    name: String,
}

/// Why it is not clear what is asked about.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ThingError {
    /// It is not of the form.
    #[error(
        "`{0}` names no object: write KIND/NAME or KIND/NAMESPACE/NAME, such as secret/wallet/db"
    )]
    Malformed(String),
    /// No such kind is known.
    #[error("there is no kind `{kind}`{}", suggestion(.nearest.as_ref()))]
    NoKind {
        /// The word.
        kind: String,
        /// A kind of nearly that name.
        nearest: Option<String>,
    },
    /// The namespace was given twice, and not the same.
    #[error("`{thing}` lies in namespace {written}, and --namespace says {flag}")]
    TwoNamespaces {
        /// The thing.
        thing: String,
        /// The namespace in it.
        written: String,
        /// The other one.
        flag: String,
    },
    /// Objects of this kind lie in no namespace.
    #[error("{kind} objects lie in no namespace; write {kind}/{name}")]
    ClusterScoped {
        /// The kind.
        kind: String,
        /// The name.
        name: String,
    },
    /// Several objects are called so.
    #[error("`{thing}` may be any of {}", listed(.candidates))]
    Ambiguous {
        /// What was written.
        thing: String,
        /// The objects.
        candidates: Vec<ObjectKey>,
    },
    /// There is no such object, and nobody names one.
    #[error("there is no {thing}, and nothing refers to it{}", suggestion(listed_or_none(.candidates).as_ref()))]
    NotFound {
        /// What was written.
        thing: String,
        /// Objects of nearly that name, or of that name elsewhere.
        candidates: Vec<ObjectKey>,
    },
}

fn suggestion(nearest: Option<&String>) -> String {
    nearest.map_or_else(String::new, |nearest| format!("; did you mean {nearest}?"))
}

fn listed_or_none(candidates: &[ObjectKey]) -> Option<String> {
    (!candidates.is_empty()).then(|| listed(candidates))
}

fn listed(candidates: &[ObjectKey]) -> String {
    let mut words: Vec<String> = candidates
        .iter()
        .take(CANDIDATE_LIMIT)
        .map(ToString::to_string)
        .collect();
    if candidates.len() > CANDIDATE_LIMIT {
        words.push(format!("{} more", candidates.len() - CANDIDATE_LIMIT));
    }
    words.join(", ")
}

impl FromStr for Thing {
    type Err = ThingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, namespace, name) = match parts[..] {
            [kind, name] => (kind, None, name),
            [kind, namespace, name] => (kind, Some(namespace), name),
            _ => return Err(ThingError::Malformed(text.to_owned())),
        };
        let is_word = |word: &str| {
            !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c.is_control())
        };
        if ![kind, name, namespace.unwrap_or(name)]
            .into_iter()
            .all(is_word)
        {
            return Err(ThingError::Malformed(text.to_owned()));
        }
        Ok(Self {
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        write!(f, "{}", self.name)
    }
}

impl Thing {
    /// The namespace that it lies in, or is, as far as the words tell.
    pub fn surroundings(&self) -> Option<&str> {
        let namespace = GroupKind::core("Namespace");
        let is_namespace = is_called(&namespace, None, &self.kind);
        self.namespace
            .as_deref()
            .or(is_namespace.then_some(self.name.as_str()))
    }

    /// The same thing in the namespace of a flag.
    pub fn in_namespace(self, flag: Option<&str>) -> Result<Self, ThingError> {
        match (&self.namespace, flag) {
            (Some(written), Some(flag)) if written != flag => Err(ThingError::TwoNamespaces {
                thing: self.to_string(),
                written: written.clone(),
                flag: flag.to_owned(),
            }),
            (None, Some(flag)) => Ok(Self {
                namespace: Some(flag.to_owned()),
                ..self
            }),
            _ => Ok(self),
        }
    }
}

/// The object that is meant: one that is there, else one that somebody refers to, else one that may
/// be there where the world could not be read. Without a namespace it is looked for in all.
/// `from_flag` says that the namespace was given beside the thing, where it says nothing about
/// cluster-scoped kinds.
pub fn resolve(
    thing: &Thing,
    from_flag: bool,
    world: &World,
    graph: &Graph,
) -> Result<ObjectKey, ThingError> {
    let known = known_kinds(world, graph);
    let kinds: BTreeSet<&GroupKind> = known
        .iter()
        .filter(|kind| is_called(kind, world.kinds.get(kind), &thing.kind))
        .collect();
    if kinds.is_empty() {
        return Err(ThingError::NoKind {
            kind: thing.kind.clone(),
            nearest: nearest_kind(&thing.kind, &known),
        });
    }
    let scoped = |kind: &GroupKind| world.is_namespaced(kind) != Some(false);
    if !from_flag && thing.namespace.is_some() && !kinds.iter().any(|kind| scoped(kind)) {
        return Err(ThingError::ClusterScoped {
            kind: thing.kind.clone(),
            name: thing.name.clone(),
        });
    }
    let fits = |key: &ObjectKey| {
        let namespace = thing.namespace.as_ref().filter(|_| scoped(&key.kind));
        kinds.contains(&key.kind)
            && key.name == thing.name
            && namespace.is_none_or(|namespace| key.namespace.as_ref() == Some(namespace))
    };
    let there: BTreeSet<&ObjectKey> = world
        .objects()
        .map(|object| &object.key)
        .filter(|key| fits(key))
        .collect();
    let named = || graph.providers().filter(|key| fits(key)).collect();
    let found = if there.is_empty() { named() } else { there };
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only.clone()),
        (Some(first), Some(second)) => Err(ThingError::Ambiguous {
            thing: thing.to_string(),
            candidates: [first, second].into_iter().chain(found).cloned().collect(),
        }),
        (None, _) => unseen(thing, &kinds, world).ok_or_else(|| ThingError::NotFound {
            thing: thing.to_string(),
            candidates: similar(thing, &kinds, world),
        }),
    }
}

/// An object that the world does not hold and may be there all the same.
fn unseen(thing: &Thing, kinds: &BTreeSet<&GroupKind>, world: &World) -> Option<ObjectKey> {
    let candidates = kinds.iter().filter_map(|kind| {
        let namespace = match world.is_namespaced(kind) {
            Some(false) => None,
            _ => Some(thing.namespace.clone()?),
        };
        world.unread(kind, namespace.as_deref())?;
        Some(ObjectKey {
            kind: (*kind).clone(),
            namespace,
            name: thing.name.clone(),
        })
    });
    let mut candidates: Vec<ObjectKey> = candidates.collect();
    (candidates.len() == 1).then(|| candidates.remove(0))
}

/// Objects of the kinds that are called so elsewhere, or nearly so; else the few that are there.
fn similar(thing: &Thing, kinds: &BTreeSet<&GroupKind>, world: &World) -> Vec<ObjectKey> {
    let of_kind: Vec<&ObjectKey> = world
        .objects()
        .map(|object| &object.key)
        .filter(|key| kinds.contains(&key.kind))
        .collect();
    let here = of_kind.iter().filter(|key| {
        thing.namespace.is_none() || key.namespace == thing.namespace || key.namespace.is_none()
    });
    let near = nearest(&thing.name, here.map(|key| key.name.as_str()));
    let is_here = |key: &ObjectKey| thing.namespace.is_none() || key.namespace == thing.namespace;
    let (named, others): (Vec<&ObjectKey>, Vec<&ObjectKey>) = of_kind.iter().partition(|key| {
        key.name == thing.name
            || (Some(key.name.as_str()) == near && (is_here(key) || key.namespace.is_none()))
    });
    let here: Vec<&ObjectKey> = others.into_iter().filter(|key| is_here(key)).collect();
    let few = named.is_empty() && here.len() <= FEW;
    let candidates = if few { here } else { named };
    candidates.into_iter().cloned().collect()
}

fn known_kinds(world: &World, graph: &Graph) -> BTreeSet<GroupKind> {
    let builtin = BUILTIN_KINDS
        .iter()
        .map(|row| GroupKind::new(row.group, row.kind));
    let served = world.kinds.keys().cloned();
    let there = world.objects().map(|object| object.key.kind.clone());
    let named = graph.providers().map(|key| key.kind.clone());
    builtin.chain(served).chain(there).chain(named).collect()
}

/// Whether people call the kind so: `deployment`, `Deployments`, `deploy`, `deployments.apps`,
/// `deployments.v1.apps`. `served` is how a cluster serves it, where that is known.
pub fn is_called(kind: &GroupKind, served: Option<&ResourceKind>, word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let (resource, group) = match word.split_once('.') {
        Some((resource, group)) => (resource, Some(group)),
        None => (word.as_str(), None),
    };
    let is_of_group = group.is_none_or(|group| {
        let versioned = group.split_once('.').filter(|(version, _)| {
            version.starts_with('v') && version[1..].starts_with(|c: char| c.is_ascii_digit())
        });
        let canonical = |group: &str| canonical_group(group, &kind.kind) == kind.group;
        canonical(group) || versioned.is_some_and(|(_, group)| canonical(group))
    });
    let singular = kind.kind.to_ascii_lowercase();
    let is_short = SHORT_NAMES
        .iter()
        .any(|(short, of)| *short == resource && *of == kind.kind && is_builtin(kind));
    let is_plural = match served {
        Some(served) => served.plural == resource,
        None => plural_of(&singular) == resource,
    };
    is_of_group && (singular == resource || is_short || is_plural)
}

fn is_builtin(kind: &GroupKind) -> bool {
    underpin_model::builtin_kind(&kind.group, &kind.kind).is_some()
}

/// The plural that Kubernetes gives a kind in lower case.
pub fn plural_of(singular: &str) -> String {
    let ends_in = |endings: &[&str]| endings.iter().any(|end| singular.ends_with(end));
    if singular == "endpoints" {
        return singular.to_owned();
    }
    match singular.strip_suffix('y') {
        Some(stem) if !ends_in(&["ay", "ey", "oy", "uy"]) => format!("{stem}ies"),
        _ if ends_in(&["s", "x", "ch", "sh"]) => format!("{singular}es"),
        _ => format!("{singular}s"),
    }
}

fn nearest_kind(word: &str, known: &BTreeSet<GroupKind>) -> Option<String> {
    let resource = word.split('.').next().unwrap_or(word);
    let kinds: BTreeSet<String> = known
        .iter()
        .map(|kind| kind.kind.to_ascii_lowercase())
        .collect();
    nearest(resource, kinds.iter().map(String::as_str)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, group: &str, kind: &str, expect: bool) {
        let kind = GroupKind::new(group, kind);
        assert_eq!(is_called(&kind, None, word), expect, "{word} {kind}");
    }

    #[test]
    fn kinds_are_called_as_kubectl_calls_them() {
        for word in [
            "deployment",
            "deployments",
            "deploy",
            "Deployment",
            "deployment.apps",
            "deployments.v1.apps",
            "deployments.extensions",
        ] {
            check(word, "apps", "Deployment", true);
        }
        check("deployment.batch", "apps", "Deployment", false);
        check("svc", "", "Service", true);
        check("svc", "serving.knative.dev", "Service", false);
        check("service", "serving.knative.dev", "Service", true);
        check("ingresses", "networking.k8s.io", "Ingress", true);
        check("netpol", "networking.k8s.io", "NetworkPolicy", true);
        check(
            "networkpolicies",
            "networking.k8s.io",
            "NetworkPolicy",
            true,
        );
        check("endpoints", "", "Endpoints", true);
        check("storageclasses", "storage.k8s.io", "StorageClass", true);
        check("gateways", "gateway.networking.k8s.io", "Gateway", true);
        check("", "", "Service", false);
        check(".v", "", "Service", false);
    }

    #[test]
    fn things_are_kind_namespace_and_name() {
        for text in ["a/b", "a/b/c", "deployment.apps/wallet/web"] {
            let thing: Thing = text.parse().unwrap();
            assert_eq!(thing.to_string(), text);
        }
        for text in ["", "a", "a/", "/b", "a//b", "a/b/c/d", "a /b", "a/b\n"] {
            assert!(text.parse::<Thing>().is_err(), "{text}");
        }
    }
}
