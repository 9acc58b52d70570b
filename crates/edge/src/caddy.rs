//! The Caddy that serves: it is given whole documents, and asked whether it does what they say.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use http_body_util::Full;
use sha2::{Digest, Sha256};
use tokio::{task::JoinSet, time::Instant};
use underpin_route::{
    PROBE_GENERATION_HEADER, PROBE_HEADER, PROBE_ROUTE_HEADER, Probe, ProbeAnswer, ProbeFailure,
    Protocol, RouteKey,
};

use crate::{
    Address,
    admin::{Admin, AdminError},
    alike::alike,
    compared::Compared,
    exchange::{Answer, Connection, ExchangeError},
};

/// How many probes are under way at once.
const AT_ONCE: usize = 4;
/// Longest time for the answer to one.
const PROBE: Duration = Duration::from_secs(5);
/// How often a probe is sent until its answer counts: connections that were waiting when the document
/// was loaded may still be answered, or be closed, by what ran before.
const ATTEMPTS: u32 = 5;
/// Pause before what failed is asked for a second time; doubled with each further time.
const PAUSE: Duration = Duration::from_millis(30);
/// Longest time for all probes of one document; 10 000 take about 4 s.
const VERIFY: Duration = Duration::from_secs(45);

/// What came of a verification.
#[derive(Debug, Default)]
pub struct Verification {
    /// How many routes were found to be served.
    pub answered: usize,
    /// Those that were not, sorted.
    pub failures: Vec<ProbeFailure>,
    /// Sites for which Caddy shows no certificate, sorted.
    pub uncertified: Vec<RouteKey>,
    /// What was not asked for in time, sorted.
    pub not_asked: Vec<String>,
}

/// Why a probe is not answered as it must be.
#[derive(Clone, Debug)]
enum Wrong {
    /// Something else answers, or nothing.
    Failure(ProbeFailure),
    /// There is no certificate for the host.
    NoCertificate(ProbeFailure),
}

/// Where sites are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Sites {
    /// Over HTTP.
    pub http: SocketAddr,
    /// Over TLS, if at all.
    pub https: Option<SocketAddr>,
}

/// A probe that has not been answered as it must be, and why not if it was asked.
type Open = (Probe, Option<Wrong>);

/// A Caddy that serves.
#[derive(Debug)]
pub struct Caddy {
    admin: Admin,
    sites: Sites,
    /// Digest of what it said it runs, when that was last found to be what was published.
    confirmed: Option<[u8; 32]>,
}

impl Caddy {
    /// The Caddy of this admin endpoint, with its sites.
    pub fn new(admin: Address, sites: Sites) -> Self {
        Self {
            admin: Admin::new(admin),
            sites,
            confirmed: None,
        }
    }

    /// What it runs, as it writes it.
    pub(crate) async fn config(&self) -> Result<Bytes, AdminError> {
        self.admin.config().await
    }

    /// Whether it runs this very document.
    pub async fn runs(&mut self, sent: &[u8]) -> Result<bool, AdminError> {
        self.confirmed = None;
        let told = self
            .admin
            .config_into(|| Compared::to(sent), Compared::take);
        let (mut is_same, mut digest) = told.await?.end();
        if !is_same {
            let running = self.admin.config().await?;
            is_same = alike(sent, &running);
            digest = Sha256::digest(&running).into();
        }
        self.confirmed = is_same.then_some(digest);
        Ok(is_same)
    }

    /// Whether it still runs what it was last found to run by [`Self::runs`].
    pub async fn runs_on(&self) -> Result<bool, AdminError> {
        let take = |digest: &mut Sha256, part: &[u8]| digest.update(part);
        let running = self.admin.config_into(Sha256::new, take).await?;
        Ok(self.confirmed == Some(running.finalize().into()))
    }

    /// Has it run a document, and tells how long that took it.
    pub async fn load(&mut self, document: Bytes) -> Result<Duration, AdminError> {
        let begun = Instant::now();
        self.admin.load(document).await?;
        Ok(begun.elapsed())
    }

