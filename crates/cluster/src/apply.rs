//! Server-side apply of one object.

use std::time::Duration;

use http::{HeaderMap, Method, header};
use serde_json::{Value, json};
use tokio::time::Instant;
use underpin_model::{Object, ResourceKind, names};

use crate::{
    Act, Cluster, ClusterError,
    create::{CreationGuard, is_service, refuses_version},
    objects::{live_object, name_conflict, server_timeout},
    path,
    transport::{ACCEPT_JSON, APPLY_PATCH, Call, Repeat},
};

/// How an object is applied.
#[derive(Clone, Debug)]
pub struct ApplyOptions {
    /// Ask what would come of it and change nothing.
    pub dry_run: bool,
    /// Take over fields that others own.
    pub force: bool,
    /// What must hold, or the server refuses.
    pub precondition: Precondition,
    /// Time limit, repetitions included; the server is told too, so that it does nothing later.
    pub timeout: Duration,
}

/// What must hold of the live object for an apply to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// It does not exist. An update cannot come of it: the request holds what no server lets an
    /// existing object be changed with.
    CreateOnly,
    /// It exists with this uid. A creation cannot come of it.
    Uid(String),
    /// Nothing.
    None,
}

/// What came of an apply.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The object after it.
    pub object: Object,
    /// What the server warned of, such as a deprecated version.
    pub warnings: Vec<String>,
}

impl Cluster {
    /// Server-side apply of `object` in the version it is written in, as field manager `underpin`.
    ///
    /// With [`Precondition::CreateOnly`] every refusal because the object exists is
    /// [`ConflictKind::AlreadyExists`](crate::ConflictKind::AlreadyExists). The request is repeated when its answer was lost, so the
    /// object that exists may be this call's own: its stamp tells.
    pub async fn apply(
        &self,
        kind: &ResourceKind,
        object: &Object,
        options: &ApplyOptions,
    ) -> Result<Applied, ClusterError> {
        let begun = Instant::now();
        let guard = self.creation_guard(&object.key.kind);
        match self.send_apply(kind, object, options, guard).await {
            Err(error)
                if options.precondition == Precondition::CreateOnly
                    && is_service(&object.key.kind)
                    && refuses_version(&error) =>
            {
                self.remember_versions_refused();
                // Both requests together have the time of one.
                let options = ApplyOptions {
                    timeout: options.timeout.saturating_sub(begun.elapsed()),
                    ..options.clone()
                };
                let guard = CreationGuard::GracePeriod;
                self.send_apply(kind, object, &options, guard).await
            }
            other => other,
        }
    }

    /// One apply request, as the options say.
    async fn send_apply(
        &self,
        kind: &ResourceKind,
        object: &Object,
        options: &ApplyOptions,
        guard: CreationGuard,
    ) -> Result<Applied, ClusterError> {
        let act = Act::on_object("patch", kind, &object.key);
        let same_group = object.key.kind.group == kind.kind.group;
        if same_group && !kind.versions.contains(&object.version) {
            return Err(ClusterError::NoMatch {
                act: Box::new(act),
                versions: kind.versions.clone(),
            });
        }
        let served = ResourceKind {
            kind: object.key.kind.clone(),
            version: object.version.clone(),
            ..kind.clone()
        };
        let call = Call {
            act: act.clone(),
            method: Method::PATCH,
            uri: apply_uri(&path::object(&served, &object.key), options),
            accept: ACCEPT_JSON,
            content_type: APPLY_PATCH,
            body: apply_body(&object.value, &options.precondition, guard)
                .to_string()
                .into_bytes(),
            repeat: match options.precondition {
                Precondition::None if !options.dry_run => Repeat::OnlyIfRefused,
                _ => Repeat::Always,
            },
            bulk: false,
            timeout: options.timeout,
        };
        let reply = self
            .send(&call)
            .await
            .map_err(|error| name_conflict(name_creation(error), &options.precondition))?;
        Ok(Applied {
            object: live_object(&act, reply.value)?,
            warnings: warnings(&reply.headers),
        })
    }
}

fn apply_uri(path: &str, options: &ApplyOptions) -> String {
    let timeout = server_timeout(options.timeout);
    let force = if options.force { "true" } else { "false" };
    let mut parameters = vec![
        ("fieldManager", names::FIELD_MANAGER),
        ("fieldValidation", "Strict"),
        ("force", force),
        ("timeout", &timeout),
    ];
    if options.dry_run {
        parameters.push(("dryRun", "All"));
    }
    path::with_query(path, &parameters)
}

fn apply_body(object: &Value, precondition: &Precondition, guard: CreationGuard) -> Value {
    let mut body = object.clone();
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        match precondition {
            Precondition::CreateOnly => guard.insert(metadata),
            Precondition::Uid(uid) => {
                metadata.insert("uid".to_owned(), json!(uid));
            }
            Precondition::None => {}
        }
    }
    body
}

/// How the refusal of an apply ends that may change the object, and not create it: the server gives no
/// reason.
const NO_REASON: &str = "is forbidden:";

/// Names the right that is missing where an apply would create the object and only that is refused.
fn name_creation(error: ClusterError) -> ClusterError {
    match error {
        ClusterError::Forbidden {
            mut act,
            user,
            message,
        } => {
            let message = match message.trim_end() {
                bare if bare.ends_with(NO_REASON) => {
                    format!("{bare} cannot create resource {:?}", act.resource)
                }
                _ => message,
            };
            if message.contains(" cannot create resource ") {
                act.verb = "create";
            }
            ClusterError::Forbidden { act, user, message }
        }
        other => other,
    }
}

