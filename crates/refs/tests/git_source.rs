//! Where in git an object comes from, by the marks of Argo CD and Flux and by their own objects.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests: a fixture that is wrong fails, and tables read better by value"
)]

mod common;

use common::{object, world};
use serde_json::{Value, json};
use underpin_refs::git_source;

/// A ConfigMap `wallet/app` with this metadata beside `others`.
#[track_caller]
fn check(metadata: Value, others: &[Value], expect: Option<&str>) {
    let mut value = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app", "namespace": "wallet"},
    });
    for (key, field) in metadata.as_object().unwrap() {
        value["metadata"][key] = field.clone();
    }
    let world = world(others.iter().cloned().map(object));
    let found = git_source(&object(value), &world).map(|source| source.to_string());
    assert_eq!(found.as_deref(), expect);
}

fn custom(identity: &str, labels: Value, spec: Value) -> Value {
    let parts: Vec<&str> = identity.split(' ').collect();
    let (namespace, name) = parts[2].split_once('/').unwrap();
    json!({
        "apiVersion": parts[0], "kind": parts[1],
        "metadata": {"namespace": namespace, "name": name, "labels": labels}, "spec": spec,
    })
}

fn tracked(application: &str) -> Value {
    json!({"annotations": {
        "argocd.argoproj.io/tracking-id": format!("{application}:/ConfigMap:wallet/app"),
    }})
}

#[test]
fn an_application_says_repository_path_and_revision() {
    let source = json!({"source": {"repoURL": "https://u:p@git.example/shop.git", "path": "deploy",
        "targetRevision": "main"}});
    let shop = custom(
        "argoproj.io/v1alpha1 Application argocd/shop",
        json!({}),
        source.clone(),
    );
    let told = "Argo CD Application shop applies it from https://git.example/shop.git, path deploy, \
                revision main";
    check(tracked("shop"), std::slice::from_ref(&shop), Some(told));
    let label = json!({"labels": {"argocd.argoproj.io/instance": "shop"}});
    check(label, std::slice::from_ref(&shop), Some(told));
    let unread = "Argo CD Application shop applies it";
    check(tracked("shop"), &[], Some(unread));
    // Of two of one name nobody can tell which.
    let twin = custom(
        "argoproj.io/v1alpha1 Application team/shop",
        json!({}),
        source,
    );
    check(tracked("shop"), &[shop.clone(), twin.clone()], Some(unread));
    let told = told.replace("shop applies", "team/shop applies");
    check(tracked("team_shop"), &[shop, twin], Some(&told));
}

#[test]
fn an_application_of_several_sources_says_them_all() {
    let spec = json!({"sources": [
        {"repoURL": "https://charts.example", "chart": "web", "targetRevision": "1.2"},
        {"repoURL": "git@git.example:values.git", "path": "web"},
        {"path": "without a repository"},
    ]});
    check(
        tracked("web"),
        &[custom(
            "argoproj.io/v1alpha1 Application argocd/web",
            json!({}),
            spec,
        )],
        Some(
            "Argo CD Application web applies it from https://charts.example, chart web, \
             revision 1.2 and from git@git.example:values.git, path web",
        ),
    );
}

#[test]
fn flux_says_it_by_way_of_its_source() {
    let labels = |group: &str, name: &str| {
        json!({format!("{group}.toolkit.fluxcd.io/name"): name,
            format!("{group}.toolkit.fluxcd.io/namespace"): "flux-system"})
    };
    let repository = custom(
        "source.toolkit.fluxcd.io/v1 GitRepository flux-system/fleet",
        json!({}),
        json!({"url": "ssh://git@git.example/fleet", "ref": {"branch": "main"}}),
    );
    let kustomization = custom(
        "kustomize.toolkit.fluxcd.io/v1 Kustomization flux-system/apps",
        json!({}),
        json!({"path": "./apps", "sourceRef": {"kind": "GitRepository", "name": "fleet"}}),
    );
    let by_apps = json!({"labels": labels("kustomize", "apps")});
    check(
        by_apps.clone(),
        &[kustomization.clone(), repository.clone()],
        Some(
            "Flux Kustomization flux-system/apps applies it from ssh://git@git.example/fleet, path \
             ./apps, revision main",
        ),
    );
    check(
        by_apps,
        std::slice::from_ref(&kustomization),
        Some(
            "Flux Kustomization flux-system/apps applies it from GitRepository flux-system/fleet, \
             path ./apps",
        ),
    );
    let by_release = json!({"labels": labels("helm", "web")});
    check(
        by_release.clone(),
        &[],
        Some("Flux HelmRelease flux-system/web applies it"),
    );
    let release = |labels: Value| {
        custom(
            "helm.toolkit.fluxcd.io/v2 HelmRelease flux-system/web",
            labels,
            json!({"chart": {"spec": {"chart": "./charts/web",
                "sourceRef": {"kind": "GitRepository", "name": "fleet"}}}}),
        )
    };
    // A release that names itself leads nowhere.
    check(
        by_release.clone(),
        &[release(labels("helm", "web")), repository.clone()],
        Some(
            "Flux HelmRelease flux-system/web applies it from ssh://git@git.example/fleet, chart \
             ./charts/web, revision main",
        ),
    );
    check(
        by_release,
        &[
            release(labels("kustomize", "apps")),
            kustomization,
            repository,
        ],
        Some(
            "Flux HelmRelease flux-system/web applies it from ssh://git@git.example/fleet, path \
             ./apps, revision main",
        ),
    );
}

#[test]
fn what_nobody_applies_from_git_comes_from_nowhere() {
    check(json!({}), &[], None);
    check(
        json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}}),
        &[],
        None,
    );
    // A copied annotation speaks of another object.
    let copied = json!({"annotations": {
        "argocd.argoproj.io/tracking-id": "shop:/Secret:wallet/app",
    }});
    check(copied, &[], None);
}
