//! Certificates in the Secrets that Ingresses name. Each is asked for by its name: nothing else of any
//! Secret is read, and none is listed.
//!
//! What a Secret holds is taken when Caddy can use it and it is for the hosts of the routes that name it.
//! Else what was read of it before goes on.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, timeout_at},
};
use underpin_cluster::Cluster;
use underpin_model::{Object, ObjectKey, ResourceKind, wording::list};
use underpin_route::{
    Certificate, RouteKey, RoutingTable, ServedRoute, certificate_trial, certificates_in,
    secure_host, wanted_secrets,
};

use crate::{isolated::Isolated, tls::usable};

/// After this time a Secret is looked at again: certificates are renewed.
const AGAIN: Duration = Duration::from_mins(1);
/// After this time it is seen whether one has been read that took longer.
const SOON: Duration = Duration::from_secs(1);
/// How many Secrets are read at once.
const AT_ONCE: usize = 8;
/// The type of Secrets that hold a certificate.
const TYPE: &str = "kubernetes.io/tls";

type Fingerprint = [u8; 32];

/// What came of reading a Secret.
type Read = Result<Arc<Certificate>, String>;

/// The certificates that are known, and what of the others is wrong.
#[derive(Debug)]
pub(crate) struct Certificates {
    /// Those that documents are made with.
    known: BTreeMap<ObjectKey, Arc<Certificate>>,
    /// Those of the last document that was found to be served.
    proven: BTreeMap<ObjectKey, Arc<Certificate>>,
    /// What was last read of each.
    read: BTreeMap<ObjectKey, Read>,
    /// When each was last looked at.
    looked: BTreeMap<ObjectKey, Instant>,
    reading: JoinSet<(ObjectKey, Read)>,
    /// What is being read.
    underway: BTreeSet<ObjectKey>,
    places: Arc<Semaphore>,
    /// A Caddy that does nothing else: keys are in no process on which entries are tried.
    isolated: Isolated,
    /// Whether Caddy takes what was read.
    tried: BTreeMap<Fingerprint, bool>,
    /// What Caddy did not show once it was published.
    not_shown: BTreeSet<Fingerprint>,
    /// Why a Secret cannot be used, where it cannot. What was read of it before goes on.
    pub(crate) problems: BTreeMap<ObjectKey, String>,
    /// The routes that each is for.
    pub(crate) wanted: BTreeMap<ObjectKey, BTreeSet<RouteKey>>,
}

