//! Tokens of service accounts: in the form of the real ones, keyed with the cluster's seed.
//!
//! They keep nobody out who knows the seed: a sandbox holds nothing worth protecting.
//!
//! Source: Kubernetes API reference, `authentication/v1` `TokenRequest`; RFC 7519.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use jiff::SignedDuration;
use serde_json::{Value, json};
use sha2::Sha256;
use underpin_model::GroupKind;

use super::impersonation::{AUTHENTICATED, service_account_groups};
use crate::{Failure, State, User, object};

/// Who issues tokens, and whom they are for unless they say otherwise.
const ISSUER: &str = "https://kubernetes.default.svc";
/// How long a token lasts if its request does not say.
const DEFAULT_SECONDS: i64 = 3_600;
const MIN_SECONDS: i64 = 600;
const MAX_SECONDS: i64 = 1 << 32;

/// Answers a `TokenRequest` for a service account.
///
/// # Errors
///
/// 422 if the lifetime is out of bounds.
pub(crate) fn request_token(
    state: &State,
    account: &Value,
    request: &Value,
) -> Result<Value, Failure> {
    let seconds = request
        .pointer("/spec/expirationSeconds")
        .and_then(Value::as_i64)
        .unwrap_or(DEFAULT_SECONDS);
    check_lifetime(seconds)?;
    let audiences = request.pointer("/spec/audiences");
    let audiences = audiences
        .filter(|audiences| audiences.as_array().is_some_and(|all| !all.is_empty()))
        .cloned()
        .unwrap_or_else(|| json!([ISSUER]));
    let expires = state
        .now
        .saturating_add(SignedDuration::from_secs(seconds))
        .unwrap_or(jiff::Timestamp::MAX);
    let mut answer = request.clone();
    answer["kind"] = json!("TokenRequest");
    answer["apiVersion"] = json!("authentication.k8s.io/v1");
    answer["metadata"] = json!({
        "name": object::name(account), "namespace": object::namespace(account),
        "creationTimestamp": object::seconds(state.now),
    });
    answer["spec"]["audiences"] = audiences.clone();
    answer["spec"]["expirationSeconds"] = json!(seconds);
    if answer["spec"].get("boundObjectRef").is_none() {
        answer["spec"]["boundObjectRef"] = Value::Null;
    }
    answer["status"] = json!({
        "token": issue(state, account, &audiences, expires.as_second()),
        "expirationTimestamp": object::seconds(expires),
    });
    Ok(answer)
}

fn check_lifetime(seconds: i64) -> Result<(), Failure> {
    let why = if seconds < MIN_SECONDS {
        "may not specify a duration less than 10 minutes"
    } else if seconds > MAX_SECONDS {
        "may not specify a duration larger than 2^32 seconds"
    } else {
        return Ok(());
    };
    let field = "spec.expirationSeconds";
    let why = format!("Invalid value: {seconds}: {why}");
    let message = format!("TokenRequest.authentication.k8s.io \"\" is invalid: {field}: {why}");
    Err(Failure {
        details: Some(Box::new(json!({
            "group": "authentication.k8s.io", "kind": "TokenRequest",
            "causes": [{"reason": "FieldValueInvalid", "message": why, "field": field}],
        }))),
        ..Failure::new(422, "Invalid", message)
    })
}

fn issue(state: &State, account: &Value, audiences: &Value, expires: i64) -> String {
    let (namespace, name) = (object::namespace(account), object::name(account));
    let now = state.now.as_second();
    let claims = json!({
        "aud": audiences, "exp": expires, "iat": now, "iss": ISSUER, "nbf": now,
        "kubernetes.io": {
            "namespace": namespace,
            "serviceaccount": {"name": name, "uid": object::uid(account)},
        },
        "sub": format!("system:serviceaccount:{namespace}:{name}"),
    });
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let signed = format!(
        "{}.{}",
        BASE64.encode(header.to_string()),
        BASE64.encode(claims.to_string())
    );
    let signature = BASE64.encode(signature(state, &signed));
    format!("{signed}.{signature}")
}

fn signature(state: &State, signed: &str) -> Vec<u8> {
    let key = state.config.seed.to_be_bytes();
    match Hmac::<Sha256>::new_from_slice(&key) {
        Ok(mut mac) => {
            mac.update(signed.as_bytes());
            mac.finalize().into_bytes().to_vec()
        }
        Err(_) => unreachable!("a key of any length will do"),
    }
}

/// What a valid token says.
pub(super) struct Authenticated {
    pub(super) user: User,
    pub(super) uid: String,
    pub(super) audiences: Value,
}

/// Whose token it is; none if it is malformed, forged, expired or its service account is gone.
#[cfg(feature = "serve")]
pub(crate) fn authenticate(state: &State, token: &str) -> Option<User> {
    verify(state, token).map(|authenticated| authenticated.user)
}

pub(super) fn verify(state: &State, token: &str) -> Option<Authenticated> {
    let (signed, given) = token.rsplit_once('.')?;
    if BASE64.decode(given).ok()? != signature(state, signed) {
        return None;
    }
    let (_, claims) = signed.split_once('.')?;
    let claims: Value = serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()?;
    if claims.get("exp").and_then(Value::as_i64)? <= state.now.as_second() {
        return None;
    }
    let bound = claims.get("kubernetes.io")?;
    let namespace = object::text(bound, "/namespace");
    let name = object::text(bound, "/serviceaccount/name");
    let uid = object::text(bound, "/serviceaccount/uid");
    let account = state.get(&GroupKind::new("", "ServiceAccount"), namespace, name)?;
    if object::uid(account) != uid {
        return None;
    }
    let mut groups = service_account_groups(namespace);
    groups.push(AUTHENTICATED.to_owned());
    Some(Authenticated {
        user: User {
            name: object::text(&claims, "/sub").to_owned(),
            groups,
        },
        uid: uid.to_owned(),
        audiences: claims.get("aud").cloned().unwrap_or(Value::Null),
    })
}
