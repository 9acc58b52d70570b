//! The document that tells Caddy everything: admin endpoint, sites, and the answer to all others.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde_json::{Value, json};
use underpin_model::ObjectKey;

use crate::{
    adapted::Adapted,
    address::{Scheme, SiteAddress},
    certificate::{self, Certificate, Shown, secure_host},
    json::{Json, fields, written},
    page,
    path::PathMatch,
    table::{Proxy, RouteKey},
};

/// The header of a probe.
pub const PROBE_HEADER: &str = "X-Underpin-Probe";
/// The header of the answer that names the object that the route is from.
pub const PROBE_ROUTE_HEADER: &str = "X-Underpin-Route";
/// The header of the answer that tells the generation.
pub const PROBE_GENERATION_HEADER: &str = "X-Underpin-Generation";

/// A route ready to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedRoute {
    /// The object that it is from.
    pub object: Arc<ObjectKey>,
    /// What Caddy made of its entry.
    pub routes: Arc<Adapted>,
    /// The Secret of the host's certificate, where its Ingress names one.
    pub certificate: Option<ObjectKey>,
}

/// What of the document is the same whatever is served.
#[derive(Clone, PartialEq, Eq)]
pub struct EdgeSettings {
    /// The admin endpoint, as Caddy's `admin` has it. It must be the same in every document: one
    /// without it moves the endpoint elsewhere, even if the document is refused.
    pub admin: Value,
    /// The port of `http` sites.
    pub http_port: u16,
    /// The port of `https` sites; `None` when TLS ends before the edge.
    pub https_port: Option<u16>,
    /// The app `tls` of Caddy, as the operator has it. Where it has `automation`, Caddy itself gets
    /// certificates for the sites.
    pub tls: Option<Value>,
    /// Certificates of sites, by the Secrets that hold them.
    pub certificates: BTreeMap<ObjectKey, Arc<Certificate>>,
    /// The certificate with which hosts that are unknown to TLS are answered; they are not without it.
    pub unknown: Option<Certificate>,
    /// The page for hosts that nothing is configured for.
    pub page: String,
    /// What a probe must carry; it never reaches an upstream.
    pub nonce: String,
    /// Counts publications.
    pub generation: u64,
}

/// Without the nonce, which lets its bearer ask for routes' origins.
impl fmt::Debug for EdgeSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EdgeSettings")
            .field("http_port", &self.http_port)
            .field("https_port", &self.https_port)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// Why no document can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentError {
    /// The admin endpoint says not where it listens.
    Admin,
    /// The nonce of probes is not a word of letters and digits that cannot be guessed.
    Nonce,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admin => f.write_str(
                "the admin endpoint names no address to listen at; Caddy would move it elsewhere",
            ),
            Self::Nonce => {
                f.write_str("the nonce of probes is no word of 16 or more letters and digits")
            }
        }
    }
}

impl std::error::Error for DocumentError {}

/// The route of a Service that an Ingress sends to; `None` where the port's number is not known.
pub fn proxy_routes(proxy: &Proxy) -> Option<Adapted> {
    let Proxy {
        namespace, service, ..
    } = proxy;
    let dial = format!("{service}.{namespace}.svc.cluster.local:{}", proxy.port?);
    let handler = json!({"handler": "reverse_proxy", "upstreams": [{"dial": dial}]});
    Some(Adapted::made(&[json!({"handle": [handler]})]))
}

/// Of the routes in a group, Caddy runs the first that matches: one site, and one path of it. What
/// that does not answer goes on to the page, which so is in the document once and not per site.
const SITES: &str = "underpin-sites";
/// Sites of which so many stand behind one matcher where there are more: Caddy looks a host up in a
/// long list at once, and tries routes one after the other. A list is long from 101 on.
const TOGETHER: usize = 128;
/// The group of these, another one than that of what they stand behind.
const SITES_TOGETHER: &str = "underpin-sites-together";
/// The paths of a site.
const PATHS: &str = "underpin-paths";

