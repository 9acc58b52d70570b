//! Certificates in the Secrets that Ingresses name. Each is asked for by its name: nothing else of any
//! Secret is read, and none is listed.
//!
//! What a Secret holds is taken when Caddy can use it and it is for the hosts of the routes that name it.
//! Else what was read of it before goes on.

mod reading;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use underpin_cluster::Cluster;
use underpin_model::{Object, ObjectKey, ResourceKind, wording::list};
use underpin_route::{
    Certificate, RouteKey, RoutingTable, ServedRoute, certificate_trial, certificates_in, left_out,
    secure_host, wanted_secrets,
};

use self::reading::Reading;
use crate::{edge::DISTRUST, isolated::Isolated, tls::usable};

/// The type of Secrets that hold a certificate.
const TYPE: &str = "kubernetes.io/tls";

type Fingerprint = [u8; 32];

/// How long is waited for Secrets to be read; what takes longer is read on.
#[derive(Clone, Copy, Debug)]
pub enum SecretsWait {
    /// For all of them.
    All(Duration),
    /// For those of which nothing is known.
    Unknown(Duration),
}

/// A certificate that was read.
#[derive(Clone, Debug)]
struct Found {
    certificate: Arc<Certificate>,
    /// What tells it from all others.
    print: Fingerprint,
}

impl Found {
    fn of(certificate: Certificate) -> Self {
        Self {
            print: fingerprint(&certificate),
            certificate: Arc::new(certificate),
        }
    }
}

/// What came of reading a Secret.
type Read = Result<Found, String>;

/// What certificates are looked at for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Looked<'a> {
    /// What is asked for.
    pub(crate) table: &'a RoutingTable,
    /// The routes that are to be served, kept ones too.
    pub(crate) served: &'a BTreeMap<RouteKey, ServedRoute>,
    /// The app `tls` of Caddy, as the operator has it.
    pub(crate) given: Option<&'a Value>,
    /// The time.
    pub(crate) now: u64,
}

