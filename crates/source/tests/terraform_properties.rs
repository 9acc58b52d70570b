//! What holds of every Terraform file: what is called known stays so whatever the unknown turns out
//! to be, nothing panics, and every expansion has a bound.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Write as _;

use camino::Utf8Path;
use proptest::prelude::*;
use serde_json::Value;
use underpin_source::terraform::{Configuration, Options, read_text};

fn read(text: &str, options: &Options) -> Configuration {
    read_text(Utf8Path::new("main.tf"), text, options)
}

/// An expression of type number, boolean, string or list of strings, by the first argument.
fn expression(kind: Kind, depth: u32) -> BoxedStrategy<String> {
    let leaf = match kind {
        Kind::Number => prop_oneof![
            (0..20_i32).prop_map(|number| number.to_string()),
            Just("var.number".to_owned()),
            Just("local.number".to_owned()),
        ]
        .boxed(),
        Kind::Bool => prop_oneof![
            any::<bool>().prop_map(|bool| bool.to_string()),
            Just("var.bool".to_owned()),
        ]
        .boxed(),
        Kind::Text => prop_oneof![
            "[a-c]{0,3}".prop_map(|text| format!("\"{text}\"")),
            Just("var.text".to_owned()),
        ]
        .boxed(),
        Kind::List => prop_oneof![
            Just("[]".to_owned()),
            Just("var.list".to_owned()),
            Just("[\"a\", var.text, \"b\"]".to_owned()),
        ]
        .boxed(),
    };
    if depth == 0 {
        return leaf;
    }
    let inner = |kind| expression(kind, depth - 1);
    let (number, bool, text, list) = (
        inner(Kind::Number),
        inner(Kind::Bool),
        inner(Kind::Text),
        inner(Kind::List),
    );
    let chosen = (bool.clone(), inner(kind), inner(kind))
        .prop_map(|(condition, yes, no)| format!("({condition} ? {yes} : {no})"));
    let tried =
        (inner(kind), inner(kind)).prop_map(|(first, second)| format!("try({first}, {second})"));
    let own = match kind {
        Kind::Number => prop_oneof![
            (number.clone(), number.clone(), "[-+*]")
                .prop_map(|(left, right, sign)| format!("({left} {sign} {right})")),
            list.prop_map(|list| format!("length({list})")),
            (number.clone(), number).prop_map(|(left, right)| format!("max({left}, {right})")),
        ]
        .boxed(),
        Kind::Bool => prop_oneof![
            (number.clone(), number).prop_map(|(left, right)| format!("({left} < {right})")),
            (bool.clone(), bool.clone()).prop_map(|(left, right)| format!("({left} && {right})")),
            (bool.clone(), bool).prop_map(|(left, right)| format!("({left} || {right})")),
            (list.clone(), text).prop_map(|(list, text)| format!("contains({list}, {text})")),
            (list.clone(), list).prop_map(|(left, right)| format!("({left} == {right})")),
        ]
        .boxed(),
        Kind::Text => prop_oneof![
            (text.clone(), number)
                .prop_map(|(text, number)| format!("\"${{{text}}}-${{{number}}}\"")),
            (list.clone(), text.clone()).prop_map(|(list, text)| format!("join({text}, {list})")),
            list.prop_map(|list| format!("element(concat({list}, [\"z\"]), 1)")),
            bool.prop_map(|bool| format!("\"%{{ if {bool} }}x%{{ else }}y%{{ endif }}\"")),
            text.prop_map(|text| format!("lookup({{ a = {text} }}, {text}, \"none\")")),
        ]
        .boxed(),
        Kind::List => prop_oneof![
            (list.clone(), list.clone())
                .prop_map(|(left, right)| format!("concat({left}, {right})")),
            (list.clone(), bool)
                .prop_map(|(list, bool)| format!("[for x in {list} : \"${{x}}!\" if {bool}]")),
            list.clone()
                .prop_map(|list| format!("tolist(toset({list}))")),
            (list.clone(), text).prop_map(|(list, text)| format!("flatten([{list}, [{text}]])")),
            list.prop_map(|list| format!("values({{ for i, x in {list} : i => x }})")),
        ]
        .boxed(),
    };
    prop_oneof![1 => leaf, 4 => own, 1 => chosen, 1 => tried].boxed()
}

