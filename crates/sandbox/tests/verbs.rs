//! Every verb on a ConfigMap, as a real server answers it: codes, messages, causes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails panics"
)]

#[path = "support/part.rs"]
mod part;
mod support;

use part::contains;
use serde_json::{Value, json};
use support::{cluster, send};
use underpin_sandbox::State;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// A cluster on which requests are sent one after the other.
struct Session {
    state: State,
}

impl Session {
    fn new() -> Self {
        Self { state: cluster() }
    }

    #[track_caller]
    fn check(&mut self, method: &str, path: &str, body: &Value, code: u16, expect: &Value) {
        let (found, value) = send(&mut self.state, method, &format!("{MAPS}{path}"), body);
        assert_eq!(found, code, "{method} {path}: {value}");
        assert!(
            contains(&value, expect),
            "{method} {path}: {expect} is not in {value:#}"
        );
    }

    /// The same for requests that are refused: the message is all that counts.
    #[track_caller]
    fn refused(&mut self, method: &str, path: &str, body: &Value, code: u16, message: &str) {
        let expect = json!({"kind": "Status", "status": "Failure", "message": message});
        self.check(method, path, body, code, &expect);
    }
}

fn map(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

#[test]
fn create() {
    let mut session = Session::new();
    let a = map("a", &json!({"k": "v"}));
    session.check(
        "POST",
        "",
        &a,
        201,
        &json!({
            "metadata": {
                "name": "a", "namespace": "default", "creationTimestamp": "1970-01-01T00:00:00Z",
                "managedFields": [{
                    "manager": "tester", "operation": "Update", "apiVersion": "v1",
                    "fieldsV1": {"f:data": {".": {}, "f:k": {}}},
                }],
            },
            "data": {"k": "v"},
        }),
    );
    session.refused("POST", "", &a, 409, "configmaps \"a\" already exists");
    session.refused(
        "POST",
        "",
        &json!({}),
        422,
        "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required",
    );
    session.refused(
        "POST",
        "",
        &json!({"metadata": {"name": "b", "namespace": "other"}}),
        400,
        "the namespace of the provided object does not match the namespace sent on the request",
    );
    session.refused(
        "POST",
        "",
        &json!({"metadata": {"name": "b", "resourceVersion": "5"}}),
        500,
        "resourceVersion should not be set on objects to be created",
    );
    let (code, value) = send(
        &mut session.state,
        "POST",
        "/api/v1/namespaces/nope/configmaps",
        &map("b", &json!({})),
    );
    assert_eq!(code, 404);
    assert_eq!(value["message"], "namespaces \"nope\" not found");
}

#[test]
fn generated_names() {
    let mut session = Session::new();
    let (code, value) = send(
        &mut session.state,
        "POST",
        MAPS,
        &json!({"metadata": {"generateName": "gen-"}}),
    );
    assert_eq!(code, 201);
    let name = value["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("gen-") && name.len() == 9, "{name}");
}

#[test]
fn update() {
    let mut session = Session::new();
    session.check("POST", "", &map("a", &json!({})), 201, &json!({}));
    session.check(
        "PUT",
        "/a",
        &map("a", &json!({"k": "v"})),
        200,
        &json!({"data": {"k": "v"}}),
    );
    let revision = session.state.revision();
    session.check("PUT", "/a", &map("a", &json!({"k": "v"})), 200, &json!({}));
    assert_eq!(session.state.revision(), revision, "no change, no write");
    session.refused(
        "PUT",
        "/a",
        &map("b", &json!({})),
        400,
        "the name of the object (b) does not match the name on the URL (a)",
    );
    session.refused(
        "PUT",
        "/nope",
        &map("nope", &json!({})),
        404,
        "configmaps \"nope\" not found",
    );
    session.refused(
        "PUT",
        "/a",
        &json!({"metadata": {"name": "a", "resourceVersion": "1"}}),
        409,
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please \
         apply your changes to the latest version and try again",
    );
    session.refused(
        "PUT",
        "/a",
        &json!({"metadata": {"name": "a", "resourceVersion": "x"}}),
        500,
        "strconv.ParseUint: parsing \"x\": invalid syntax",
    );
    session.refused(
        "PUT",
        "/nope",
        &json!({"metadata": {"name": "nope", "uid": "abc"}}),
        409,
        "Operation cannot be fulfilled on configmaps \"nope\": StorageError: invalid object, \
         Code: 4, Key: /registry/configmaps/default/nope, ResourceVersion: 0, AdditionalErrorMsg: \
         Precondition failed: UID in precondition: abc, UID in object meta: ",
    );
}

#[test]
fn merge_patch() {
    let mut session = Session::new();
    session.check("POST", "", &map("a", &json!({"k": "v"})), 201, &json!({}));
    session.check(
        "PATCH merge",
        "/a",
        &json!({"data": {"k": null, "l": "w"}}),
        200,
        &json!({"data": {"k": null, "l": "w"}}),
    );
    session.refused(
        "PATCH merge",
        "/nope",
        &json!({}),
        404,
        "configmaps \"nope\" not found",
    );
    session.refused("PATCH merge", "/a", &json!("{"), 500, "Invalid JSON Patch");
    session.refused(
        "PATCH merge",
        "/a",
        &json!({"metadata": {"name": "z"}}),
        400,
        "the name of the object (z) does not match the name on the URL (a)",
    );
    session.refused(
        "PATCH merge",
        "/a",
        &json!({"metadata": {"resourceVersion": "1"}}),
        409,
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please \
         apply your changes to the latest version and try again",
    );
    session.refused(
        "PATCH merge",
        "/a",
        &json!({"metadata": {"uid": "1"}}),
        422,
        "ConfigMap \"a\" is invalid: metadata.uid: Invalid value: \"1\": field is immutable",
    );
    session.refused(
        "PATCH",
        "/a",
        &json!({}),
        415,
        "415: Unsupported Media Type",
    );
}

#[test]
fn json_patch() {
    let mut session = Session::new();
    session.check("POST", "", &map("a", &json!({"k": "v"})), 201, &json!({}));
    session.check(
        "PATCH json",
        "/a",
        &json!([{"op": "move", "from": "/data/k", "path": "/data/q"}]),
        200,
        &json!({"data": {"k": null, "q": "v"}}),
    );
    session.refused(
        "PATCH json",
        "/a",
        &json!([{"op": "test", "path": "/data/q", "value": "w"}]),
        422,
        "the server rejected our request due to an error in our request",
    );
}

#[test]
fn apply() {
    let mut session = Session::new();
    let a = map("a", &json!({"k": "v"}));
    session.check(
        "PATCH apply",
        "/a?fieldManager=f",
        &a,
        201,
        &json!({
            "metadata": {"managedFields": [{"manager": "f", "operation": "Apply"}]},
        }),
    );
    let revision = session.state.revision();
    session.check("PATCH apply", "/a?fieldManager=f", &a, 200, &json!({}));
    assert_eq!(session.state.revision(), revision, "no change, no write");
    let other = map("a", &json!({"k": "w"}));
    session.check("PATCH apply", "/a?fieldManager=g", &other, 409, &json!({
        "reason": "Conflict",
        "message": "Apply failed with 1 conflict: conflict with \"f\": .data.k",
        "details": {"causes": [{
            "reason": "FieldManagerConflict", "message": "conflict with \"f\"", "field": ".data.k",
        }]},
    }));
    session.check(
        "PATCH apply",
        "/a?fieldManager=g&force=true",
        &other,
        200,
        &json!({"data": {"k": "w"}}),
    );
    session.refused(
        "PATCH apply",
        "/a",
        &a,
        422,
        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for \
         apply patch",
    );
    session.refused(
        "PATCH apply",
        "/a?fieldManager=f",
        &json!({}),
        400,
        "Incorrect version specified in apply patch. Specified patch version: , expected: v1",
    );
    session.refused(
        "PATCH apply",
        "/a?fieldManager=f",
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a",
            "managedFields": []}}),
        400,
        "metadata.managedFields must be nil",
    );
}

