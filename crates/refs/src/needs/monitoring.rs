//! What is scraped: annotations on pods and Services, ServiceMonitors and PodMonitors.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use underpin_model::{
    Confidence, Consumer, Evidence, FieldPath, GroupKind, LabelSelector, Object, ObjectKey,
    PortRef, Protocol, Supplier, World,
};

use super::{
    ProblemKind,
    found::Found,
    labelled::{Labelled, Pods},
};
use crate::{
    field::Field,
    index::NAMESPACE_NAME_LABEL,
    pods::{namespace_of, pod_template},
};

const GROUP: &str = "monitoring.coreos.com";
const SCRAPE: &str = "prometheus.io/scrape";
const SCRAPE_PORT: &str = "prometheus.io/port";
/// Images of servers that scrape by annotations, by how their names end.
const SCRAPERS: &[&str] = &[
    "prom/prometheus",
    "prometheus/prometheus",
    "victoriametrics/vmagent",
    "grafana/alloy",
    "grafana/agent",
];

/// The needs of whoever scrapes.
pub(super) fn read(world: &World, pods: &Pods<'_>, found: &mut Found) {
    let monitoring = Monitoring {
        world,
        pods,
        services: services(world),
        servers: servers(pods),
        instances: instances(world),
    };
    for object in world.objects() {
        let kind = &object.key.kind;
        if kind.is("", "Service") && object.annotation(SCRAPE) == Some("true") {
            monitoring.annotated_service(object, found);
        } else if kind.is(GROUP, "ServiceMonitor") {
            monitoring.service_monitor(object, found);
        } else if kind.is(GROUP, "PodMonitor") {
            monitoring.pod_monitor(object, found);
        }
    }
    for (object, workload) in &pods.bearing {
        monitoring.annotated_pods(object, workload, found);
    }
}

/// A Prometheus that the operator makes from an object, and what it selects.
struct Instance<'w> {
    object: &'w Object,
    consumer: Consumer,
}

struct Monitoring<'w> {
    world: &'w World,
    pods: &'w Pods<'w>,
    services: HashMap<&'w str, Labelled<'w, &'w Object>>,
    /// Workloads that run a server which scrapes by annotations.
    servers: Vec<Consumer>,
    instances: Vec<Instance<'w>>,
}

fn services(world: &World) -> HashMap<&str, Labelled<'_, &Object>> {
    let mut services: HashMap<&str, Labelled<'_, &Object>> = HashMap::new();
    let kind = GroupKind::core("Service");
    for object in world.objects().filter(|object| object.key.kind == kind) {
        let own = services.entry(namespace_of(&object.key)).or_default();
        own.insert(object, object.labels());
    }
    services
}

fn servers(pods: &Pods<'_>) -> Vec<Consumer> {
    let mut found: Vec<Consumer> = pods
        .bearing
        .iter()
        .filter(|(object, _)| runs_a_scraper(object))
        .map(|(_, workload)| Consumer::Workload(workload.clone()))
        .collect();
    found.sort();
    found.dedup();
    found
}

fn runs_a_scraper(object: &Object) -> bool {
    let Some((path, value)) = pod_template(object) else {
        return false;
    };
    Field { value, path }
        .each("spec.containers")
        .any(|container| {
            let image = container.text_at("image").unwrap_or_default();
            let name = image.split('@').next().unwrap_or_default();
            let tag = name.rfind(':').filter(|at| !name[*at..].contains('/'));
            let name = tag.map_or(name, |at| &name[..at]);
            SCRAPERS.iter().any(|known| name.ends_with(known))
        })
}

/// The servers of the Prometheus operator, with the StatefulSets that it makes of them.
fn instances(world: &World) -> Vec<Instance<'_>> {
    let kinds = [
        ("Prometheus", "prometheus-"),
        ("PrometheusAgent", "prom-agent-"),
    ];
    let mut found = Vec::new();
    for (kind, prefix) in kinds {
        let kind = GroupKind::new(GROUP, kind);
        for object in world.objects().filter(|object| object.key.kind == kind) {
            let name = format!("{prefix}{}", object.key.name);
            let set = GroupKind::new("apps", "StatefulSet");
            let made = ObjectKey::namespaced(set, namespace_of(&object.key), name);
            // Its pods belong to the set, which belongs to nobody that bears pods.
            let consumer = Consumer::Workload(made);
            found.push(Instance { object, consumer });
        }
    }
    found
}