#[derive(Clone, Copy)]
enum Kind {
    Number,
    Bool,
    Text,
    List,
}

fn any_expression() -> impl Strategy<Value = String> {
    prop_oneof![
        expression(Kind::Number, 3),
        expression(Kind::Bool, 3),
        expression(Kind::Text, 3),
        expression(Kind::List, 3),
    ]
}

fn file(expressions: &[String], each: &str, peers: &str) -> String {
    let mut values = String::new();
    for (index, expression) in expressions.iter().enumerate() {
        let _ = writeln!(values, "    v{index} = {expression}");
    }
    format!(
        r#"
variable "number" {{ type = number }}
variable "bool" {{ type = bool }}
variable "text" {{ type = string }}
variable "list" {{ type = list(string) }}
locals {{
  number = var.number + 1
}}
resource "kubernetes_manifest" "one" {{
  manifest = {{
    apiVersion = "v1"
    kind       = "ConfigMap"
    metadata   = {{ name = "one", namespace = "default" }}
{values}
  }}
}}
resource "kubernetes_manifest" "many" {{
  for_each = toset({each})
  manifest = {{
    apiVersion = "v1"
    kind       = "ConfigMap"
    metadata   = {{ name = "many-${{each.key}}", namespace = "default" }}
  }}
}}
resource "kubernetes_network_policy_v1" "policy" {{
  metadata {{
    name = "policy"
  }}
  spec {{
    pod_selector {{}}
    policy_types = ["Ingress"]
    dynamic "ingress" {{
      for_each = {peers}
      content {{
        from {{
          namespace_selector {{
            match_labels = {{ team = ingress.value }}
          }}
        }}
      }}
    }}
  }}
}}
"#
    )
}

