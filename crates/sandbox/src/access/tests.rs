//! Users, roles and bindings of one small cluster, asked in every way.

use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::*;
use crate::{Config, Failure, Kind, State, User};

const RBAC: &str = "rbac.authorization.k8s.io";

fn kind(state: &State, group: &str, name: &str) -> Kind {
    let found = state.kinds.of(&GroupKind::new(group, name));
    found
        .unwrap_or_else(|| panic!("no {group}/{name}"))
        .as_ref()
        .clone()
}

fn put(state: &mut State, group: &str, name: &str, object: Value) {
    let kind = kind(state, group, name);
    state.put(&kind, object);
}

fn user(name: &str) -> User {
    User {
        name: name.to_owned(),
        groups: vec!["system:authenticated".to_owned()],
    }
}

fn role(name: &str, rules: &Value) -> Value {
    json!({"metadata": {"name": name}, "rules": rules})
}

fn binding(name: &str, role_kind: &str, role: &str, subject: &Value) -> Value {
    json!({
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": role_kind, "name": role},
        "subjects": [subject],
    })
}

fn within(namespace: &str, mut object: Value) -> Value {
    object["metadata"]["namespace"] = json!(namespace);
    object
}

fn person(name: &str) -> Value {
    json!({"apiGroup": RBAC, "kind": "User", "name": name})
}

/// `ann` edits in `shop`, `bob` writes roles everywhere, the service account `shop/bot` reads pods
/// in `shop`; a binding in `broken` names a role that is not there.
fn cluster() -> State {
    let mut state = State::new(Config {
        rbac: true,
        ..Config::default()
    });
    if state.objects(&rules_for::kind("ClusterRole")).is_empty() {
        bootstrap(&mut state);
    }
    aggregate(&mut state);
    let state_mut = &mut state;
    let ann = binding("ann", "ClusterRole", "edit", &person("ann"));
    put(state_mut, RBAC, "RoleBinding", within("shop", ann));
    let writer = json!([{"apiGroups": [RBAC], "resources": ["*"], "verbs": ["get", "create"]}]);
    put(state_mut, RBAC, "ClusterRole", role("role-writer", &writer));
    let bob = binding("bob", "ClusterRole", "role-writer", &person("bob"));
    put(state_mut, RBAC, "ClusterRoleBinding", bob);
    let reader = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]);
    put(
        state_mut,
        RBAC,
        "Role",
        within("shop", role("reader", &reader)),
    );
    let bot = json!({"kind": "ServiceAccount", "name": "bot"});
    let bot = binding("bot", "Role", "reader", &bot);
    put(state_mut, RBAC, "RoleBinding", within("shop", bot));
    let gone = binding("gone", "Role", "gone", &person("bob"));
    put(state_mut, RBAC, "RoleBinding", within("broken", gone));
    state
}

fn attributes(verb: &str, resource: &str, namespace: &str, name: &str) -> Attributes {
    if resource.starts_with('/') {
        return Attributes {
            verb: verb.to_owned(),
            target: Target::Path(resource.to_owned()),
        };
    }
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    Attributes {
        verb: verb.to_owned(),
        target: Target::Resource {
            group: group.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        },
    }
}

/// `request` is verb, resource (or path), namespace and name; `expect` is empty if it passes.
#[track_caller]
fn check_authorize(who: &str, request: [&str; 4], expect: &str) {
    let [verb, resource, namespace, name] = request;
    let result = authorize(
        &cluster(),
        &user(who),
        &attributes(verb, resource, namespace, name),
    );
    let message = result.err().map(|failure| failure.message);
    assert_eq!(message.unwrap_or_default(), expect, "{who} {request:?}");
}

