//! Certificates in the Secrets that Ingresses name. Each is asked for by its name: nothing else of any
//! Secret is read, and none is listed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use tokio::time::Instant;
use underpin_cluster::Cluster;
use underpin_model::{Object, ObjectKey, ResourceKind};
use underpin_route::{Certificate, RouteKey, RoutingTable, certificates_in, wanted_secrets};

use crate::tls::usable;

/// After this time a Secret is looked at again: certificates are renewed.
const AGAIN: Duration = Duration::from_mins(1);
/// The type of Secrets that hold a certificate.
const TYPE: &str = "kubernetes.io/tls";

/// The certificates that are known, and what of the others is wrong.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    known: BTreeMap<ObjectKey, Certificate>,
    /// When each was last looked at.
    looked: BTreeMap<ObjectKey, Instant>,
    /// Why a Secret cannot be used, where it cannot. What was read of it before goes on.
    pub(crate) problems: BTreeMap<ObjectKey, String>,
    /// The routes that each is for.
    pub(crate) wanted: BTreeMap<ObjectKey, BTreeSet<RouteKey>>,
}

impl Certificates {
    /// Those that are known.
    pub(crate) fn known(&self) -> &BTreeMap<ObjectKey, Certificate> {
        &self.known
    }

    /// Begins with those of the last document.
    pub(crate) fn recall(&mut self, document: &Value) {
        self.known = certificates_in(document);
        self.looked.clear();
    }

    /// Reads what the routes of a table want and was not looked at lately. Whether anything changed.
    /// `keeps`: whether routes that are not in the table are served on, perhaps with a certificate.
    pub(crate) async fn look(
        &mut self,
        cluster: &Cluster,
        table: &RoutingTable,
        keeps: bool,
    ) -> bool {
        self.wanted = wanted_secrets(table);
        let before = self.known.clone();
        let wanted = &self.wanted;
        if !keeps {
            self.known.retain(|secret, _| wanted.contains_key(secret));
        }
        self.looked.retain(|secret, _| wanted.contains_key(secret));
        self.problems
            .retain(|secret, _| wanted.contains_key(secret));
        let kind = ResourceKind::v1("", "Secret", "secrets", true);
        for secret in self.wanted.keys() {
            let looked = self.looked.get(secret);
            if looked.is_some_and(|at| at.elapsed() < AGAIN) {
                continue;
            }
            self.looked.insert(secret.clone(), Instant::now());
            let read = match cluster.get(&kind, secret).await {
                Ok(Some(object)) => certificate(&object).map_err(str::to_owned),
                Ok(None) => Err("there is no such Secret".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            match read {
                Ok(certificate) => {
                    self.problems.remove(secret);
                    self.known.insert(secret.clone(), certificate);
                }
                Err(why) => {
                    self.problems.insert(secret.clone(), why);
                }
            }
        }
        self.known != before
    }

    /// When to look again, if at all.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.looked.values().min().map(|at| *at + AGAIN)
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
    let certificate = Certificate {
        chain: text("tls.crt").ok_or("it has no text at tls.crt")?,
        key: text("tls.key").ok_or("it has no text at tls.key")?,
    };
    usable(&certificate)?;
    Ok(certificate)
}
