//! A kube client against the sandbox in process.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails panics"
)]

use std::io;

use http_body_util::BodyExt;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use tower::ServiceExt;
use underpin_sandbox::{AnswerBody, Call, Config, Fault, Hooks, NoHooks, Sandbox, State};

fn sandbox(hooks: impl Hooks + 'static) -> Sandbox {
    Sandbox::new(State::new(Config::default()), hooks)
}

async fn ready(sandbox: &Sandbox) -> Client {
    let client = Client::new(sandbox.clone(), "default");
    let namespaces: Api<DynamicObject> = Api::all_with(client.clone(), &resource("Namespace"));
    let namespace = object("default", &json!({}));
    // A cluster may come with it.
    let _ = namespaces.create(&PostParams::default(), &namespace).await;
    client
}

fn resource(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", kind))
}

fn object(name: &str, data: &Value) -> DynamicObject {
    DynamicObject::new(name, &resource("ConfigMap")).data(json!({"data": data}))
}

#[tokio::test]
async fn the_life_of_an_object() {
    let client = ready(&sandbox(NoHooks)).await;
    let maps: Api<DynamicObject> = Api::default_namespaced_with(client, &resource("ConfigMap"));
    let created = maps
        .create(&PostParams::default(), &object("a", &json!({"k": "v"})))
        .await
        .unwrap();
    assert!(created.uid().is_some());
    let patch = json!({"data": {"k": "w"}});
    let patched = maps
        .patch("a", &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
    assert_eq!(patched.data["data"]["k"], "w");
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"l": "x"}});
    let applied = maps
        .patch("b", &PatchParams::apply("me"), &Patch::Apply(config))
        .await;
    assert!(applied.is_err(), "an apply needs a name");
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"},
        "data": {"l": "x"}});
    maps.patch("b", &PatchParams::apply("me"), &Patch::Apply(config))
        .await
        .unwrap();
    let listed = maps.list(&ListParams::default().limit(100)).await.unwrap();
    let names: Vec<String> = listed.items.iter().map(ResourceExt::name_any).collect();
    assert!(names.contains(&"a".to_owned()) && names.contains(&"b".to_owned()));
    let metadata = maps.list_metadata(&ListParams::default()).await.unwrap();
    assert_eq!(metadata.items.len(), names.len());
    maps.delete("a", &DeleteParams::default()).await.unwrap();
    assert!(maps.get_opt("a").await.unwrap().is_none());
}

/// Cuts a connection around each write.
struct Cuts(Fault);

impl Hooks for Cuts {
    fn before(&self, call: &Call, _state: &State) -> Fault {
        if call.request.path.ends_with("/configmaps") && call.is_write() {
            self.0.clone()
        } else {
            Fault::None
        }
    }
}

async fn check_cut(fault: Fault, is_done: bool) {
    let sandbox = sandbox(Cuts(fault));
    let client = ready(&sandbox).await;
    let maps: Api<DynamicObject> = Api::default_namespaced_with(client, &resource("ConfigMap"));
    let failed = maps
        .create(&PostParams::default(), &object("a", &json!({})))
        .await
        .unwrap_err();
    let kube::Error::Service(error) = failed else {
        panic!("{failed}");
    };
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    assert_eq!(kind, Some(io::ErrorKind::ConnectionReset));
    assert_eq!(maps.get_opt("a").await.unwrap().is_some(), is_done);
}

#[tokio::test]
async fn a_cut_before_has_no_effect_and_one_after_has() {
    check_cut(Fault::CutBefore, false).await;
    check_cut(Fault::CutAfter, true).await;
}

/// Events are a line each; the first is there at once, the next one when it happens.
#[tokio::test(start_paused = true)]
async fn a_watch_sees_what_happens() {
    let sandbox = sandbox(NoHooks);
    let client = ready(&sandbox).await;
    let maps: Api<DynamicObject> = Api::default_namespaced_with(client, &resource("ConfigMap"));
    maps.create(&PostParams::default(), &object("a", &json!({})))
        .await
        .unwrap();
    let request = http::Request::get(
        "/api/v1/namespaces/default/configmaps?watch=true&fieldSelector=metadata.name=a",
    );
    let request = request.body(String::new()).unwrap();
    let mut events = sandbox.oneshot(request).await.unwrap().into_body();
    assert_eq!(
        next(&mut events).await,
        ("ADDED".to_owned(), "a".to_owned())
    );
    let later = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        maps.delete("a", &DeleteParams::default()).await.unwrap();
    });
    assert_eq!(
        next(&mut events).await,
        ("DELETED".to_owned(), "a".to_owned())
    );
    later.await.unwrap();
}

async fn next(events: &mut AnswerBody) -> (String, String) {
    let frame = events.frame().await.unwrap().unwrap();
    let event: Value = serde_json::from_slice(frame.data_ref().unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (
        text(&event["type"]),
        text(&event["object"]["metadata"]["name"]),
    )
}
