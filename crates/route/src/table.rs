//! What the edge is to serve, and what of it is not clear.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use underpin_model::{FieldPath, ObjectKey, Owner, PortRef};

use crate::{
    adapted::AdaptedError,
    address::SiteAddress,
    allow::Forbidden,
    caddyfile::{Block, Defect},
    path::PathMatch,
};

/// What one route is for: a site, a path of a site, or a path of every host. At most one object
/// serves each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteKey {
    /// The site; `None` for every host.
    pub site: Option<SiteAddress>,
    /// The path.
    pub path: PathMatch,
}

impl RouteKey {
    /// A whole site.
    pub fn site(site: SiteAddress) -> Self {
        Self {
            site: Some(site),
            path: PathMatch::All,
        }
    }
}

/// `http://shop.example.com`, `http://shop.example.com/cart*`, `*/cart*`.
impl fmt::Display for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.site {
            Some(site) => write!(f, "{site}{}", self.path),
            None => write!(f, "*{}", self.path),
        }
    }
}

/// The object that an entry stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The Service or Ingress.
    pub object: Arc<ObjectKey>,
    /// Its identity; absent for what is only declared.
    pub uid: Option<Arc<str>>,
    /// RFC 3339 time of its creation; absent for what is only declared.
    pub created: Option<Arc<str>>,
    /// The claim that records it.
    pub owner: Option<Owner>,
}

/// The Service that a route of an Ingress sends to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Namespace of the Service.
    pub namespace: String,
    /// Its name.
    pub service: String,
    /// The number of its port; `None` where only the name is known.
    pub port: Option<u16>,
}

/// What answers on a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A piece of Caddyfile.
    Caddyfile(Arc<Block>),
    /// A Service, as an Ingress says.
    Proxy(Proxy),
}

/// A Service behind a route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Backend {
    /// Namespace of the Service, as the entry names it.
    pub namespace: String,
    /// Its name.
    pub service: String,
    /// Its port, where one is named.
    pub port: Option<PortRef>,
    /// How it stands.
    pub state: BackendState,
}

/// How a Service behind a route stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BackendState {
    /// This many endpoints are ready.
    Ready(usize),
    /// No endpoint is ready.
    NotReady,
    /// The Service is there without the port.
    NoPort,
    /// The Service, or its namespace, is being deleted.
    Terminating,
    /// There is no such Service.
    Missing,
    /// It cannot be told, and why.
    Unknown(String),
}

impl BackendState {
    /// Whether nothing can answer; `None` when that is not known.
    pub fn is_dead(&self) -> Option<bool> {
        match self {
            Self::Ready(_) => Some(false),
            Self::NotReady | Self::NoPort | Self::Terminating | Self::Missing => Some(true),
            Self::Unknown(_) => None,
        }
    }
}

impl fmt::Display for BackendState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(1) => f.write_str("1 endpoint is ready"),
            Self::Ready(number) => write!(f, "{number} endpoints are ready"),
            Self::NotReady => f.write_str("no endpoint is ready"),
            Self::NoPort => f.write_str("the Service has no such port"),
            Self::Terminating => f.write_str("the Service is being deleted"),
            Self::Missing => f.write_str("there is no such Service"),
            Self::Unknown(why) => write!(f, "unknown: {why}"),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "service/{}/{}", self.namespace, self.service)?;
        if let Some(port) = &self.port {
            write!(f, " port {port}")?;
        }
        write!(f, ": {}", self.state)
    }
}

/// One route: who serves a key, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The object that won the key.
    pub source: Source,
    /// The field of the object that asks for it.
    pub path: FieldPath,
    /// What answers.
    pub content: Content,
    /// The Services behind it, sorted, each once.
    pub backends: Vec<Backend>,
    /// The Secret that holds the certificate of the host, beside the object, where one is named.
    pub certificate: Option<String>,
}

/// Why an object does not serve a key that its entry asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LossReason {
    /// The winner was created later.
    Older,
    /// Both were created in the same second, and the winner's namespace and name come first.
    NameComesLater,
    /// Neither is created yet, so the order of their names stands in for that of their creation.
    NotCreated,
    /// Nothing is ready behind it, and something may be behind the winner.
    NotReady,
    /// The object is being deleted.
    Terminating,
    /// Its namespace is being deleted.
    NamespaceTerminating,
    /// The key is held for another owner.
    Held(Owner),
    /// Its own entry asks for the key twice; the first stands.
    WrittenTwice,
}

impl fmt::Display for LossReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Older => f.write_str("it was created earlier"),
            Self::NameComesLater => f.write_str(
                "it was created in the same second, and its namespace and name come later",
            ),
            Self::NotCreated => f.write_str(
                "neither is created yet, and the one that is created later will serve it",
            ),
            Self::NotReady => f.write_str("nothing is ready behind it"),
            Self::Terminating => f.write_str("it is being deleted"),
            Self::NamespaceTerminating => f.write_str("its namespace is being deleted"),
            Self::Held(owner) => write!(f, "the address is held for {owner}"),
            Self::WrittenTwice => f.write_str("its entry has the address twice; the first stands"),
        }
    }
}

