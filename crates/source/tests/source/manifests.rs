//! Files to objects.

use std::{fs, os::unix::fs::symlink};

use camino::{Utf8Path, Utf8PathBuf};
use underpin_model::{FieldPath, Object, Origin};
use underpin_source::{
    Diagnostic,
    manifests::{self, Variables},
    stack,
};

/// A folder with files.
struct Folder {
    _keep: tempfile::TempDir,
    root: Utf8PathBuf,
}

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let keep = tempfile::tempdir().expect("a folder");
        let root = Utf8PathBuf::from_path_buf(keep.path().to_owned()).expect("UTF-8");
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        Self { _keep: keep, root }
    }

    /// Renders the folder's stack file; places without the folder's own name.
    fn render(&self, stdin: Option<&str>) -> (Vec<Object>, Vec<String>) {
        let stack = stack::load(&self.root.join("underpin.yaml")).expect("a valid stack");
        let (documents, mut diagnostics) = manifests::read(&stack, stdin.map(str::to_owned));
        let (objects, more) = manifests::render(&documents, &Variables::default());
        diagnostics.extend(more);
        (objects, self.shown(&diagnostics))
    }

    fn shown(&self, diagnostics: &[Diagnostic]) -> Vec<String> {
        let prefix = format!("{}/", self.root);
        let show = |d: &Diagnostic| format!("{}: {}", d.place, d.message).replace(&prefix, "");
        diagnostics.iter().map(show).collect()
    }

    fn place(&self, object: &Object, path: &str) -> String {
        let place = object
            .origin
            .place_of(&FieldPath::new(path))
            .expect("declared");
        place.to_string().replace(&format!("{}/", self.root), "")
    }
}

fn stack_with(sources: &str) -> String {
    format!(
        "apiVersion: underpin.dev/v1\nkind: Stack\nmetadata: {{name: wallet}}\nspec:\n  \
         environments: {{production: {{}}}}\n  sources:\n{sources}"
    )
}

fn object(kind: &str, name: &str) -> String {
    format!("apiVersion: v1\nkind: {kind}\nmetadata:\n  name: {name}\n")
}

fn keys(objects: &[Object]) -> Vec<String> {
    objects
        .iter()
        .map(|object| object.key.to_string())
        .collect()
}

/// Checks what is wrong with one text, given on standard input.
#[track_caller]
fn check_refused(text: &str, expect: &[&str]) {
    let folder = Folder::new(&[("underpin.yaml", &stack_with("  - manifests: '-'\n"))]);
    let (_, diagnostics) = folder.render(Some(text));
    assert_eq!(diagnostics, expect, "{text}");
}

#[test]
fn folders_are_read_sorted_and_without_what_is_hidden_or_no_manifest() {
    let folder = Folder::new(&[
        (
            "underpin.yaml",
            &stack_with("  - manifests: .\n  - manifests: ./k8s/../k8s/b.yml\n"),
        ),
        (
            "z.json",
            "{\"apiVersion\": \"v1\", \"kind\": \"Service\",\n\t\"metadata\": {\"name\": \"z\"}}",
        ),
        ("k8s/b.yml", &object("Service", "b")),
        ("k8s/a/deep.yaml", &object("Service", "deep")),
        ("k8s/README.md", "no manifest"),
        (".git/x.yaml", "a: b: c"),
        ("k8s/.hidden.yaml", "a: b: c"),
        ("other/underpin.yaml", &stack_with("  - manifests: x\n")),
    ]);
    let (objects, diagnostics) = folder.render(None);
    assert_eq!(diagnostics, Vec::<String>::new());
    assert_eq!(keys(&objects), ["service/deep", "service/b", "service/z"]);
    let places: Vec<String> = objects
        .iter()
        .map(|o| folder.place(o, "metadata.name"))
        .collect();
    assert_eq!(
        places,
        ["k8s/a/deep.yaml:4:3", "k8s/b.yml:4:3", "z.json:2:15"]
    );
}