/// About how much stands around the routes of one entry.
const ABOUT_A_ROUTE: usize = 640;

/// Shortest nonce that nobody guesses.
const MINIMUM_NONCE: usize = 16;

/// A document, and what is not in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// What Caddy is given, in JSON. It holds what the entries hold.
    pub text: String,
    /// What [`unserved`] tells.
    pub unserved: Vec<RouteKey>,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("unserved", &self.unserved)
            .finish_non_exhaustive()
    }
}

/// The whole document.
pub fn document(
    routes: &BTreeMap<RouteKey, ServedRoute>,
    settings: &EdgeSettings,
) -> Result<Document, DocumentError> {
    let listens = settings.admin.get("listen").and_then(Value::as_str);
    if listens.is_none_or(str::is_empty) {
        return Err(DocumentError::Admin);
    }
    let nonce = &settings.nonce;
    if nonce.len() < MINIMUM_NONCE || !nonce.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(DocumentError::Nonce);
    }
    let given = settings.tls.as_ref();
    let shown = Shown::of(routes, &settings.certificates, given);
    let writer = Writer {
        settings,
        shown: &shown,
        everywhere: paths(routes, None),
    };
    let http_sites = sites(routes, Scheme::Http);
    let https_sites = sites(routes, Scheme::Https);
    let server = writer.server(&http_sites, settings.http_port);
    let mut servers = vec![("http", fields(server))];
    let mut http = vec![("http_port", settings.http_port.into())];
    let mut tls = settings.tls.clone();
    if let Some(port) = settings.https_port {
        http.push(("https_port", port.into()));
        let mut server = writer.server(&https_sites, port);
        server.extend(writer.secure(&https_sites));
        servers.push(("https", fields(server)));
        let unknown = settings.unknown.as_ref();
        tls = certificate::tls(given, &settings.certificates, &shown, unknown);
    }
    http.push(("servers", fields(servers)));
    let tls = tls.map(|tls| ("tls", tls.into()));
    let apps = [("http", fields(http))].into_iter().chain(tls);
    let document = fields([
        ("admin", settings.admin.clone().into()),
        ("apps", fields(apps)),
    ]);
    let lengths = routes.values().map(|served| served.routes.length());
    let about = lengths.sum::<usize>() + routes.len() * ABOUT_A_ROUTE;
    Ok(Document {
        text: document.text(about),
        unserved: unserved(routes, settings.https_port),
    })
}

/// Sites over TLS where the edge has no port for that. They take nothing from the others.
pub fn unserved(
    routes: &BTreeMap<RouteKey, ServedRoute>,
    https_port: Option<u16>,
) -> Vec<RouteKey> {
    let secure = routes.keys().filter(|key| secure_host(key).is_some());
    match https_port {
        Some(_) => Vec::new(),
        None => secure.cloned().collect(),
    }
}

/// A document that runs these routes where nobody asks, to see whether Caddy takes them. `listen` is
/// an address of Caddy's that only who tries them reaches.
pub fn trial_document<'a>(
    admin: &Value,
    listen: &str,
    routes: impl IntoIterator<Item = &'a Adapted>,
) -> String {
    let routes: Vec<&Adapted> = routes.into_iter().collect();
    let about = routes
        .iter()
        .map(|adapted| adapted.length() + ABOUT_A_ROUTE);
    let about = about.sum();
    let part = |texts: &'a [Box<str>]| terminal(None, written(texts).collect());
    let run = routes.iter().map(|adapted| part(&adapted.routes));
    let errors = routes.iter().map(|adapted| part(&adapted.errors));
    let trial = fields([
        ("listen", vec![listen].into()),
        ("routes", Json::each(run)),
        ("errors", fields([("routes", Json::each(errors))])),
    ]);
    let servers = fields([("trial", trial)]);
    let http = fields([("servers", servers)]);
    let document = fields([
        ("admin", admin.clone().into()),
        ("apps", fields([("http", http)])),
    ]);
    document.text(about)
}

