//! Requests to one registry: who asks, redirects, and sending again.

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ::http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::Full;
use underpin_image::{Host, RepositoryPath};

use crate::{
    address::{Address, Origin},
    auth::Auth,
    credentials::Credentials,
    http::{Answer, Http, SendError},
    pace::{Pace, Repeat},
    under_way::UnderWay,
};

/// Longest time for one request and its answer.
const TIME: Duration = Duration::from_mins(1);
/// How many redirects of one request are followed.
const REDIRECTS: usize = 5;
/// How the program calls itself.
const AGENT: &str = concat!("underpin/", env!("CARGO_PKG_VERSION"));
/// Longest answer to which nothing is to be read but its errors.
pub(crate) const ERRORS_LIMIT: usize = 256 * 1024;

/// What a client needs to know.
#[derive(Debug)]
pub struct ClientOptions {
    /// The registry.
    pub address: Address,
    /// Who asks; without, what everybody may see is read.
    pub credentials: Option<Credentials>,
    /// A file of certificates, in PEM, of authorities that are trusted besides the machine's.
    pub authorities: Option<PathBuf>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The machine's own authorities cannot be used.
    #[error("no TLS: {0}")]
    Tls(String),
    /// The file of authorities cannot be used.
    #[error("cannot use the certificates in {path}: {problem}")]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// Why a request has no answer that could be used. Holds nothing of what was sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error(transparent)]
    Send(SendError),
    #[error("it does not answer (status {status}, {attempts} attempts)")]
    Busy { status: u16, attempts: u32 },
    #[error("it asks to be left alone for {} s, which is longer than can be waited", .0.as_secs())]
    TooSlow(Duration),
    #[error("{0}")]
    Unauthorized(String),
    #[error("it redirects {0}")]
    Redirect(&'static str),
    #[error("it cannot be asked: {0}")]
    Request(http::Error),
}

/// What one client has sent so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// HEAD requests.
    pub heads: u64,
    /// GET requests for manifests.
    pub manifests: u64,
    /// Other GET requests: lists.
    pub lists: u64,
    /// What writes: PUT and DELETE.
    pub writes: u64,
    /// Requests that were sent again.
    pub repeats: u64,
    /// How long was waited because the registry asked for it or did not answer.
    pub waited: Duration,
    /// How long at least one request was under way.
    pub under_way: Duration,
}

impl Counts {
    /// All that was asked for: what only reads.
    pub fn reads(&self) -> u64 {
        self.heads + self.manifests + self.lists
    }
}

#[derive(Default)]
struct Counters {
    heads: AtomicU64,
    manifests: AtomicU64,
    lists: AtomicU64,
    writes: AtomicU64,
}

/// A client of one registry. Clones share connections, tokens and pace.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    host: Host,
    origin: Origin,
    http: Http,
    auth: Auth,
    pace: Pace,
    counters: Counters,
    under_way: UnderWay,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.inner.host)
    }
}

/// A request.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    /// What a token must allow.
    pub(crate) scope: String,
    pub(crate) accept: Option<HeaderValue>,
    pub(crate) content_type: Option<HeaderValue>,
    pub(crate) body: Bytes,
    /// How much of the answer is read.
    pub(crate) limit: usize,
    pub(crate) time: Duration,
}

impl Ask {
    pub(crate) fn new(method: Method, path: String, scope: String) -> Self {
        Self {
            method,
            path,
            scope,
            accept: None,
            content_type: None,
            body: Bytes::new(),
            limit: ERRORS_LIMIT,
            time: TIME,
        }
    }

    fn request(
        &self,
        origin: &Origin,
        path: &str,
        who: Option<&HeaderValue>,
    ) -> Result<Request<Full<Bytes>>, RequestError> {
        let mut builder = Request::builder()
            .method(self.method.clone())
            .uri(origin.url(path))
            .header(header::USER_AGENT, AGENT);
        let headers = [
            (header::ACCEPT, self.accept.as_ref()),
            (header::CONTENT_TYPE, self.content_type.as_ref()),
            (header::AUTHORIZATION, who),
        ];
        for (name, value) in headers {
            if let Some(value) = value {
                builder = builder.header(name, value);
            }
        }
        let body = Full::new(self.body.clone());
        builder.body(body).map_err(RequestError::Request)
    }

    fn is_read(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }
}

/// How a request says who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    /// In the way that the registry asks for.
    AsItAsks,
    /// With user and password.
    Plainly,
}

/// What reading a repository takes.
pub(crate) fn pull(repository: &RepositoryPath) -> String {
    format!("repository:{repository}:pull")
}

/// What deleting from a repository, and putting back into it, takes.
pub(crate) fn write(repository: &RepositoryPath) -> String {
    format!("repository:{repository}:pull,push,delete")
}

