//! The ends of a question as people write them: `shop/web`, `service/db/postgres:5432`, `10.0.0.1`.

use std::{collections::BTreeSet, net::IpAddr};

use underpin_connect::{Endpoint, Engine, Target};
use underpin_model::{ObjectKey, PortRef, Protocol, World, listed, nearest};
use underpin_plan::why::is_called;

use crate::error::CommandError;

/// What stands for whatever serves Ingresses.
const INGRESS: &str = "ingress";
/// Words for a namespace, a Service and a node before a slash.
const NAMESPACE: &[&str] = &["namespace", "namespaces", "ns"];
const SERVICE: &[&str] = &["service", "services", "svc"];
const NODE: &[&str] = &["node", "nodes", "no"];
/// Candidates that an error lists.
const CANDIDATES: usize = 10;

/// A port as it is asked for.
pub(super) type AskedPort = (Protocol, PortRef);

/// What one end is: several where a namespace is meant with all that is in it.
pub(super) type End = Vec<Target>;

/// Where names are looked up.
pub(super) struct Names<'a> {
    engine: &'a Engine,
    world: &'a World,
    namespaces: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    pub(super) fn new(engine: &'a Engine, world: &'a World) -> Self {
        let mut namespaces: BTreeSet<&str> = world
            .objects()
            .filter_map(|object| object.key.namespace.as_deref())
            .collect();
        let kind = underpin_model::GroupKind::core("Namespace");
        let declared = world.objects().filter(|object| object.key.kind == kind);
        namespaces.extend(declared.map(|object| object.key.name.as_str()));
        Self {
            engine,
            world,
            namespaces,
        }
    }

    /// Who connects.
    pub(super) fn source(&self, text: &str) -> Result<Vec<Endpoint>, CommandError> {
        let found = self.find(text)?;
        let ends = found.into_iter().map(|target| match target {
            Target::Endpoint(endpoint) => Ok(endpoint),
            Target::Service { namespace, name } => Err(CommandError::usage(
                format!("service/{namespace}/{name} opens no connections: pods behind it do"),
                format!("ask for a workload of namespace {namespace}, such as deployment/{namespace}/NAME"),
            )),
        });
        ends.collect()
    }

    /// What is connected to, and on which port if that is said.
    pub(super) fn target(&self, text: &str) -> Result<(End, Option<AskedPort>), CommandError> {
        let (name, port) = split_port(text)?;
        Ok((self.find(name)?, port))
    }

    fn find(&self, text: &str) -> Result<End, CommandError> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts[..] {
            [name] => self.bare(name),
            [word, name] if NAMESPACE.contains(&word) => Ok(self.namespace(name)),
            [word, name] if NODE.contains(&word) => {
                Ok(vec![Target::Endpoint(Endpoint::Node(name.to_owned()))])
            }
            [word, namespace, name] if SERVICE.contains(&word) => {
                Ok(vec![service(namespace, name)])
            }
            [kind, namespace, name] => self.workload(
                text,
                |key| self.is_of_kind(key, kind) && is(key, namespace, name),
                |_, _| false,
            ),
            [word, name] if self.namespaces.contains(word) => self.workload(
                text,
                |key| is(key, word, name),
                |in_, of| in_ == word && of == name,
            ),
            [word, name] if SERVICE.contains(&word) => {
                self.workload(text, |_| false, |_, of| of == name)
            }
            [word, name] => self.workload(
                text,
                |key| self.is_of_kind(key, word) && key.name == name,
                |_, _| false,
            ),
            _ => Err(malformed(text)),
        }
    }

    fn bare(&self, name: &str) -> Result<End, CommandError> {
        if name == INGRESS {
            return Ok(vec![Target::Endpoint(Endpoint::IngressController)]);
        }
        if let Ok(address) = name.parse::<IpAddr>() {
            return Ok(vec![Target::Endpoint(Endpoint::Address(address))]);
        }
        if name.is_empty() {
            return Err(malformed(name));
        }
        if self.namespaces.contains(name) {
            return Ok(self.namespace(name));
        }
        let labels: Vec<&str> = name.trim_end_matches('.').split('.').collect();
        match labels[..] {
            [service_name, namespace, "svc", ..] => Ok(vec![service(namespace, service_name)]),
            [_, _, ..] => Ok(vec![Target::Endpoint(Endpoint::Host(name.to_owned()))]),
            _ => Err(self.unknown(name)),
        }
    }

    /// All workloads of a namespace; of one that holds none, pods of which nothing is known.
    fn namespace(&self, name: &str) -> End {
        let workloads = self.engine.workloads_in(name);
        let ends: End = workloads
            .map(|key| Target::Endpoint(Endpoint::Workload(key.clone())))
            .collect();
        if !ends.is_empty() {
            return ends;
        }
        vec![Target::Endpoint(Endpoint::Pods {
            namespace: name.to_owned(),
            labels: None,
        })]
    }

    /// The one workload, else the one Service, that fits.
    fn workload(
        &self,
        text: &str,
        workload: impl Fn(&ObjectKey) -> bool,
        fits: impl Fn(&str, &str) -> bool,
    ) -> Result<End, CommandError> {
        let found: Vec<&ObjectKey> = self
            .engine
            .workloads()
            .filter(|key| workload(key))
            .collect();
        match found[..] {
            [only] => return Ok(vec![Target::Endpoint(Endpoint::Workload(only.clone()))]),
            [] => {}
            _ => {
                return Err(ambiguous(
                    text,
                    found.iter().map(ToString::to_string).collect(),
                ));
            }
        }
        let services: Vec<(&str, &str)> = self
            .engine
            .services()
            .filter(|(namespace, name)| fits(namespace, name))
            .collect();
        match services[..] {
            [(namespace, name)] => Ok(vec![service(namespace, name)]),
            [] => Err(self.unknown(text)),
            _ => {
                let names = services
                    .iter()
                    .map(|(of, name)| format!("service/{of}/{name}"));
                Err(ambiguous(text, names.collect()))
            }
        }
    }

    fn is_of_kind(&self, key: &ObjectKey, word: &str) -> bool {
        is_called(&key.kind, self.world.kinds.get(&key.kind), word)
    }

    fn unknown(&self, text: &str) -> CommandError {
        let short = |key: &ObjectKey| {
            let namespace = key.namespace.as_deref().unwrap_or_default();
            format!("{namespace}/{}", key.name)
        };
        let mut names: Vec<String> = self.engine.workloads().map(short).collect();
        names.extend(self.engine.workloads().map(ToString::to_string));
        let services = self.engine.services();
        names.extend(services.map(|(namespace, name)| format!("service/{namespace}/{name}")));
        names.extend(self.namespaces.iter().map(|name| (*name).to_owned()));
        let near = nearest(text, names.iter().map(String::as_str));
        // A name without its namespace, or one of another namespace.
        let last = text.rsplit('/').next().unwrap_or(text);
        let near = near.or_else(|| {
            let mut all = names.iter().map(String::as_str);
            all.find(|name| name.rsplit('/').next() == Some(last))
        });
        let meant = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        CommandError::usage(
            format!("there is no workload, Service or namespace `{text}`{meant}"),
            "write NAMESPACE/NAME, KIND/NAMESPACE/NAME, a namespace, an address, a host or ingress; \
             what is not declared is written namespace/NAME or service/NAMESPACE/NAME",
        )
    }
}