    /// Sends probes, and tells those whose answer is not what it must be. What fails is asked for again,
    /// all of it together, so that the time does not grow with the number of failures.
    pub async fn verify(&self, probes: Vec<Probe>, generation: u64, nonce: &str) -> Verification {
        let end = Instant::now() + VERIFY;
        let all = probes.iter().filter(|probe| probe.expect.is_some()).count();
        let mut open: Vec<Open> = probes.into_iter().map(|probe| (probe, None)).collect();
        let mut pause = PAUSE;
        for attempt in 1..=ATTEMPTS {
            open = self.ask_all(open, generation, nonce, end).await;
            if open.is_empty() || attempt == ATTEMPTS || Instant::now() + pause >= end {
                break;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        let left = open.iter().filter(|(probe, _)| probe.expect.is_some());
        let mut found = Verification {
            answered: all - left.count(),
            ..Verification::default()
        };
        for (probe, wrong) in open {
            match (wrong, &probe.expect) {
                (Some(Wrong::Failure(failure)), _) => found.failures.push(failure),
                // Of a host that TLS is to know; what nobody has a certificate for is not served.
                (Some(Wrong::NoCertificate(_)), Some((key, _))) => {
                    found.uncertified.push(key.clone());
                }
                (Some(Wrong::NoCertificate(failure)), None) => {
                    if probe.name.as_ref() == Some(&probe.host) {
                        found.failures.push(failure);
                    }
                }
                (None, _) => found.not_asked.push(probe.asked()),
            }
        }
        found.uncertified.sort_unstable();
        found.uncertified.dedup();
        found.failures.sort_by(|a, b| a.asked.cmp(&b.asked));
        found.not_asked.sort_unstable();
        found
    }

    /// Asks for everything once, several at a time; comes back with what is not answered as it must be.
    async fn ask_all(
        &self,
        mut open: Vec<Open>,
        generation: u64,
        nonce: &str,
        end: Instant,
    ) -> Vec<Open> {
        let each = open.len().div_ceil(AT_ONCE).max(1);
        let mut tasks = JoinSet::new();
        while !open.is_empty() {
            let part = open.split_off(open.len().saturating_sub(each));
            let nonce = nonce.to_owned();
            tasks.spawn(ask_each(self.sites, part, generation, nonce, end));
        }
        // None of them panics, and nobody ends them.
        tasks.join_all().await.into_iter().flatten().collect()
    }
}

async fn ask_each(
    sites: Sites,
    probes: Vec<Open>,
    generation: u64,
    nonce: String,
    end: Instant,
) -> Vec<Open> {
    let mut left = Vec::new();
    let mut connection: Option<Connection> = None;
    for (probe, before) in probes {
        if Instant::now() >= end {
            left.push((probe, before));
            continue;
        }
        // Whether it is for what the route says is told by the others: see `Unverified::suspects`.
        let failure = |what: String| ProbeFailure {
            key: probe.expect.as_ref().map(|(key, _)| key.clone()),
            asked: probe.asked(),
            what,
        };
        let wrong = match ask(sites, &mut connection, &probe, &nonce).await {
            Ok(answer) => probe.judge(generation, &answer).err().map(Wrong::Failure),
            Err(error @ ExchangeError::NoCertificate { .. }) => {
                Some(Wrong::NoCertificate(failure(error.to_string())))
            }
            Err(error) => Some(Wrong::Failure(failure(error.to_string()))),
        };
        if wrong.is_some() {
            // It may lead to what ran before.
            connection = None;
            left.push((probe, wrong));
        }
    }
    left
}

/// Over HTTP one connection serves for many; over TLS each host is asked for its certificate.
async fn ask(
    sites: Sites,
    connection: &mut Option<Connection>,
    probe: &Probe,
    nonce: &str,
) -> Result<ProbeAnswer, ExchangeError> {
    let mut secure = None;
    let open = if let (Some(name), Some(at)) = (&probe.name, sites.https) {
        // Of a host that nobody has, there is no certificate with its name.
        let site = probe.expect.as_ref().and_then(|(key, _)| key.site.as_ref());
        let opened = Connection::open_tls(at, name, site.is_some(), probe.protocol, PROBE);
        secure.insert(opened.await?)
    } else {
        let open = match connection.take().filter(Connection::is_open) {
            Some(open) => open,
            None => Connection::open(&Address::Tcp(sites.http), PROBE).await?,
        };
        connection.insert(open)
    };
    let answer = open.send(request(probe, nonce), PROBE).await?;
    let last = answer.headers.get(header::CONNECTION);
    if last.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close")) {
        *connection = None;
    }
    Ok(read(&answer))
}

fn request(probe: &Probe, nonce: &str) -> Request<Full<Bytes>> {
    let host = if probe.host.contains(':') {
        format!("[{}]", probe.host)
    } else {
        probe.host.clone()
    };
    let mut request = Request::new(Full::new(Bytes::new()));
    // What matchers take for a path is one of a URI too, or the edge does not answer for it.
    let path = &probe.path;
    *request.uri_mut() = match probe.protocol {
        Protocol::One => path.parse().unwrap_or_default(),
        // Its requests name the host in the URI.
        Protocol::Two => format!("https://{host}{path}").parse().unwrap_or_default(),
    };
    let headers = request.headers_mut();
    if let (Protocol::One, Ok(host)) = (probe.protocol, HeaderValue::try_from(host)) {
        headers.insert(header::HOST, host);
    }
    let name = HeaderName::try_from(PROBE_HEADER);
    if let (Ok(name), Ok(nonce)) = (name, HeaderValue::try_from(nonce)) {
        headers.insert(name, nonce);
    }
    request
}

fn read(answer: &Answer) -> ProbeAnswer {
    let headers = &answer.headers;
    ProbeAnswer {
        status: answer.status.as_u16(),
        route: text(headers, PROBE_ROUTE_HEADER),
        generation: text(headers, PROBE_GENERATION_HEADER),
        retry_after: text(headers, "retry-after"),
        cache_control: text(headers, "cache-control"),
        content_type: text(headers, "content-type"),
        has_location_or_hsts: headers.contains_key(header::LOCATION)
            || headers.contains_key(header::STRICT_TRANSPORT_SECURITY),
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
