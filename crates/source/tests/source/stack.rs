//! The stack file: what is accepted, and how each mistake is explained.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use underpin_model::FieldPath;
use underpin_source::stack::{self, LoadError, Stack};

const GOOD: &str = r#"apiVersion: underpin.dev/v1
kind: Stack
metadata: { name: pay-space-wallet }
spec:
  sources:
    - manifests: ./k8s
      substitute: true
    - manifests: "-"
  environments:
    production:
    gl-pay:
      parent: production
      context: prod
      vars: { domain: gl-pay.example.com, replicas: 3, version: 1.20, debug: yes, mode: 0644, empty: "" }
      secrets:
        password: { env: DB_PASSWORD }
        token: { file: secrets/token }
    shared: { namespace: common, shared: true }
  ignoreFields:
    - kind: Deployment.apps
      name: web
      paths: [spec.replicas]
  limits: { removalPercent: 20 }
  claimsNamespace: claims
"#;

fn parse(text: &str) -> Result<Stack, LoadError> {
    stack::parse(Utf8Path::new("app/underpin.yaml"), text)
}

/// The problems of a stack file whose `spec` is given, indented by two.
fn problems(spec: &str) -> String {
    let text = format!(
        "apiVersion: underpin.dev/v1\nkind: Stack\nmetadata: {{ name: wallet }}\nspec:\n{spec}"
    );
    explain(&text)
}

