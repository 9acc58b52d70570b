//! Services and what stands behind them: EndpointSlices and Endpoints.

use serde_json::Value;
use underpin_model::{FieldPath, LabelSelector, Object, Protocol, Requirement};
use underpin_refs::OperatorService;

use super::reader::field;
use crate::{gap::Gap, labels::Selector};

/// A Service.
#[derive(Debug)]
pub(crate) struct ServiceFields {
    pub(crate) ports: Vec<ServicePort>,
    /// The pods behind it; `None` when it has no selector.
    pub(crate) selector: Option<Selector>,
    pub(crate) headless: bool,
    /// How it can be reached from outside of the cluster, if it can.
    pub(crate) published: Option<Published>,
    /// The name that it stands for, when it is of type ExternalName.
    pub(crate) external_name: Option<String>,
}

/// How connections from outside of the cluster reach a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Published {
    /// By any node, which may put its own address in place of the client's.
    AnyNode,
    /// By a node with a pod of it, which keeps the client's address.
    ItsNode,
    /// By a load balancer and a node that keeps the address it sees, which may be the balancer's.
    Balancer,
}

/// One port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServicePort {
    pub(crate) name: Option<String>,
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
    pub(crate) target: TargetPort,
}

/// The port of the pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TargetPort {
    Number(u16),
    Name(String),
}

/// What a Service says.
pub(crate) fn service(object: &Object) -> ServiceFields {
    let ports = object.at("/spec/ports").and_then(Value::as_array);
    let is_external = object.text("/spec/type") == Some("ExternalName");
    ServiceFields {
        ports: ports.into_iter().flatten().filter_map(port).collect(),
        selector: selector(object).filter(|_| !is_external),
        published: published(object),
        headless: object.text("/spec/clusterIP") == Some("None"),
        external_name: is_external.then(|| {
            object
                .text("/spec/externalName")
                .unwrap_or_default()
                .to_owned()
        }),
    }
}

/// A Service that an operator makes.
pub(crate) fn operators(made: &OperatorService) -> ServiceFields {
    let labels = made.pod_labels.iter();
    let labels = labels.map(|(key, value)| Requirement::In(key.clone(), vec![value.clone()]));
    let ports = made.ports.iter();
    ServiceFields {
        ports: ports
            .map(|(port, target)| ServicePort {
                name: None,
                protocol: Protocol::Tcp,
                port: *port,
                target: TargetPort::Number(*target),
            })
            .collect(),
        selector: Some(LabelSelector(labels.collect()).into()),
        published: None,
        headless: made.headless,
        external_name: None,
    }
}

fn published(object: &Object) -> Option<Published> {
    let has_addresses = object
        .at("/spec/externalIPs")
        .and_then(Value::as_array)
        .is_some_and(|addresses| !addresses.is_empty());
    let is_local = object.text("/spec/externalTrafficPolicy") == Some("Local");
    match (object.text("/spec/type"), is_local) {
        (Some("NodePort"), true) => Some(Published::ItsNode),
        (Some("LoadBalancer"), true) => Some(Published::Balancer),
        (Some("NodePort" | "LoadBalancer"), false) => Some(Published::AnyNode),
        _ => has_addresses.then_some(Published::AnyNode),
    }
}

fn selector(object: &Object) -> Option<Selector> {
    let value = object.at("/spec/selector").unwrap_or(&Value::Null);
    let path = FieldPath::new("spec.selector");
    let unknown = object.unknown.inside(&path);
    let unknown = unknown.or_else(|| object.unknown.around(&path).filter(|_| value.is_null()));
    let known = match value {
        Value::Null => LabelSelector::default(),
        Value::Object(entries) if entries.is_empty() && unknown.is_none() => return None,
        Value::Object(entries) if unknown.is_some() => {
            let known = entries.iter().filter(|(_, value)| !value.is_null());
            let known = known.map(|(key, value)| (key.clone(), value.clone()));
            LabelSelector::from_map(&Value::Object(known.collect())).unwrap_or_default()
        }
        value => match LabelSelector::from_map(value) {
            Some(selector) => selector,
            None => return Some(Selector::unknown(Gap::Unreadable)),
        },
    };
    match unknown {
        Some(part) => Some(Selector::partial(known, Gap::later(part))),
        None => (!value.is_null()).then(|| known.into()),
    }
}

fn port(entry: &Value) -> Option<ServicePort> {
    let port = number(field(entry, "port")?)?;
    let target = match field(entry, "targetPort") {
        Some(Value::String(name)) => match name.parse() {
            Ok(number) => TargetPort::Number(number),
            Err(_) => TargetPort::Name(name.clone()),
        },
        Some(value) => TargetPort::Number(number(value).filter(|port| *port > 0).unwrap_or(port)),
        None => TargetPort::Number(port),
    };
    Some(ServicePort {
        name: text(entry, "name"),
        protocol: protocol(entry)?,
        port,
        target,
    })
}

/// One EndpointSlice, or Endpoints: addresses of a Service with the ports they have.
#[derive(Debug)]
pub(crate) struct SliceFields {
    pub(crate) service: String,
    /// Addresses, or names where the slice is of names.
    pub(crate) addresses: Vec<String>,
    /// Name, protocol and number; all numbers where there is none.
    pub(crate) ports: Vec<(Option<String>, Protocol, Option<u16>)>,
}

/// What an EndpointSlice or Endpoints says; `None` when it belongs to no Service.
pub(crate) fn slice(object: &Object) -> Option<Vec<SliceFields>> {
    if object.key.kind.is("", "Endpoints") {
        let subsets = object.at("/subsets").and_then(Value::as_array);
        let subsets = subsets.into_iter().flatten();
        let service = || object.key.name.clone();
        return Some(
            subsets
                .map(|subset| subset_fields(service(), subset))
                .collect(),
        );
    }
    let service = object.label("kubernetes.io/service-name")?.to_owned();
    let endpoints = object.at("/endpoints").and_then(Value::as_array);
    let texts: Vec<&Value> = endpoints
        .into_iter()
        .flatten()
        .filter_map(|endpoint| endpoint.get("addresses")?.as_array())
        .flatten()
        .collect();
    Some(vec![fields(service, &texts, object.at("/ports"))])
}

fn subset_fields(service: String, subset: &Value) -> SliceFields {
    let addresses = field(subset, "addresses").and_then(Value::as_array);
    let texts: Vec<&Value> = addresses
        .into_iter()
        .flatten()
        .filter_map(|address| address.get("ip"))
        .collect();
    fields(service, &texts, subset.get("ports"))
}

fn fields(service: String, texts: &[&Value], ports: Option<&Value>) -> SliceFields {
    let addresses = texts.iter().filter_map(|value| value.as_str());
    let ports = ports.and_then(Value::as_array);
    let ports = ports.into_iter().flatten().filter_map(|entry| {
        let port = field(entry, "port").and_then(number);
        Some((text(entry, "name"), protocol(entry)?, port))
    });
    SliceFields {
        service,
        addresses: addresses.map(str::to_owned).collect(),
        ports: ports.collect(),
    }
}

fn number(value: &Value) -> Option<u16> {
    u16::try_from(value.as_u64()?).ok()
}

/// A text; an empty one is none.
fn text(entry: &Value, key: &str) -> Option<String> {
    let text = field(entry, key)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

fn protocol(entry: &Value) -> Option<Protocol> {
    match field(entry, "protocol") {
        Some(value) => Protocol::from_name(value.as_str()?),
        None => Some(Protocol::Tcp),
    }
}
