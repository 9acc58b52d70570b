//! From a world to a document: what both `render` and `serve` do.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use underpin_cluster::{Cluster, Host};
use underpin_model::{GroupKind, ObjectKey, World, hexadecimal};
use underpin_route::{
    Acknowledgement, Asking, Certificate, DocumentError, EdgeObject, EdgeObjects, EdgeSettings,
    Hold, Incomplete, Limits, MAXIMUM_PAGE, ProbeFailure, Remembered, Round, RoundInput, RouteKey,
    RoutingTable, Scheme, ServedRoute, Settings, blocks, document, keep_certificates, left_out,
    page_or_built_in, resolve_with, round, served,
};

use crate::{
    Address, Folder, FolderError, IsolatedError, SecretsWait, Trials,
    certificates::{Certificates, Looked, shown_elsewhere},
    tls,
};

/// Digits of a loss's digest that name it.
const LOSS_DIGITS: usize = 6;
/// How many seconds a route is left out that was published and not served, and a certificate that was not
/// shown.
pub(crate) const DISTRUST: u64 = 60;
/// Random bytes of the nonce and of names that nobody has.
const RANDOM_BYTES: usize = 16;

/// An edge, as its operator sets it up.
#[derive(Clone, Debug)]
pub struct EdgeOptions {
    /// The program Caddy, on which entries are tried.
    pub caddy: PathBuf,
    /// What is read.
    pub read: Settings,
    /// The edge's own Service, by namespace and name.
    pub service: Option<(String, String)>,
    /// Where the Caddy that serves is told what to run.
    pub admin: Address,
    /// The port of sites over HTTP.
    pub http_port: u16,
    /// The port of sites over TLS; `None` when TLS ends before the edge.
    pub https_port: Option<u16>,
    /// The app `tls` of Caddy.
    pub tls: Option<Value>,
    /// Whether certificates are taken from the Secrets that Ingresses name.
    pub tls_secrets: bool,
    /// Whether hosts that are unknown to TLS are answered.
    pub answer_unknown: bool,
    /// The folder of the error pages, as Caddy sees it.
    pub pages: String,
    /// The page for hosts that nothing is configured for; without it `503.html` of the folder, and
    /// without that the built-in one.
    pub page: Option<PathBuf>,
    /// How many seconds a loss waits for its replacement.
    pub tombstone: u64,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// Entries cannot be tried.
    #[error(transparent)]
    Isolated(#[from] IsolatedError),
    /// The settings do not make one.
    #[error("{0}")]
    Document(#[from] DocumentError),
    /// No certificate can be made.
    #[error("cannot make a certificate for unknown hosts: {0}")]
    Certificate(String),
    /// The folder of the edge.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The machine gives no randomness.
    #[error("cannot draw a nonce: {0}")]
    Random(String),
}

/// What is observed of a cluster.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    /// The claims, and what cannot be read; the objects need not be there.
    pub world: &'a World,
    /// What of the objects counts.
    pub objects: &'a EdgeObjects,
    /// What could not be read of what is no object.
    pub unread: Option<String>,
}

/// What a world comes to.
#[derive(Debug)]
pub struct Decided {
    /// Who serves what, and who does not.
    pub table: RoutingTable,
    /// What is to be done.
    pub round: Round,
    /// The name of the loss that is held, for an operator to consent to it.
    pub loss: Option<String>,
}

/// A document to be published. Its text alone is kept.
pub struct Ready {
    /// As it is sent and written.
    pub bytes: Bytes,
    /// Sites over TLS where the edge has no port for that.
    pub unserved: Vec<RouteKey>,
}

impl Ready {
    /// A document that may hold what entries hold.
    pub(crate) fn of(bytes: Bytes) -> Self {
        Self {
            bytes,
            unserved: Vec::new(),
        }
    }
}

/// What decides of an edge: its settings, and the entries that were tried.
#[derive(Debug)]
pub struct Edge {
    options: EdgeOptions,
    trials: Trials,
    /// Routes that were published and not served, as they were then, and until when they are left out.
    distrusted: BTreeMap<RouteKey, (ServedRoute, u64)>,
    /// Routes in whose place something else answers although they are as they were when they were
    /// found to be served: the others do not wait for them.
    astray: BTreeMap<RouteKey, ServedRoute>,
    pub(crate) certificates: Certificates,
    unknown: Option<Certificate>,
}

impl Edge {
    /// An edge.
    pub fn new(options: EdgeOptions) -> Self {
        let limits = Limits {
            pages: options.pages.clone(),
            edge: own_names(&options),
            admin_port: match options.admin {
                Address::Tcp(address) => Some(address.port()),
                Address::Unix(_) => None,
            },
        };
        Self {
            trials: Trials::new(options.caddy.clone(), limits),
            certificates: Certificates::new(options.caddy.clone()),
            options,
            distrusted: BTreeMap::new(),
            astray: BTreeMap::new(),
            unknown: None,
        }
    }