/// An object that does not serve a key that its entry asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// What was asked for.
    pub key: RouteKey,
    /// Who asked.
    pub loser: ObjectKey,
    /// The field that asks.
    pub path: FieldPath,
    /// Who serves it; `None` when nobody does.
    pub winner: Option<ObjectKey>,
    /// Why.
    pub reason: LossReason,
}

/// Why an entry, or a part of it, is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// The text of an entry.
    Defect(Defect),
    /// A field of an Ingress.
    Field(String),
    /// Caddy does not take it. What it says may quote the entry, and is not told.
    Rejected,
    /// Caddy did not finish with it; it is tried again.
    Unanswered,
    /// Once it was published, something else answered in its place.
    Unverified,
    /// What Caddy made of it is not one site.
    Adapted(AdaptedError),
    /// It uses what entries may not use.
    Forbidden(Forbidden),
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defect(defect) => defect.fmt(f),
            Self::Field(what) => f.write_str(what),
            Self::Rejected => {
                f.write_str("Caddy does not take the entry; `caddy adapt` on its text shows why")
            }
            Self::Unanswered => {
                f.write_str("Caddy did not finish with the entry; it is tried again")
            }
            Self::Unverified => f.write_str(
                "once it was published, something else answered in its place; it is served as it \
                 was before",
            ),
            Self::Adapted(error) => error.fmt(f),
            Self::Forbidden(found) => found.fmt(f),
        }
    }
}

/// An entry, or a part of one, that is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The object.
    pub object: ObjectKey,
    /// Its identity.
    pub uid: Option<Arc<str>>,
    /// The field.
    pub path: FieldPath,
    /// Why.
    pub reason: RefusalReason,
}

/// An upstream that names another namespace than the one in which its Service lives (R2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleUpstream {
    /// The Service whose entry says so.
    pub object: ObjectKey,
    /// The field.
    pub path: FieldPath,
    /// The upstream, as the entry names it.
    pub upstream: Backend,
    /// Whether it was sent to the Service's own namespace, as the owner asked.
    pub rewritten: bool,
}

/// A source that could not be read completely: keys may be missing, or be served by the wrong
/// object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incomplete {
    /// What could not be read, and why.
    pub what: String,
    /// Keys that were served before and may be missing because of this; sorted.
    pub missing: Vec<RouteKey>,
}

/// What the edge is to serve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutingTable {
    /// One route per key.
    pub routes: BTreeMap<RouteKey, Route>,
    /// Everybody who does not serve what they ask for, by key and object.
    pub conflicts: Vec<Conflict>,
    /// What is not served because of what it says, by object and place.
    pub refused: Vec<Refusal>,
    /// Keys whose winner asks for them in what is refused. Nobody else gets them by that, and who serves
    /// them now goes on.
    pub withheld: BTreeSet<RouteKey>,
    /// Upstreams in other namespaces than their Service's, by object.
    pub stale: Vec<StaleUpstream>,
    /// What could not be read; nothing is to be published while there is any (R3.2).
    pub incomplete: Vec<Incomplete>,
}

impl RoutingTable {
    /// Takes out one route that turned out not to be served when it was published.
    pub fn distrust(&mut self, key: &RouteKey) {
        let Some(route) = self.routes.remove(key) else {
            return;
        };
        self.withheld.insert(key.clone());
        self.refused.push(Refusal {
            object: (*route.source.object).clone(),
            uid: route.source.uid,
            path: route.path,
            reason: RefusalReason::Unverified,
        });
    }

    /// Takes out the routes of a block that turned out to be wrong, and says why. Nobody else gets
    /// their keys by that: what was served of them goes on, the last good version of the entry or, if that
    /// never was served, the entry of another object.
    pub fn refuse(&mut self, block: &Arc<Block>, reasons: Vec<RefusalReason>) {
        let is_of_block = |route: &Route| matches!(&route.content, Content::Caddyfile(own) if Arc::ptr_eq(own, block));
        let Some(route) = self.routes.values().find(|route| is_of_block(route)) else {
            return;
        };
        let (source, path) = (route.source.clone(), route.path.clone());
        self.refused
            .extend(reasons.into_iter().map(|reason| Refusal {
                object: (*source.object).clone(),
                uid: source.uid.clone(),
                path: path.clone(),
                reason,
            }));
        let keys = self.routes.iter().filter(|(_, route)| is_of_block(route));
        self.withheld.extend(keys.map(|(key, _)| key.clone()));
        self.routes.retain(|_, route| !is_of_block(route));
    }
}