#[test]
fn paths_are_named_as_a_user_types_them() {
    let (documents, diagnostics) =
        manifests::read_paths(&["./tests/source/../fixtures/web.yaml".into()]);
    assert_eq!(diagnostics, []);
    let (objects, _) = manifests::render(&documents, &Variables::default());
    let Origin::Declared { place, .. } = &objects[0].origin else {
        panic!("declared objects have a place");
    };
    assert_eq!(place.to_string(), "tests/source/../fixtures/web.yaml:2:1");
}

#[test]
fn what_cannot_be_read_is_reported_where_it_is_named() {
    let folder = Folder::new(&[
        (
            "underpin.yaml",
            &stack_with(
                "  - manifests: missing\n  - manifests: empty\n  - manifests: '-'\n  - manifests: k8s\n",
            ),
        ),
        ("empty/note.txt", ""),
        ("k8s/ok.yaml", &object("Service", "ok")),
        ("k8s/latin.yaml", ""),
    ]);
    fs::write(folder.root.join("k8s/latin.yaml"), b"a: \xe9\n").expect("a file");
    let (objects, diagnostics) = folder.render(None);
    assert_eq!(keys(&objects), ["service/ok"]);
    let prefix = folder.root.as_str();
    let diagnostics: Vec<String> = diagnostics.iter().map(|d| d.replace(prefix, "…")).collect();
    assert_eq!(
        diagnostics,
        [
            "underpin.yaml:7:5: cannot read `missing`: No such file or directory (os error 2)",
            "underpin.yaml:8:5: no manifests in `empty`",
            "underpin.yaml:9:5: standard input is empty or closed",
            "k8s/latin.yaml:1:1: not UTF-8 text",
        ]
    );
}

#[test]
fn symbolic_links_are_followed_inside_the_source_only() {
    let folder = Folder::new(&[
        ("underpin.yaml", &stack_with("  - manifests: k8s\n")),
        ("k8s/..data/a.yaml", &object("Service", "a")),
        ("outside/b.yaml", &object("Service", "b")),
    ]);
    let k8s = folder.root.join("k8s");
    symlink("..data/a.yaml", k8s.join("a.yaml")).expect("a link");
    symlink("a.yaml", k8s.join("again.yaml")).expect("a link");
    symlink(".", k8s.join("loop")).expect("a link");
    symlink("../outside", k8s.join("out")).expect("a link");
    symlink("../outside/b.yaml", k8s.join("b.yaml")).expect("a link");
    symlink("nowhere", k8s.join("dangling.yaml")).expect("a link");
    let (objects, diagnostics) = folder.render(None);
    assert_eq!(keys(&objects), ["service/a"]);
    assert_eq!(
        diagnostics,
        [
            "k8s/b.yaml:1:1: the symbolic link leads out of the source folder",
            "k8s/dangling.yaml:1:1: cannot read: No such file or directory (os error 2)",
            "k8s/out:1:1: the symbolic link leads out of the source folder",
        ]
    );
}

#[test]
fn lists_are_flattened_and_their_items_placed() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata: {name: a}\n  \
                spec: {ports: [{port: 80}]}\n- apiVersion: v1\n  kind: SecretList\n  items:\n  - metadata:\n      \
                name: b\n---\napiVersion: x.io/v1\nkind: AllowList\nmetadata: {name: c}\n---\n\
                {apiVersion: v1, kind: List}\n";
    let folder = Folder::new(&[("underpin.yaml", &stack_with("  - manifests: '-'\n"))]);
    let (objects, diagnostics) = folder.render(Some(text));
    assert_eq!(diagnostics, Vec::<String>::new());
    assert_eq!(
        keys(&objects),
        ["service/a", "secret/b", "allowlist.x.io/c"]
    );
    assert_eq!(
        folder.place(&objects[0], "spec.ports[0].port"),
        "<stdin>:7:19"
    );
    assert_eq!(folder.place(&objects[0], ""), "<stdin>:4:3");
    assert_eq!(folder.place(&objects[1], "metadata.name"), "<stdin>:12:7");
    assert_eq!(objects[1].api_version(), "v1");
}

