//! What names and addresses lead to: the Services of the world.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use serde_json::Value;
use underpin_model::{GroupKind, LabelSelector, Protocol, World};

use crate::{operators::operator_services, pods::namespace_of};

/// The Services and namespaces of a world, by name and address.
#[derive(Debug, Default)]
pub(super) struct Directory<'w> {
    services: HashMap<&'w str, HashMap<&'w str, Service<'w>>>,
    /// Services that a controller makes from an object of the world.
    made: HashMap<String, HashSet<String>>,
    by_address: HashMap<IpAddr, (&'w str, &'w str)>,
    namespaces: HashSet<&'w str>,
}

/// What of a Service is asked for.
#[derive(Debug)]
pub(super) struct Service<'w> {
    /// Name, protocol and number.
    pub(super) ports: Vec<(Option<&'w str>, Protocol, u16)>,
    /// The labels of the pods behind it.
    pub(super) selector: Option<LabelSelector>,
}

impl<'w> Directory<'w> {
    pub(super) fn new(world: &'w World) -> Self {
        let mut directory = Self::default();
        for object in world.objects() {
            if object.key.is_namespace() {
                directory.namespaces.insert(&object.key.name);
            } else if let Some(namespace) = &object.key.namespace {
                directory.namespaces.insert(namespace);
            }
            for service in operator_services(object) {
                let made = directory.made.entry(service.namespace);
                made.or_default().insert(service.name);
            }
        }
        let kind = GroupKind::core("Service");
        let services = world.objects().filter(|object| object.key.kind == kind);
        for object in services {
            let id = (namespace_of(&object.key), object.key.name.as_str());
            directory.by_address.extend(
                addresses(object.at("/spec"))
                    .into_iter()
                    .map(|address| (address, id)),
            );
            let selector = object
                .at("/spec/selector")
                .and_then(LabelSelector::from_map);
            let service = Service {
                ports: ports(object.at("/spec/ports")),
                selector: selector.filter(|selector| !selector.0.is_empty()),
            };
            directory
                .services
                .entry(id.0)
                .or_default()
                .insert(id.1, service);
        }
        directory
    }

    /// A Service of the world.
    pub(super) fn service(&self, namespace: &str, name: &str) -> Option<&Service<'w>> {
        self.services.get(namespace)?.get(name)
    }

    /// Whether a Service is in the world, or will be made by a controller.
    pub(super) fn has(&self, namespace: &str, name: &str) -> bool {
        let made = self.made.get(namespace);
        self.service(namespace, name).is_some() || made.is_some_and(|made| made.contains(name))
    }

    pub(super) fn has_namespace(&self, name: &str) -> bool {
        self.namespaces.contains(name)
    }

    /// The Service with a cluster IP.
    pub(super) fn at_address(&self, address: IpAddr) -> Option<(&'w str, &'w str)> {
        self.by_address.get(&address.to_canonical()).copied()
    }

    /// The Service of a namespace that `POSTGRES_SERVICE_HOST` names, which pods get for each.
    pub(super) fn of_variable(&self, namespace: &str, name: &str) -> Option<String> {
        let stem = name.strip_suffix("_SERVICE_HOST");
        let is_port = stem.is_none();
        let stem = stem.or_else(|| name.strip_suffix("_SERVICE_PORT"))?;
        let service = stem.to_ascii_lowercase().replace('_', "-");
        let found = self.service(namespace, &service)?;
        if !is_port {
            return Some(format!("{service}.{namespace}.svc"));
        }
        let (_, _, port) = found.ports.first()?;
        Some(port.to_string())
    }
}

fn addresses(spec: Option<&Value>) -> Vec<IpAddr> {
    let Some(spec) = spec else { return Vec::new() };
    let list = |key: &str| {
        let list = spec.get(key).and_then(Value::as_array);
        list.into_iter().flatten()
    };
    let one = spec.get("clusterIP").into_iter();
    let all = one.chain(list("clusterIPs")).chain(list("externalIPs"));
    all.filter_map(|value| value.as_str()?.parse::<IpAddr>().ok())
        .map(|address| address.to_canonical())
        .collect()
}

fn ports(list: Option<&Value>) -> Vec<(Option<&str>, Protocol, u16)> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|entry| {
        let protocol = entry.get("protocol").and_then(Value::as_str);
        let protocol = protocol.map_or(Some(Protocol::Tcp), Protocol::from_name)?;
        let port = u16::try_from(entry.get("port")?.as_u64()?).ok()?;
        Some((entry.get("name").and_then(Value::as_str), protocol, port))
    })
    .collect()
}