struct Writer<'a> {
    settings: &'a EdgeSettings,
    shown: &'a Shown<'a>,
    /// Paths of every host.
    everywhere: Paths<'a>,
}

type Fields<'a> = Vec<(&'static str, Json<'a>)>;
type Paths<'a> = Vec<(&'a PathMatch, &'a ServedRoute)>;
/// Sites with their paths.
type Sites<'a> = Vec<(&'a SiteAddress, Paths<'a>)>;

impl<'a> Writer<'a> {
    /// A listener: its sites, then paths of every host, then the page. Entries number groups of their
    /// own, and no request meets those of two entries, for it meets one path of one site.
    fn server(&'a self, sites: &'a Sites<'a>, port: u16) -> Fields<'a> {
        let mut errors = Vec::new();
        for (site, paths) in sites {
            let failed = Self::errors(paths);
            if !failed.is_empty() {
                errors.push(terminal(Some(host_of(site)), failed));
            }
        }
        errors.extend(Self::errors(&self.everywhere));
        let wildcards = sites.partition_point(|(site, _)| !site.is_wildcard());
        let (hosts, wildcards) = sites.split_at(wildcards);
        let (apart, together) = if hosts.len() > TOGETHER {
            (&hosts[..0], hosts)
        } else {
            (hosts, &hosts[..0])
        };
        let together = together.chunks(TOGETHER).map(|together| {
            let names: Vec<&str> = together.iter().map(|(site, _)| site.host()).collect();
            let sites = together
                .iter()
                .map(|(site, paths)| self.site(SITES_TOGETHER, site, paths));
            let matcher = json!([{"host": names}]);
            grouped(SITES, Some(matcher.into()), sites.collect())
        });
        let apart = apart.iter().chain(wildcards);
        let apart = apart.map(|(site, paths)| self.site(SITES, site, paths));
        let everywhere = self.everywhere.iter();
        let everywhere = everywhere.map(|(path, served)| self.path(SITES, path, served));
        let page = std::iter::once_with(|| self.page());
        let routes = together.chain(apart).chain(everywhere).chain(page);
        let listen = vec![format!(":{port}")];
        let mut server = vec![("listen", listen.into()), ("routes", Json::each(routes))];
        if !errors.is_empty() {
            server.push(("errors", fields([("routes", Json::List(errors))])));
        }
        server
    }

    /// TLS of a listener. Caddy gets no certificate by itself unless it is told how, and redirects nobody:
    /// `http://` of a host is another address. HTTP/3 is not offered, for nobody looks whether it works.
    fn secure(&self, sites: &Sites<'_>) -> Fields<'a> {
        let given = self.settings.tls.as_ref();
        let is_automated = given.is_some_and(|tls| tls.get("automation").is_some());
        let automatic = if is_automated {
            json!({"disable_redirects": true})
        } else {
            json!({"disable": true})
        };
        let sites: Vec<&SiteAddress> = sites.iter().map(|(site, _)| *site).collect();
        let policies = certificate::policies(&sites, self.shown, given);
        vec![
            ("automatic_https", automatic.into()),
            ("tls_connection_policies", policies.into()),
            ("protocols", vec!["h1", "h2"].into()),
        ]
    }

    fn site(&'a self, group: &'static str, site: &SiteAddress, paths: &Paths<'a>) -> Json<'a> {
        let own = paths
            .iter()
            .map(|(path, served)| self.path(PATHS, path, served));
        grouped(group, Some(host_of(site)), own.collect())
    }

    /// One path of a site, or the whole of it.
    fn path(&'a self, group: &'static str, path: &PathMatch, served: &'a ServedRoute) -> Json<'a> {
        let mut routes = vec![self.probe(&served.object)];
        routes.extend(written(&served.routes.routes));
        grouped(group, matcher(path), routes)
    }

    /// What answers where paths failed, as their entries say.
    fn errors(paths: &Paths<'a>) -> Vec<Json<'a>> {
        let failed = paths
            .iter()
            .filter(|(_, served)| !served.routes.errors.is_empty());
        failed
            .map(|(path, served)| terminal(matcher(path), written(&served.routes.errors).collect()))
            .collect()
    }

    /// Answers who carries the nonce, before authentication and without the upstream.
    fn probe(&self, object: &ObjectKey) -> Json<'a> {
        let settings = self.settings;
        let header = fields([(PROBE_HEADER, vec![settings.nonce.clone()].into())]);
        let headers = fields([
            (PROBE_ROUTE_HEADER, vec![object.to_string()].into()),
            (
                PROBE_GENERATION_HEADER,
                vec![settings.generation.to_string()].into(),
            ),
        ]);
        let handler = fields([
            ("handler", "static_response".into()),
            ("status_code", 204.into()),
            ("headers", headers),
        ]);
        fields([
            ("match", Json::List(vec![fields([("header", header)])])),
            ("handle", Json::List(vec![handler])),
            ("terminal", true.into()),
        ])
    }

    fn page(&self) -> Json<'a> {
        json!({"handle": [page::handler(&self.settings.page)]}).into()
    }
}

/// Sites with their paths: hosts, then wildcards, those of more labels first.
fn sites(routes: &BTreeMap<RouteKey, ServedRoute>, scheme: Scheme) -> Sites<'_> {
    let sites: BTreeSet<&SiteAddress> = routes
        .keys()
        .filter_map(|key| key.site.as_ref())
        .filter(|site| site.scheme() == scheme)
        .collect();
    let mut sites: Sites<'_> = sites
        .into_iter()
        .map(|site| (site, paths(routes, Some(site))))
        .collect();
    sites.sort_by_key(|(site, _)| {
        let labels = site.host().matches('.').count();
        (
            site.is_wildcard(),
            if site.is_wildcard() {
                usize::MAX - labels
            } else {
                0
            },
        )
    });
    sites
}

/// The paths of a site, in the order in which they are tried.
fn paths<'a>(routes: &'a BTreeMap<RouteKey, ServedRoute>, site: Option<&SiteAddress>) -> Paths<'a> {
    let first = RouteKey {
        site: site.cloned(),
        path: PathMatch::All,
    };
    let own = routes
        .range(first..)
        .take_while(|(key, _)| key.site.as_ref() == site);
    let mut paths: Paths<'_> = own.map(|(key, served)| (&key.path, served)).collect();
    paths.sort_by(|(left, _), (right, _)| left.order().cmp(&right.order()));
    paths
}

