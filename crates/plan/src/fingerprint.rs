//! Keyed fingerprints of values that must not be shown.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use underpin_model::{Mask, hexadecimal};

/// Hexadecimal digits shown: enough to tell two values apart, far too few to search for one.
const SHOWN_DIGITS: usize = 12;

/// What is shown of a secret where no key tells values apart.
pub(crate) const HIDDEN: &str = "(secret)";

/// Turns secret values into fingerprints with the key that lies beside the claims. Without a key
/// (nothing was ever deployed, or it may not be read) values are only hidden, not told apart.
#[derive(Clone, Default)]
pub struct Fingerprints {
    key: Option<[u8; 32]>,
    /// Values that are secret wherever they stand.
    secrets: Arc<Mask>,
}

/// The key is a secret: never shown.
impl std::fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fingerprints")
            .field("keyed", &self.key.is_some())
            .finish_non_exhaustive()
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

    /// The same, that also hide whatever text holds one of these values: what secret variables were
    /// substituted with.
    #[must_use]
    pub fn hiding<'s>(self, values: impl IntoIterator<Item = &'s str>) -> Self {
        let mask = Mask::new(values.into_iter().map(str::to_owned));
        Self {
            secrets: Arc::new(mask),
            ..self
        }
    }

    /// The same without the key: values are hidden, not told apart.
    #[must_use]
    pub fn unkeyed(&self) -> Self {
        Self {
            key: None,
            secrets: Arc::clone(&self.secrets),
        }
    }

    /// What is secret wherever it stands.
    pub fn mask(&self) -> &Mask {
        &self.secrets
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
            None => HIDDEN.to_owned(),
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
}