    /// How it is set up.
    pub fn options(&self) -> &EdgeOptions {
        &self.options
    }

    /// Has a certificate for hosts that are unknown to TLS, if they are to be answered: that of the folder,
    /// or a new one.
    pub fn prepare(&mut self, folder: Option<&Folder>) -> Result<(), EdgeError> {
        if !self.options.answer_unknown || self.unknown.is_some() {
            return Ok(());
        }
        let kept = folder.map(Folder::unknown).transpose()?.flatten();
        let certificate = if let Some(kept) = kept {
            kept
        } else {
            let made = tls::for_nobody()?;
            if let Some(folder) = folder {
                folder.keep_unknown(&made)?;
            }
            made
        };
        self.unknown = Some(certificate);
        Ok(())
    }

    /// Begins with the certificates of the last document: what cannot be read now was read once.
    pub fn recall_certificates(&mut self, document: &[u8]) {
        if self.options.tls_secrets
            && let Ok(OfDocument {
                apps: OfApps { tls },
            }) = serde_json::from_slice(document)
        {
            self.certificates.recall(&json!({"apps": {"tls": tls}}));
        }
    }

    /// Reads the certificates that routes want, if they are taken from Secrets. Whether anything of them
    /// changed.
    pub async fn look_at_certificates(
        &mut self,
        cluster: &Cluster,
        decided: &Decided,
        wait: SecretsWait,
        now: u64,
    ) -> bool {
        if !self.options.tls_secrets {
            return false;
        }
        let looked = Looked {
            table: &decided.table,
            served: &decided.round.next.served,
            given: self.options.tls.as_ref(),
            now,
        };
        self.certificates.look(cluster, looked, wait).await
    }

    /// Secrets whose certificates cannot be used, each with why and with the routes that it is for.
    pub fn certificate_problems(
        &self,
        served: &BTreeMap<RouteKey, ServedRoute>,
    ) -> BTreeMap<&ObjectKey, (String, &BTreeSet<RouteKey>)> {
        let given = self.options.tls.as_ref();
        let beyond = left_out(served, self.certificates.known(), given).into_iter();
        let beyond = beyond.map(|(secret, names)| (secret, shown_elsewhere(&names)));
        let mut told: BTreeMap<ObjectKey, String> = beyond.collect();
        for (secret, why) in &self.certificates.problems {
            told.insert(secret.clone(), why.clone());
        }
        let each = told.into_iter().filter_map(|(secret, why)| {
            let (secret, routes) = self.certificates.wanted.get_key_value(&secret)?;
            Some((secret, (why, routes)))
        });
        each.collect()
    }