#[test]
fn authorization() {
    check_authorize("ann", ["create", "deployments.apps", "shop", ""], "");
    check_authorize("ann", ["get", "secrets", "shop", "a"], "");
    check_authorize("ann", ["list", "pods", "shop", ""], "");
    check_authorize(
        "ann",
        ["list", "pods", "other", ""],
        "pods is forbidden: User \"ann\" cannot list resource \"pods\" in API group \"\" in the namespace \"other\"",
    );
    check_authorize(
        "ann",
        ["get", "nodes", "", "a"],
        "nodes \"a\" is forbidden: User \"ann\" cannot get resource \"nodes\" in API group \"\" at the cluster scope",
    );
    check_authorize(
        "ann",
        ["patch", "deployments/status.apps", "shop", "a"],
        "deployments.apps \"a\" is forbidden: User \"ann\" cannot patch resource \"deployments/status\" in API group \"apps\" in the namespace \"shop\"",
    );
    check_authorize(
        "bob",
        ["list", "pods", "broken", ""],
        "pods is forbidden: User \"bob\" cannot list resource \"pods\" in API group \"\" in the namespace \"broken\": RBAC: role.rbac.authorization.k8s.io \"gone\" not found",
    );
    check_authorize(
        "<bob>",
        ["get", "/metrics", "", ""],
        "forbidden: User \"&lt;bob&gt;\" cannot get path \"/metrics\"",
    );
    check_authorize("anybody", ["get", "/apis/apps/v1", "", ""], "");
    check_authorize("anybody", ["get", "/version", "", ""], "");
    check_authorize(
        "system:serviceaccount:shop:bot",
        ["get", "pods", "shop", "a"],
        "",
    );
    check_authorize(
        "system:serviceaccount:other:bot",
        ["get", "pods", "shop", "a"],
        "pods \"a\" is forbidden: User \"system:serviceaccount:other:bot\" cannot get resource \"pods\" in API group \"\" in the namespace \"shop\"",
    );
}

#[test]
fn superusers_and_clusters_without_roles_refuse_nothing() {
    let delete = attributes("delete", "namespaces", "shop", "shop");
    assert_eq!(authorize(&cluster(), &User::admin(), &delete), Ok(()));
    let open = State::new(Config::default());
    assert_eq!(authorize(&open, &user("anybody"), &delete), Ok(()));
}