fn explain(text: &str) -> String {
    match parse(text) {
        Ok(stack) => format!("accepted: {:#?}", stack.file),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_full_stack_file_is_read() {
    let stack = parse(GOOD).expect("a valid stack file");
    assert_eq!(stack.folder, "app");
    assert_eq!(stack.file.metadata.name, "pay-space-wallet");
    let spec = &stack.file.spec;
    assert!(spec.sources[0].substitute && !spec.sources[1].substitute);
    assert_eq!(spec.limits.removal_percent, 20);
    assert_eq!(spec.claims_namespace.as_deref(), Some("claims"));
    assert_eq!(spec.ignore_fields[0].paths, ["spec.replicas"]);
    assert_eq!(
        spec.environments["production"],
        stack::Environment::default()
    );
    assert_eq!(
        spec.environments["gl-pay"].parent.as_deref(),
        Some("production")
    );
    assert_eq!(
        stack.place_of_environment("gl-pay").to_string(),
        "app/underpin.yaml:11:5"
    );
    let below = FieldPath::new("spec.limits.removalPercent.nothing");
    assert_eq!(
        stack.place_of(&below).to_string(),
        "app/underpin.yaml:23:13"
    );
}

#[test]
fn variables_are_kept_as_they_are_written() {
    let stack = parse(GOOD).expect("a valid stack file");
    let vars: Vec<(&str, &str)> = stack.file.spec.environments["gl-pay"]
        .vars
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        vars,
        [
            ("debug", "yes"),
            ("domain", "gl-pay.example.com"),
            ("empty", ""),
            ("mode", "0644"),
            ("replicas", "3"),
            ("version", "1.20"),
        ]
    );
}

#[test]
fn limits_have_defaults() {
    let stack = parse(
        "apiVersion: underpin.dev/v1\nkind: Stack\nmetadata: {name: a}\n\
         spec: {sources: [{manifests: k8s}], environments: {production: }}\n",
    );
    assert_eq!(stack.expect("valid").file.spec.limits.removal_percent, 50);
}

#[test]
fn misspelt_fields_are_explained_with_the_allowed_ones() {
    insta::assert_snapshot!(problems(
        "  source: []\n  sources: [{manifest: k8s, substitutes: true}]\n  enviroments: {}\n"
    ), @r#"
    app/underpin.yaml:5:3: `spec` has no field `source`
      help: did you mean `sources`? allowed fields: `claimsNamespace`, `environments`, `ignoreFields`, `limits`, `sources`
    app/underpin.yaml:6:14: `spec.sources[0]` has no field `manifest`
      help: did you mean `manifests`? allowed fields: `manifests`, `substitute`
    app/underpin.yaml:6:29: `spec.sources[0]` has no field `substitutes`
      help: did you mean `substitute`? allowed fields: `manifests`, `substitute`
    app/underpin.yaml:7:3: `spec` has no field `enviroments`
      help: did you mean `environments`? allowed fields: `claimsNamespace`, `environments`, `ignoreFields`, `limits`, `sources`
    "#);
}

#[test]
fn sources_of_other_tools_say_what_to_do() {
    insta::assert_snapshot!(problems(
        "  sources: [{kustomize: k8s}, {helm: chart}]\n  environments: {production: {}}\n"
    ), @r#"
    app/underpin.yaml:5:14: sources of type `kustomize` are not supported
      help: render it first: `kubectl kustomize DIR | underpin … ` with `manifests: "-"`
    app/underpin.yaml:5:32: sources of type `helm` are not supported
      help: render it first: `helm template NAME CHART | underpin … ` with `manifests: "-"`
    "#);
}

#[test]
fn wrong_types_are_explained() {
    insta::assert_snapshot!(problems(
        "  sources: k8s\n  environments:\n    1: {context: 5, shared: maybe, vars: {a: [1], b: }}\n  \
         limits: {removalPercent: 101}\n  claimsNamespace: \"\"\n  ignoreFields: [{kind: a, paths: []}]\n"
    ), @r#"
    app/underpin.yaml:5:3: `spec.sources` is `k8s`, but must be a list
    app/underpin.yaml:7:9: `spec.environments.1.context` is `5`, but must be a string
      help: put it in quotes
    app/underpin.yaml:7:21: `spec.environments.1.shared` is `maybe`, but must be `true` or `false`
    app/underpin.yaml:7:43: `spec.environments.1.vars.a` is a list, but must be a string or a number or `true` or `false`
    app/underpin.yaml:7:51: `spec.environments.1.vars.b` is empty, but must be a string or a number or `true` or `false`
    app/underpin.yaml:8:12: `spec.limits.removalPercent` is 101, but must be from 0 to 100
    app/underpin.yaml:9:3: `spec.claimsNamespace` must not be empty
    app/underpin.yaml:10:28: `spec.ignoreFields[0].paths` must not be empty
    "#);
}

#[test]
fn missing_parts_are_explained() {
    insta::assert_snapshot!(explain("apiVersion: underpin.dev/v2\nkind: Stak\nspec: {sources: [], environments: {}}\n"), @r#"
    app/underpin.yaml:1:1: `apiVersion` is `underpin.dev/v2`, but must be `underpin.dev/v1`
    app/underpin.yaml:1:1: the stack file needs the field `metadata`
    app/underpin.yaml:2:1: `kind` is `Stak`, but must be `Stack`
    app/underpin.yaml:3:8: `spec.sources` must not be empty
    app/underpin.yaml:3:21: `spec.environments` must not be empty
    "#);
    insta::assert_snapshot!(explain("# nothing\n"), @r#"
    app/underpin.yaml:1:1: the stack file is empty
      help: a stack file begins with `apiVersion: underpin.dev/v1` and `kind: Stack`
    "#);
    insta::assert_snapshot!(explain("[1]\n"), @"app/underpin.yaml:1:1: `the stack file` is a list, but must be a mapping");
}

#[test]
fn what_the_schema_cannot_say_is_checked_too() {
    insta::assert_snapshot!(problems(
        "  sources: [{manifests: '-'}, {manifests: '-'}]
  environments:
    production:
      shared: true
      vars: {namespace: a, 'a b': c, token: x}
      secrets: {token: {env: A, file: b}, other: {}}
"
    ), @r#"
    app/underpin.yaml:5:31: standard input can be a source only once
    app/underpin.yaml:8:7: environment `production` is `shared` without naming a namespace
      help: add `namespace:` with the namespace that is shared
    app/underpin.yaml:9:14: variable `namespace` is set by Underpin and cannot be redefined
      help: choose another name than `environment`, `namespace`, `parent`, `stack`
    app/underpin.yaml:9:28: `a b` cannot be the name of a variable
      help: use letters, digits, `_`, `-` and `.`, beginning with a letter or `_`
    app/underpin.yaml:10:17: secret `token` needs exactly one of `env` and `file`
    app/underpin.yaml:10:17: `token` is both in `vars` and in `secrets`
      help: rename or remove one of the two
    app/underpin.yaml:10:43: secret `other` needs exactly one of `env` and `file`
    "#);
}

#[test]
fn broken_yaml_and_second_documents_are_explained() {
    insta::assert_snapshot!(explain("apiVersion: underpin.dev/v1\nkind: Stack\n  metadata: x\n"), @r"
    app/underpin.yaml:3:11: YAML syntax error: mapping values are not allowed in this context
      help: indent line 3 like the fields that it belongs to, and quote a value that holds `: `
    ");
    insta::assert_snapshot!(explain(&format!("{GOOD}---\na: 1\n")), @r#"
    app/underpin.yaml:26:1: a stack file holds one document, and this is a second one
      help: move it to a file of its own
    "#);
    insta::assert_snapshot!(explain(&GOOD.replace("claimsNamespace", "limits")), @r#"
    app/underpin.yaml:24:3: key `limits` is given twice, first at app/underpin.yaml:23:3
      help: remove one of the two
    "#);
}

#[test]
fn a_missing_file_is_named() {
    let error = stack::load(Utf8Path::new("no/such/underpin.yaml")).expect_err("no file");
    assert_eq!(
        error.to_string(),
        "cannot read no/such/underpin.yaml: No such file or directory (os error 2)"
    );
}

#[test]
fn variables_come_from_names_vars_environment_and_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = Utf8PathBuf::from_path_buf(folder.path().to_owned()).expect("UTF-8");
    fs::create_dir(root.join("secrets")).expect("a folder");
    fs::write(root.join("secrets/token"), "s3cret\n").expect("a file");
    fs::write(root.join("underpin.yaml"), GOOD).expect("a file");
    let stack = stack::load(&root.join("underpin.yaml")).expect("a valid stack file");
    let lookup = |name: &str| (name == "DB_PASSWORD").then(|| "hunter2".to_owned());
    let (variables, diagnostics) = stack.variables("gl-pay", "wallet-gl-pay", &lookup);
    assert_eq!(diagnostics, []);
    insta::assert_snapshot!(format!("{:#?}", variables.0), @r#"
    {
        "debug": Variable("yes"),
        "domain": Variable("gl-pay.example.com"),
        "empty": Variable(""),
        "environment": Variable("gl-pay"),
        "mode": Variable("0644"),
        "namespace": Variable("wallet-gl-pay"),
        "parent": Variable("production"),
        "password": Variable(<redacted>),
        "replicas": Variable("3"),
        "stack": Variable("pay-space-wallet"),
        "token": Variable(<redacted>),
        "version": Variable("1.20"),
    }
    "#);

    let (_, diagnostics) = stack.variables("gl-pay", "wallet-gl-pay", &|_| None);
    let place = format!("{root}/underpin.yaml:16:9");
    assert_eq!(
        diagnostics[0].to_string(),
        format!(
            "{place}: secret `password` has no value: environment variable `DB_PASSWORD` is not \
             set\n  help: set `DB_PASSWORD` before the run"
        )
    );
    fs::remove_file(root.join("secrets/token")).expect("removed");
    let (_, diagnostics) = stack.variables("gl-pay", "wallet-gl-pay", &lookup);
    assert!(
        diagnostics[0]
            .message
            .starts_with("secret `token` has no value: cannot read")
    );
}

/// The part of JSON Schema that the checker knows; anything else would be ignored silently.
const KNOWN_KEYWORDS: &[&str] = &[
    "$defs",
    "$id",
    "$ref",
    "$schema",
    "additionalProperties",
    "anyOf",
    "const",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "oneOf",
    "properties",
    "required",
    "title",
    "type",
];

fn assert_known(schema: &Value) {
    let Some(map) = schema.as_object() else {
        return;
    };
    for (keyword, value) in map {
        assert!(
            KNOWN_KEYWORDS.contains(&keyword.as_str()),
            "unknown keyword {keyword}"
        );
        match keyword.as_str() {
            "$defs" | "properties" => value
                .as_object()
                .into_iter()
                .flatten()
                .for_each(|(_, s)| assert_known(s)),
            "items" | "additionalProperties" => assert_known(value),
            "anyOf" | "oneOf" => value
                .as_array()
                .into_iter()
                .flatten()
                .for_each(assert_known),
            _ => {}
        }
    }
}

#[test]
fn the_schema_uses_only_what_the_checker_knows() {
    assert_known(&stack::json_schema());
}

#[test]
fn the_committed_schema_is_the_generated_one() {
    let path = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/stack.v1.json");
    let committed = fs::read_to_string(path).expect("the committed schema");
    let mut generated = serde_json::to_string_pretty(&stack::json_schema()).expect("it prints");
    generated.push('\n');
    assert_eq!(committed, generated, "run `cargo xtask generate`");
}
