//! The workloads, namespaces, nodes and Services of a world.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    sync::Arc,
};

use underpin_model::{FieldPath, GroupKind, Object, ObjectKey, World};
use underpin_refs::{bears_pods, namespace_of, operator_services};

use crate::{
    addresses::AddressRange,
    gap::Gap,
    labels::{Labels, Selector, Tri},
    party::{Addresses, Node, Pod},
    policy::NamedPorts,
    profile::{Options, Profile},
    read::{
        NAME_LABEL, PodFields, ServiceFields, SliceFields, incomplete_owner, labels_of,
        node_addresses, operators, pod_fields, pod_networks, service, slice,
    },
    reason::Reason,
};

/// What of a world takes part in connections, policies aside.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    profile: Profile,
    namespaces: BTreeMap<String, Arc<Labels>>,
    /// Pods that no policy can tell apart are one.
    pub(crate) pods: Vec<Arc<Pod>>,
    ids: HashMap<Arc<Pod>, u32>,
    /// Workloads, and pods without one, with their pods. Several where they differ.
    pub(crate) workloads: BTreeMap<ObjectKey, Vec<u32>>,
    pub(crate) nodes: Vec<Arc<Node>>,
    pub(crate) services: BTreeMap<(String, String), ServiceFields>,
    slices: BTreeMap<(String, String), Vec<SliceFields>>,
    by_address: BTreeMap<IpAddr, (ObjectKey, u32)>,
    by_namespace: BTreeMap<String, Vec<(ObjectKey, u32)>>,
    /// Where in `by_namespace` pods with a label are; without a label, those of which not all
    /// labels are known.
    by_label: HashMap<Option<(String, String)>, BTreeMap<String, Vec<u32>>>,
    /// The networks that pods get their addresses from; none when they are not known.
    networks: Arc<[AddressRange]>,
}

fn metadata() -> FieldPath {
    FieldPath::new("metadata")
}

/// Whether the name of an object is not known; its key then has another, to tell it from others.
fn is_nameless(object: &Object) -> bool {
    !object.unknown.is_empty() && object.text("/metadata/name").is_none()
}

/// Why the namespace of an object is not known.
fn unknown_namespace(object: &Object) -> Option<Reason> {
    if object.unknown.is_empty() || object.key.namespace.is_some() {
        return None;
    }
    let part = object.unknown.around(&metadata().key("namespace"))?;
    Some(Gap::later(part).reason(&object.key))
}

/// A pod or the pods of a template, before it is known what can tell them apart.
struct Found {
    workload: ObjectKey,
    fields: PodFields,
    is_pod: bool,
    /// A pod of a workload whose template speaks for it: its addresses alone count.
    is_spoken_for: bool,
    /// Why its namespace is not known.
    why_nowhere: Option<Arc<Reason>>,
}

impl Inventory {
    pub(crate) fn new(world: &World, options: &Options) -> Self {
        let mut inventory = Self {
            profile: options.profile,
            ..Self::default()
        };
        inventory.read_namespaces(world);
        inventory.read_nodes(world);
        inventory.read_services(world);
        let found = inventory.find_pods(world);
        inventory.networks = networks(world, options, &found);
        for one in found {
            inventory.add(&one);
        }
        for (key, ids) in &inventory.workloads {
            let own = key.namespace.clone().unwrap_or_default();
            let own = inventory.by_namespace.entry(own);
            own.or_default()
                .extend(ids.iter().map(|id| (key.clone(), *id)));
        }
        inventory.index_labels();
        inventory
    }

    fn index_labels(&mut self) {
        for (namespace, own) in &self.by_namespace {
            for (at, (_, id)) in (0_u32..).zip(own) {
                let labels = &self.pods[*id as usize].labels;
                let known = labels.known.iter();
                let mut keys: Vec<_> = known
                    .map(|(key, value)| Some((key.clone(), value.clone())))
                    .collect();
                if labels.is_partial() {
                    keys = vec![None];
                }
                for key in keys {
                    let lists = self.by_label.entry(key).or_default();
                    lists.entry(namespace.clone()).or_default().push(at);
                }
            }
        }
    }

    fn read_namespaces(&mut self, world: &World) {
        for object in world.of_kind(&GroupKind::core("Namespace")) {
            if is_nameless(object) {
                continue;
            }
            let mut labels = labels_of(object, &metadata(), object.at("/metadata"));
            let name = object.key.name.clone();
            labels.known.insert(NAME_LABEL.to_owned(), name.clone());
            self.namespaces.insert(name, Arc::new(labels));
        }
    }

    fn read_nodes(&mut self, world: &World) {
        for object in world.of_kind(&GroupKind::core("Node")) {
            self.nodes.push(Arc::new(Node {
                name: object.key.name.clone(),
                labels: labels_of(object, &metadata(), object.at("/metadata")),
                addresses: node_addresses(object),
            }));
        }
    }