impl Monitoring<'_> {
    /// Who scrapes by annotations; nobody is known where no such server is in the world.
    fn by_annotation(&self, evidence: &Evidence, found: &mut Found) -> Vec<Consumer> {
        if !self.servers.is_empty() {
            return self.servers.clone();
        }
        let instances = self.instances.iter();
        let made: Vec<Consumer> = instances.map(|one| one.consumer.clone()).collect();
        if made.is_empty() {
            let mut evidence = evidence.clone();
            evidence.note = "is to be scraped, by whom is not known".to_owned();
            found.problem(ProblemKind::Unknown, evidence);
        }
        made
    }

    fn annotated_service(&self, object: &Object, found: &mut Found) {
        let path = FieldPath::new("metadata.annotations").key(SCRAPE);
        let evidence = object.evidence(path, "is to be scraped");
        // The pods are scraped, not the Service: the port is theirs.
        let port = object
            .annotation(SCRAPE_PORT)
            .and_then(|port| port.parse().ok());
        let namespace = namespace_of(&object.key);
        let selector = object
            .at("/spec/selector")
            .and_then(LabelSelector::from_map);
        let workloads = selector
            .filter(|selector| !selector.0.is_empty())
            .map(|selector| self.pods.selected(namespace, &selector))
            .unwrap_or_default();
        let mut suppliers: Vec<(Supplier, Option<PortRef>)> = workloads
            .into_iter()
            .map(|key| (Supplier::Workload(key), port.map(PortRef::Number)))
            .collect();
        if suppliers.is_empty() || port.is_none() {
            suppliers = vec![(service_of(object), None)];
        }
        for consumer in self.by_annotation(&evidence, found) {
            for (to, port) in &suppliers {
                let to = (to.clone(), Protocol::Tcp, port.clone());
                found.add(&consumer, to, Confidence::Likely, evidence.clone());
            }
        }
    }

    fn annotated_pods(&self, object: &Object, workload: &ObjectKey, found: &mut Found) {
        let Some((path, value)) = pod_template(object) else {
            return;
        };
        let template = Field { value, path };
        let annotations = template.at("metadata.annotations");
        let annotation = |name: &str| annotations.as_ref().and_then(|all| all.get(name));
        let Some(scrape) = annotation(SCRAPE).filter(|field| field.text() == Some("true")) else {
            return;
        };
        let evidence = object.evidence(scrape.path.clone(), "is to be scraped");
        let told = annotation(SCRAPE_PORT).and_then(|port| port.text()?.parse::<u16>().ok());
        let ports: Vec<Option<PortRef>> = match told {
            Some(port) => vec![Some(PortRef::Number(port))],
            None => declared_ports(&template),
        };
        for consumer in self.by_annotation(&evidence, found) {
            for port in &ports {
                let to = (
                    Supplier::Workload(workload.clone()),
                    Protocol::Tcp,
                    port.clone(),
                );
                found.add(&consumer, to, Confidence::Likely, evidence.clone());
            }
        }
    }

    fn service_monitor(&self, object: &Object, found: &mut Found) {
        let consumers = self.selecting(object, "serviceMonitor");
        let root = Field::root(object);
        let Some(selector) = root
            .at("spec.selector")
            .and_then(|field| LabelSelector::from_structured(field.value))
        else {
            return;
        };
        for namespace in self.namespaces_of(object) {
            let services = self.services.get(namespace.as_str());
            for service in services.into_iter().flat_map(|own| own.selected(&selector)) {
                for endpoint in root.each("spec.endpoints") {
                    let evidence = object.evidence(
                        endpoint.path.clone(),
                        format!("scrapes Service {namespace}/{}", service.key.name),
                    );
                    let to = self.scraped(service, &endpoint);
                    for (consumer, (to, port)) in consumers
                        .iter()
                        .flat_map(|one| to.iter().map(move |to| (one, to)))
                    {
                        let to = (to.clone(), Protocol::Tcp, port.clone());
                        found.add(consumer, to, Confidence::Certain, evidence.clone());
                    }
                }
            }
        }
    }

    /// By the Service's port, or straight by a port of its pods.
    fn scraped(&self, service: &Object, endpoint: &Field<'_>) -> Vec<(Supplier, Option<PortRef>)> {
        if let Some(port) = endpoint.get("port").and_then(|port| port.port()) {
            // Without such a port there is nothing to scrape.
            return if has_port(service, &port) {
                vec![(service_of(service), Some(port))]
            } else {
                Vec::new()
            };
        }
        let target = endpoint.get("targetPort").and_then(|port| port.port());
        let selector = service
            .at("/spec/selector")
            .and_then(LabelSelector::from_map);
        let workloads = selector
            .filter(|selector| !selector.0.is_empty() && target.is_some())
            .map(|selector| self.pods.selected(namespace_of(&service.key), &selector))
            .unwrap_or_default();
        if workloads.is_empty() {
            return vec![(service_of(service), None)];
        }
        let workloads = workloads.into_iter();
        workloads
            .map(|key| (Supplier::Workload(key), target.clone()))
            .collect()
    }

    fn pod_monitor(&self, object: &Object, found: &mut Found) {
        let consumers = self.selecting(object, "podMonitor");
        let root = Field::root(object);
        let Some(selector) = root
            .at("spec.selector")
            .and_then(|field| LabelSelector::from_structured(field.value))
        else {
            return;
        };
        for namespace in self.namespaces_of(object) {
            for workload in self.pods.selected(&namespace, &selector) {
                for endpoint in root.each("spec.podMetricsEndpoints") {
                    let note = format!("scrapes the pods of {workload}");
                    let evidence = object.evidence(endpoint.path.clone(), note);
                    let port = ["port", "portNumber", "targetPort"]
                        .into_iter()
                        .find_map(|key| endpoint.get(key)?.port());
                    for consumer in &consumers {
                        let to = Supplier::Workload(workload.clone());
                        let to = (to, Protocol::Tcp, port.clone());
                        found.add(consumer, to, Confidence::Certain, evidence.clone());
                    }
                }
            }
        }
    }

    /// The namespaces in which a monitor looks.
    fn namespaces_of(&self, object: &Object) -> Vec<String> {
        let spec = Field::root(object).at("spec.namespaceSelector");
        let Some(selector) = spec else {
            return vec![namespace_of(&object.key).to_owned()];
        };
        if selector.is_true("any") {
            let mut all: Vec<String> = self
                .services
                .keys()
                .map(|name| (*name).to_owned())
                .collect();
            all.extend(self.pods.namespaces().into_iter().map(str::to_owned));
            all.sort();
            all.dedup();
            return all;
        }
        let named: Vec<String> = selector
            .each("matchNames")
            .filter_map(|name| name.text().map(str::to_owned))
            .collect();
        if named.is_empty() {
            return vec![namespace_of(&object.key).to_owned()];
        }
        named
    }

    /// Who reads a monitor: the servers that select it; where none can be told, its namespace.
    fn selecting(&self, monitor: &Object, field: &str) -> Vec<Consumer> {
        let selecting = self
            .instances
            .iter()
            .filter(|one| self.selects(one, monitor, field));
        let found: Vec<Consumer> = selecting.map(|one| one.consumer.clone()).collect();
        if found.is_empty() {
            return vec![Consumer::Namespace(namespace_of(&monitor.key).to_owned())];
        }
        found
    }

    /// Whether a server selects a monitor by its labels and its namespace's. Without a selector of
    /// namespaces it looks beside itself; without one of monitors it selects none.
    fn selects(&self, instance: &Instance<'_>, monitor: &Object, field: &str) -> bool {
        let spec = Field::root(instance.object);
        let selector = |name: String| {
            let field = spec.at(&format!("spec.{name}"))?;
            LabelSelector::from_structured(field.value)
        };
        let Some(by_labels) = selector(format!("{field}Selector")) else {
            return false;
        };
        let namespace = namespace_of(&monitor.key);
        let is_in_reach = match selector(format!("{field}NamespaceSelector")) {
            None => namespace == namespace_of(&instance.object.key),
            Some(by_namespace) => {
                let object = self.world.get(&ObjectKey::of_namespace(namespace));
                let mut labels: BTreeMap<&str, &str> =
                    object.map(Object::labels).unwrap_or_default();
                labels.insert(NAMESPACE_NAME_LABEL, namespace);
                by_namespace.matches(&labels)
            }
        };
        is_in_reach && by_labels.matches(&monitor.labels())
    }
}

fn has_port(service: &Object, port: &PortRef) -> bool {
    let is_port = |one: &Field<'_>| match port {
        PortRef::Name(name) => one.text_at("name") == Some(name),
        PortRef::Number(number) => one.value.get("port") == Some(&Value::from(*number)),
    };
    Field::root(service)
        .each("spec.ports")
        .any(|one| is_port(&one))
}

fn service_of(object: &Object) -> Supplier {
    Supplier::Service {
        namespace: namespace_of(&object.key).to_owned(),
        name: object.key.name.clone(),
    }
}

/// The TCP ports that containers declare; without any, whichever there is.
fn declared_ports(template: &Field<'_>) -> Vec<Option<PortRef>> {
    let containers = template.each("spec.containers");
    let ports = containers.flat_map(|container| container.each("ports"));
    let mut numbers: Vec<Option<PortRef>> = ports
        .filter(|port| matches!(port.text_at("protocol"), None | Some("TCP")))
        .filter_map(|port| Some(Some(port.get("containerPort")?.port()?)))
        .collect();
    numbers.sort();
    numbers.dedup();
    if numbers.is_empty() {
        numbers.push(None);
    }
    numbers
}
