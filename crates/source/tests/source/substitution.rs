//! `${variable}` in manifests.

use proptest::prelude::*;
use serde_json::{Value, json};
use underpin_source::{
    manifests::{self, Variable, Variables},
    stack,
};

const STACK: &str = "apiVersion: underpin.dev/v1
kind: Stack
metadata: {name: wallet}
spec:
  sources: [{manifests: '-', substitute: true}]
  environments: {production: {}}
";

fn variables() -> Variables {
    [
        ("namespace", Variable::name("123")),
        ("environment", Variable::name("production")),
        ("replicas", Variable::text("3")),
        ("debug", Variable::text("yes")),
        ("domain", Variable::text("a.example")),
        ("empty", Variable::text("")),
        ("infinite", Variable::text(".inf")),
        ("password", Variable::secret("31337")),
    ]
    .into_iter()
    .collect()
}

fn render(text: &str) -> (Vec<underpin_model::Object>, Vec<String>) {
    let stack = stack::parse("underpin.yaml".into(), STACK).expect("a valid stack");
    let (documents, diagnostics) = manifests::read(&stack, Some(text.to_owned()));
    assert_eq!(diagnostics, []);
    let (objects, diagnostics) = manifests::render(&documents, &variables());
    (
        objects,
        diagnostics.iter().map(ToString::to_string).collect(),
    )
}

fn object(spec: &str) -> String {
    format!("apiVersion: v1\nkind: Thing\nmetadata: {{name: a}}\nspec:\n  {spec}\n")
}

#[track_caller]
fn check(spec: &str, expect: Value) {
    let (objects, diagnostics) = render(&object(spec));
    assert_eq!(diagnostics, Vec::<String>::new(), "{spec}");
    assert_eq!(objects[0].value["spec"], expect, "{spec}");
}

#[track_caller]
fn check_refused(spec: &str, expect: &str) {
    let (_, diagnostics) = render(&object(spec));
    let first = diagnostics.first().map(String::as_str).unwrap_or_default();
    assert_eq!(
        first.lines().next().unwrap_or_default(),
        expect,
        "{diagnostics:?}"
    );
}

#[test]
fn a_plain_scalar_that_is_one_reference_takes_the_type_of_its_value() {
    check("v: ${replicas}", json!({"v": 3}));
    check("v: '${replicas}'", json!({"v": "3"}));
    check("v: \"${replicas}\"", json!({"v": "3"}));
    check("v: !!str ${replicas}", json!({"v": "3"}));
    check("v: |-\n    ${replicas}", json!({"v": "3"}));
    check("v: ${debug}", json!({"v": true}));
    check("v: ${empty}", json!({"v": null}));
    check("v: ${missing:-0644}", json!({"v": 420}));
    check("v: ${empty:-7}", json!({"v": 7}));
    check("v: x${replicas}", json!({"v": "x3"}));
    check("v: ${replicas}${replicas}", json!({"v": "33"}));
    check("v: ${domain}", json!({"v": "a.example"}));
}

#[test]
fn names_and_secrets_stay_strings() {
    check("v: ${namespace}", json!({"v": "123"}));
    check("v: ${password}", json!({"v": "31337"}));
}

#[test]
fn references_are_replaced_anywhere_in_values_and_keys() {
    check(
        "hosts: ['www.${domain}', \"${missing:-}\", 'http://${domain}:80/${environment}']\n  x.${domain}: 1",
        json!({
            "hosts": ["www.a.example", "", "http://a.example:80/production"],
            "x.a.example": 1,
        }),
    );
    check("v: &a ${replicas}\n  w: *a", json!({"v": 3, "w": 3}));
}

#[test]
fn a_value_cannot_change_the_structure() {
    let variables: Variables = [("v", Variable::text("x\nkind: Secret # }"))]
        .into_iter()
        .collect();
    let stack = stack::parse("underpin.yaml".into(), STACK).expect("a valid stack");
    let text = object("v: \"${v}\"\n  w: ${v}");
    let (documents, _) = manifests::read(&stack, Some(text));
    let (objects, diagnostics) = manifests::render(&documents, &variables);
    assert_eq!(diagnostics, []);
    let injected = "x\nkind: Secret # }";
    assert_eq!(
        objects[0].value["spec"],
        json!({"v": injected, "w": injected})
    );
    assert_eq!(objects[0].key.kind.kind, "Thing");
}

#[test]
fn dollars_are_literal_where_they_are_escaped_or_lack_a_brace() {
    check("v: $${domain}", json!({"v": "${domain}"}));
    check("v: $$${domain}", json!({"v": "$${domain}"}));
    check("v: $HOME $$ $(x) $", json!({"v": "$HOME $$ $(x) $"}));
    check("v: $${a} ${domain}", json!({"v": "${a} a.example"}));
}