impl Certificates {
    /// None; they are tried on this program.
    pub(crate) fn new(caddy: PathBuf) -> Self {
        Self {
            known: BTreeMap::new(),
            proven: BTreeMap::new(),
            read: BTreeMap::new(),
            looked: BTreeMap::new(),
            reading: JoinSet::new(),
            underway: BTreeSet::new(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            isolated: Isolated::new(caddy),
            tried: BTreeMap::new(),
            not_shown: BTreeSet::new(),
            problems: BTreeMap::new(),
            wanted: BTreeMap::new(),
        }
    }

    /// Those that are known.
    pub(crate) fn known(&self) -> &BTreeMap<ObjectKey, Arc<Certificate>> {
        &self.known
    }

    /// Begins with those of the last document.
    pub(crate) fn recall(&mut self, document: &Value) {
        let found = certificates_in(document).into_iter();
        let found = found.filter_map(|(secret, one)| {
            let read = usable(one.chain, one.key).ok()?;
            Some((secret, Arc::new(read)))
        });
        self.known = found.collect();
        self.proven = self.known.clone();
        self.looked.clear();
    }

    /// Reads what the routes of a table want and was not looked at lately, for so long; what takes longer
    /// is read on, and is not known until then. Whether anything changed. `served` are the routes that
    /// are to be served, kept ones too.
    pub(crate) async fn look(
        &mut self,
        cluster: &Cluster,
        table: &RoutingTable,
        served: &BTreeMap<RouteKey, ServedRoute>,
        wait: Duration,
    ) -> bool {
        self.wanted = wanted_secrets(table);
        let before = self.known.clone();
        self.forget(served);
        self.begin(cluster);
        self.collect(Instant::now() + wait).await;
        let untried = self.try_all().await;
        self.problems.clear();
        let wanted = std::mem::take(&mut self.wanted);
        for (secret, routes) in &wanted {
            let hosts: BTreeSet<&str> = routes.iter().filter_map(secure_host).collect();
            self.settle(secret, &hosts, untried.as_deref());
        }
        self.wanted = wanted;
        self.known != before
    }

    /// When to look again, if at all.
    pub(crate) fn due(&self) -> Option<Instant> {
        let soon = (!self.reading.is_empty()).then(|| Instant::now() + SOON);
        let again = self.looked.values().min().map(|at| *at + AGAIN);
        soon.into_iter().chain(again).min()
    }

    /// What is known now was found to be served.
    pub(crate) fn prove(&mut self) {
        self.proven = self.known.clone();
    }

    /// Goes back to what was served before, for Secrets whose certificate Caddy did not show once it was
    /// published.
    pub(crate) fn take_back(&mut self, secrets: &BTreeSet<ObjectKey>) {
        for secret in secrets {
            if let Some(certificate) = self.known.remove(secret) {
                self.not_shown.insert(fingerprint(&certificate));
            }
            if let Some(before) = self.proven.get(secret) {
                self.known.insert(secret.clone(), Arc::clone(before));
            }
        }
    }

    /// Whether a Secret had another certificate in the last document that was found to be served.
    pub(crate) fn is_renewed(&self, secret: &ObjectKey) -> bool {
        let before = self.proven.get(secret);
        before.is_some_and(|before| self.known.get(secret) != Some(before))
    }

    /// What nobody asks for any more is forgotten.
    fn forget(&mut self, served: &BTreeMap<RouteKey, ServedRoute>) {
        let wanted = &self.wanted;
        let kept = served
            .values()
            .filter_map(|route| route.certificate.as_ref());
        let kept: BTreeSet<&ObjectKey> = kept.collect();
        let is_used = |secret: &ObjectKey| wanted.contains_key(secret) || kept.contains(secret);
        self.known.retain(|secret, _| is_used(secret));
        self.proven.retain(|secret, _| is_used(secret));
        self.looked.retain(|secret, _| wanted.contains_key(secret));
        self.read.retain(|secret, _| wanted.contains_key(secret));
        let read = self.read.values().filter_map(|read| read.as_ref().ok());
        let read: BTreeSet<Fingerprint> = read.map(|one| fingerprint(one)).collect();
        self.tried.retain(|print, _| read.contains(print));
        self.not_shown.retain(|print| read.contains(print));
    }

    /// Begins to read what is due.
    fn begin(&mut self, cluster: &Cluster) {
        for secret in self.wanted.keys() {
            let looked = self.looked.get(secret);
            let is_fresh = looked.is_some_and(|at| at.elapsed() < AGAIN);
            if is_fresh || !self.underway.insert(secret.clone()) {
                continue;
            }
            self.looked.insert(secret.clone(), Instant::now());
            let (cluster, places) = (cluster.clone(), Arc::clone(&self.places));
            let secret = secret.clone();
            self.reading.spawn(async move {
                // Nobody closes it.
                let _place = places.acquire().await;
                let read = read(&cluster, &secret).await;
                (secret, read)
            });
        }
    }

    /// Takes in what has been read, until then.
    async fn collect(&mut self, end: Instant) {
        while let Ok(Some(done)) = timeout_at(end, self.reading.join_next()).await {
            let Ok((secret, read)) = done else { continue };
            self.underway.remove(&secret);
            if self.wanted.contains_key(&secret) {
                self.read.insert(secret, read);
            }
        }
    }

    /// Has Caddy load what was read and has not been tried; why that cannot be done, if it cannot.
    async fn try_all(&mut self) -> Option<String> {
        let read = self.read.values().filter_map(|read| read.as_ref().ok());
        let open: BTreeMap<Fingerprint, Arc<Certificate>> = read
            .map(|one| (fingerprint(one), Arc::clone(one)))
            .filter(|(print, _)| !self.tried.contains_key(print))
            .collect();
        if open.is_empty() {
            return None;
        }
        let open: Vec<_> = open.into_iter().collect();
        let document = |admin: &Value, _: &str, part: &[(Fingerprint, Arc<Certificate>)]| {
            certificate_trial(admin, part.iter().map(|(_, one)| one.as_ref()))
        };
        let tried = self.isolated.taken(open, document).await;
        self.isolated.stop();
        match tried {
            Ok(tried) => {
                let known = tried.into_iter();
                let known = known.filter_map(|((print, _), takes)| Some((print, takes?)));
                self.tried.extend(known);
                None
            }
            Err(error) => Some(error.to_string()),
        }
    }

    /// Takes what was read of a Secret, or says why not.
    fn settle(&mut self, secret: &ObjectKey, hosts: &BTreeSet<&str>, untried: Option<&str>) {
        let before = self.known.get(secret);
        let read = match self.read.get(secret) {
            Some(Ok(read)) => read,
            Some(Err(why)) => {
                self.problems.insert(secret.clone(), why.clone());
                return;
            }
            None if before.is_some() => return,
            None => {
                let why = "it has not been read yet".to_owned();
                self.problems.insert(secret.clone(), why);
                return;
            }
        };
        if before == Some(read) {
            let is_not_for = is_not_for(read, hosts.iter().copied());
            self.problems
                .extend(is_not_for.map(|why| (secret.clone(), why)));
            return;
        }
        let print = fingerprint(read);
        let goes_on = if before.is_some() {
            "; the one before goes on"
        } else {
            ""
        };
        // What the one before is for, the new one has to be for.
        let needed = hosts.iter().copied();
        let needed = needed.filter(|host| before.is_none_or(|before| before.covers(host)));
        let lacks = is_not_for(read, needed);
        let is_for_none = !hosts.iter().any(|host| read.covers(host));
        let why = match (self.tried.get(&print), lacks) {
            _ if self.not_shown.contains(&print) => {
                Some("Caddy did not show its certificate once it was published".to_owned())
            }
            (Some(false), _) => Some("Caddy does not take its certificate".to_owned()),
            (None, _) => Some(format!(
                "it could not be tried: {}",
                untried.unwrap_or("Caddy did not finish with it")
            )),
            (Some(true), Some(lacks)) if before.is_some() || is_for_none => Some(lacks),
            (Some(true), lacks) => {
                self.problems.extend(lacks.map(|why| (secret.clone(), why)));
                self.known.insert(secret.clone(), Arc::clone(read));
                None
            }
        };
        let told = why.map(|why| (secret.clone(), format!("{why}{goes_on}")));
        self.problems.extend(told);
    }
}

/// Which of some hosts a certificate is not for, if any.
fn is_not_for<'a>(
    certificate: &Certificate,
    hosts: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let hosts = hosts.filter(|host| !certificate.covers(host));
    let hosts: Vec<String> = hosts.map(str::to_owned).collect();
    (!hosts.is_empty()).then(|| format!("its certificate is not for {}", list(&hosts)))
}

fn fingerprint(certificate: &Certificate) -> Fingerprint {
    let mut digest = Sha256::new();
    digest.update(&certificate.chain);
    digest.update([0]);
    digest.update(&certificate.key);
    digest.finalize().into()
}

async fn read(cluster: &Cluster, secret: &ObjectKey) -> Read {
    let kind = ResourceKind::v1("", "Secret", "secrets", true);
    match cluster.get(&kind, secret).await {
        Ok(Some(object)) => certificate(&object).map(Arc::new).map_err(str::to_owned),
        Ok(None) => Err("there is no such Secret".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// What a Secret holds; nothing of it is in what is told.
fn certificate(secret: &Object) -> Result<Certificate, &'static str> {
    if secret.text("/type") != Some(TYPE) {
        return Err("its type is not kubernetes.io/tls");
    }
    let text = |field: &str| {
        let encoded = secret.at("/data")?.get(field)?.as_str()?;
        String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
    };
    let chain = text("tls.crt").ok_or("it has no text at tls.crt")?;
    let key = text("tls.key").ok_or("it has no text at tls.key")?;
    usable(chain, key)
}
