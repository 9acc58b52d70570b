use serde_json::Value;

use super::*;
use crate::{Config, handle::tests::request, object};

fn answer(path: &str, accept: &str) -> Reply {
    let mut request = request("GET", path, &Value::Null);
    request.accept = accept.to_owned();
    handle(&State::new(Config::default()), &request).expect("a path of the server's own")
}

fn document(path: &str, accept: &str) -> Value {
    let reply = answer(path, accept);
    assert_eq!(reply.code, 200, "{path}");
    reply.value().expect("a document").clone()
}

const V2: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                  application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,\
                  application/json";

/// Resources with subresources as `group/version/name kind verbs`, from legacy discovery.
fn legacy() -> Vec<String> {
    let mut roots = vec!["/api/v1".to_owned()];
    for group in document("/apis", "")["groups"].as_array().unwrap() {
        for version in group["versions"].as_array().unwrap() {
            roots.push(format!("/apis/{}", object::text(version, "/groupVersion")));
        }
    }
    let mut found = Vec::new();
    for root in roots {
        let list = document(&root, "");
        for resource in list["resources"].as_array().unwrap() {
            found.push(format!(
                "{} {} {} {} {}",
                object::text(&list, "/groupVersion"),
                object::text(resource, "/name"),
                object::text(resource, "/kind"),
                resource["namespaced"],
                resource["verbs"]
            ));
        }
    }
    found
}

/// The same from aggregated discovery.
fn aggregated_v2() -> Vec<String> {
    let mut found = Vec::new();
    for path in ["/api", "/apis"] {
        let list = document(path, V2);
        assert_eq!(list["apiVersion"], "apidiscovery.k8s.io/v2");
        for group in list["items"].as_array().unwrap() {
            for version in group["versions"].as_array().unwrap() {
                let name = group_version(
                    object::text(group, "/metadata/name"),
                    object::text(version, "/version"),
                );
                for resource in version["resources"].as_array().unwrap() {
                    let scope = resource["scope"] == "Namespaced";
                    let plural = object::text(resource, "/resource");
                    let mut tell = |path: &str, value: &Value| {
                        found.push(format!(
                            "{name} {path} {} {scope} {}",
                            object::text(value, "/responseKind/kind"),
                            value["verbs"]
                        ));
                    };
                    tell(plural, resource);
                    for part in resource["subresources"].as_array().into_iter().flatten() {
                        let part_name = object::text(part, "/subresource");
                        tell(&format!("{plural}/{part_name}"), part);
                    }
                }
            }
        }
    }
    found
}

#[test]
fn both_forms_of_discovery_say_the_same() {
    let legacy = legacy();
    assert_eq!(legacy, aggregated_v2());
    for expect in [
        "v1 pods/eviction Eviction true [\"create\"]",
        "apps/v1 deployments/scale Scale true [\"get\",\"patch\",\"update\"]",
        "v1 serviceaccounts/token TokenRequest true [\"create\"]",
        "authorization.k8s.io/v1 subjectaccessreviews SubjectAccessReview false [\"create\"]",
    ] {
        assert!(legacy.iter().any(|line| line == expect), "{expect}");
    }
}

#[test]
fn the_core_group_comes_first_and_apps_before_events() {
    let list = document("/apis", "");
    let names: Vec<&str> = list["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| object::text(group, "/name"))
        .collect();
    let place = |name: &str| names.iter().position(|known| *known == name);
    assert!(place("apps") < place("batch"));
    assert!(place("batch") < place("coordination.k8s.io"));
}

#[test]
fn older_clients_get_the_form_they_know() {
    let beta = "application/json;as=APIGroupDiscoveryList;v=v2beta1;g=apidiscovery.k8s.io";
    let reply = answer("/apis", beta);
    assert!(reply.content_type.contains("v2beta1"));
    assert_eq!(
        document("/apis", "application/json")["kind"],
        "APIGroupList"
    );
    assert_eq!(document("/api", "*/*")["kind"], "APIVersions");
}

#[test]
fn what_is_not_served_is_not_found() {
    for path in [
        "/apis/none",
        "/apis/apps/v9",
        "/api/v2",
        "/openapi/v3/apis/none/v1",
    ] {
        assert_eq!(answer(path, "").code, 404, "{path}");
    }
    let state = State::new(Config::default());
    let other = request("GET", "/api/v1/pods", &Value::Null);
    assert!(handle(&state, &other).is_none());
    let write = request("POST", "/version", &Value::Null);
    assert_eq!(handle(&state, &write).unwrap().code, 405);
}

#[test]
fn every_object_kind_advertises_field_validation() {
    let index = document("/openapi/v3", "");
    let mut kinds = 0;
    for address in index["paths"].as_object().unwrap().values() {
        let document = document(object::text(address, "/serverRelativeURL"), "");
        for path in document["paths"].as_object().unwrap().values() {
            for operation in ["post", "patch"] {
                let parameters = &path[operation]["parameters"];
                if parameters.is_null() {
                    continue;
                }
                kinds += 1;
                let mut names = parameters.as_array().unwrap().iter();
                assert!(names.any(|one| one["name"] == "fieldValidation"));
            }
        }
    }
    assert!(kinds > 40);
}
