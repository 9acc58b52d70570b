//! A repository's folder: objects are found wherever they lie, and nothing vanishes in silence.
#![allow(clippy::unwrap_used, reason = "tests: what is wrong here fails them")]

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use underpin_source::tree::{self, Options, Tree};

const FILES: &[(&str, &str)] = &[
    (
        "k8s/web.yaml",
        "# underpin: allow UP402 -- a test\n{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n---\n\
         {apiVersion: batch/v1, kind: Job, metadata: {generateName: migrate-, namespace: shop}}\n",
    ),
    (
        "overlays/prod/web.yaml",
        "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n",
    ),
    (
        "overlays/prod/kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [web.yaml]\n",
    ),
    // kustomize knows this name as well.
    (
        "overlays/staging/Kustomization",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../prod]\n",
    ),
    (
        "chart/Chart.yaml",
        "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
    ),
    (
        "chart/templates/a.yaml",
        "apiVersion: v1\nkind: {{ .Values.kind }}\n",
    ),
    ("compose.yaml", "services: {web: {image: nginx}}\n"),
    ("package.json", "{\"name\": \"web\"}"),
    ("broken.yaml", "apiVersion: v1\nkind: [\n"),
    (
        "infra/main.tf",
        "resource \"kubernetes_namespace\" \"db\" {\n  metadata {\n    name = \"postgres\"\n  }\n}\n\
         resource \"kubernetes_network_policy\" \"db\" {\n  metadata {\n    name      = \"db\"\n    \
         namespace = var.unset\n  }\n}\n\
         resource \"helm_release\" \"cnpg\" {\n  name  = \"cnpg\"\n  chart = \"cloudnative-pg\"\n}\n\
         variable \"unset\" {}\n",
    ),
];

/// The files of [`FILES`] below a folder of their own, read.
fn tree(options: impl FnOnce(&Utf8Path) -> Options) -> (tempfile::TempDir, Tree) {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    for (name, text) in FILES {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let options = options(&root);
    let tree = tree::read(&[root], &options);
    (folder, tree)
}

fn ends(place: &underpin_model::Place, file: &str) -> bool {
    place.file.ends_with(file)
}

#[test]
fn objects_of_yaml_and_terraform_are_found_wherever_they_lie() {
    let (_folder, tree) = tree(|_| Options::default());
    let keys: Vec<String> = tree.objects.iter().map(|o| o.key.to_string()).collect();
    assert_eq!(
        keys,
        [
            "namespace/shop",
            "job.batch/shop/migrate-",
            "namespace/postgres",
            "networkpolicy.networking.k8s.io/kubernetes_network_policy.db"
        ]
    );
    assert_eq!(tree.repeated.len(), 1);
    assert!(ends(&tree.repeated[0].first, "k8s/web.yaml"));
    assert!(ends(&tree.repeated[0].place, "overlays/prod/web.yaml"));
    assert_eq!(tree.comments.len(), 1);
}

/// R5.4: what is broken is told with its place, what is unknown or rendered elsewhere is named.
#[test]
fn what_is_not_understood_is_named() {
    let (_folder, tree) = tree(|_| Options::default());
    let broken: Vec<_> = tree.diagnostics.iter().map(|d| &d.place).collect();
    assert!(
        ends(broken[0], "broken.yaml") && broken.len() == 1,
        "{broken:?}"
    );
    let parts = tree.objects.iter().flat_map(|object| object.unknown.iter());
    let unknown: Vec<&str> = parts.map(|part| part.path.as_str()).collect();
    assert_eq!(unknown, ["metadata.namespace"]);
    let opaque: Vec<&str> = tree.opaque.iter().map(|o| o.what.as_str()).collect();
    assert_eq!(opaque.len(), 4, "{opaque:?}");
    assert!(opaque[0].contains("Helm chart"));
    assert!(opaque[1].contains("helm_release.cnpg"));
    assert!(opaque[2].contains("kustomization"));
    assert!(opaque[3].contains("kustomization"));
    assert!(ends(
        &tree.opaque[3].place,
        "overlays/staging/Kustomization"
    ));
}

#[test]
fn files_that_are_read_otherwise_are_left_out() {
    let (_folder, tree) = tree(|root| Options {
        skipped: [fs::canonicalize(root.join("k8s/web.yaml")).unwrap()].into(),
        ..Options::default()
    });
    let first = tree.objects[0]
        .origin
        .place_of(&underpin_model::FieldPath::root());
    assert!(ends(&first.unwrap(), "overlays/prod/web.yaml"));
    assert!(tree.repeated.is_empty());
}

#[test]
fn a_single_file_is_read_as_what_it_is() {
    let (folder, _) = tree(|_| Options::default());
    for (file, objects) in [("infra/main.tf", 2), ("k8s/web.yaml", 2)] {
        let path = Utf8PathBuf::from_path_buf(folder.path().join(file)).unwrap();
        let tree = tree::read(&[path], &Options::default());
        assert_eq!(
            (tree.objects.len(), tree.diagnostics),
            (objects, vec![]),
            "{file}"
        );
    }
}

#[test]
fn a_path_that_is_not_there_is_a_problem() {
    let tree = tree::read(&["nowhere".into()], &Options::default());
    assert!(!tree.diagnostics.is_empty());
}