/// The texts of `Warning: 299 - "text"` headers.
pub(crate) fn warnings(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(header::WARNING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter_map(|text| {
            let (_, rest) = text.split_once('"')?;
            let (quoted, _) = rest.rsplit_once('"')?;
            Some(quoted.replace("\\\"", "\"").replace("\\\\", "\\"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use underpin_model::{Depth, Origin};

    use super::*;
    use crate::mock::{Answer, Counter, Seen, cluster, status};

    fn config_map() -> Object {
        let value = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "namespace": "wallet"}, "data": {"k": "v"},
        });
        Object::from_value(value, Depth::Full, Origin::Live).unwrap()
    }

    fn kind() -> ResourceKind {
        ResourceKind::v1("", "ConfigMap", "configmaps", true)
    }

    fn options(precondition: Precondition) -> ApplyOptions {
        ApplyOptions {
            dry_run: false,
            force: false,
            precondition,
            timeout: Duration::from_secs(9),
        }
    }

    /// Checks what an apply sends: the query and `metadata`.
    async fn check_sent(options: ApplyOptions, query: &str, metadata: Value) {
        let sent: Arc<Mutex<Option<Seen>>> = Arc::default();
        let seen = Arc::clone(&sent);
        let cluster = cluster(move |request| {
            *seen.lock().unwrap() = Some(request.clone());
            Answer::With(
                200,
                "warning",
                "299 - \"v1 is \\\"old\\\"\"",
                config_map().value.as_ref().clone(),
            )
        });
        let applied = cluster.apply(&kind(), &config_map(), &options).await;
        assert_eq!(applied.unwrap().warnings, ["v1 is \"old\""]);
        let sent = sent.lock().unwrap().take().unwrap();
        assert_eq!(sent.method, Method::PATCH);
        assert_eq!(sent.path, "/api/v1/namespaces/wallet/configmaps/a");
        assert_eq!(sent.query, query);
        assert_eq!(sent.body["metadata"], metadata);
    }

    #[tokio::test]
    async fn an_apply_says_what_must_hold() {
        let query = "fieldManager=underpin&fieldValidation=Strict&force=false&timeout=9s";
        check_sent(
            options(Precondition::CreateOnly),
            query,
            json!({"name": "a", "namespace": "wallet", "resourceVersion": "1"}),
        )
        .await;
        check_sent(
            options(Precondition::Uid("u1".into())),
            query,
            json!({"name": "a", "namespace": "wallet", "uid": "u1"}),
        )
        .await;
        let dry = ApplyOptions {
            dry_run: true,
            force: true,
            ..options(Precondition::None)
        };
        check_sent(
            dry,
            "fieldManager=underpin&fieldValidation=Strict&force=true&timeout=9s&dryRun=All",
            json!({"name": "a", "namespace": "wallet"}),
        )
        .await;
    }

    #[tokio::test]
    async fn under_create_only_every_conflict_means_that_it_exists() {
        let managers = json!({"causes": [
            {"reason": "FieldManagerConflict", "message": "conflict with \"x\"", "field": ".data.k"},
        ]});
        for (precondition, exists) in [
            (Precondition::CreateOnly, true),
            (Precondition::None, false),
        ] {
            let managers = managers.clone();
            let cluster = cluster(move |_| status(409, "Conflict", "c", managers.clone()));
            let outcome = cluster
                .apply(&kind(), &config_map(), &options(precondition))
                .await;
            assert_eq!(outcome.unwrap_err().is_already_exists(), exists);
        }
    }

    async fn check_right(message: &'static str, verb: &str, right: Option<&str>) {
        let cluster = cluster(move |_| status(403, "Forbidden", message, json!({})));
        let options = options(Precondition::CreateOnly);
        let outcome = cluster.apply(&kind(), &config_map(), &options).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.missing_right().as_deref(), right, "{error}");
        let ClusterError::Forbidden { act, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(act.verb, verb);
    }

    /// What is missing is named, and what admission refuses is not taken for it.
    #[tokio::test]
    async fn the_right_that_is_missing_is_named() {
        let patch = "configmaps \"a\" is forbidden: User \"jane\" cannot patch resource \"configmaps\" in API group \"\" in the namespace \"wallet\"";
        let right = "patch configmaps in namespace wallet (user tester)";
        check_right(patch, "patch", Some(right)).await;
        let right = "create configmaps in namespace wallet (user tester)";
        check_right("configmaps \"a\" is forbidden: ", "create", Some(right)).await;
        let create = "configmaps \"a\" is forbidden: User \"jane\" cannot create resource \"configmaps\" in API group \"\"";
        check_right(create, "create", Some(right)).await;
        let quota = "configmaps \"a\" is forbidden: exceeded quota: few";
        check_right(quota, "patch", None).await;
    }

    /// Checks how often an apply is sent when connections break.
    async fn check_repeats(precondition: Precondition, repeated: bool) {
        let calls = Counter::default();
        let seen = calls.clone();
        let cluster = cluster(move |_| {
            calls.next();
            Answer::Broken
        });
        let outcome = cluster
            .apply(&kind(), &config_map(), &options(precondition))
            .await;
        let error = outcome.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        assert_eq!(seen.get() > 1, repeated);
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_have_been_done_is_repeated_only_under_a_precondition() {
        check_repeats(Precondition::CreateOnly, true).await;
        check_repeats(Precondition::Uid("u1".into()), true).await;
        check_repeats(Precondition::None, false).await;
    }

    #[tokio::test]
    async fn a_version_that_is_not_served_is_not_sent() {
        let cluster = cluster(|_| panic!("sent"));
        let mut object = config_map();
        object.version = "v2".into();
        let outcome = cluster
            .apply(&kind(), &object, &options(Precondition::None))
            .await;
        assert_eq!(
            outcome.unwrap_err().to_string(),
            "cannot patch configmaps wallet/a: the cluster does not serve it in this version; \
             it serves v1"
        );
    }
}