fn host_of<'a>(site: &SiteAddress) -> Json<'a> {
    let host = fields([("host", vec![site.host()].into())]);
    Json::List(vec![host])
}

fn matcher<'a>(path: &PathMatch) -> Option<Json<'a>> {
    let patterns = path.patterns();
    (!patterns.is_empty()).then(|| json!([{"path": patterns}]).into())
}

/// Routes below a matcher, of which no other of the group is tried.
fn grouped<'a>(group: &'static str, matcher: Option<Json<'a>>, routes: Vec<Json<'a>>) -> Json<'a> {
    below(matcher, routes, "group", group.into())
}

/// Routes below a matcher, behind which nothing is tried.
fn terminal<'a>(matcher: Option<Json<'a>>, routes: Vec<Json<'a>>) -> Json<'a> {
    below(matcher, routes, "terminal", true.into())
}

fn below<'a>(
    matcher: Option<Json<'a>>,
    routes: Vec<Json<'a>>,
    key: &'static str,
    value: Json<'a>,
) -> Json<'a> {
    let subroute = fields([
        ("handler", "subroute".into()),
        ("routes", Json::List(routes)),
    ]);
    let route = [("handle", Json::List(vec![subroute])), (key, value)];
    fields(route.into_iter().chain(matcher.map(|it| ("match", it))))
}
