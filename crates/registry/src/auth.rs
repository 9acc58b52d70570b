//! Who asks: Basic, or tokens from where the registry names.
//!
//! Credentials go to the registry, and to the place where it has tokens made, if nobody can read along on
//! either way. Tokens go to the registry alone.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::Full;
use serde::Deserialize;
use tokio::time::Instant;

use crate::{
    address::Origin,
    challenge::{Challenge, challenges},
    client::RequestError,
    credentials::{Credentials, Secret},
    http::Http,
    pace::{Pace, Repeat},
};

/// Longest answer with a token.
const TOKEN_LIMIT: usize = 256 * 1024;
/// Longest time for a token to be made.
const TOKEN_TIME: Duration = Duration::from_secs(30);
/// How long a token is good where that is not said.
const TOKEN_LIFE: u64 = 60;
/// So much before its end a token is not used any more.
const MARGIN: Duration = Duration::from_secs(5);
/// How a program calls itself that exchanges an identity token.
const CLIENT_ID: &str = "underpin";

/// What a request may do: `repository:team/web:pull`. Empty where nothing is to be asked for.
pub(crate) type Scope = String;

/// What is known of how a registry asks.
pub(crate) struct Auth {
    origin: Origin,
    credentials: Option<Credentials>,
    way: Mutex<Way>,
    tokens: Mutex<BTreeMap<Scope, Arc<tokio::sync::Mutex<Option<Token>>>>>,
}

#[derive(Clone)]
enum Way {
    /// It has not asked yet.
    Open,
    Basic,
    Bearer(Arc<Realm>),
}

/// Where tokens are made.
struct Realm {
    url: Uri,
    service: Option<String>,
}

struct Token {
    header: HeaderValue,
    until: Instant,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

fn refused(message: impl Into<String>) -> RequestError {
    RequestError::Unauthorized(message.into())
}

impl Auth {
    pub(crate) fn new(origin: Origin, credentials: Option<Credentials>) -> Self {
        Self {
            origin,
            credentials,
            way: Mutex::new(Way::Open),
            tokens: Mutex::default(),
        }
    }

