//! What is asked of a Caddy that runs a document, and what its answers must be.

use std::{collections::BTreeMap, fmt};

use underpin_model::ObjectKey;

use crate::{address::Scheme, document::ServedRoute, path::PathMatch, table::RouteKey};

/// A request that the edge answers by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The scheme.
    pub scheme: Scheme,
    /// The host.
    pub host: String,
    /// The path.
    pub path: String,
    /// What is to answer; `None` for the page.
    pub expect: Option<(RouteKey, ObjectKey)>,
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
    /// The route that something else answers for; `None` for the page and where nothing answers.
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

/// A probe for every route, and one for a host that there is not. `token` is a word that occurs in no
/// path and no host.
pub fn probes(
    routes: &BTreeMap<RouteKey, ServedRoute>,
    schemes: &[Scheme],
    token: &str,
) -> Vec<Probe> {
    let mut probes = Vec::new();
    let nobody = format!("{token}.invalid");
    for (key, served) in routes {
        let expect = Some((key.clone(), served.object.clone()));
        let path = path_of(&key.path, token);
        match &key.site {
            Some(site) if schemes.contains(&site.scheme()) => probes.push(Probe {
                scheme: site.scheme(),
                host: site.host().replacen('*', token, 1),
                path,
                expect,
            }),
            Some(_) => {}
            None => probes.extend(schemes.iter().map(|scheme| Probe {
                scheme: *scheme,
                host: nobody.clone(),
                path: path.clone(),
                expect: expect.clone(),
            })),
        }
    }
    probes.extend(schemes.iter().map(|scheme| Probe {
        scheme: *scheme,
        host: nobody.clone(),
        path: "/".to_owned(),
        expect: None,
    }));
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