impl Client {
    /// A client, which has not asked for anything yet.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let http = Http::new(options.authorities.as_deref())?;
        let origin = options.address.origin();
        let inner = Inner {
            host: options.address.host().clone(),
            auth: Auth::new(origin.clone(), options.credentials),
            origin,
            http,
            pace: Pace::default(),
            counters: Counters::default(),
            under_way: UnderWay::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The registry.
    pub fn host(&self) -> &Host {
        &self.inner.host
    }

    /// What was sent so far.
    pub fn counts(&self) -> Counts {
        let counters = &self.inner.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            heads: read(&counters.heads),
            manifests: read(&counters.manifests),
            lists: read(&counters.lists),
            writes: read(&counters.writes),
            repeats: self.inner.pace.repeats(),
            waited: self.inner.pace.waited(),
            under_way: self.inner.under_way.total(),
        }
    }

    fn count(&self, ask: &Ask) {
        let counters = &self.inner.counters;
        let counter = match ask.method {
            Method::HEAD => &counters.heads,
            Method::GET if ask.path.contains("/manifests/") => &counters.manifests,
            Method::GET => &counters.lists,
            _ => &counters.writes,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Asks the registry, as often as it takes. An answer of any status but those that say who asks, or
    /// to come back later, is one.
    pub(crate) async fn ask(&self, ask: &Ask) -> Result<Answer, RequestError> {
        self.ask_as(ask, Who::AsItAsks).await
    }

    /// Asks with user and password at once, as the API beside a registry takes them.
    pub(crate) async fn ask_plainly(&self, ask: &Ask) -> Result<Answer, RequestError> {
        self.ask_as(ask, Who::Plainly).await
    }

    async fn ask_as(&self, ask: &Ask, who: Who) -> Result<Answer, RequestError> {
        let repeat = if ask.method == Method::DELETE {
            Repeat::Refused
        } else {
            Repeat::Always
        };
        let pace = &self.inner.pace;
        let answer = pace.repeated(repeat, || self.once(ask, who)).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            let known = "it does not take these credentials (status 401)";
            return Err(RequestError::Unauthorized(known.to_owned()));
        }
        Ok(answer)
    }

    /// One request, once more with what the registry asks of it.
    async fn once(&self, ask: &Ask, who: Who) -> Result<Answer, RequestError> {
        let Inner {
            auth, http, pace, ..
        } = &*self.inner;
        let said = match who {
            Who::Plainly => auth.basic(),
            Who::AsItAsks => auth.header(http, pace, &ask.scope).await?,
        };
        let answer = self.redirected(ask, said.as_ref()).await?;
        if answer.status != StatusCode::UNAUTHORIZED || who == Who::Plainly {
            return Ok(answer);
        }
        let better = auth.answer_to(http, pace, &answer.headers, &ask.scope, said.as_ref());
        let better = better.await?;
        self.redirected(ask, Some(&better)).await
    }

    /// One request, and where the registry sends it. Who asks is told to nobody but the registry.
    async fn redirected(
        &self,
        ask: &Ask,
        who: Option<&HeaderValue>,
    ) -> Result<Answer, RequestError> {
        let Inner {
            origin: own, http, ..
        } = &*self.inner;
        let (mut origin, mut path) = (own.clone(), ask.path.clone());
        for _ in 0..=REDIRECTS {
            let who = who.filter(|_| origin == *own);
            let request = ask.request(&origin, &path, who)?;
            self.count(ask);
            let one = self.inner.under_way.begin();
            let answer = http.send(request, ask.limit, ask.time).await;
            drop(one);
            let answer = answer.map_err(RequestError::Send)?;
            let target = match answer.status.as_u16() {
                301 | 302 | 303 | 307 | 308 => answer.header(header::LOCATION.as_str()),
                _ => None,
            };
            let Some(target) = target else {
                return Ok(answer);
            };
            if !ask.is_read() {
                return Err(RequestError::Redirect("what is to be written"));
            }
            let next = moved(&origin, target)?;
            if origin.is_tls && !next.0.is_tls {
                return Err(RequestError::Redirect("from TLS into the clear"));
            }
            (origin, path) = next;
        }
        Err(RequestError::Redirect("again and again"))
    }
}

/// Where a `Location` leads.
fn moved(from: &Origin, target: &str) -> Result<(Origin, String), RequestError> {
    let nowhere = RequestError::Redirect("to no address");
    if target.starts_with('/') && !target.starts_with("//") {
        return Ok((from.clone(), target.to_owned()));
    }
    let Ok(url) = target.parse::<Uri>() else {
        return Err(nowhere);
    };
    let Some(origin) = Origin::of(&url) else {
        return Err(nowhere);
    };
    let path = url
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    Ok((origin, path.to_owned()))
}