/// Every leaf that is known in `left` is the same in `right`; `null` in `left` may be unknown.
fn agrees(
    left: &Value,
    right: &Value,
    at_unknown: &dyn Fn(&str) -> bool,
    path: &str,
) -> Result<(), String> {
    if at_unknown(path) {
        return Ok(());
    }
    match (left, right) {
        (Value::Object(fields), Value::Object(others)) => {
            for (key, value) in fields {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                let other = others.get(key).unwrap_or(&Value::Null);
                agrees(value, other, at_unknown, &path)?;
            }
            Ok(())
        }
        (Value::Array(items), Value::Array(others)) => {
            for (index, value) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                let other = others.get(index).unwrap_or(&Value::Null);
                agrees(value, other, at_unknown, &path)?;
            }
            Ok(())
        }
        _ if left == right => Ok(()),
        _ => Err(format!("{path}: {left} became {right}")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Reads a file without the values of its variables and with them: what the first reading calls
    /// known is what the second finds.
    #[test]
    fn what_is_known_stays_so(
        expressions in proptest::collection::vec(any_expression(), 1..8),
        each in expression(Kind::List, 2),
        peers in expression(Kind::List, 2),
        number in 0..9_i32,
        bool in any::<bool>(),
        text in "[a-c]{0,2}",
        list in proptest::collection::vec("[a-c]{1,2}", 0..3),
    ) {
        let text_of_file = file(&expressions, &each, &peers);
        let without = read(&text_of_file, &Options::default());
        let variables = [
            ("number", number.to_string()),
            ("bool", bool.to_string()),
            ("text", text),
            ("list", serde_json::to_string(&list).unwrap()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        let with = read(&text_of_file, &Options { variables, ..Options::default() });

        // What fails for these values cannot be compared; nothing else is unknown.
        let failed = !with.diagnostics.is_empty();
        if !failed {
            prop_assert!(with.unknown.is_empty(), "{:?}", with.unknown);
        }
        let found = |address: &str| {
            let mut all = with.objects.iter();
            all.find(|declared| declared.address == address).map(|declared| &declared.object)
        };
        for declared in &without.objects {
            match found(&declared.address) {
                Some(other) => prop_assert_eq!(&declared.object.value, &other.value),
                None => prop_assert!(failed, "{} vanished", declared.address),
            }
        }
        for unknown in &without.unknown {
            let Some(known) = &unknown.known else { continue };
            if unknown.doubt.is_some() {
                continue;
            }
            let Some(other) = found(&unknown.address) else {
                prop_assert!(failed, "{} vanished", unknown.address);
                continue;
            };
            let at_unknown = |path: &str| unknown.parts.iter().any(|part| part.path.as_str() == path);
            let result = agrees(&known.value, &other.value, &at_unknown, "");
            prop_assert!(result.is_ok(), "{result:?} in {text_of_file}");
        }
    }

    /// Nothing panics and no resource is lost, however the file is cut and spliced.
    #[test]
    fn broken_files_are_told_of(
        cuts in proptest::collection::vec((0..5_000_usize, 0..40_usize, "[\"{}\\[\\]$%<#=\n a-z.()/*\\\\-]{0,6}"), 0..6),
    ) {
        let mut text = include_str!("terraform/trees/allow_lists/network-policies.tf").to_owned();
        text.push_str(include_str!("terraform/trees/unknown/main.tf"));
        for (at, length, put) in cuts {
            let at = at % text.len();
            let chars: Vec<char> = text.chars().collect();
            let at = at.min(chars.len());
            let end = chars.len().min(at + length);
            text = chars[..at].iter().chain(put.chars().collect::<Vec<_>>().iter()).chain(&chars[end..]).collect();
        }
        let found = read(&text, &Options::default());
        for diagnostic in &found.diagnostics {
            prop_assert!(diagnostic.place.line > 0 && diagnostic.place.column > 0);
        }
        for unknown in &found.unknown {
            prop_assert!(!unknown.parts.is_empty() || unknown.doubt.is_some());
        }
        // Whole, or told to be broken.
        let broken = found.diagnostics.iter().any(|d| d.message.contains("syntax"));
        prop_assert_eq!(found.unread.is_empty(), !broken);
    }
}

/// Reads a bomb and returns what is said of it.
#[track_caller]
fn bounded(text: &str, message: &str) {
    let found = read(text, &Options::default());
    let said: Vec<String> = found.diagnostics.iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|said| said.contains(message)), "{said:?}");
    assert!(found.objects.is_empty());
    assert_eq!(found.unknown.len(), 1, "the object must not vanish");
}

fn using(locals: &str, value: &str) -> String {
    format!(
        "locals {{\n{locals}\n}}\nresource \"kubernetes_config_map\" \"it\" {{\n  metadata {{\n    name = \"it\"\n  }}\n  data = {{ it = {value} }}\n}}\n"
    )
}

#[test]
fn values_that_double_are_bounded() {
    let mut locals = String::from("l0 = [\"aaaaaaaaaaaaaaaa\", \"b\"]\n");
    for index in 1..60 {
        let before = index - 1;
        let _ = writeln!(locals, "l{index} = [local.l{before}, local.l{before}]");
    }
    bounded(&using(&locals, "jsonencode(local.l59)"), "grows beyond");
}

#[test]
fn texts_that_double_are_bounded() {
    let mut locals = String::from("l0 = \"aaaaaaaaaaaaaaaa\"\n");
    for index in 1..60 {
        let before = index - 1;
        let _ = writeln!(
            locals,
            "l{index} = \"${{local.l{before}}}${{local.l{before}}}\""
        );
    }
    bounded(&using(&locals, "local.l59"), "more than");
}

#[test]
fn loops_that_multiply_are_bounded() {
    let loops = "join(\"\", flatten([for a in range(1000) : [for b in range(1000) : [for c in range(1000) : a if a + b + c < 0]]]))";
    bounded(&using("", loops), "steps");
}

#[test]
fn long_chains_are_bounded_and_need_no_stack_of_the_caller() {
    let mut locals = String::from("l0 = \"x\"\n");
    for index in 1..3_000 {
        let _ = writeln!(locals, "l{index} = \"${{local.l{}}}\"", index - 1);
    }
    bounded(&using(&locals, "local.l2999"), "levels deep");
    let found = read(&using(&locals, "local.l300"), &Options::default());
    assert_eq!(found.objects.len(), 1);
}

#[test]
fn try_does_not_hide_a_bound() {
    let loops = "try(length([for a in range(1000) : [for b in range(1000) : [for c in range(1000) : 1 if c < 0]]]), 1)";
    bounded(&using("", loops), "steps");
}

#[test]
fn too_many_instances_are_refused() {
    let text = "resource \"kubernetes_config_map\" \"it\" {\n  count = 1000000\n  metadata {\n    name = \"it-${count.index}\"\n  }\n}\n";
    bounded(text, "more than 10000 instances");
}
