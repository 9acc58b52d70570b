//! Requests about one object: read it, apply it, delete it.

use std::time::Duration;

use http::{HeaderMap, Method, header};
use serde_json::{Value, json};
use underpin_model::{Depth, Object, ObjectKey, Origin, ResourceKind, names};

use crate::{
    Act, Cluster, ClusterError, ConflictKind, create, path,
    transport::{ACCEPT_JSON, APPLY_PATCH, Call, MERGE_PATCH, Repeat},
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
    /// It does not exist. An update cannot come of it: the request names a resourceVersion that no
    /// existing object has.
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

/// What happens to what the object owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// It goes after the object.
    Background,
    /// It goes before the object.
    Foreground,
    /// It stays.
    Orphan,
}

/// What came of a deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It will go, once what holds it lets go.
    Accepted {
        /// What holds it; for a Namespace its own finalizers too.
        finalizers: Vec<String>,
    },
    /// It is gone, or never was.
    Gone,
}

impl Propagation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Background => "Background",
            Self::Foreground => "Foreground",
            Self::Orphan => "Orphan",
        }
    }
}

impl Cluster {
    /// One object in full; `None` when the server says that it does not exist. That its kind is not
    /// served is an error: it says nothing of the object.
    pub async fn get(
        &self,
        kind: &ResourceKind,
        key: &ObjectKey,
    ) -> Result<Option<Object>, ClusterError> {
        let act = Act::on_object("get", kind, key);
        let call = Call::get(
            act.clone(),
            path::object(kind, key),
            ACCEPT_JSON,
            self.timeout(),
        );
        match self.send(&call).await {
            Ok(reply) => live_object(&act, reply.value).map(Some),
            Err(ClusterError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Server-side apply of `object` in the version it is written in, as field manager `underpin`.
    ///
    /// With [`Precondition::CreateOnly`] every refusal because the object exists is
    /// [`ConflictKind::AlreadyExists`]. The request is repeated when its answer was lost, so the
    /// object that exists may be this call's own: its stamp tells.
    pub async fn apply(
        &self,
        kind: &ResourceKind,
        object: &Object,
        options: &ApplyOptions,
    ) -> Result<Applied, ClusterError> {
        let create_only = options.precondition == Precondition::CreateOnly;
        // A dry run asks each time: only the refused request tells whether the object exists.
        if create_only && !options.dry_run && self.is_created_by_post(&object.key.kind) {
            return self.create_then_apply(kind, object, options).await;
        }
        match self.send_apply(kind, object, options).await {
            Err(error) if create_only && create::refuses_version(&error) => {
                self.remember_created_by_post(&object.key.kind);
                self.create_then_apply(kind, object, options).await
            }
            other => other,
        }
    }

    /// One apply request, as the options say.
    pub(crate) async fn send_apply(
        &self,
        kind: &ResourceKind,
        object: &Object,
        options: &ApplyOptions,
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
            body: apply_body(&object.value, &options.precondition)
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

    /// Deletes an object if it still has this uid and this resourceVersion; otherwise
    /// [`ConflictKind::Precondition`].
    pub async fn delete(
        &self,
        kind: &ResourceKind,
        key: &ObjectKey,
        uid: &str,
        resource_version: &str,
        propagation: Propagation,
    ) -> Result<Deletion, ClusterError> {
        let act = Act::on_object("delete", kind, key);
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid, "resourceVersion": resource_version},
            "propagationPolicy": propagation.as_str(),
        });
        let timeout = server_timeout(self.timeout());
        let call = Call {
            act,
            method: Method::DELETE,
            uri: path::with_query(&path::object(kind, key), &[("timeout", &timeout)]),
            accept: ACCEPT_JSON,
            content_type: ACCEPT_JSON,
            body: options.to_string().into_bytes(),
            repeat: Repeat::Always,
            bulk: false,
            timeout: self.timeout(),
        };
        match self.send(&call).await {
            Ok(reply) => Ok(deletion_of(&reply.value)),
            Err(ClusterError::NotFound { .. }) => Ok(Deletion::Gone),
            // Old servers answer so when the Namespace is already going, the preconditions holding.
            Err(ClusterError::Conflict { message, .. })
                if key.is_namespace() && message.contains(NAMESPACE_GOING) =>
            {
                Ok(Deletion::Accepted {
                    finalizers: vec!["kubernetes".to_owned()],
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Sets one annotation of a Namespace that still has this uid. Its resourceVersion changes if
    /// the value does.
    pub async fn annotate_namespace(
        &self,
        name: &str,
        uid: &str,
        annotation: &str,
        value: &str,
    ) -> Result<Object, ClusterError> {
        let kind = core_kind("Namespace", "namespaces", false);
        let patch = json!({"metadata": {"uid": uid, "annotations": {annotation: value}}});
        self.merge_patch(&kind, &ObjectKey::of_namespace(name), &patch)
            .await
            .map_err(|error| name_conflict(error, &Precondition::Uid(uid.to_owned())))
    }

    /// Replaces `metadata.managedFields` of an object that still has this uid and resourceVersion:
    /// how adoption hands fields from another manager to ours.
    pub async fn replace_managed_fields(
        &self,
        kind: &ResourceKind,
        key: &ObjectKey,
        uid: &str,
        resource_version: &str,
        managed_fields: Value,
    ) -> Result<Object, ClusterError> {
        let patch = json!({"metadata": {
            "uid": uid,
            "resourceVersion": resource_version,
            "managedFields": managed_fields,
        }});
        self.merge_patch(kind, key, &patch)
            .await
            .map_err(|error| name_conflict(error, &Precondition::Uid(uid.to_owned())))
    }

    /// A merge patch. `patch` must carry a precondition, which makes repeating it harmless.
    pub(crate) async fn merge_patch(
        &self,
        kind: &ResourceKind,
        key: &ObjectKey,
        patch: &Value,
    ) -> Result<Object, ClusterError> {
        let act = Act::on_object("patch", kind, key);
        let timeout = server_timeout(self.timeout());
        let parameters = [
            ("fieldManager", names::FIELD_MANAGER),
            ("timeout", &timeout),
        ];
        let call = Call {
            act: act.clone(),
            method: Method::PATCH,
            uri: path::with_query(&path::object(kind, key), &parameters),
            accept: ACCEPT_JSON,
            content_type: MERGE_PATCH,
            body: patch.to_string().into_bytes(),
            repeat: Repeat::Always,
            bulk: false,
            timeout: self.timeout(),
        };
        let reply = self.send(&call).await?;
        live_object(&act, reply.value)
    }
}

/// A kind of the core group, which every server serves in `v1`.
pub(crate) fn core_kind(kind: &str, plural: &str, namespaced: bool) -> ResourceKind {
    ResourceKind {
        kind: underpin_model::GroupKind::core(kind),
        version: "v1".to_owned(),
        versions: vec!["v1".to_owned()],
        plural: plural.to_owned(),
        namespaced,
        listable: true,
    }
}

/// What a 1.20 server says of a second deletion of a Namespace.
const NAMESPACE_GOING: &str = "ensuring all content is removed from this namespace";

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

/// The time limit for the server: whole seconds, rounded down so that it gives up first.
pub(crate) fn server_timeout(timeout: Duration) -> String {
    format!("{}s", timeout.as_secs().max(1))
}

/// A resourceVersion that no object has: etcd's first revision is spent before any object is
/// written. The server refuses to update an existing object with it and creates a missing one.
const NO_RESOURCE_VERSION: &str = "1";

fn apply_body(object: &Value, precondition: &Precondition) -> Value {
    let mut body = object.clone();
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        match precondition {
            Precondition::CreateOnly => {
                metadata.insert("resourceVersion".to_owned(), json!(NO_RESOURCE_VERSION));
            }
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

/// Gives a conflict the meaning that the precondition has: under `CreateOnly` every conflict means
/// that the object exists, whichever check of the server's noticed first.
pub(crate) fn name_conflict(error: ClusterError, precondition: &Precondition) -> ClusterError {
    match (error, precondition) {
        (ClusterError::Conflict { act, message, .. }, Precondition::CreateOnly) => {
            ClusterError::Conflict {
                act,
                kind: ConflictKind::AlreadyExists,
                message,
            }
        }
        // A merge patch of an object that is gone.
        (ClusterError::NotFound { act, message }, Precondition::Uid(_))
            if !message.starts_with("namespaces ") || act.resource == "namespaces" =>
        {
            ClusterError::Conflict {
                act,
                kind: ConflictKind::Precondition,
                message,
            }
        }
        (error, _) => error,
    }
}

/// Reads an object out of an answer.
pub(crate) fn live_object(act: &Act, value: Value) -> Result<Object, ClusterError> {
    Object::from_value(value, Depth::Full, Origin::Live).ok_or_else(|| ClusterError::Decode {
        act: Box::new(act.clone()),
        reason: "the answer is not an object with apiVersion, kind and name".to_owned(),
    })
}

/// Only a `Status` says that the object is gone; anything else is the object, still there.
fn deletion_of(value: &Value) -> Deletion {
    if value.get("kind").and_then(Value::as_str) == Some("Status") {
        return Deletion::Gone;
    }
    let finalizers = ["/metadata/finalizers", "/spec/finalizers"]
        .iter()
        .filter_map(|pointer| value.pointer(pointer)?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    Deletion::Accepted { finalizers }
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
        core_kind("ConfigMap", "configmaps", true)
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

    #[tokio::test(start_paused = true)]
    async fn no_request_outlives_its_time_limit() {
        let cluster = cluster(|_| Answer::Text(503, "down")).with_timeout(Duration::from_secs(1));
        let begun = tokio::time::Instant::now();
        let outcome = cluster.get(&kind(), &config_map().key).await;
        assert!(outcome.is_err());
        assert!(begun.elapsed() <= Duration::from_secs(1));
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

    /// Checks what an answer to a deletion means.
    async fn check_deletion(
        key: &ObjectKey,
        answer: fn() -> Answer,
        expect: Result<Deletion, &str>,
    ) {
        let cluster = cluster(move |seen| {
            assert_eq!(
                seen.body["preconditions"],
                json!({"uid": "u", "resourceVersion": "7"})
            );
            answer()
        });
        let outcome = cluster
            .delete(&kind(), key, "u", "7", Propagation::Background)
            .await;
        let outcome = outcome.map_err(|error| error.to_string());
        match (outcome, expect) {
            (Ok(deletion), Ok(expect)) => assert_eq!(deletion, expect),
            (Err(text), Err(part)) => assert!(text.contains(part), "{text}"),
            (outcome, expect) => panic!("{outcome:?}, not {expect:?}"),
        }
    }

    #[tokio::test]
    async fn deletions_end_in_gone_accepted_or_conflict() {
        let key = config_map().key;
        let namespace = ObjectKey::of_namespace("wallet");
        let holds = |finalizers: &[&str]| {
            let finalizers = finalizers.iter().map(|text| (*text).to_owned()).collect();
            Ok(Deletion::Accepted { finalizers })
        };
        let gone = || Answer::Json(200, json!({"kind": "Status", "status": "Success"}));
        check_deletion(&key, gone, Ok(Deletion::Gone)).await;
        let never = || status(404, "NotFound", "x", json!({"name": "a"}));
        check_deletion(&key, never, Ok(Deletion::Gone)).await;
        let unserved = || Answer::Text(404, "404 page not found");
        check_deletion(&key, unserved, Err("does not serve it")).await;
        let held = || {
            Answer::Json(
                200,
                json!({"kind": "ConfigMap", "metadata": {"finalizers": ["x/y"]}}),
            )
        };
        check_deletion(&key, held, holds(&["x/y"])).await;
        let changed = || status(409, "Conflict", "ResourceVersion", json!({"name": "a"}));
        check_deletion(&key, changed, Err("changed since it was read")).await;
        let going = || {
            let text = "The system is ensuring all content is removed from this namespace.";
            status(409, "Conflict", text, json!({"name": "wallet"}))
        };
        check_deletion(&namespace, going, holds(&["kubernetes"])).await;
        check_deletion(&key, going, Err("changed since it was read")).await;
    }

    #[tokio::test]
    async fn unknown_is_not_absent_when_one_object_is_read() {
        let absent = cluster(|_| status(404, "NotFound", "x", json!({"name": "a"})));
        assert!(
            absent
                .get(&kind(), &config_map().key)
                .await
                .unwrap()
                .is_none()
        );
        let unserved = cluster(|_| Answer::Text(404, "404 page not found"));
        assert!(unserved.get(&kind(), &config_map().key).await.is_err());
    }

    #[tokio::test]
    async fn a_namespace_that_was_replaced_is_a_conflict() {
        let cluster = cluster(|seen| {
            assert_eq!(seen.body["metadata"]["uid"], "u");
            status(
                404,
                "NotFound",
                "namespaces \"a\" not found",
                json!({"name": "a"}),
            )
        });
        let outcome = cluster.annotate_namespace("a", "u", "k", "v").await;
        assert!(outcome.unwrap_err().is_conflict());
    }
}