/// The certificates that are known, and what of the others is wrong.
#[derive(Debug)]
pub(crate) struct Certificates {
    /// Those that documents are made with.
    known: BTreeMap<ObjectKey, Arc<Certificate>>,
    /// Those of the last document that was found to be served.
    proven: BTreeMap<ObjectKey, Arc<Certificate>>,
    /// Routes for which Caddy showed none of these.
    unproven: BTreeSet<RouteKey>,
    /// What was last read of each.
    read: BTreeMap<ObjectKey, Read>,
    reading: Reading<Read>,
    /// A Caddy that does nothing else: keys are in no process on which entries are tried.
    isolated: Isolated,
    /// Whether Caddy takes what was read.
    tried: BTreeMap<Fingerprint, bool>,
    /// What Caddy did not show once it was published, and until when it is not published again.
    not_shown: BTreeMap<Fingerprint, u64>,
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
            unproven: BTreeSet::new(),
            read: BTreeMap::new(),
            reading: Reading::new(),
            isolated: Isolated::new(caddy),
            tried: BTreeMap::new(),
            not_shown: BTreeMap::new(),
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
        self.unproven.clear();
        self.reading.anew();
    }

    /// Reads what routes want and was not read lately; what is not read in time is not known until a later
    /// look. Whether anything changed.
    pub(crate) async fn look(
        &mut self,
        cluster: &Cluster,
        looked: Looked<'_>,
        wait: SecretsWait,
    ) -> bool {
        self.wanted = wanted_secrets(looked.table, looked.served);
        self.forget();
        self.read(cluster, wait).await;
        let untried = self.try_all().await;
        self.settle(looked, untried.as_deref())
    }

    /// When to look again, if at all.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.reading.due()
    }

    /// What is known now was found to be served, but for these routes.
    pub(crate) fn prove(&mut self, uncertified: &[RouteKey]) {
        self.proven = self.known.clone();
        self.unproven = uncertified.iter().cloned().collect();
    }

    /// Goes back to what was served before, for Secrets whose certificate Caddy did not show once it was
    /// published. It is given another chance after a while.
    pub(crate) fn take_back(&mut self, secrets: &BTreeSet<ObjectKey>, now: u64) {
        for secret in secrets {
            if let Some(certificate) = self.known.remove(secret) {
                let until = now.saturating_add(DISTRUST);
                self.not_shown.insert(fingerprint(&certificate), until);
            }
            if let Some(before) = self.proven.get(secret) {
                self.known.insert(secret.clone(), Arc::clone(before));
            }
        }
    }

    /// Of routes for which Caddy shows no certificate, those that were shown another one of the same Secret by
    /// the last document that was found to be served; with these Secrets.
    pub(crate) fn lost(
        &self,
        uncertified: &[RouteKey],
        served: &BTreeMap<RouteKey, ServedRoute>,
    ) -> BTreeMap<RouteKey, ObjectKey> {
        let each = uncertified.iter().filter_map(|key| {
            let secret = served.get(key)?.certificate.as_ref()?;
            let before = self.proven.get(secret)?;
            let was_shown = before.covers(secure_host(key)?) && !self.unproven.contains(key);
            let is_renewed = self.known.get(secret) != Some(before);
            (was_shown && is_renewed).then(|| (key.clone(), secret.clone()))
        });
        each.collect()
    }

    /// What nobody asks for any more is forgotten.
    fn forget(&mut self) {
        let wanted = &self.wanted;
        self.known.retain(|secret, _| wanted.contains_key(secret));
        self.proven.retain(|secret, _| wanted.contains_key(secret));
        self.read.retain(|secret, _| wanted.contains_key(secret));
        self.reading.retain(|secret| wanted.contains_key(secret));
        let read = self.read.values().filter_map(|read| read.as_ref().ok());
        let read: BTreeSet<Fingerprint> = read.map(|found| found.print).collect();
        self.tried.retain(|print, _| read.contains(print));
        self.not_shown.retain(|print, _| read.contains(print));
    }

    /// Reads what is due, and takes in what has been read.
    async fn read(&mut self, cluster: &Cluster, wait: SecretsWait) {
        let cluster = cluster.clone();
        self.reading.begin(self.wanted.keys(), move |secret| {
            let cluster = cluster.clone();
            async move { read(&cluster, &secret).await }
        });
        let (time, all) = match wait {
            SecretsWait::All(time) => (time, true),
            SecretsWait::Unknown(time) => (time, false),
        };
        let (known, before) = (&self.known, &self.read);
        let is_known =
            |secret: &ObjectKey| known.contains_key(secret) || before.contains_key(secret);
        let is_awaited = |secret: &ObjectKey| all || !is_known(secret);
        let done = self.reading.collect(is_awaited, Instant::now() + time);
        for (secret, read) in done.await {
            if self.wanted.contains_key(&secret) {
                let broken = || Err("reading it broke off".to_owned());
                self.read.insert(secret, read.unwrap_or_else(broken));
            }
        }
    }

    /// Has Caddy load what was read and has not been tried; why that cannot be done, if it cannot.
    async fn try_all(&mut self) -> Option<String> {
        let read = self.read.values().filter_map(|read| read.as_ref().ok());
        let open: BTreeMap<Fingerprint, Arc<Certificate>> = read
            .filter(|found| !self.tried.contains_key(&found.print))
            .map(|found| (found.print, Arc::clone(&found.certificate)))
            .collect();
        if open.is_empty() {
            return None;
        }
        let open: Vec<_> = open.into_iter().collect();
        let document = |admin: &Value, _: &str, part: &[(Fingerprint, Arc<Certificate>)]| {
            certificate_trial(admin, part.iter().map(|(_, one)| one.as_ref()))
        };
        let tried = self.isolated.taken(open, document).await;
        // Keys are in no process longer than it takes.
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

    /// Decides what of what was read is taken, and tells what is wrong. Whether anything changed.
    fn settle(&mut self, looked: Looked<'_>, untried: Option<&str>) -> bool {
        let before = self.known.clone();
        let mut problems = BTreeMap::new();
        for (secret, routes) in &self.wanted {
            let hosts: BTreeSet<&str> = routes.iter().filter_map(secure_host).collect();
            let (taken, problem) = self.settled(secret, &hosts, looked.now, untried);
            if let Some(taken) = taken {
                self.known.insert(secret.clone(), taken);
            }
            problems.extend(problem.map(|why| (secret.clone(), why)));
        }
        self.problems = problems;
        self.hold_back(looked, &before);
        self.known != before
    }

    /// What was read of a Secret, if that is to be known from now on, and what is wrong with it.
    fn settled(
        &self,
        secret: &ObjectKey,
        hosts: &BTreeSet<&str>,
        now: u64,
        untried: Option<&str>,
    ) -> (Option<Arc<Certificate>>, Option<String>) {
        let before = self.known.get(secret);
        let found = match (self.read.get(secret), before) {
            (Some(Ok(found)), _) => found,
            (Some(Err(why)), _) => return (None, Some(why.clone())),
            (None, Some(before)) => return (None, before.not_valid(now)),
            (None, None) => return (None, Some("it has not been read yet".to_owned())),
        };
        let read = &found.certificate;
        // What is of no use to some is used for the others.
        let lacking = || {
            let lacks = is_not_for(read, hosts.iter().copied());
            let told: Vec<String> = lacks.into_iter().chain(read.not_valid(now)).collect();
            (!told.is_empty()).then(|| told.join(", and "))
        };
        if before == Some(read) {
            return (None, lacking());
        }
        // What the one before is for, the new one has to be for.
        let needed = hosts.iter().copied();
        let needed = needed.filter(|host| before.is_none_or(|before| before.covers(host)));
        let lacks = is_not_for(read, needed);
        let is_for_none = !hosts.iter().any(|host| read.covers(host));
        let was_valid = before.is_some_and(|before| before.not_valid(now).is_none());
        let until = self.not_shown.get(&found.print);
        let why = match (self.tried.get(&found.print), lacks) {
            _ if until.is_some_and(|until| now < *until) => {
                Some("Caddy did not show its certificate once it was published".to_owned())
            }
            (Some(false), _) => Some("Caddy does not take its certificate".to_owned()),
            (None, _) => Some(format!(
                "it could not be tried: {}",
                untried.unwrap_or("Caddy did not finish with it")
            )),
            // One that is not valid any more serves nobody, but neither does another such.
            (Some(true), Some(lacks))
                if was_valid
                    || is_for_none
                    || before.is_some() && read.not_valid(now).is_some() =>
            {
                Some(lacks)
            }
            (Some(true), _) => read.not_valid(now).filter(|_| was_valid),
        };
        match why {
            Some(why) if before.is_some() => (None, Some(goes_on(&why))),
            Some(why) => (None, Some(why)),
            None => (Some(Arc::clone(read)), lacking()),
        }
    }

    /// Where Caddy does not tell the operator's certificates from these, one that may not be shown does not
    /// take the place of one that may.
    fn hold_back(&mut self, looked: Looked<'_>, before: &BTreeMap<ObjectKey, Arc<Certificate>>) {
        loop {
            let known = self.known.clone();
            for (secret, names) in left_out(looked.served, &known, looked.given) {
                let one = before.get(&secret);
                if let Some(one) = one.filter(|one| known.get(&secret) != Some(*one)) {
                    let why = goes_on(&shown_elsewhere(&names));
                    self.known.insert(secret.clone(), Arc::clone(one));
                    self.problems.insert(secret, why);
                }
            }
            // Each time there is at least one fewer that is new.
            if self.known == known {
                return;
            }
        }
    }
}

fn goes_on(why: &str) -> String {
    format!("{why}; the one before goes on")
}

/// Why a certificate with names of these hosts, which are others', is not used.
pub(crate) fn shown_elsewhere(names: &BTreeSet<String>) -> String {
    let names: Vec<String> = names.iter().cloned().collect();
    format!(
        "its certificate is for {} too, and Caddy would show it there: it does not tell it from \
         certificates that it gets, or loads in folders, as --tls says",
        list(&names)
    )
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
        Ok(Some(object)) => certificate(&object).map(Found::of).map_err(str::to_owned),
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
