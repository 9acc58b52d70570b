//! Keyed fingerprints of values that must not be shown.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

/// Hexadecimal digits shown: enough to tell two values apart, far too few to search for one.
const SHOWN_DIGITS: usize = 12;

/// Turns secret values into fingerprints with the key that lies beside the claims. Without a key
/// (nothing was ever deployed, or it may not be read) values are only hidden, not told apart.
#[derive(Clone, Default)]
pub struct Fingerprints {
    key: Option<[u8; 32]>,
    /// Values that are secret wherever they stand, and how they look in base64.
    secrets: Arc<[String]>,
}

/// The key is a secret: never shown.
impl std::fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fingerprints")
            .field("keyed", &self.key.is_some())
            .finish()
    }
}

impl Fingerprints {
    /// Fingerprints under a key, or hidden values without one.
    pub fn new(key: Option<[u8; 32]>) -> Self {
        Self {
            key,
            secrets: Arc::default(),
        }
    }

    /// The same, that also hide whatever text holds one of these values, as it is or in base64: what
    /// secret variables were substituted with.
    #[must_use]
    pub fn hiding<'s>(self, values: impl IntoIterator<Item = &'s str>) -> Self {
        let values = values.into_iter().filter(|value| !value.is_empty());
        let secrets = values.flat_map(|value| {
            // What follows the value in an encoded text changes its last letters.
            let encoded = STANDARD.encode(value);
            let whole = encoded.len() - encoded.len() % 4;
            let sure = if value.len() % 3 == 0 { whole } else { whole.saturating_sub(4) };
            let encoded = encoded[..sure].to_owned();
            [value.to_owned(), encoded]
        });
        Self {
            secrets: secrets.filter(|one| !one.is_empty()).collect(),
            ..self
        }
    }

    /// The same without the key: values are hidden, not told apart.
    #[must_use]
    pub fn unkeyed(&self) -> Self {
        Self {
            key: None,
            secrets: self.secrets.clone(),
        }
    }

    /// Whether a text holds a secret value.
    pub(crate) fn is_secret(&self, text: &str) -> bool {
        self.secrets.iter().any(|secret| text.contains(secret.as_str()))
    }

    /// A message without the secret values that it may quote.
    pub fn scrubbed(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.secrets.iter() {
            text = text.replace(secret.as_str(), "(secret)");
        }
        text
    }

    /// Which key this is: a fingerprint of a fixed text; `None` without a key.
    pub fn key_id(&self) -> Option<String> {
        let digest = self.digest(&Value::String("underpin.dev/fingerprint-key".to_owned()))?;
        Some(digest[..SHOWN_DIGITS].to_owned())
    }

    /// What is shown instead of a secret value: `(secret 1a2b3c4d5e6f)`.
    pub fn shown(&self, value: &Value) -> Value {
        let text = match self.digest(value) {
            Some(digest) => format!("(secret {})", &digest[..SHOWN_DIGITS]),
            None => "(secret)".to_owned(),
        };
        Value::String(text)
    }

    /// HMAC-SHA-256 (RFC 2104) of a value's JSON with sorted keys, in hexadecimal; `None` without a
    /// key.
    pub fn digest(&self, value: &Value) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key?).ok()?;
        mac.update(value.to_string().as_bytes());
        Some(hexadecimal(&mac.finalize().into_bytes()))
    }
}

/// Bytes as lowercase hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)])
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fingerprints_depend_on_key_and_value_and_hide_the_value() {
        let (one, other) = (
            Fingerprints::new(Some([1; 32])),
            Fingerprints::new(Some([2; 32])),
        );
        let value = json!("hunter2");
        assert_eq!(one.shown(&value), one.shown(&value));
        assert_ne!(one.shown(&value), other.shown(&value));
        assert_ne!(one.shown(&value), one.shown(&json!("hunter3")));
        assert!(!one.shown(&value).to_string().contains("hunter2"));
        assert_eq!(Fingerprints::new(None).shown(&value), json!("(secret)"));
        assert!(!format!("{one:?}").contains('1'));
        assert_ne!(one.key_id(), other.key_id());
    }

    #[track_caller]
    fn check(secrets: &[&str], text: &str, secret: bool) {
        let fingerprints = Fingerprints::default().hiding(secrets.iter().copied());
        assert_eq!(fingerprints.is_secret(text), secret, "{text}");
        assert!(!fingerprints.is_secret(&fingerprints.scrubbed(text)) || !secret);
    }

    #[test]
    fn texts_that_hold_a_secret_are_told() {
        let secrets = ["hunter2", "s3cr3t!"];
        check(&secrets, "hunter2", true);
        check(&secrets, "postgres://app:hunter2@db/app", true);
        check(&secrets, "aHVudGVyMg==", true);
        check(&secrets, &STANDARD.encode("hunter2 and more"), true);
        check(&secrets, "hunter", false);
        check(&secrets, "", false);
        check(&[], "hunter2", false);
        check(&[""], "hunter2", false);
    }
}
