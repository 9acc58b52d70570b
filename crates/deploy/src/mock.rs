//! An API server for unit tests, as a function from requests to answers, and what a run takes from
//! its surroundings, the same each time.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{Method, Request, Response};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use underpin_cluster::{
    Body, Cluster, Host,
    claims::ClaimStore,
    lock::{Acquired, LockRequest, acquire},
};
use underpin_model::{Claim, ClaimId};
use underpin_plan::{Acceptances, Environment};
use underpin_source::manifests::{Documents, Variables};

use crate::{Deployment, Event, Observer, Settings, Stop, tools::Tools};

/// Time limit of requests.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The claims' namespace.
const CLAIMS: &str = "underpin-system";

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: Value,
}

impl Seen {
    /// Whether a parameter of the query has this value.
    pub(crate) fn says(&self, parameter: &str) -> bool {
        self.query.split('&').any(|pair| pair == parameter)
    }
}

/// Everything that reached the server.
pub(crate) type Log = Arc<Mutex<Vec<Seen>>>;

/// A cluster whose answers, code and body, a function gives.
pub(crate) fn cluster(
    answer: impl Fn(&Seen) -> (u16, Value) + Send + Sync + 'static,
) -> (Cluster, Log) {
    let (answer, log) = (Arc::new(answer), Log::default());
    let seen = Arc::clone(&log);
    let service = tower::service_fn(move |request: Request<Body>| {
        let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
        async move {
            let (parts, body) = request.into_parts();
            let bytes = body.collect_bytes().await.unwrap();
            let request = Seen {
                method: parts.method,
                path: parts.uri.path().to_owned(),
                query: parts.uri.query().unwrap_or_default().to_owned(),
                body: serde_json::from_slice(&bytes).unwrap_or_default(),
            };
            let (code, value) = answer(&request);
            seen.lock().unwrap().push(request);
            let body = Body::from(value.to_string().into_bytes());
            let response = Response::builder().status(code).body(body).unwrap();
            Ok::<_, Infallible>(response)
        }
    });
    let (server, user) = ("http://mock".to_owned(), "tester".to_owned());
    let host = Arc::new(Counting::default());
    let cluster = Cluster::over_service(service, "mock", server, user, TIMEOUT, host);
    (cluster, log)
}

/// A clock that stands still, and bytes that count.
#[derive(Debug, Default)]
struct Counting(AtomicU64);

impl Host for Counting {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), String> {
        for byte in bytes {
            *byte = u8::try_from(self.0.fetch_add(1, Ordering::Relaxed) % 256).unwrap();
        }
        Ok(())
    }
}

/// A `Status` as the API server writes it.
pub(crate) fn status(code: u16, reason: &str, causes: &Value) -> (u16, Value) {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": reason,
        "reason": reason, "code": code, "details": {"causes": causes},
    });
    (code, body)
}

/// The refusal of an apply that would take these fields: manager and field.
pub(crate) fn field_conflicts(fields: &BTreeSet<(&str, &str)>) -> (u16, Value) {
    let causes = fields.iter().map(|(manager, field)| {
        json!({
            "reason": "FieldManagerConflict", "field": field,
            "message": format!("conflict with \"{manager}\" using v1"),
        })
    });
    status(409, "Conflict", &causes.collect())
}

/// An environment `wallet/production` in a cluster.
pub(crate) fn deployment(cluster: &Cluster) -> Deployment {
    Deployment {
        store: ClaimStore::new(cluster.clone(), CLAIMS),
        cluster: cluster.clone(),
        claims_namespace: CLAIMS.to_owned(),
        environment: Environment {
            stack: "wallet".to_owned(),
            name: "production".to_owned(),
            ..Environment::default()
        },
        pinned_cluster: None,
        documents: Documents::default(),
        variables: Variables::default(),
        acceptances: Acceptances::default(),
        settings: Settings {
            wait: false,
            wait_timeout: Duration::ZERO,
            request_timeout: TIMEOUT,
            lease: Duration::from_mins(1),
            lock_wait: Duration::ZERO,
            who: "tester".to_owned(),
        },
    }
}

/// Tools that hold the lock on a claim; the server must take what is applied to it.
pub(crate) async fn tools(cluster: &Cluster) -> Tools {
    let claim = Claim::new(ClaimId("own".to_owned()), "wallet", "production", "uid");
    let request = LockRequest {
        holder: "run".to_owned(),
        who: "tester".to_owned(),
        lease: Duration::from_mins(1),
        wait: Duration::ZERO,
    };
    let store = ClaimStore::new(cluster.clone(), CLAIMS);
    let acquired = acquire(&store, "wallet.production", claim, false, &request).await;
    let Ok(Acquired::Held(guard)) = acquired else {
        panic!("{acquired:?}");
    };
    let (_, interrupted) = watch::channel(false);
    Tools {
        cluster: cluster.clone(),
        guard: Arc::new(guard),
        stop: Stop::new(None, interrupted),
        claim: ClaimId("own".to_owned()),
        request_timeout: TIMEOUT,
    }
}

/// Looks away.
pub(crate) struct Blind;

impl Observer for Blind {
    fn event(&self, _: Event) {}
}

/// Runs may be moved between threads, and be dropped at any await: whoever runs them decides.
#[tokio::test(start_paused = true)]
async fn runs_can_be_tasks() {
    fn check<T: Send>(run: T) {
        drop(run);
    }
    let (cluster, log) = cluster(|_| (404, Value::Null));
    let deployment = deployment(&cluster);
    let (_sender, interrupted) = watch::channel(false);
    let stop = Stop::new(None, interrupted);
    check(crate::up(&deployment, &Blind, &stop, |_| true));
    check(crate::down(&deployment, &Blind, &stop, |_| true));
    let from = crate::ImportFrom::Manifests;
    let namespace = "wallet".to_owned();
    let request = crate::Import { namespace, from };
    check(crate::import(&deployment, &request, &Blind, &stop, |_| {
        true
    }));
    check(crate::plan(&deployment, &Blind));
    check(crate::status(&deployment));
    assert!(log.lock().unwrap().is_empty());
}
