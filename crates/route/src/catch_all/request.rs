//! Requests of hosts that nobody has, and what becomes of them on their way.

use std::{collections::BTreeSet, fmt};

use serde_json::Value;
use underpin_model::FieldPath;

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) host: &'static str,
    /// The path; not known once it was rewritten.
    pub(super) path: Option<&'static str>,
    /// What a proxy in front says of how it was asked.
    pub(super) forwarded: Option<&'static str>,
    pub(super) is_tls: bool,
}

/// `POST / with X-Forwarded-Proto: http`.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path.unwrap_or_default())?;
        match self.forwarded {
            Some(scheme) => write!(f, " with X-Forwarded-Proto: {scheme}"),
            None => Ok(()),
        }
    }
}

/// Names are reserved for what does not exist (RFC 2606).
const HOSTS: [&str; 2] = ["stranger.invalid", "www.stranger.invalid"];
const PATHS: [&str; 2] = ["/", "/stranger/page"];
const METHODS: [&str; 4] = ["GET", "HEAD", "OPTIONS", "POST"];
const FORWARDED: [Option<&str>; 3] = [None, Some("http"), Some("https")];

/// The requests that are followed, the plainest first.
pub(super) fn requests(is_plain: bool) -> impl Iterator<Item = Request> {
    METHODS.into_iter().flat_map(move |method| {
        FORWARDED.into_iter().flat_map(move |forwarded| {
            PATHS.into_iter().flat_map(move |path| {
                HOSTS.into_iter().map(move |host| Request {
                    method,
                    host,
                    path: Some(path),
                    forwarded,
                    is_tls: !is_plain,
                })
            })
        })
    })
}

/// A request on its way, and what was done to its answer.
#[derive(Clone, Debug)]
pub(super) struct State<'a> {
    pub(super) request: Request,
    /// The groups of routes of which one was taken.
    pub(super) groups: BTreeSet<String>,
    /// The handlings of errors in force, the innermost last, and where each stands.
    pub(super) catchers: Vec<(&'a Value, FieldPath)>,
    /// Whether the answer has browsers insist on TLS.
    pub(super) hsts: bool,
    /// The status of the error that is being handled.
    pub(super) error: Option<u16>,
    pub(super) certain: bool,
}

impl State<'_> {
    pub(super) fn of(request: Request) -> Self {
        Self {
            request,
            groups: BTreeSet::new(),
            catchers: Vec::new(),
            hsts: false,
            error: None,
            certain: true,
        }
    }
}
