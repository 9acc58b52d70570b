//! Reading a world from a mock API server.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use underpin_model::{
    Claim, ClaimId, Depth, Entry, EntryState, GroupKind, LogicalKey, ObjectKey, World,
};

use crate::{
    Cluster, Interest, ReadRequest,
    claims::ClaimStore,
    mock::{Answer, Counter, Seen, Store, cluster, status},
};

fn resource(plural: &str, kind: &str, namespaced: bool) -> Value {
    let scope = if namespaced { "Namespaced" } else { "Cluster" };
    json!({"resource": plural, "responseKind": {"kind": kind}, "scope": scope,
           "verbs": ["get", "list"]})
}

fn group(name: &str, resources: &Value) -> Value {
    json!({"metadata": {"name": name}, "versions": [{"version": "v1", "resources": resources}]})
}

fn item(namespace: &str, name: &str, uid: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": namespace, "uid": uid},
           "data": {"value": "aHVudGVyMg=="}})
}

fn list(items: &Value) -> Answer {
    Answer::Json(200, json!({"metadata": {}, "items": items}))
}

fn forbidden(resource: &str) -> Answer {
    let message = format!("{resource} is forbidden: User \"u\" cannot list at the cluster scope");
    status(403, "Forbidden", &message, json!({"kind": resource}))
}

/// A small cluster, everything allowed.
fn serve(seen: &Seen) -> Answer {
    assert_eq!(seen.method, Method::GET, "reading must not change anything");
    match seen.path.as_str() {
        "/version" => Answer::Json(
            200,
            json!({"major": "1", "minor": "30+", "gitVersion": "v1.30.2"}),
        ),
        "/api/v1/namespaces/kube-system" => Answer::Json(
            200,
            json!({"metadata": {"name": "kube-system", "uid": "cluster"}}),
        ),
        "/api" => {
            let resources = json!([
                resource("configmaps", "ConfigMap", true),
                resource("events", "Event", true),
                resource("namespaces", "Namespace", false),
                resource("secrets", "Secret", true),
            ]);
            aggregate(&json!([group("", &resources)]))
        }
        "/apis" => aggregate(&json!([
            group("events.k8s.io", &json!([resource("events", "Event", true)])),
            group(
                "metrics.k8s.io",
                &json!([resource("pods", "PodMetrics", true)])
            ),
            group(
                "project.example.com",
                &json!([resource("projects", "Project", false)])
            ),
            group(
                "gone.example.com",
                &json!([resource("gones", "Gone", true)])
            ),
            group("odd.example.com", &json!([resource("odds", "Odd", true)])),
        ])),
        "/api/v1/namespaces" => list(&json!([{"metadata": {"name": "a", "uid": "ns-a"}}])),
        "/apis/project.example.com/v1/projects" => {
            list(&json!([{"metadata": {"name": "a", "uid": "ns-a"}}]))
        }
        "/api/v1/configmaps" => list(&json!([item("a", "c", "u1"), item("b", "c", "u2")])),
        "/api/v1/secrets" => list(&json!([item("a", "s", "u3"), item("b", "s", "u4")])),
        "/api/v1/namespaces/a/secrets" => list(&json!([item("a", "s", "u3")])),
        "/api/v1/namespaces/underpin-system/configmaps" => list(&json!([])),
        "/apis/gone.example.com/v1" => status(404, "NotFound", "no", json!({})),
        "/apis/gone.example.com/v1/gones" => Answer::Text(404, "404 page not found"),
        "/apis/odd.example.com/v1/odds" => Answer::Text(405, "method not allowed"),
        other => panic!("{other}"),
    }
}

fn aggregate(items: &Value) -> Answer {
    Answer::Json(
        200,
        json!({"kind": "APIGroupDiscoveryList", "items": items}),
    )
}

async fn read(cluster: Cluster) -> World {
    let request = ReadRequest {
        claims_namespace: "underpin-system".into(),
        interest: &|_| Interest {
            namespaces: vec!["a".into(), "b".into()],
            secrets_in: vec!["a".into()],
        },
        full: Arc::new(|kind| kind.is("", "ConfigMap") || kind.is("", "Secret")),
    };
    cluster.read_world(&request).await.unwrap()
}