/// The protocol's ways of saying "only create" and "only this very object".
#[test]
fn apply_with_preconditions() {
    let mut session = Session::new();
    let only_new = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "a", "resourceVersion": "1"}});
    session.check(
        "PATCH apply",
        "/a?fieldManager=f",
        &only_new,
        201,
        &json!({}),
    );
    session.refused(
        "PATCH apply",
        "/a?fieldManager=f",
        &only_new,
        409,
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please \
         apply your changes to the latest version and try again",
    );
    let this_one = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "b", "uid": "1"}});
    session.refused(
        "PATCH apply",
        "/b?fieldManager=f",
        &this_one,
        409,
        "Operation cannot be fulfilled on configmaps \"b\": uid mismatch: the provided object \
         specified uid 1, and no existing object was found",
    );
}

#[test]
fn delete() {
    let mut session = Session::new();
    session.check("POST", "", &map("a", &json!({})), 201, &json!({}));
    session.refused(
        "DELETE",
        "/a",
        &json!({"preconditions": {"resourceVersion": "0"}}),
        409,
        &format!(
            "Operation cannot be fulfilled on ConfigMap \"a\": the ResourceVersion in the \
             precondition (0) does not match the ResourceVersion in record ({}). The object might \
             have been modified",
            session.state.revision()
        ),
    );
    session.check(
        "DELETE",
        "/a?dryRun=All",
        &json!(null),
        200,
        &json!({"status": "Success"}),
    );
    session.check(
        "DELETE",
        "/a",
        &json!(null),
        200,
        &json!({
            "kind": "Status", "status": "Success", "details": {"name": "a", "kind": "configmaps"},
        }),
    );
    session.refused(
        "DELETE",
        "/a",
        &json!(null),
        404,
        "configmaps \"a\" not found",
    );
}

