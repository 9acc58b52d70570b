//! The routes that Ingresses ask for.

use underpin_model::{FieldPath, PortRef};
use underpin_refs::{IngressBackend, IngressRules};

use crate::{
    address::{Scheme, SiteAddress},
    candidates::{Found, Place, Reader},
    objects::Says,
    path::PathMatch,
    table::{Content, Proxy, RefusalReason, RouteKey},
};

/// Adds what an Ingress asks for, if it is of the class that is served.
pub(crate) fn rules(reader: &Reader<'_>, place: &Place<'_>, found: &mut Found) {
    let key = &place.object.key;
    let Says::Rules(rules) = &place.object.says else {
        let what = format!("the rules of {key}: only its metadata was read");
        return found.unknown.push(what);
    };
    if let Some(part) = place.object.unknown.inside(&FieldPath::new("spec")) {
        let what = format!("{} of {key} is not known: {}", part.path, part.reason);
        found.unknown.push(what);
    }
    let served = match &rules.class {
        Some(class) => reader.settings.ingress_class.as_ref() == Some(class),
        None => reader.settings.ingresses_without_class,
    };
    if served {
        let mut ingress = Ingress {
            reader,
            place,
            rules,
            found,
        };
        ingress.read();
    }
}

struct Ingress<'a, 'w> {
    reader: &'a Reader<'w>,
    place: &'a Place<'w>,
    rules: &'a IngressRules,
    found: &'a mut Found,
}

impl Ingress<'_, '_> {
    fn read(&mut self) {
        let default = self.rules.default_backend.as_ref();
        if self.rules.rules.is_empty()
            && let Some(backend) = default
        {
            self.route(None, PathMatch::All, backend, &backend.at);
        }
        for rule in &self.rules.rules {
            let host = rule.host.as_deref();
            let mut whole = false;
            for path in &rule.paths {
                let Some(matched) = PathMatch::of_ingress(&path.path, &path.path_type) else {
                    let what = "the path is not one that begins with /, or its type is neither \
                                Exact nor Prefix nor ImplementationSpecific";
                    self.refuse(&path.at, what);
                    continue;
                };
                whole |= matched == PathMatch::All;
                match &path.backend {
                    Ok(backend) => self.route(host, matched, backend, &path.at),
                    Err(error) => self.refuse(&path.at, error.to_string()),
                }
            }
            // What no path matches goes to the default backend, if there is one.
            match default {
                Some(backend) if !whole => self.route(host, PathMatch::All, backend, &rule.path),
                _ if rule.paths.is_empty() => {
                    self.refuse(
                        &rule.path,
                        "the rule has no path and there is no default backend",
                    );
                }
                _ => {}
            }
        }
    }

    fn refuse(&mut self, path: &FieldPath, what: impl Into<String>) {
        let reason = RefusalReason::Field(what.into());
        self.found
            .refused
            .push(self.place.refusal(path.clone(), reason));
    }

    fn route(
        &mut self,
        host: Option<&str>,
        path: PathMatch,
        backend: &IngressBackend,
        at: &FieldPath,
    ) {
        let tls = host.and_then(|host| self.tls(host));
        let certificate = tls.and_then(|(_, secret)| secret.clone());
        let site = match host {
            None if path.is_catch_all() => {
                return self.refuse(
                    at,
                    "this would answer for every host in place of the page that says that nothing \
                     is configured; name the host",
                );
            }
            None => None,
            Some(host) => {
                let scheme = match tls {
                    Some(_) => Scheme::Https,
                    None => Scheme::Http,
                };
                match SiteAddress::new(scheme, host) {
                    Ok(site) => Some(site),
                    Err(error) => return self.refuse(at, error.to_string()),
                }
            }
        };
        let namespace = self.place.namespace;
        let services = &self.reader.services;
        let port = Some(backend.port.clone());
        let proxy = Proxy {
            namespace: namespace.to_owned(),
            service: backend.service.clone(),
            port: services.port(namespace, &backend.service, &backend.port),
        };
        if let (None, PortRef::Name(name)) = (proxy.port, &backend.port) {
            let service = &backend.service;
            return self.refuse(
                at,
                format!("the number of port {name} of service/{namespace}/{service} is not known"),
            );
        }
        let backends = vec![services.backend(namespace, &backend.service, port)];
        let key = RouteKey { site, path };
        let content = Content::Proxy(proxy);
        let candidate = self
            .place
            .candidate(key, at, content, backends, certificate);
        self.found.candidates.push(candidate);
    }

    /// The entry that has a host served over TLS: by its name, else by a wildcard.
    fn tls(&self, host: &str) -> Option<&(String, Option<String>)> {
        let covers = |pattern: &str| {
            pattern.eq_ignore_ascii_case(host)
                || pattern
                    .strip_prefix('*')
                    .zip(host.find('.').and_then(|dot| host.get(dot..)))
                    .is_some_and(|(suffix, rest)| suffix.eq_ignore_ascii_case(rest))
        };
        let tls = &self.rules.tls;
        let exact = tls
            .iter()
            .find(|(pattern, _)| pattern.eq_ignore_ascii_case(host));
        exact.or_else(|| tls.iter().find(|(pattern, _)| covers(pattern)))
    }
}
