//! What is asked of a Caddy that runs a document, and what its answers must be.

use std::{collections::BTreeMap, fmt, sync::Arc};

use underpin_model::ObjectKey;

use crate::{
    address::Scheme, certificate::secure_host, document::ServedRoute, path::PathMatch,
    table::RouteKey,
};

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    One,
    /// HTTP/2.
    Two,
}

/// How routes are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The schemes by which probes are sent.
    pub schemes: &'a [Scheme],
    /// Whether hosts that are unknown to TLS are answered.
    pub answers_unknown: bool,
    /// A word that occurs in no path and no host.
    pub token: &'a str,
}

/// A request that the edge answers by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The scheme.
    pub scheme: Scheme,
    /// The version of HTTP.
    pub protocol: Protocol,
    /// The name that TLS is asked for; `None` without TLS.
    pub name: Option<String>,
    /// The host.
    pub host: String,
    /// The path.
    pub path: String,
    /// What is to answer; `None` for the page.
    pub expect: Option<(RouteKey, Arc<ObjectKey>)>,
}

/// What came of a probe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeAnswer {
    /// The status.
    pub status: u16,
    /// The object that the route is from, as its header says.
    pub route: Option<String>,
    /// The generation, as its header says.
    pub generation: Option<String>,
    /// `Retry-After`.
    pub retry_after: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// Headers that the page must not have, such as `Location`.
    pub has_location_or_hsts: bool,
}

/// Why a probe says that the edge does not serve what it is to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeFailure {
    /// The route in whose place something else answers, or nothing; `None` for the page.
    pub key: Option<RouteKey>,
    /// What was asked for.
    pub asked: String,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for ProbeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.asked, self.what)
    }
}

/// A probe for every route, and some for a host that there is not. Over TLS each site has a connection of
/// its own, for its certificate is looked at; of these every other one is of HTTP/2.
pub fn probes(routes: &BTreeMap<RouteKey, ServedRoute>, asking: &Asking<'_>) -> Vec<Probe> {
    let mut probes = Vec::new();
    let nobody = format!("{}.invalid", asking.token);
    let first = routes.keys().find_map(secure_host);
    // The name by which TLS is asked for where the host is nobody's: without one there is no TLS.
    let name = if asking.answers_unknown {
        Some(nobody.clone())
    } else {
        first.map(|host| host.replacen('*', asking.token, 1))
    };
    let mut probe = |scheme: Scheme, protocol, host: &str, path: &str, expect| {
        let name = match scheme {
            Scheme::Http => None,
            Scheme::Https if host == nobody => match &name {
                Some(name) => Some(name.clone()),
                None => return,
            },
            Scheme::Https => Some(host.to_owned()),
        };
        probes.push(Probe {
            scheme,
            protocol,
            name,
            host: host.to_owned(),
            path: path.to_owned(),
            expect,
        });
    };
    let mut number = 0_usize;
    for (key, served) in routes {
        let expect = Some((key.clone(), served.object.clone()));
        let path = path_of(&key.path, asking.token);
        match &key.site {
            Some(site) if asking.schemes.contains(&site.scheme()) => {
                let protocol = match site.scheme() {
                    Scheme::Https if number.is_multiple_of(2) => Protocol::Two,
                    _ => Protocol::One,
                };
                number += usize::from(site.scheme() == Scheme::Https);
                let host = site.host().replacen('*', asking.token, 1);
                probe(site.scheme(), protocol, &host, &path, expect);
            }
            Some(_) => {}
            None => {
                for scheme in asking.schemes {
                    probe(*scheme, Protocol::One, &nobody, &path, expect.clone());
                }
            }
        }
    }
    for scheme in asking.schemes {
        probe(*scheme, Protocol::One, &nobody, "/", None);
        if *scheme == Scheme::Https {
            probe(*scheme, Protocol::Two, &nobody, "/", None);
        }
    }
    probes
}

/// Of routes in whose place something else answered once they were published, those that are new or
/// changed since the last good document: what they say may be why. Of the others it is not.
pub fn suspects<'a>(
    failed: impl IntoIterator<Item = &'a RouteKey>,
    published: &BTreeMap<RouteKey, ServedRoute>,
    last: &BTreeMap<RouteKey, ServedRoute>,
) -> BTreeMap<RouteKey, ServedRoute> {
    let changed = failed.into_iter().filter_map(|key| {
        let route = published.get(key)?;
        (last.get(key) != Some(route)).then(|| (key.clone(), route.clone()))
    });
    changed.collect()
}

/// A path that this matches and nothing longer does.
fn path_of(path: &PathMatch, token: &str) -> String {
    match path {
        PathMatch::All => format!("/{token}"),
        PathMatch::Exact(path) => path.clone(),
        PathMatch::Below(path) => format!("{path}/{token}"),
        PathMatch::Pattern(path) => path.replace('*', token),
    }
}

impl Probe {
    /// Whether an answer is what it must be.
    pub fn judge(&self, generation: u64, answer: &ProbeAnswer) -> Result<(), ProbeFailure> {
        let what = match &self.expect {
            Some((_, object)) => by_route(object, generation, answer),
            None => by_page(answer),
        };
        what.map_or(Ok(()), |what| {
            let key = self.expect.as_ref().map(|(key, _)| key.clone());
            Err(ProbeFailure {
                key,
                asked: self.asked(),
                what,
            })
        })
    }

    /// What is asked for, for people.
    pub fn asked(&self) -> String {
        match &self.expect {
            Some((key, _)) => key.to_string(),
            None => format!("{}://a host that nothing is configured for", self.scheme),
        }
    }
}

fn by_route(object: &ObjectKey, generation: u64, answer: &ProbeAnswer) -> Option<String> {
    let expected = object.to_string();
    match (answer.route.as_deref(), answer.status) {
        (None, 503) => {
            Some("it lands on the page for hosts that nothing is configured for".to_owned())
        }
        (None, status) => Some(format!("it is answered {status} by no route of the edge")),
        (Some(route), _) if route != expected => {
            Some(format!("it is served by {route} and not by {expected}"))
        }
        _ if answer.generation.as_deref() != Some(generation.to_string().as_str()) => {
            Some("an older configuration answers".to_owned())
        }
        _ => None,
    }
}

/// R3.4.
fn by_page(answer: &ProbeAnswer) -> Option<String> {
    if answer.status != 503 {
        return Some(format!("it is answered {} and not 503", answer.status));
    }
    let expected = [
        (&answer.retry_after, "60", "Retry-After"),
        (&answer.cache_control, "no-store", "Cache-Control"),
        (
            &answer.content_type,
            "text/html; charset=utf-8",
            "Content-Type",
        ),
    ];
    let wrong = expected
        .into_iter()
        .find(|(found, expected, _)| found.as_deref() != Some(expected));
    match wrong {
        Some((_, _, header)) => Some(format!("the page lacks its {header}")),
        None if answer.has_location_or_hsts => {
            Some("the page redirects or asks for TLS alone".to_owned())
        }
        None => None,
    }
}