fn is(key: &ObjectKey, namespace: &str, name: &str) -> bool {
    key.namespace.as_deref() == Some(namespace) && key.name == name
}

fn service(namespace: &str, name: &str) -> Target {
    Target::Service {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

fn malformed(text: &str) -> CommandError {
    CommandError::usage(
        format!("`{text}` names no end of a connection"),
        "write NAMESPACE/NAME, KIND/NAMESPACE/NAME, a namespace, an address, a host or ingress",
    )
}

fn ambiguous(text: &str, mut candidates: Vec<String>) -> CommandError {
    candidates.truncate(CANDIDATES);
    CommandError::usage(
        format!(
            "`{text}` may be any of {}",
            listed(candidates.iter().map(String::as_str))
        ),
        "write it out as it is listed",
    )
}

/// `HOST:PORT`, `[ADDRESS]:PORT`, or without a port.
fn split_port(text: &str) -> Result<(&str, Option<AskedPort>), CommandError> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok((text, None));
    }
    if let Some((address, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        let port = rest.strip_prefix(':').map(port).transpose()?;
        return Ok((address, port));
    }
    match text.rsplit_once(':') {
        Some((name, asked)) => Ok((name, Some(port(asked)?))),
        None => Ok((text, None)),
    }
}

/// `5432`, `http`, `53/udp`.
fn port(text: &str) -> Result<AskedPort, CommandError> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let help =
        "write :PORT, :PORT/udp or :PORT/sctp, the port as a number from 1 to 65535 or a name";
    let wrong = |message: String| CommandError::usage(message, help);
    let named = Protocol::from_name(&protocol.to_ascii_uppercase());
    let protocol = named.ok_or_else(|| wrong(format!("there is no protocol `{protocol}`")))?;
    if port.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit()) {
        return match port.parse() {
            Ok(number) if number > 0 => Ok((protocol, PortRef::Number(number))),
            _ => Err(wrong(format!("`{port}` is no port"))),
        };
    }
    Ok((protocol, PortRef::Name(port.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, name: &str, expect: Option<&str>) {
        let (found, port) = split_port(text).unwrap();
        let port = port.map(|(protocol, port)| format!("{protocol} {port}"));
        assert_eq!((found, port.as_deref()), (name, expect), "{text}");
    }

    #[test]
    fn ports_are_split_off_and_addresses_are_not_cut() {
        check("shop/web", "shop/web", None);
        check("shop/web:80", "shop/web", Some("TCP 80"));
        check("shop/web:http", "shop/web", Some("TCP http"));
        check(
            "service/kube-system/dns:53/udp",
            "service/kube-system/dns",
            Some("UDP 53"),
        );
        check("10.0.0.1:80", "10.0.0.1", Some("TCP 80"));
        check("fd00::1", "fd00::1", None);
        check("[fd00::1]:80/sctp", "fd00::1", Some("SCTP 80"));
        check("[fd00::1]", "fd00::1", None);
        for text in ["a:0", "a:65536", "a:80/http", "a:"] {
            assert!(split_port(text).is_err(), "{text}");
        }
    }
}