    fn read_services(&mut self, world: &World) {
        for object in world.of_kind(&GroupKind::core("Service")) {
            let id = (
                namespace_of(&object.key).to_owned(),
                object.key.name.clone(),
            );
            self.services.insert(id, service(object));
        }
        // What operators will make stands in no file.
        for made in world.objects().flat_map(operator_services) {
            let id = (made.namespace.clone(), made.name.clone());
            self.services.entry(id).or_insert_with(|| operators(&made));
        }
        let slices = GroupKind::new("discovery.k8s.io", "EndpointSlice");
        let endpoints = GroupKind::core("Endpoints");
        for object in world.of_kind(&slices).chain(world.of_kind(&endpoints)) {
            for found in slice(object).unwrap_or_default() {
                let namespace = namespace_of(&object.key).to_owned();
                let id = (namespace, found.service.clone());
                self.slices.entry(id).or_default().push(found);
            }
        }
    }

    /// Every pod and template, under the workload that it belongs to.
    fn find_pods(&self, world: &World) -> Vec<Found> {
        let mut templates = BTreeSet::new();
        let mut found = Vec::new();
        let bearing = world
            .objects()
            .filter(|object| bears_pods(&object.key.kind));
        // Templates before pods: where there is one, it says what the next pods are.
        let (pods, others): (Vec<&Object>, Vec<&Object>) =
            bearing.partition(|object| object.key.kind.is("", "Pod"));
        for object in others.into_iter().chain(pods) {
            let is_pod = object.key.kind.is("", "Pod");
            let workload = workload_of(object, world, self.profile);
            let is_own = workload.kind == object.key.kind && workload.name == object.key.name;
            if !is_pod && !is_own {
                continue;
            }
            let Some(fields) = pod_fields(object, self.profile) else {
                continue;
            };
            let is_spoken_for = is_pod && templates.contains(&workload);
            if !is_pod {
                templates.insert(workload.clone());
            }
            found.push(Found {
                workload,
                fields,
                is_pod,
                is_spoken_for,
                why_nowhere: unknown_namespace(object).map(Arc::new),
            });
        }
        found
    }

    fn add(&mut self, found: &Found) {
        let addresses = found.fields.addresses.clone();
        let id = if found.is_spoken_for {
            self.workloads
                .get(&found.workload)
                .and_then(|ids| ids.first().copied())
        } else {
            let pod = self.pod(found);
            let id = self.intern(pod);
            let ids = self.workloads.entry(found.workload.clone()).or_default();
            if !ids.contains(&id) {
                ids.push(id);
            }
            Some(id)
        };
        let Some(id) = id.filter(|_| found.fields.host_network == Tri::No) else {
            return;
        };
        for address in addresses {
            self.by_address
                .insert(address.to_canonical(), (found.workload.clone(), id));
        }
    }

    fn pod(&self, found: &Found) -> Pod {
        let fields = &found.fields;
        let namespace = found.workload.namespace.clone();
        Pod {
            namespace_labels: match &namespace {
                Some(namespace) => self.namespace_labels(namespace),
                None => Arc::new(Labels {
                    open: true,
                    why: found.why_nowhere.clone(),
                    ..Labels::default()
                }),
            },
            namespace,
            labels: fields.labels.clone(),
            ports: fields.ports.clone(),
            host_network: fields.host_network,
            addresses: if found.is_pod && !fields.addresses.is_empty() {
                Addresses::Known(fields.addresses.clone())
            } else if fields.host_network != Tri::No {
                Addresses::Unknown
            } else {
                within(&self.networks)
            },
            node: found.is_pod.then(|| fields.node.clone()).flatten(),
        }
    }

    fn intern(&mut self, pod: Pod) -> u32 {
        if let Some(id) = self.ids.get(&pod) {
            return *id;
        }
        let id = u32::try_from(self.pods.len()).unwrap_or(u32::MAX);
        let pod = Arc::new(pod);
        self.pods.push(pod.clone());
        self.ids.insert(pod, id);
        id
    }

    /// The labels of a namespace. One that is not declared has its name; whether it has more is
    /// not known.
    pub(crate) fn namespace_labels(&self, name: &str) -> Arc<Labels> {
        if let Some(labels) = self.namespaces.get(name) {
            return labels.clone();
        }
        Arc::new(Labels {
            known: BTreeMap::from([(NAME_LABEL.to_owned(), name.to_owned())]),
            open: self.profile == Profile::Documented,
            ..Labels::default()
        })
    }

    /// Pods that the world does not hold, taken for such that are not of the host network.
    pub(crate) fn unseen_pod(&self, namespace: &str, labels: Labels) -> Pod {
        Pod {
            namespace: Some(namespace.to_owned()),
            namespace_labels: self.namespace_labels(namespace),
            labels,
            ports: NamedPorts {
                known: Vec::new(),
                open: true,
            },
            host_network: Tri::No,
            addresses: within(&self.networks),
            node: None,
        }
    }