fn reasons(world: &World) -> Vec<String> {
    world.unread.iter().map(ToString::to_string).collect()
}

fn names(world: &World) -> Vec<String> {
    world
        .objects()
        .map(|object| object.key.to_string())
        .collect()
}

#[tokio::test]
async fn a_world_is_complete_and_each_object_counts_once() {
    let world = read(cluster(serve)).await;
    assert_eq!(reasons(&world), Vec::<String>::new());
    assert_eq!(world.cluster.uid, "cluster");
    assert_eq!(world.cluster.version, "v1.30.2");
    assert_eq!(
        names(&world),
        [
            "configmap/a/c",
            "configmap/b/c",
            "namespace/a",
            "secret/a/s",
            "secret/b/s"
        ]
    );
    let gone = GroupKind::new("gone.example.com", "Gone");
    assert!(
        !world.kinds.contains_key(&gone),
        "withdrawn since discovery"
    );
    let odd = GroupKind::new("odd.example.com", "Odd");
    assert!(!world.kinds[&odd].listable);
}

#[tokio::test]
async fn secrets_are_read_in_full_only_where_asked_for() {
    let world = read(cluster(serve)).await;
    let secret = |namespace: &str| {
        let key = ObjectKey::namespaced(GroupKind::core("Secret"), namespace, "s");
        world.get(&key).unwrap().clone()
    };
    assert_eq!(secret("a").depth, Depth::Full);
    assert!(secret("a").at("/data").is_some());
    assert_eq!(secret("b").depth, Depth::Metadata);
    assert!(secret("b").at("/data").is_none());
}

#[tokio::test]
async fn a_forbidden_list_is_tried_where_it_matters() {
    let world = read(cluster(|seen| match seen.path.as_str() {
        "/api/v1/secrets" => forbidden("secrets"),
        "/api/v1/configmaps" | "/api/v1/namespaces/b/configmaps" => forbidden("configmaps"),
        "/api/v1/namespaces/a/configmaps" => list(&json!([item("a", "c", "u1")])),
        "/api/v1/namespaces/b/secrets" => list(&json!([item("b", "s", "u4")])),
        _ => serve(seen),
    }))
    .await;
    assert_eq!(
        names(&world),
        ["configmap/a/c", "namespace/a", "secret/a/s", "secret/b/s"]
    );
    let config_map = GroupKind::core("ConfigMap");
    let secret = GroupKind::core("Secret");
    assert!(world.unread(&config_map, Some("a")).is_none());
    assert!(world.unread(&config_map, Some("b")).is_some());
    assert!(
        world.unread(&config_map, Some("c")).is_some(),
        "unknown is not absent"
    );
    assert!(world.unread(&config_map, None).is_some());
    assert!(world.unread(&secret, Some("b")).is_none());
    assert_eq!(world.unread_in("a").count(), 0);
    let first = &world.unread(&secret, Some("c")).unwrap().reason;
    assert!(
        first.starts_with("cannot list secrets at cluster scope (user tester)"),
        "{first}"
    );
}

#[tokio::test]
async fn a_broken_list_is_unknown() {
    let world = read(cluster(|seen| match seen.path.as_str() {
        "/api/v1/configmaps" => status(500, "InternalError", "etcd is sad", json!({})),
        // Still served, whatever its list says.
        "/apis/gone.example.com/v1" => Answer::Json(
            200,
            json!({"resources": [{"name": "gones", "kind": "Gone", "namespaced": true,
                                  "verbs": ["list"]}]}),
        ),
        "/api/v1/namespaces/underpin-system/configmaps" => forbidden("configmaps"),
        _ => serve(seen),
    }))
    .await;
    assert!(
        world
            .unread(&GroupKind::core("ConfigMap"), Some("a"))
            .is_some()
    );
    let gone = GroupKind::new("gone.example.com", "Gone");
    assert!(world.unread(&gone, Some("a")).is_some());
    let texts = reasons(&world);
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(
        texts[0].contains("the claims could not be read"),
        "{texts:?}"
    );
}