#[test]
fn objects_need_an_identity() {
    check_refused(
        "a: 1\n",
        &[
            "<stdin>:1:1: the document is not a Kubernetes object: it has no `apiVersion` and no `kind`",
        ],
    );
    check_refused(
        "- 1\n",
        &["<stdin>:1:1: the document is a list, not a Kubernetes object"],
    );
    check_refused(
        "kind: Service\nmetadata: {name: a}\n",
        &["<stdin>:1:1: the object has no `apiVersion`"],
    );
    check_refused(
        "apiVersion: v1\nkind:\nmetadata: {name: a}\n",
        &["<stdin>:2:1: `kind` is empty, but must be a string"],
    );
    check_refused(
        "apiVersion: v1\nkind: Service\n",
        &["<stdin>:1:1: the object has no `metadata.name`"],
    );
    check_refused(
        "apiVersion: v1\nkind: Service\nmetadata: a\n",
        &["<stdin>:3:1: `metadata` is a string, not a mapping"],
    );
    check_refused(
        "apiVersion: v1\nkind: Job\nmetadata:\n  generateName: a-\n",
        &["<stdin>:4:3: `metadata.generateName` makes another object in every run"],
    );
    check_refused(
        "apiVersion: a/b/c\nkind: Service\nmetadata: {name: 0644, namespace: no, labels: {on: yes}, annotations: []}\n",
        &[
            "<stdin>:1:1: `apiVersion` is `a/b/c`, not of the form `group/version`",
            "<stdin>:3:12: `metadata.name` is a number, but must be a string",
            "<stdin>:3:24: `metadata.namespace` is a boolean, but must be a string",
            "<stdin>:3:48: `true` in `metadata.labels` is a boolean, but must be a string",
            "<stdin>:3:58: `metadata.annotations` is a list, not a mapping",
        ],
    );
    check_refused(
        "apiVersion: v1\nkind: Service\nmetadata: {name: ../x}\n",
        &["<stdin>:3:12: `metadata.name` `../x` is not a valid name"],
    );
    check_refused(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: []\n",
        &["<stdin>:1:1: a kustomization is not an object"],
    );
}

#[test]
fn one_object_declared_twice_names_both_places() {
    let ingress =
        |group: &str| format!("apiVersion: {group}/v1\nkind: Ingress\nmetadata: {{name: a}}\n");
    let text = [
        ingress("networking.k8s.io"),
        ingress("extensions"),
        ingress("example.com"),
    ]
    .join("---\n");
    check_refused(
        &text,
        &["<stdin>:5:1: ingress.extensions/a is declared twice, first at <stdin>:1:1"],
    );
}

#[test]
fn one_broken_document_leaves_the_others() {
    let text = format!(
        "{}---\na: b: c\n---\n{}",
        object("Service", "a"),
        object("Service", "b")
    );
    let folder = Folder::new(&[("underpin.yaml", &stack_with("  - manifests: '-'\n"))]);
    let (objects, diagnostics) = folder.render(Some(&text));
    assert_eq!(keys(&objects), ["service/a", "service/b"]);
    assert_eq!(diagnostics.len(), 1);
}

#[test]
fn comments_can_be_read_with_their_places() {
    let (documents, _) = manifests::read_paths(&["tests/fixtures/web.yaml".into()]);
    let comments: Vec<String> = documents
        .comments()
        .map(|c| format!("{}:{}", c.place, c.text))
        .collect();
    assert_eq!(
        comments,
        [
            "tests/fixtures/web.yaml:1:1: A workload with what usually goes wrong.",
            "tests/fixtures/web.yaml:9:17: underpin: allow UP107 -- made by the operator",
        ]
    );
    assert!(Utf8Path::new("tests/fixtures/web.yaml").exists());
}
