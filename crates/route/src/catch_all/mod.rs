//! How a configuration of Caddy answers hosts that it does not name (R3.4).
//!
//! Its routes are followed for a few requests of a host that nobody has, the way Caddy follows
//! them. Where a matcher or a handler asks for more than is known of such a request, both ways are
//! followed, and what comes of them is not certain.

mod handlers;
mod matchers;
mod request;

use std::{collections::BTreeSet, fmt};

use serde_json::Value;
use underpin_model::FieldPath;

use handlers::{Flow, Walk};
use request::{State, requests};

/// Routes, handlers and branches that are looked at for one request, all servers together.
const MAXIMUM_STEPS: usize = 1_000_000;
/// Lists of routes within one another.
const MAXIMUM_DEPTH: usize = 64;
/// Ways that are followed side by side.
const MAXIMUM_BRANCHES: usize = 64;

/// How hosts without a route of their own are answered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StrangerAnswer {
    /// What answers: a handler, or the server where nothing does.
    pub at: FieldPath,
    /// The answer.
    pub answer: Answer,
    /// Whether it is certain.
    pub certain: bool,
    /// An example of a request: method and path.
    pub request: String,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// No route answers, and Caddy sends an empty page with status 200.
    Nothing,
    /// No route answers, and Caddy sends to the same host over TLS on its own.
    AutomaticRedirect,
    /// A status that says that all is well.
    Success(u16),
    /// A status that sends elsewhere.
    Redirect(u16),
    /// A status that says that something is wrong; whether it also has browsers insist on TLS for
    /// the host from now on.
    Failure {
        /// The status.
        status: u16,
        /// Whether `Strict-Transport-Security` is sent along.
        hsts: bool,
    },
    /// The connection is closed.
    Closed,
    /// Files of a folder.
    Files,
    /// Whatever an upstream says.
    Upstream,
    /// Something that is not known here, and what.
    Unknown(String),
}

impl Answer {
    /// An answer that nobody takes for the site's own: no success, no redirect, nothing that lasts.
    pub fn is_loud(&self) -> bool {
        matches!(self, Self::Failure { hsts: false, .. } | Self::Closed)
    }

    fn of_status(status: u16, hsts: bool) -> Self {
        match status {
            ..300 => Self::Success(status),
            300..400 => Self::Redirect(status),
            400.. => Self::Failure { status, hsts },
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no route answers, so Caddy sends an empty page with 200"),
            Self::AutomaticRedirect => f.write_str(
                "no route answers, so Caddy redirects to the same host over TLS, as it does on its \
                 own where sites have certificates",
            ),
            Self::Success(status) => write!(f, "it is answered with {status}"),
            Self::Redirect(status) => write!(f, "it is redirected, with {status}"),
            Self::Failure { status, hsts: true } => write!(
                f,
                "it is answered with {status}, and Strict-Transport-Security has browsers insist on \
                 TLS for that host from now on"
            ),
            Self::Failure { status, .. } => write!(f, "it is answered with {status}"),
            Self::Closed => f.write_str("the connection is closed"),
            Self::Files => f.write_str("it is answered with files of a folder"),
            Self::Upstream => f.write_str("it is answered with whatever an upstream says"),
            Self::Unknown(what) => write!(f, "what answers is not known: {what}"),
        }
    }
}

/// Why a document is no configuration that answers anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoServers;

impl fmt::Display for NoServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it holds no apps.http.servers: no configuration of Caddy that serves sites")
    }
}

impl std::error::Error for NoServers {}