    /// The schemes that probes are sent by. Where Caddy gets certificates by itself, a probe over TLS would
    /// have it get one.
    pub(crate) fn asking<'a>(&self, token: &'a str) -> Asking<'a> {
        let tls = self.options.tls.as_ref();
        let is_automated = tls.is_some_and(|tls| tls.get("automation").is_some());
        let schemes: &[Scheme] = if self.options.https_port.is_some() && !is_automated {
            &[Scheme::Http, Scheme::Https]
        } else {
            &[Scheme::Http]
        };
        Asking {
            schemes,
            answers_unknown: self.unknown.is_some(),
            token,
        }
    }

    /// Ends what only runs while entries are tried.
    pub fn rest(&mut self) {
        self.trials.rest();
    }

    /// Decides what is to be served of what is observed. `anew`: Caddy runs something else than was
    /// published. `accepted` names a loss beside the annotation.
    pub async fn decide(
        &mut self,
        observed: Observed<'_>,
        remembered: &Remembered,
        anew: bool,
        accepted: Option<&str>,
        now: u64,
    ) -> Result<Decided, IsolatedError> {
        let Observed {
            world,
            objects,
            unread,
        } = observed;
        let (read, last) = (&self.options.read, &remembered.published);
        let mut table = resolve_with(world, objects, read, last);
        table.incomplete.extend(unread.map(|what| Incomplete {
            what,
            missing: Vec::new(),
        }));
        let found = blocks(&table);
        let outcomes = self.trials.outcomes(&found).await?;
        let mut served = served(&mut table, &found, outcomes);
        // What was changed since is given another chance, and everything is after a while.
        self.distrusted
            .retain(|key, (route, until)| now < *until && served.get(key) == Some(route));
        for key in self.distrusted.keys() {
            table.distrust(key);
            served.remove(key);
        }
        keep_certificates(&mut served, &remembered.served, self.certificates.known());
        let input = RoundInput {
            remembered,
            table: &table,
            served: &served,
            acknowledged: None,
            now,
            tombstone: self.options.tombstone,
            anew,
        };
        let held = round(&input);
        let lost = Acknowledgement {
            generation: remembered.published.generation,
            keys: held.decision.held(),
        };
        let is_held = |hold: &Hold| matches!(hold, Hold::Vanished { .. } | Hold::Empty);
        let loss = held.decision.holds.iter().any(is_held);
        let loss = loss.then(|| loss_name(&lost));
        let annotated = self.annotated(objects);
        let is_accepted = loss.is_some() && (loss.as_deref() == accepted || loss == annotated);
        if !is_accepted {
            return Ok(Decided {
                table,
                round: held,
                loss,
            });
        }
        let round = round(&RoundInput {
            acknowledged: Some(&lost),
            ..input
        });
        Ok(Decided {
            table,
            round,
            loss: None,
        })
    }

    /// Leaves routes out for a while that were published as they are here and not served, so that they
    /// do not keep the others from being published.
    pub(crate) fn distrust(&mut self, routes: BTreeMap<RouteKey, ServedRoute>, now: u64) {
        let until = now.saturating_add(DISTRUST);
        let each = routes.into_iter();
        self.distrusted
            .extend(each.map(|(key, route)| (key, (route, until))));
    }

    /// Goes on without routes that are served as they were and in whose place something else answers.
    pub(crate) fn go_on_without(&mut self, routes: BTreeMap<RouteKey, ServedRoute>) {
        self.astray.extend(routes);
    }

    /// Takes what a verification found: those that are answered again are asked for again, and of those
    /// that are not, the ones that it goes on without are no failure of the document.
    pub(crate) fn without_astray(
        &mut self,
        failures: Vec<ProbeFailure>,
        served: &BTreeMap<RouteKey, ServedRoute>,
    ) -> Vec<ProbeFailure> {
        let failed: BTreeSet<&RouteKey> =
            failures.iter().filter_map(|it| it.key.as_ref()).collect();
        self.astray
            .retain(|key, route| failed.contains(key) && served.get(key) == Some(route));
        let is_told = |failure: &ProbeFailure| {
            failure
                .key
                .as_ref()
                .is_none_or(|key| !self.astray.contains_key(key))
        };
        failures.into_iter().filter(is_told).collect()
    }

    /// Routes in whose place something else answers.
    pub(crate) fn astray(&self) -> impl Iterator<Item = &RouteKey> {
        self.astray.keys()
    }

    /// Whether routes are left out for a while.
    pub(crate) fn distrusts(&self) -> bool {
        !self.distrusted.is_empty()
    }

    /// What is said on the Service of the edge.
    fn annotated(&self, objects: &EdgeObjects) -> Option<String> {
        let (namespace, name) = self.options.service.as_ref()?;
        let kind = GroupKind::core("Service");
        let service = objects.get(&ObjectKey::namespaced(kind, namespace, name));
        let text = service.and_then(EdgeObject::accepted_loss)?;
        Some(text.trim().to_owned())
    }

    /// What Caddy is to run again that was found running before the first document: with the admin
    /// endpoint at which it is reached, for one without would move that. Where nobody was served by it,
    /// everybody is answered by the page.
    pub(crate) fn put_back(&self, found: &Value, nonce: &str) -> Result<Ready, EdgeError> {
        if !serves_anybody(found) {
            let nothing = Remembered {
                nonce: nonce.to_owned(),
                ..Remembered::default()
            };
            return self.document(&nothing);
        }
        let mut value = found.clone();
        if value.get("admin").is_none_or(Value::is_null) {
            value["admin"] = self.admin();
        }
        Ok(Ready::of(value.to_string().into()))
    }

    fn admin(&self) -> Value {
        json!({"listen": self.options.admin.to_string(), "config": {"persist": false}})
    }

    /// The document of what is remembered.
    pub fn document(&self, remembered: &Remembered) -> Result<Ready, EdgeError> {
        let options = &self.options;
        let page = options.page.clone();
        let page = page.unwrap_or_else(|| PathBuf::from(&options.pages).join("503.html"));
        let page = page_at(&page);
        let settings = EdgeSettings {
            admin: self.admin(),
            http_port: options.http_port,
            https_port: options.https_port,
            tls: options.tls.clone(),
            certificates: self.certificates.known().clone(),
            unknown: self.unknown.clone(),
            page: page_or_built_in(page.as_deref()).0.to_owned(),
            nonce: remembered.nonce.clone(),
            generation: remembered.published.generation,
        };
        let made = document(&remembered.served, &settings)?;
        Ok(Ready {
            bytes: made.text.into(),
            unserved: made.unserved,
        })
    }
}