#[test]
fn what_cannot_be_replaced_is_reported_at_its_place() {
    check_refused(
        "v: ${domian}",
        "<stdin>:5:6: variable `domian` is not defined",
    );
    check_refused(
        "a:\n  - b\n  - \"é ${x}\"",
        "<stdin>:7:5: variable `x` is not defined",
    );
    check_refused("v: '${domain'", "<stdin>:5:6: `${` without its closing `}`");
    check_refused(
        "v: ${domain%x}",
        "<stdin>:5:6: `${domain%x}` is not a reference to a variable",
    );
    check_refused(
        "v: '${}'",
        "<stdin>:5:6: `${}` is not a reference to a variable",
    );
    check_refused(
        "v: '${x:-${y}}'",
        "<stdin>:5:6: a default cannot hold another `${`",
    );
    check_refused(
        "v: ${infinite}",
        "<stdin>:5:6: `.inf`: infinity and not-a-number do not exist in JSON",
    );
    check_refused(
        "a.example: 1\n  ${domain}: 2",
        "<stdin>:6:3: after substitution key `a.example` is given twice, first at <stdin>:5:3",
    );
}

#[test]
fn an_undefined_variable_is_explained() {
    let (_, diagnostics) = render(&object("v: ${domian}"));
    insta::assert_snapshot!(diagnostics.join("\n"), @r#"
    <stdin>:5:6: variable `domian` is not defined
      help: did you mean `domain`? defined are `debug`, `domain`, `empty`, `environment`, `infinite`, `namespace`, `password`, `replicas`; give a default with `${domian:-value}`, or write `$${domian}` where the text itself is meant
    "#);
}

#[test]
fn secrets_are_refused_where_everybody_reads_and_never_printed() {
    for spec in [
        "metadata: {labels: {a: \"${password}\"}}",
        "${password}: 1",
        "kind: ${password}",
    ] {
        let (objects, diagnostics) = render(&object(spec));
        assert_eq!(diagnostics.len(), 1, "{spec}");
        assert!(diagnostics[0].contains("secret variable `password` cannot be used here"));
        assert!(!format!("{diagnostics:?} {objects:?} {:?}", variables()).contains("31337"));
    }
}

#[test]
fn nothing_is_replaced_unless_the_source_asks() {
    let text = STACK.replace(", substitute: true", "");
    let stack = stack::parse("underpin.yaml".into(), &text).expect("a valid stack");
    let (documents, _) = manifests::read(&stack, Some(object("v: ${undefined}")));
    let (objects, diagnostics) = manifests::render(&documents, &variables());
    assert_eq!(diagnostics, []);
    assert_eq!(objects[0].value["spec"], json!({"v": "${undefined}"}));
    assert!(!manifests::uses_variable(&documents, "undefined"));
}

#[test]
fn the_use_of_a_variable_is_found_in_keys_values_and_with_defaults() {
    let stack = stack::parse("underpin.yaml".into(), STACK).expect("a valid stack");
    let uses = |spec: &str| {
        let (documents, _) = manifests::read(&stack, Some(object(spec)));
        manifests::uses_variable(&documents, "environment")
    };
    assert!(uses("v: [{a: 'web-${environment}'}]"));
    assert!(uses("${environment}: 1"));
    assert!(uses("v: ${environment:-x}"));
    assert!(!uses("v: $${environment} ${environments}"));
}

#[derive(Clone, Debug)]
enum Part {
    Literal(String),
    Escape,
    Reference(usize),
    Default(String),
}

proptest! {
    /// The text is made of known parts, so the result is known without parsing it.
    #[test]
    fn substitution_is_the_concatenation_of_its_parts(parts in prop::collection::vec(prop_oneof![
        "[a-z :#{}$é]{0,5}[a-z]".prop_map(Part::Literal),
        Just(Part::Escape),
        (0_usize..2).prop_map(Part::Reference),
        "[a-z$ ]{0,4}".prop_map(Part::Default),
    ], 0..12)) {
        let known = [("domain", "a.example"), ("environment", "production")];
        let (mut text, mut expect) = (String::new(), String::new());
        for part in &parts {
            match part {
                Part::Literal(literal) => {
                    // Once is not enough: `${{` would leave another `${`.
                    let mut literal = literal.clone();
                    while literal.contains("${") {
                        literal = literal.replace("${", "$");
                    }
                    text.push_str(&literal);
                    expect.push_str(&literal);
                }
                Part::Escape => {
                    text.push_str("$${");
                    expect.push_str("${");
                }
                Part::Reference(index) => {
                    text.push_str(&format!("${{{}}}", known[*index].0));
                    expect.push_str(known[*index].1);
                }
                Part::Default(default) => {
                    text.push_str(&format!("${{missing:-{default}}}"));
                    expect.push_str(default);
                }
            }
        }
        let quoted = serde_json::to_string(&text).expect("text prints");
        let (objects, diagnostics) = render(&object(&format!("v: {quoted}")));
        prop_assert_eq!(diagnostics, Vec::<String>::new(), "{}", text);
        prop_assert_eq!(&objects[0].value["spec"]["v"], &Value::String(expect), "{}", text);
    }
}
