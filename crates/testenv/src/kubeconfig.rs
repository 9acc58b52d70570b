//! Kubeconfig documents, as JSON (which is YAML too).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Who a kubeconfig speaks as.
#[derive(Clone, Debug)]
enum User {
    Certificate { certificate: String, key: String },
    Token(String),
    Nobody,
}

/// A kubeconfig with one cluster, one user and one context, all called `test`.
#[derive(Clone, Debug)]
pub struct Kubeconfig {
    server: String,
    authority: Option<String>,
    user: User,
}

impl Kubeconfig {
    /// Speaks to `server` without credentials.
    pub fn plain(server: &str) -> Self {
        Self {
            server: server.to_owned(),
            authority: None,
            user: User::Nobody,
        }
    }

    /// Trusts the certificate authority `pem` (and no other).
    #[must_use]
    pub fn authority(mut self, pem: &str) -> Self {
        self.authority = Some(pem.to_owned());
        self
    }

    /// Speaks as the client certificate's subject. Both are PEM.
    #[must_use]
    pub fn certificate(mut self, certificate: &str, key: &str) -> Self {
        self.user = User::Certificate {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        };
        self
    }

    /// Speaks as the bearer of `token`.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.user = User::Token(token.to_owned());
        self
    }

    /// The document.
    pub fn to_json(&self) -> Value {
        let mut cluster = json!({ "server": self.server });
        if let Some(pem) = &self.authority {
            cluster["certificate-authority-data"] = json!(STANDARD.encode(pem));
        }
        let user = match &self.user {
            User::Certificate { certificate, key } => json!({
                "client-certificate-data": STANDARD.encode(certificate),
                "client-key-data": STANDARD.encode(key),
            }),
            User::Token(token) => json!({ "token": token }),
            User::Nobody => json!({}),
        };
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "test", "cluster": cluster }],
            "users": [{ "name": "test", "user": user }],
            "contexts": [{
                "name": "test",
                "context": { "cluster": "test", "user": "test", "namespace": "default" },
            }],
            "current-context": "test",
        })
    }

    /// Writes the document where only this user can read it.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.to_json()).context("kubeconfig as JSON")?;
        fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
            .with_context(|| format!("protect {}", path.display()))
    }
}