/// The text of a file, as far as it can be a page; nothing of what is no file, or no text.
fn page_at(path: &Path) -> Option<String> {
    // What is no file may never end, or never begin.
    let is_file = fs::metadata(path).ok()?.is_file();
    let file = is_file.then(|| fs::File::open(path)).and_then(Result::ok)?;
    let mut page = Vec::new();
    // One byte more tells that it is too long.
    let most = u64::try_from(MAXIMUM_PAGE).unwrap_or(u64::MAX);
    file.take(most.saturating_add(1))
        .read_to_end(&mut page)
        .ok()?;
    String::from_utf8(page).ok()
}

/// What of a document has the certificates; the rest of it, which is most, is passed over.
#[derive(Deserialize)]
struct OfDocument {
    apps: OfApps,
}

/// What of its apps has.
#[derive(Deserialize)]
struct OfApps {
    #[serde(default)]
    tls: Value,
}

/// Whether what Caddy was found to run serves anybody.
pub(crate) fn serves_anybody(found: &Value) -> bool {
    found.get("apps").is_some_and(|apps| !apps.is_null())
}

/// A word that nobody can foretell.
pub fn token(host: &dyn Host) -> Result<String, EdgeError> {
    let mut bytes = [0; RANDOM_BYTES];
    host.random(&mut bytes).map_err(EdgeError::Random)?;
    Ok(hexadecimal(&bytes))
}

/// Names a loss: of these keys, since this generation.
fn loss_name(lost: &Acknowledgement) -> String {
    let mut digest = Sha256::new();
    for key in &lost.keys {
        digest.update(key.to_string());
        digest.update([0]);
    }
    let digest = hexadecimal(&digest.finalize()[..LOSS_DIGITS]);
    format!("{}-{digest}", lost.generation)
}

/// The names under which entries would reach the edge itself.
fn own_names(options: &EdgeOptions) -> BTreeSet<String> {
    let service = options.service.as_ref();
    let names = service.map(|(namespace, name)| {
        let (namespace, name) = (namespace.to_ascii_lowercase(), name.to_ascii_lowercase());
        ["", ".svc", ".svc.cluster.local"].map(|end| format!("{name}.{namespace}{end}"))
    });
    names.into_iter().flatten().collect()
}

/// Shared between the loop and what answers questions about it.
pub(crate) type Shared<T> = Arc<std::sync::Mutex<T>>;
