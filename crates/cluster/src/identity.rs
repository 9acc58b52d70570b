//! Which cluster this is.

use serde_json::Value;
use underpin_model::ClusterIdentity;

use crate::{
    Act, Cluster, ClusterError,
    transport::{ACCEPT_JSON, ACCEPT_METADATA, Call},
};

/// The oldest minor version of Kubernetes 1 that serves everything Underpin relies on.
const OLDEST_MINOR: u32 = 20;
/// The namespace whose uid stands for the cluster.
const KUBE_SYSTEM: &str = "/api/v1/namespaces/kube-system";

impl Cluster {
    /// The uid of namespace `kube-system` and the server's version, read at the same time.
    pub async fn identity(&self) -> Result<ClusterIdentity, ClusterError> {
        let (version, namespace) = tokio::try_join!(self.version(), self.kube_system())?;
        let Some(uid) = namespace.pointer("/metadata/uid").and_then(Value::as_str) else {
            return Err(ClusterError::Decode {
                act: Box::new(Act::on_path(KUBE_SYSTEM)),
                reason: "namespace kube-system has no uid".to_owned(),
            });
        };
        Ok(ClusterIdentity {
            uid: uid.to_owned(),
            context: self.context().to_owned(),
            version,
        })
    }

    async fn kube_system(&self) -> Result<Value, ClusterError> {
        let act = Act {
            verb: "get",
            resource: "namespaces".to_owned(),
            namespace: None,
            name: Some("kube-system".to_owned()),
        };
        let call = Call::get(act, KUBE_SYSTEM.to_owned(), ACCEPT_METADATA, self.timeout());
        Ok(self.send(&call).await?.value)
    }

    async fn version(&self) -> Result<String, ClusterError> {
        let act = Act::on_path("/version");
        let call = Call::get(
            act.clone(),
            "/version".to_owned(),
            ACCEPT_JSON,
            self.timeout(),
        );
        let value = self.send(&call).await?.value;
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
        let version = text("gitVersion").to_owned();
        match (leading_number(text("major")), leading_number(text("minor"))) {
            (Some(1), Some(minor)) if minor < OLDEST_MINOR => Err(ClusterError::TooOld { version }),
            (Some(0), _) => Err(ClusterError::TooOld { version }),
            (Some(_), Some(_)) => Ok(version),
            _ => Err(ClusterError::Decode {
                act: Box::new(act),
                reason: format!("`{version}` is not a Kubernetes version"),
            }),
        }
    }
}

/// Providers write `20+`.
fn leading_number(text: &str) -> Option<u32> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text[..end].parse().ok()
}