/// Every answer that hosts get which the configuration does not name, each once, sorted.
pub fn stranger_answers(config: &Value) -> Result<Vec<StrangerAnswer>, NoServers> {
    let http = config.pointer("/apps/http").ok_or(NoServers)?;
    let servers = http.get("servers").and_then(Value::as_object);
    let servers = servers.filter(|servers| !servers.is_empty());
    let servers = servers.ok_or(NoServers)?;
    let http_port = http.get("http_port").and_then(Value::as_u64);
    let http_port = http_port.unwrap_or(80);
    let redirects = servers
        .values()
        .any(|server| sends_to_tls(server, http_port));
    let mut found = BTreeSet::new();
    for (name, server) in servers {
        let at = FieldPath::new("apps.http.servers").key(name);
        let is_plain = listens_at(server, http_port);
        let fallback = if is_plain && redirects {
            Answer::AutomaticRedirect
        } else {
            Answer::Nothing
        };
        of_server(server, &at, is_plain, &fallback, &mut found);
    }
    let is_plain_served = servers.values().any(|one| listens_at(one, http_port));
    if redirects && !is_plain_served {
        // Caddy makes a server for the redirects of named hosts, and redirects all others, too.
        found.insert(StrangerAnswer {
            at: FieldPath::new("apps.http.servers"),
            answer: Answer::AutomaticRedirect,
            certain: true,
            request: "GET / over plain HTTP".to_owned(),
        });
    }
    // Of several requests that are answered alike in one place, one is example enough.
    let mut told: Vec<StrangerAnswer> = Vec::new();
    for one in found {
        let same = |other: &StrangerAnswer| other.at == one.at && other.answer == one.answer;
        match told.iter_mut().find(|other| same(other)) {
            Some(other) => other.certain |= one.certain,
            None => told.push(one),
        }
    }
    Ok(told)
}

fn of_server(
    server: &Value,
    at: &FieldPath,
    is_plain: bool,
    fallback: &Answer,
    found: &mut BTreeSet<StrangerAnswer>,
) {
    let mut walk = Walk {
        named: server.get("named_routes").and_then(Value::as_object),
        named_at: at.key("named_routes"),
        steps: MAXIMUM_STEPS,
        depth: 0,
    };
    let errors = server.pointer("/errors/routes");
    for request in requests(is_plain) {
        walk.steps = MAXIMUM_STEPS;
        let example = request.to_string();
        let state = State::of(request);
        let mut tell = |at: FieldPath, answer: Answer, certain: bool| {
            let request = example.clone();
            found.insert(StrangerAnswer {
                at,
                answer,
                certain,
                request,
            });
        };
        for flow in walk.routes(server.get("routes"), &at.key("routes"), state) {
            match flow {
                Flow::Next(state) => tell(at.clone(), fallback.clone(), state.certain),
                Flow::Done(done) => tell(done.at, done.answer, done.certain),
                Flow::Failed(failed) => {
                    for done in walk.after_error(errors, &at.key("errors").key("routes"), *failed) {
                        tell(done.at, done.answer, done.certain);
                    }
                }
            }
        }
    }
}

/// The ports of a server's listeners.
fn listens_at(server: &Value, port: u64) -> bool {
    let listeners = server.get("listen").and_then(Value::as_array);
    let listeners = listeners.into_iter().flatten().filter_map(Value::as_str);
    let mut ports = listeners.filter_map(|listener| listener.rsplit_once(':'));
    ports.any(|(_, ports)| {
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let range = first.parse().ok().zip(last.parse().ok());
        range.is_some_and(|(first, last): (u64, u64)| (first..=last).contains(&port))
    })
}

/// Whether Caddy gets certificates for sites of a server, and so redirects from plain HTTP.
fn sends_to_tls(server: &Value, http_port: u64) -> bool {
    let automatic = server.get("automatic_https");
    let is_off = |field: &str| {
        let value = automatic.and_then(|automatic| automatic.get(field));
        value.and_then(Value::as_bool) == Some(true)
    };
    let names_a_host = |route: &Value| {
        let sets = route.get("match").and_then(Value::as_array);
        let mut sets = sets.into_iter().flatten();
        sets.any(|set| set.get("host").is_some())
    };
    let routes = server.get("routes").and_then(Value::as_array);
    !is_off("disable")
        && !is_off("disable_redirects")
        && !listens_at(server, http_port)
        && routes.into_iter().flatten().any(names_a_host)
}