    fn way(&self) -> Way {
        self.way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What a request says of who asks, as far as the registry has told how it asks.
    pub(crate) async fn header(
        &self,
        http: &Http,
        pace: &Pace,
        scope: &str,
    ) -> Result<Option<HeaderValue>, RequestError> {
        match self.way() {
            Way::Open => Ok(None),
            Way::Basic => Ok(self.basic()),
            Way::Bearer(realm) => self.token(http, pace, &realm, scope, None).await.map(Some),
        }
    }

    /// What to say instead, after an answer of 401 to a request that said `said`.
    pub(crate) async fn answer_to(
        &self,
        http: &Http,
        pace: &Pace,
        headers: &HeaderMap,
        scope: &str,
        said: Option<&HeaderValue>,
    ) -> Result<HeaderValue, RequestError> {
        let offered = headers.get_all(header::WWW_AUTHENTICATE);
        let offered = offered.iter().filter_map(|value| value.to_str().ok());
        let offered: Vec<Challenge> = offered.flat_map(challenges).collect();
        let mut problem = None;
        if let Some(bearer) = offered.iter().find(|one| one.scheme == "bearer") {
            match self.realm(bearer) {
                Ok(realm) => {
                    let realm = Arc::new(realm);
                    self.remember(Way::Bearer(Arc::clone(&realm)));
                    return self.token(http, pace, &realm, scope, said).await;
                }
                Err(error) => problem = Some(error),
            }
        }
        if offered.iter().any(|one| one.scheme == "basic") {
            let basic = self.basic().ok_or_else(|| {
                refused("it asks for a user and a password, and none are known: log in to it")
            })?;
            if said == Some(&basic) {
                return Err(refused("it does not take the user and password"));
            }
            self.remember(Way::Basic);
            return Ok(basic);
        }
        Err(problem.unwrap_or_else(|| refused("it asks who this is in no way that is known")))
    }

    fn remember(&self, way: Way) {
        *self.way.lock().unwrap_or_else(PoisonError::into_inner) = way;
    }

    /// User and password, for the registry itself.
    pub(crate) fn basic(&self) -> Option<HeaderValue> {
        match &self.credentials.as_ref()?.0 {
            Secret::Password { user, password } => basic(user, password),
            Secret::Identity(_) => None,
        }
    }

    /// Where tokens are made, if credentials may go there.
    fn realm(&self, challenge: &Challenge) -> Result<Realm, RequestError> {
        let text = challenge.parameter("realm");
        let url: Option<Uri> = text.and_then(|text| text.parse().ok());
        let place = url.as_ref().and_then(Origin::of).zip(url.as_ref());
        let Some((origin, url)) = place else {
            return Err(refused("where it has tokens made is no address"));
        };
        let is_named_in_private = self.origin.is_private() || self.origin == origin;
        let is_reached_in_private = origin.is_private() || self.origin == origin;
        if !is_named_in_private || !is_reached_in_private {
            return Err(refused(format!(
                "it has tokens made at {}, and credentials would be read along the way",
                origin.url("")
            )));
        }
        Ok(Realm {
            url: url.clone(),
            service: challenge.parameter("service").map(str::to_owned),
        })
    }

    /// The token for a scope: a new one, if there is none, it is at its end, or it is the one that was
    /// refused.
    async fn token(
        &self,
        http: &Http,
        pace: &Pace,
        realm: &Realm,
        scope: &str,
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, RequestError> {
        let place = {
            let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(tokens.entry(scope.to_owned()).or_default())
        };
        // Whoever needs the same token waits for it.
        let mut kept = place.lock().await;
        if let Some(token) = &*kept
            && Instant::now() < token.until
            && Some(&token.header) != refused
        {
            return Ok(token.header.clone());
        }
        let fresh = self.make_token(http, pace, realm, scope).await?;
        let header = fresh.header.clone();
        *kept = Some(fresh);
        Ok(header)
    }

    async fn make_token(
        &self,
        http: &Http,
        pace: &Pace,
        realm: &Realm,
        scope: &str,
    ) -> Result<Token, RequestError> {
        let asked = Instant::now();
        let answer = pace
            .repeated(Repeat::Always, || async {
                let request = self.token_request(realm, scope)?;
                http.send(request, TOKEN_LIMIT, TOKEN_TIME)
                    .await
                    .map_err(RequestError::Send)
            })
            .await?;
        if answer.status != StatusCode::OK {
            let who = if self.credentials.is_some() {
                "for these credentials"
            } else {
                "without credentials: log in to it"
            };
            let status = answer.status.as_u16();
            return Err(refused(format!("no token is made {who} (status {status})")));
        }
        let answer: TokenAnswer = serde_json::from_slice(&answer.body)
            .map_err(|_| refused("where it has tokens made answers with something else"))?;
        let text = answer.token.or(answer.access_token);
        let text = text.filter(|text| !text.is_empty());
        let header = text.and_then(|text| HeaderValue::try_from(format!("Bearer {text}")).ok());
        let mut header =
            header.ok_or_else(|| refused("where it has tokens made answers with none"))?;
        header.set_sensitive(true);
        let life = Duration::from_secs(answer.expires_in.unwrap_or(TOKEN_LIFE).min(24 * 3600));
        Ok(Token {
            header,
            until: asked + life.saturating_sub(MARGIN),
        })
    }

    fn token_request(
        &self,
        realm: &Realm,
        scope: &str,
    ) -> Result<Request<Full<Bytes>>, RequestError> {
        let mut parameters: Vec<(&str, &str)> = Vec::new();
        parameters.extend(realm.service.as_deref().map(|service| ("service", service)));
        if !scope.is_empty() {
            parameters.push(("scope", scope));
        }
        let builder = Request::builder();
        let request = match self.credentials.as_ref().map(|it| &it.0) {
            Some(Secret::Identity(token)) => {
                parameters.extend([
                    ("grant_type", "refresh_token"),
                    ("client_id", CLIENT_ID),
                    ("refresh_token", &**token),
                ]);
                let form = "application/x-www-form-urlencoded";
                builder
                    .method(Method::POST)
                    .uri(realm.url.clone())
                    .header(header::CONTENT_TYPE, form)
                    .body(Full::from(joined(&parameters)))
            }
            known => {
                let url = realm.url.to_string();
                let sign = if url.contains('?') { '&' } else { '?' };
                let builder = builder.uri(format!("{url}{sign}{}", joined(&parameters)));
                let basic = match known {
                    Some(Secret::Password { user, password }) => basic(user, password),
                    _ => None,
                };
                match basic {
                    Some(basic) => builder.header(header::AUTHORIZATION, basic),
                    None => builder,
                }
                .body(Full::default())
            }
        };
        request.map_err(|_| refused("where it has tokens made is no address"))
    }
}

fn basic(user: &str, password: &str) -> Option<HeaderValue> {
    let encoded = STANDARD.encode(format!("{user}:{password}"));
    let mut header = HeaderValue::try_from(format!("Basic {encoded}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}

fn joined(parameters: &[(&str, &str)]) -> String {
    let parameters = parameters.iter();
    let parameters: Vec<String> = parameters
        .map(|(key, value)| format!("{key}={}", encoded(value)))
        .collect();
    parameters.join("&")
}

/// A text as one part of a path or query: all but the plainest characters in their percent form.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