#[tokio::test]
async fn old_servers_are_refused() {
    let cluster = cluster(|seen| match seen.path.as_str() {
        "/version" => Answer::Json(
            200,
            json!({"major": "1", "minor": "19", "gitVersion": "v1.19.3"}),
        ),
        _ => serve(seen),
    });
    let error = cluster.identity().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server is Kubernetes v1.19.3; 1.20 or newer is needed"
    );
}

/// Who may not list namespaces still learns of those that it works in; the list stays unread.
#[tokio::test]
async fn namespaces_of_interest_are_read_one_by_one() {
    let cluster = cluster(|seen| match seen.path.as_str() {
        "/api/v1/namespaces" => forbidden("namespaces"),
        "/api/v1/namespaces/a" => Answer::Json(
            200,
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "uid": "ns-a"}}),
        ),
        "/api/v1/namespaces/b" => forbidden("namespaces"),
        _ => serve(seen),
    });
    let world = read(cluster).await;
    let uid = |name: &str| {
        let namespace = world.get(&ObjectKey::of_namespace(name))?;
        namespace.uid().map(str::to_owned)
    };
    assert_eq!((uid("a"), uid("b")), (Some("ns-a".to_owned()), None));
    assert!(world.unread(&GroupKind::core("Namespace"), None).is_some());
}

/// The owner that is there on the second look was made after its kind was listed.
#[tokio::test]
async fn an_owner_is_gone_only_if_a_second_look_does_not_find_it() {
    let owned = |name: &str, owner: &str, kind: &str| {
        let mut item = item("a", name, name);
        item["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "v1", "kind": kind, "name": owner, "uid": owner}]);
        item
    };
    let world = read(cluster(move |seen| match seen.path.as_str() {
        "/api/v1/configmaps" => list(&json!([
            owned("one", "gone", "ConfigMap"),
            owned("two", "late", "ConfigMap"),
            owned("three", "one", "ConfigMap"),
            owned("four", "unserved", "Widget"),
            owned("five", "unread", "Secret"),
        ])),
        "/api/v1/namespaces/a/configmaps" => list(&json!([item("a", "late", "late")])),
        "/api/v1/namespaces/a/secrets" => forbidden("secrets"),
        _ => serve(seen),
    }))
    .await;
    assert_eq!(Vec::from_iter(&world.gone_owners), ["gone"]);
}

/// Who recorded an object of a kind may have defined that kind after it was looked for.
#[tokio::test]
async fn kinds_are_looked_for_again_when_a_claim_names_one_that_was_not_found() {
    let late = GroupKind::new("late.example.com", "Late");
    let key = ObjectKey::namespaced(late.clone(), "a", "one");
    let mut claim = Claim::new(ClaimId("c1".into()), "shop", "production", "cluster");
    let entry = Entry {
        key: key.clone(),
        api_version: "late.example.com/v1".into(),
        uid: None,
        state: EntryState::Intended,
        nonce: "n".into(),
        created: true,
        implicit: false,
        protection: vec![],
        digest: None,
    };
    claim.entries.insert(LogicalKey::of(&key, "a"), entry);
    let stored = Store::default();
    let claims = ClaimStore::new(stored.cluster(), "underpin-system");
    claims.create("shop.production", &claim).await.unwrap();
    let looks = Counter::default();
    let world = read(cluster(move |seen| match seen.path.as_str() {
        "/apis" if looks.next() > 0 => aggregate(&json!([group(
            "late.example.com",
            &json!([resource("lates", "Late", true)])
        )])),
        "/apis/late.example.com/v1/lates" => list(&json!([item("a", "one", "late")])),
        "/api/v1/namespaces/underpin-system/configmaps" => stored.answer(seen),
        _ => serve(seen),
    }))
    .await;
    assert!(world.get(&key).is_some());
}