#[test]
fn finalizers_hold_an_object() {
    let mut session = Session::new();
    let held = json!({"metadata": {"name": "a", "finalizers": ["a/b"]}});
    session.check("POST", "", &held, 201, &json!({}));
    session.check("DELETE", "/a", &json!(null), 200, &json!({
        "kind": "ConfigMap", "metadata": {"finalizers": ["a/b"], "deletionGracePeriodSeconds": 0},
    }));
    session.refused(
        "POST",
        "",
        &held,
        409,
        "object is being deleted: configmaps \"a\" already exists",
    );
    session.check(
        "PATCH merge",
        "/a",
        &json!({"metadata": {"finalizers": null}}),
        200,
        &json!({"metadata": {"finalizers": null}}),
    );
    session.refused("GET", "/a", &json!(null), 404, "configmaps \"a\" not found");
}

#[test]
fn collections_are_deleted_by_selector() {
    let mut session = Session::new();
    for (name, label) in [("a", "x"), ("b", "y"), ("c", "x")] {
        let labelled = json!({"metadata": {"name": name, "labels": {"l": label}}});
        session.check("POST", "", &labelled, 201, &json!({}));
    }
    session.check(
        "DELETE",
        "?labelSelector=l=x",
        &json!(null),
        200,
        &json!({
            "kind": "ConfigMapList",
            "items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "c"}}],
        }),
    );
    session.refused("GET", "/a", &json!(null), 404, "configmaps \"a\" not found");
    session.check(
        "GET",
        "/b",
        &json!(null),
        200,
        &json!({"metadata": {"name": "b"}}),
    );
}

#[test]
fn dry_runs_change_nothing() {
    let mut session = Session::new();
    let before = session.state.revision();
    let a = map("a", &json!({"k": "v"}));
    session.check(
        "POST",
        "?dryRun=All",
        &a,
        201,
        &json!({"metadata": {"name": "a", "resourceVersion": null}}),
    );
    session.check(
        "PATCH apply",
        "/a?dryRun=All&fieldManager=f",
        &a,
        201,
        &json!({}),
    );
    session.refused("GET", "/a", &json!(null), 404, "configmaps \"a\" not found");
    assert_eq!(session.state.revision(), before);
    session.check("POST", "", &a, 201, &json!({}));
    let version = session.state.revision().to_string();
    session.check(
        "PUT",
        "/a?dryRun=All",
        &map("a", &json!({"k": "w"})),
        200,
        &json!({"metadata": {"resourceVersion": version}, "data": {"k": "w"}}),
    );
    session.check("GET", "/a", &json!(null), 200, &json!({"data": {"k": "v"}}));
}

#[test]
fn methods_that_mean_nothing_are_refused() {
    let mut state = cluster();
    let mut check = |method: &str, path: &str, code: u16| {
        assert_eq!(
            send(&mut state, method, path, &json!({})).0,
            code,
            "{method} {path}"
        );
    };
    check("POST", "/api/v1/pods", 405);
    check("PUT", MAPS, 405);
    check("DELETE", "/api/v1/namespaces", 405);
    check("POST", "/api/v1/namespaces/default/configmaps/x", 405);
    check("GET", "/api/v1/foos", 404);
    check("GET", "/apis/foo.com/v1/bars", 404);
    check(
        "GET",
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        405,
    );
    check("GET", "/api/v1/namespaces/default/configmaps/x/status", 404);
}
