//! client-go's schema, in small.

use super::read;

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

fn go(types: &str) -> String {
    format!("package internal\nvar schemaYAML = typed.YAMLObject(`types:\n{types}`)\n")
}

/// The library's own types, as every file ends with them.
const OWN: &str = "- name: __untyped_atomic_
  scalar: untyped
  list: {elementType: {namedType: __untyped_atomic_}, elementRelationship: atomic}
  map: {elementType: {namedType: __untyped_atomic_}, elementRelationship: atomic}
";

#[track_caller]
fn check(types: &str, lines: &[&str]) {
    let table = read(&go(&format!("{types}{OWN}"))).unwrap();
    let text = table.to_string();
    for line in lines {
        assert!(text.contains(&format!("{line}\n")), "{line} in\n{text}");
    }
}

#[test]
fn each_form_is_read() {
    check(
        "- name: a.v1.T
  map:
    fields:
    - {name: any, type: {namedType: __untyped_deduced_}}
    - {name: data, type: {namedType: __untyped_atomic_}}
    - {name: flag, type: {scalar: boolean}, default: false}
    - {name: keyed, type: {list: {elementType: {namedType: a.v1.U}, elementRelationship: associative, keys: [k, l]}}}
    - {name: list, type: {list: {elementType: {scalar: numeric}, elementRelationship: atomic}}}
    - {name: map, type: {map: {elementType: {scalar: untyped}}}}
    - {name: set, type: {list: {elementType: {scalar: string}, elementRelationship: associative}}}
    unions: [{discriminator: kind, fields: []}]
- name: a.v1.U
  map: {fields: [{name: k, type: {scalar: string}, default: x}], elementRelationship: atomic}
",
        &[
            "type a.v1.T (any:? data:!{}? flag:b=false keyed:[k,l].U list:[]n map:{}x set:[=]s)",
            "type a.v1.U !(k:s=\"x\")",
        ],
    );
}

#[test]
fn a_use_may_override_the_relationship() {
    check(
        "- name: a.v1.T
  map: {fields: [{name: u, type: {namedType: a.v1.U, elementRelationship: separable}}]}
- name: a.v1.U
  map: {fields: [{name: k, type: {scalar: string}}], elementRelationship: atomic}
",
        &["type a.v1.T (u:(k:s))"],
    );
}

#[test]
fn objects_are_kinds() {
    check(
        &format!(
            "- name: io.k8s.api.apps.v1.T
  map:
    fields:
    - {{name: apiVersion, type: {{scalar: string}}}}
    - {{name: kind, type: {{scalar: string}}}}
    - {{name: metadata, type: {{namedType: {META}}}}}
- name: {META}
  map: {{fields: [{{name: name, type: {{scalar: string}}}}]}}
"
        ),
        &["kind apps/v1 T io.k8s.api.apps.v1.T"],
    );
}

#[test]
fn types_of_every_form_are_deduced() {
    let all = "scalar: untyped, list: {elementType: {namedType: __untyped_atomic_}, elementRelationship: atomic}";
    check(
        &format!(
            "- {{name: a.v1.T, {all}, map: {{elementType: {{namedType: __untyped_deduced_}}, elementRelationship: separable}}}}\n"
        ),
        &["type a.v1.T ?"],
    );
}

#[track_caller]
fn check_error(text: &str, part: &str) {
    let error = format!("{:#}", read(text).unwrap_err());
    assert!(error.contains(part), "{error}");
}

#[test]
fn what_is_not_known_is_refused() {
    check_error("package internal", "no schema");
    check_error("typed.YAMLObject(`types: []", "no end");
    check_error(&go("- {scalar: string}\n"), "without name");
    check_error(&go("- {name: T, scalar: colour}\n"), "unknown scalar");
    check_error(&go("- {name: T, brandNew: 1}\n"), "unknown key brandNew");
    check_error(&go("- {name: T}\n"), "no known form");
    check_error(
        &go("- {name: T, list: {elementType: {scalar: string}, elementRelationship: loose}}\n"),
        "no known relationship",
    );
    check_error(
        &go(
            "- {name: T, map: {fields: [{name: a, type: {namedType: U, elementRelationship: atomic}}]}}\n",
        ),
        "no type U",
    );
    check_error(&go("  - broken: [\n"), "YAML");
}
