//! The key of the keyed fingerprints: a Secret beside the claims.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use underpin_model::{GroupKind, Object, ObjectKey, ResourceKind};

use super::ClaimStore;
use crate::{Act, ClusterError};

/// Name of the Secret that holds the key of the keyed fingerprints.
pub const FINGERPRINT_KEY: &str = "underpin-fingerprint-key";
/// Key in its data.
const FIELD: &str = "key";
/// Length of the key in bytes: that of the hash it is used with.
const LENGTH: usize = 32;

impl ClaimStore {
    /// The fingerprint key, if one was made yet.
    pub async fn fingerprint_key(&self) -> Result<Option<[u8; LENGTH]>, ClusterError> {
        let object = self.cluster.get(&secret_kind(), &self.secret_key()).await?;
        object.map(|object| self.read_key(&object)).transpose()
    }

    /// The fingerprint key; drawn at random and stored if there is none yet.
    pub async fn ensure_fingerprint_key(&self) -> Result<[u8; LENGTH], ClusterError> {
        if let Some(key) = self.fingerprint_key().await? {
            return Ok(key);
        }
        let mut key = [0; LENGTH];
        self.cluster.host().random(&mut key).map_err(|error| {
            self.key_error(format!("the system has no random numbers: {error}"))
        })?;
        let value = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": FINGERPRINT_KEY, "namespace": self.namespace},
            "type": "Opaque",
            "data": {FIELD: STANDARD.encode(key)},
        });
        match self
            .create_object(&secret_kind(), &self.secret_key(), value)
            .await
        {
            Ok(_) => Ok(key),
            // Another run was faster: its key is the key.
            Err(error) if error.is_already_exists() => self.fingerprint_key().await?.ok_or(error),
            Err(error) => Err(error),
        }
    }

    fn read_key(&self, object: &Object) -> Result<[u8; LENGTH], ClusterError> {
        let text = object
            .at("/data")
            .and_then(|data| data.get(FIELD))
            .and_then(Value::as_str)
            .unwrap_or_default();
        let bytes = STANDARD.decode(text).unwrap_or_default();
        bytes.try_into().map_err(|_| {
            self.key_error(format!(
                "data.{FIELD} is not {LENGTH} bytes; delete the Secret to have a new key made \
                 (what was applied before is then applied once more)"
            ))
        })
    }

    fn secret_key(&self) -> ObjectKey {
        ObjectKey::namespaced(GroupKind::core("Secret"), &self.namespace, FINGERPRINT_KEY)
    }

    fn key_error(&self, reason: String) -> ClusterError {
        ClusterError::Decode {
            act: Box::new(Act::on_object("get", &secret_kind(), &self.secret_key())),
            reason,
        }
    }
}

fn secret_kind() -> ResourceKind {
    ResourceKind::v1("", "Secret", "secrets", true)
}
