//! Worlds as inventories. Pods come by the hundred thousand: they are read one after the other, and of
//! those that a template speaks for, the addresses alone are.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use underpin_model::{FieldPath, GroupKind, Object, ObjectKey, World};
use underpin_refs::{bears_pods, namespace_of, operator_services};

use super::{Inventory, OfNamespace, Owned};
use crate::{
    addresses::AddressRange,
    gap::Gap,
    index::LabelIndex,
    labels::{Labels, Tri},
    networks::{Membership, Networks},
    party::{Addresses, Node, Pod},
    profile::{Options, Profile},
    read::{
        NAME_LABEL, PodFields, incomplete_owner, labels_of, node_addresses, operators,
        pod_addresses, pod_fields, pod_networks, service, slice,
    },
    reason::Reason,
};

/// Pods as they are found, each kind of them once.
#[derive(Default)]
struct Found {
    pods: Vec<Arc<Pod>>,
    ids: HashMap<Arc<Pod>, u32>,
    workloads: BTreeMap<Arc<ObjectKey>, Vec<u32>>,
}

impl Found {
    /// Adds a pod to a workload.
    fn add(&mut self, workload: ObjectKey, pod: Pod) -> Owned {
        let id = match self.ids.get(&pod) {
            Some(id) => *id,
            None => self.next(pod),
        };
        let known = self.workloads.get_key_value(&workload);
        let key = known.map_or_else(|| Arc::new(workload), |(key, _)| key.clone());
        let ids = self.workloads.entry(key.clone()).or_default();
        if !ids.contains(&id) {
            ids.push(id);
        }
        (key, id)
    }

    fn next(&mut self, pod: Pod) -> u32 {
        let id = u32::try_from(self.pods.len()).unwrap_or(u32::MAX);
        let pod = Arc::new(pod);
        self.pods.push(pod.clone());
        self.ids.insert(pod, id);
        id
    }

    /// A workload that is known already, with its first pod.
    fn first_of(&self, workload: &ObjectKey) -> Option<Owned> {
        let (key, ids) = self.workloads.get_key_value(workload)?;
        Some((key.clone(), *ids.first()?))
    }
}

impl Inventory {
    /// What `world` holds, where pods may be on these networks.
    pub(crate) fn new(world: &World, options: &Options, primary: Networks) -> Self {
        let mut inventory = Self {
            profile: options.profile,
            networks: networks(world, options),
            primary,
            ..Self::default()
        };
        inventory.read_namespaces(world);
        let namespaces = inventory.namespaces.iter();
        inventory.primary.note_namespaces(
            world,
            namespaces.map(|(name, labels)| (name.as_str(), &**labels)),
        );
        inventory.read_nodes(world);
        inventory.read_services(world);
        let mut found = Found::default();
        // Templates before pods: where there is one, it says what the next pods are.
        inventory.read_templates(world, &mut found);
        inventory.read_pods(world, &mut found);
        inventory.pods = found.pods;
        inventory.workloads = found.workloads;
        inventory.index_namespaces();
        inventory
    }

    fn index_namespaces(&mut self) {
        for (key, ids) in &self.workloads {
            let own = key.namespace.clone().unwrap_or_default();
            let own: &mut OfNamespace = self.by_namespace.entry(own).or_default();
            own.pods.extend(ids.iter().map(|id| (key.clone(), *id)));
        }
        for own in self.by_namespace.values_mut() {
            let labels = own
                .pods
                .iter()
                .map(|(_, id)| &self.pods[*id as usize].labels);
            own.index = LabelIndex::new((0_u32..).zip(labels));
            own.pods.shrink_to_fit();
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

    fn read_templates(&self, world: &World, found: &mut Found) {
        for object in world.objects() {
            let kind = &object.key.kind;
            if kind.is("", "Pod") || !bears_pods(kind) {
                continue;
            }
            let workload = workload_of(object, world, self.profile);
            if workload.kind != object.key.kind || workload.name != object.key.name {
                continue;
            }
            if let Some(fields) = pod_fields(object, self.profile) {
                let pod = self.pod(&workload, object, fields);
                found.add(workload, pod);
            }
        }
    }

    fn read_pods(&mut self, world: &World, found: &mut Found) {
        let templates: BTreeSet<Arc<ObjectKey>> = found.workloads.keys().cloned().collect();
        for object in world.of_kind(&GroupKind::core("Pod")) {
            let workload = workload_of(object, world, self.profile);
            let owned = if templates.contains(&workload) {
                found.first_of(&workload)
            } else {
                let Some(fields) = pod_fields(object, self.profile) else {
                    continue;
                };
                let pod = self.pod(&workload, object, fields);
                Some(found.add(workload, pod))
            };
            let Some(owned) = owned else {
                continue;
            };
            for address in pod_addresses(object) {
                self.by_address
                    .insert(address.to_canonical(), owned.clone());
            }
        }
    }

    /// What policies can tell of a pod, or of the pods of a template.
    fn pod(&self, workload: &ObjectKey, object: &Object, fields: PodFields) -> Pod {
        let is_pod = object.key.kind.is("", "Pod");
        let namespace = workload.namespace.clone();
        let namespace_labels = match &namespace {
            Some(namespace) => self.namespace_labels(namespace),
            None => Arc::new(Labels {
                open: true,
                why: unknown_namespace(object).map(Arc::new),
                ..Labels::default()
            }),
        };
        let network = self.primary.of(namespace.as_deref(), &namespace_labels);
        // What its status tells is its address on the default network.
        let tells_addresses = is_pod && !fields.addresses.is_empty();
        let is_elsewhere = network != Membership::ClusterDefault && fields.host_network == Tri::No;
        Pod {
            namespace_labels,
            namespace,
            labels: fields.labels,
            ports: fields.ports,
            host_network: fields.host_network,
            addresses: if tells_addresses && !is_elsewhere {
                Addresses::Known(fields.addresses)
            } else if fields.host_network != Tri::No {
                Addresses::Unknown
            } else {
                self.some_address(&network)
            },
            node: fields.node.filter(|_| is_pod),
            network,
            opens_ports: fields.opens_ports,
        }
    }
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
fn networks(world: &World, options: &Options) -> Arc<[AddressRange]> {
    let mut networks: Vec<AddressRange> = Vec::new();
    for object in world.of_kind(&GroupKind::core("Node")) {
        networks.extend(pod_networks(object));
    }
    let pods = GroupKind::core("Pod");
    let contradicted = !networks.is_empty()
        && world.of_kind(&pods).flat_map(pod_addresses).any(|address| {
            let address = AddressRange::single(address);
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