    /// The namespaces of which anything is known.
    pub(crate) fn all_namespaces(&self) -> BTreeSet<&str> {
        let held = self.by_namespace.keys();
        let all = self.namespaces.keys().chain(held);
        all.map(String::as_str).collect()
    }

    /// Whether anything of a namespace is known.
    pub(crate) fn knows(&self, namespace: &str) -> bool {
        self.namespaces.contains_key(namespace) || self.by_namespace.contains_key(namespace)
    }

    /// Somebody of whom nothing is known: the pods of whatever controller serves Ingresses, or
    /// the API server, which may be a process of a node.
    pub(crate) fn anybody(&self) -> Pod {
        let unknown = self.profile == Profile::Documented;
        let labels = Labels {
            open: unknown,
            ..Labels::default()
        };
        Pod {
            namespace: None,
            namespace_labels: Arc::new(labels.clone()),
            labels,
            ports: NamedPorts::default(),
            host_network: if unknown { Tri::Maybe } else { Tri::No },
            addresses: Addresses::Unknown,
            node: None,
        }
    }

    /// The workload with a pod of this address.
    pub(crate) fn with_address(&self, address: IpAddr) -> Option<&(ObjectKey, u32)> {
        self.by_address.get(&address.to_canonical())
    }

    /// The pods of a namespace with the workloads they belong to; then those that may be of any.
    pub(crate) fn of_namespace(&self, name: &str) -> impl Iterator<Item = (&ObjectKey, u32)> {
        let lists = [name, ""].map(|name| self.by_namespace.get(name));
        let pods = lists.into_iter().flatten().flatten();
        pods.map(|(key, id)| (key, *id))
    }

    /// Pods of a namespace among which are all that `selector` may select, with their workloads; those
    /// that may be of any namespace among them.
    pub(crate) fn candidates(
        &self,
        namespace: &str,
        selector: &Selector,
    ) -> impl Iterator<Item = (&ObjectKey, u32)> {
        let lists = [namespace, ""].map(|namespace| self.candidates_of(namespace, selector));
        lists.into_iter().flatten()
    }

    fn candidates_of(&self, namespace: &str, selector: &Selector) -> Vec<(&ObjectKey, u32)> {
        let own = self
            .by_namespace
            .get(namespace)
            .map_or(&[][..], Vec::as_slice);
        let with = |label: Option<(String, String)>| {
            let lists = self.by_label.get(&label);
            let own = lists.and_then(|lists| lists.get(namespace));
            own.into_iter().flatten().copied()
        };
        let asked = selector.values_asked().map(|(key, values)| {
            let values = values.iter();
            let labels = values.map(|value| Some((key.to_owned(), value.clone())));
            labels.flat_map(with).collect::<Vec<u32>>()
        });
        let mut found: Vec<u32> = match asked.min_by_key(Vec::len) {
            Some(fewest) => fewest.into_iter().chain(with(None)).collect(),
            None => (0_u32..).take(own.len()).collect(),
        };
        found.sort_unstable();
        found.dedup();
        let pods = found.into_iter().map(|at| &own[at as usize]);
        pods.map(|(key, id)| (key, *id)).collect()
    }

    pub(crate) fn slices(&self, namespace: &str, service: &str) -> &[SliceFields] {
        let id = (namespace.to_owned(), service.to_owned());
        self.slices.get(&id).map_or(&[], Vec::as_slice)
    }
}

/// Some address out of the networks of pods.
fn within(networks: &Arc<[AddressRange]>) -> Addresses {
    if networks.is_empty() {
        Addresses::Unknown
    } else {
        Addresses::Within(networks.clone())
    }
}

/// What a pod or template belongs to. For np-guard an owner needs no kind.
fn workload_of(object: &Object, world: &World, profile: Profile) -> ObjectKey {
    if profile == Profile::NpGuard
        && object.owner_references().is_empty()
        && let Some(owner) = incomplete_owner(object)
    {
        return ObjectKey::namespaced(object.key.kind.clone(), namespace_of(&object.key), owner);
    }
    underpin_refs::workload_of(object, world)
}

/// The networks of pods: what the caller says, and what nodes say if no pod contradicts them.
/// Some plugins hand out addresses without regard to the nodes' ranges.
fn networks(world: &World, options: &Options, found: &[Found]) -> Arc<[AddressRange]> {
    let mut networks: Vec<AddressRange> = Vec::new();
    for object in world.of_kind(&GroupKind::core("Node")) {
        networks.extend(pod_networks(object));
    }
    let contradicted = found
        .iter()
        .filter(|one| one.is_pod && one.fields.host_network == Tri::No)
        .flat_map(|one| &one.fields.addresses)
        .any(|address| {
            let address = AddressRange::single(*address);
            !networks.iter().any(|network| network.holds(&address))
        });
    if contradicted {
        networks.clear();
    }
    networks.extend(&options.pod_networks);
    networks.sort_unstable();
    networks.dedup();
    networks.into()
}