#[track_caller]
fn check_impersonation(who: &User, headers: &[(&'static str, &str)], expect: Result<&str, &str>) {
    let headers = headers.iter().map(|(name, value)| {
        let name = http::HeaderName::from_static(name);
        (name, http::HeaderValue::from_str(value).unwrap())
    });
    let mut map = http::HeaderMap::new();
    for (name, value) in headers {
        map.append(name, value);
    }
    let result = impersonate(&cluster(), who, &map);
    let result = result
        .map(|user| format!("{}: {}", user.name, user.groups.join(" ")))
        .map_err(|failure| failure.message);
    assert_eq!(
        result.as_deref().map_err(String::as_str),
        expect,
        "{who:?} {map:?}"
    );
}

#[test]
fn impersonation() {
    let admin = User::admin();
    check_impersonation(
        &admin,
        &[],
        Ok("kubernetes-admin: system:masters system:authenticated"),
    );
    check_impersonation(
        &admin,
        &[("impersonate-user", "ann")],
        Ok("ann: system:authenticated"),
    );
    check_impersonation(
        &admin,
        &[
            ("impersonate-user", "ann"),
            ("impersonate-group", "a"),
            ("impersonate-group", "b"),
        ],
        Ok("ann: a b system:authenticated"),
    );
    check_impersonation(
        &admin,
        &[("impersonate-user", "system:serviceaccount:shop:bot")],
        Ok(
            "system:serviceaccount:shop:bot: system:serviceaccounts system:serviceaccounts:shop system:authenticated",
        ),
    );
    check_impersonation(
        &admin,
        &[("impersonate-user", "system:anonymous")],
        Ok("system:anonymous: system:unauthenticated"),
    );
    check_impersonation(
        &user("ann"),
        &[("impersonate-user", "bob")],
        Err(
            "users \"bob\" is forbidden: User \"ann\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope",
        ),
    );
    // `edit` allows acting as the namespace's service accounts.
    check_impersonation(
        &user("ann"),
        &[("impersonate-user", "system:serviceaccount:shop:bot")],
        Ok(
            "system:serviceaccount:shop:bot: system:serviceaccounts system:serviceaccounts:shop system:authenticated",
        ),
    );
    check_impersonation(
        &admin,
        &[("impersonate-group", "g")],
        Err("Internal Server Error: requested groups or extra fields without impersonating a user"),
    );
}

#[track_caller]
fn check_escalation(who: &User, namespace: &str, name: &str, new: &Value, expect: &str) {
    let state = cluster();
    let kind = kind(&state, RBAC, name);
    let result = confirm_no_escalation(&state, who, &kind, namespace, None, new);
    let message = result.err().map(|failure| failure.message);
    assert_eq!(message.unwrap_or_default(), expect, "{who:?} {new}");
}

#[test]
fn escalation() {
    let bob = user("bob");
    let more = json!([
        {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get", "list"]},
        {"nonResourceURLs": ["/metrics"], "verbs": ["get"]},
    ]);
    let less = json!([{"apiGroups": [RBAC], "resources": ["roles"], "verbs": ["get"]}]);
    check_escalation(&User::admin(), "", "ClusterRole", &role("z", &more), "");
    check_escalation(&bob, "", "ClusterRole", &role("z", &less), "");
    check_escalation(
        &bob,
        "",
        "ClusterRole",
        &role("z", &more),
        "clusterroles.rbac.authorization.k8s.io \"z\" is forbidden: user \"bob\" (groups=[\"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n\
         {APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"get\" \"list\"]}\n\
         {APIGroups:[\"\"], Resources:[\"services\"], Verbs:[\"get\" \"list\"]}\n\
         {NonResourceURLs:[\"/metrics\"], Verbs:[\"get\"]}",
    );
    let gathering = json!({
        "metadata": {"name": "z"}, "aggregationRule": {"clusterRoleSelectors": [{}]},
    });
    check_escalation(
        &bob,
        "",
        "ClusterRole",
        &gathering,
        "clusterroles.rbac.authorization.k8s.io \"z\" is forbidden: must have cluster-admin privileges to use the aggregationRule",
    );
    check_escalation(
        &bob,
        "shop",
        "RoleBinding",
        &binding("z", "ClusterRole", "role-writer", &person("eve")),
        "",
    );
    check_escalation(
        &bob,
        "shop",
        "RoleBinding",
        &binding("z", "Role", "reader", &person("eve")),
        "rolebindings.rbac.authorization.k8s.io \"z\" is forbidden: user \"bob\" (groups=[\"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n\
         {APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"get\"]}",
    );
    check_escalation(
        &bob,
        "shop",
        "RoleBinding",
        &binding("z", "Role", "none", &person("eve")),
        "roles.rbac.authorization.k8s.io \"none\" not found",
    );
}

#[test]
fn a_garbage_collector_may_update_what_it_could_not_grant() {
    let state = cluster();
    let kind = kind(&state, RBAC, "ClusterRole");
    let rules = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]);
    let old = role("z", &rules);
    let mut new = old.clone();
    new["metadata"]["finalizers"] = json!(["a"]);
    let bob = user("bob");
    let confirm = |new: &Value| confirm_no_escalation(&state, &bob, &kind, "", Some(&old), new);
    assert_eq!(confirm(&new), Ok(()));
    new["metadata"]["labels"] = json!({"a": "b"});
    assert_eq!(confirm(&new).map_err(|failure| failure.code), Err(403));
}

#[track_caller]
fn check_review(
    who: &User,
    name: &str,
    namespace: &str,
    body: &Value,
    expect: Result<&Value, &str>,
) {
    let state = cluster();
    let group = match name {
        "TokenReview" | "SelfSubjectReview" => "authentication.k8s.io",
        _ => "authorization.k8s.io",
    };
    let kind = kind(&state, group, name);
    let result = review(&state, who, &kind, namespace, body);
    let result = result
        .map(|mut answer| answer["status"].take())
        .map_err(|failure| failure.message);
    assert_eq!(result.as_ref().map_err(String::as_str), expect, "{body}");
}

#[test]
fn access_reviews() {
    let about = |namespace: &str, verb: &str| json!({"resourceAttributes": {"namespace": namespace, "verb": verb, "resource": "pods"}});
    let mut spec = about("shop", "get");
    check_review(
        &user("ann"),
        "SelfSubjectAccessReview",
        "",
        &json!({"spec": spec}),
        Ok(&json!({
            "allowed": true,
            "reason": "RBAC: allowed by RoleBinding \"ann/shop\" of ClusterRole \"edit\" to User \"ann\"",
        })),
    );
    check_review(
        &User::admin(),
        "SelfSubjectAccessReview",
        "",
        &json!({"spec": spec}),
        Ok(&json!({"allowed": true})),
    );
    spec["user"] = json!("system:serviceaccount:shop:bot");
    check_review(
        &User::admin(),
        "SubjectAccessReview",
        "",
        &json!({"spec": spec}),
        Ok(&json!({
            "allowed": true,
            "reason": "RBAC: allowed by RoleBinding \"bot/shop\" of Role \"reader\" to ServiceAccount \"bot/shop\"",
        })),
    );
    check_review(
        &User::admin(),
        "SubjectAccessReview",
        "",
        &json!({"spec": {"groups": ["g"]}}),
        Err(
            ".authorization.k8s.io \"\" is invalid: spec.resourceAttributes: Invalid value: \"null\": exactly one of nonResourceAttributes or resourceAttributes must be specified",
        ),
    );
    check_review(
        &User::admin(),
        "SubjectAccessReview",
        "",
        &json!({"spec": {"nonResourceAttributes": {"path": "/a", "verb": "get"}, "groups": ["g"]}}),
        Ok(&json!({"allowed": false})),
    );
    let mut spec = about("other", "get");
    spec["user"] = json!("ann");
    check_review(
        &User::admin(),
        "LocalSubjectAccessReview",
        "shop",
        &json!({"metadata": {"namespace": "shop"}, "spec": spec}),
        Err(
            ".authorization.k8s.io \"\" is invalid: spec.resourceAttributes.namespace: Invalid value: \"other\": must match metadata.namespace",
        ),
    );
    check_review(
        &User::admin(),
        "LocalSubjectAccessReview",
        "other",
        &json!({"metadata": {"namespace": "other"}, "spec": spec}),
        Ok(&json!({"allowed": false})),
    );
}

#[test]
fn other_reviews() {
    check_review(
        &user("ann"),
        "SelfSubjectReview",
        "",
        &json!({}),
        Ok(&json!({"userInfo": {"username": "ann", "groups": ["system:authenticated"]}})),
    );
    check_review(
        &user("system:serviceaccount:shop:bot"),
        "SelfSubjectRulesReview",
        "",
        &json!({"spec": {}}),
        Err("no namespace on request"),
    );
    let state = cluster();
    let rules = kind(&state, "authorization.k8s.io", "SelfSubjectRulesReview");
    let bot = User {
        name: "system:serviceaccount:shop:bot".to_owned(),
        groups: Vec::new(),
    };
    let body = json!({"spec": {"namespace": "shop"}});
    let answer = review(&state, &bot, &rules, "", &body).unwrap();
    assert_eq!(
        answer["status"],
        json!({
            "resourceRules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}],
            "nonResourceRules": [], "incomplete": false,
        })
    );
    let body = json!({"spec": {"namespace": "broken"}});
    let answer = review(&state, &user("bob"), &rules, "", &body).unwrap();
    assert_eq!(
        answer["status"]["evaluationError"],
        "role.rbac.authorization.k8s.io \"gone\" not found"
    );
}

#[test]
fn tokens() {
    let mut state = cluster();
    let account = json!({"metadata": {"name": "bot", "namespace": "shop", "uid": "u-1"}});
    put(&mut state, "", "ServiceAccount", account.clone());
    let request = |seconds: i64| json!({"spec": {"expirationSeconds": seconds}});
    let answer = request_token(&state, &account, &request(600)).unwrap();
    let token = answer["status"]["token"].as_str().unwrap().to_owned();
    let bot = token::verify(&state, &token).unwrap().user;
    assert_eq!(bot.name, "system:serviceaccount:shop:bot");
    assert_eq!(
        bot.groups,
        [
            "system:serviceaccounts",
            "system:serviceaccounts:shop",
            "system:authenticated"
        ]
    );
    check_token_review(&state, "no.such.token", false);
    check_token_review(&state, &token, true);
    let mut forged = token.clone();
    forged.insert(3, 'A');
    check_token_review(&state, &forged, false);
    let mut later = state.clone();
    later.now = later
        .now
        .saturating_add(jiff::SignedDuration::from_secs(600))
        .unwrap();
    check_token_review(&later, &token, false);
    let mut another = state.clone();
    let account = json!({"metadata": {"name": "bot", "namespace": "shop", "uid": "u-2"}});
    put(&mut another, "", "ServiceAccount", account.clone());
    check_token_review(&another, &token, false);
    let refused = request_token(&state, &account, &request(5)).unwrap_err();
    assert_eq!(
        refused.message,
        "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes"
    );
}

#[track_caller]
fn check_token_review(state: &State, token: &str, expect: bool) {
    let kind = kind(state, "authentication.k8s.io", "TokenReview");
    let body = json!({"spec": {"token": token}});
    let answer = review(state, &User::admin(), &kind, "", &body).unwrap();
    let authenticated = answer["status"].get("authenticated");
    assert_eq!(
        authenticated.is_some_and(|value| value == true),
        expect,
        "{token} {answer}"
    );
}

fn hook(change: &Value) -> Value {
    let mut hook = json!({
        "name": "check.example.com", "sideEffects": "None",
        "clientConfig": {"service": {"namespace": "hooks", "name": "none", "path": "/check"}},
        "rules": [{
            "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "DELETE"],
            "resources": ["configmaps"],
        }],
    });
    for (field, value) in change.as_object().unwrap() {
        hook[field] = value.clone();
    }
    hook
}

/// A ConfigMap labelled `app: shop` in `shop`, whose own label is `team: a`.
fn ask(hook: &Value, operation: Operation, dry_run: bool) -> Result<(), Failure> {
    let mut state = cluster();
    let namespace = json!({"metadata": {"name": "shop", "labels": {"team": "a"}}});
    put(&mut state, "", "Namespace", namespace);
    let configuration = json!({"metadata": {"name": "v"}, "webhooks": [hook]});
    let group = "admissionregistration.k8s.io";
    put(
        &mut state,
        group,
        "ValidatingWebhookConfiguration",
        configuration,
    );
    let kind = kind(&state, "", "ConfigMap");
    let object = json!({"metadata": {"name": "c", "namespace": "shop", "labels": {"app": "shop"}}});
    let is_create = operation == Operation::Create;
    let admission = Admission {
        kind: &kind,
        subresource: "",
        operation,
        namespace: "shop",
        object: is_create.then_some(&object),
        old: (!is_create).then_some(&object),
        dry_run,
    };
    assert_eq!(webhooks(&state, Phase::Mutating, &admission), Ok(()));
    webhooks(&state, Phase::Validating, &admission)
}

#[track_caller]
fn check_hook(change: &Value, operation: Operation, dry_run: bool, expect: &str) {
    let result = ask(&hook(change), operation, dry_run);
    let message = result.err().map(|failure| failure.message);
    assert_eq!(message.unwrap_or_default(), expect, "{change}");
}

#[test]
fn webhooks_do_not_answer() {
    const UNANSWERED: &str = "Internal error occurred: failed calling webhook \"check.example.com\": Post \"https://none.hooks.svc:443/check?timeout=10s\": service \"none\" not found";
    let create = Operation::Create;
    check_hook(&json!({}), create, false, UNANSWERED);
    check_hook(&json!({}), create, true, UNANSWERED);
    check_hook(&json!({}), Operation::Delete, false, UNANSWERED);
    check_hook(&json!({}), Operation::Update, false, "");
    check_hook(&json!({"failurePolicy": "Ignore"}), create, false, "");
    check_hook(
        &json!({"sideEffects": "Some"}),
        create,
        true,
        "admission webhook \"check.example.com\" does not support dry run",
    );
    check_hook(
        &json!({"clientConfig": {"url": "https://127.0.0.1:1/x"}, "timeoutSeconds": 1}),
        create,
        false,
        "Internal error occurred: failed calling webhook \"check.example.com\": Post \"https://127.0.0.1:1/x?timeout=1s\": dial tcp 127.0.0.1:1: connect: connection refused",
    );
    let selects = |label: &str, value: &str| json!({"matchLabels": {label: value}});
    for (change, expect) in [
        (
            json!({"objectSelector": selects("app", "shop")}),
            UNANSWERED,
        ),
        (json!({"objectSelector": selects("app", "other")}), ""),
        (
            json!({"namespaceSelector": selects("team", "a")}),
            UNANSWERED,
        ),
        (json!({"namespaceSelector": selects("team", "b")}), ""),
    ] {
        check_hook(&change, create, false, expect);
    }
    let rule = |scope: &str, resources: &str, version: &str| {
        json!({"rules": [{
            "apiGroups": ["*"], "apiVersions": [version], "operations": ["*"],
            "resources": [resources], "scope": scope,
        }]})
    };
    check_hook(&rule("Namespaced", "*", "*"), create, false, UNANSWERED);
    check_hook(&rule("Cluster", "*", "*"), create, false, "");
    check_hook(&rule("*", "*/*", "v1"), create, false, UNANSWERED);
    check_hook(&rule("*", "configmaps/status", "v1"), create, false, "");
    check_hook(&rule("*", "*", "v2"), create, false, "");
}

#[test]
fn roles_gather_rules_by_label() {
    let mut state = cluster();
    let rules = json!([{"apiGroups": ["x"], "resources": ["y"], "verbs": ["get"]}]);
    let mut mine = role("mine", &rules);
    mine["metadata"]["labels"] = json!({"rbac.authorization.k8s.io/aggregate-to-view": "true"});
    put(&mut state, RBAC, "ClusterRole", mine);
    aggregate(&mut state);
    let revision = state.revision();
    aggregate(&mut state);
    assert_eq!(state.revision(), revision, "nothing is left to do");
    // `admin` gathers from `edit`, which gathers from `view`.
    for name in ["view", "edit", "admin"] {
        let role = state
            .get(&rules_for::kind("ClusterRole"), "", name)
            .unwrap();
        let held = role["rules"].as_array().unwrap();
        assert!(held.contains(&rules[0]), "{name}");
    }
}
