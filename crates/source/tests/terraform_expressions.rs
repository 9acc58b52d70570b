//! Expressions and functions, against what Terraform 1.11.4 gives: each expression was put to
//! `terraform console` as `jsonencode(…)`.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use camino::Utf8Path;
use serde_json::Value;
use underpin_source::terraform::{Options, read};

/// The expression's value as JSON, or why there is none.
fn evaluate(folder: &Utf8Path, expression: &str) -> Result<Value, String> {
    let text = format!(
        r#"resource "kubernetes_manifest" "it" {{
  manifest = {{
    apiVersion = "v1"
    kind       = "ConfigMap"
    metadata   = {{ name = "it" }}
    value      = jsonencode({expression})
  }}
}}
"#
    );
    fs::write(folder.join("main.tf"), text).unwrap();
    let found = read(folder, &Options::default());
    if let Some(first) = found.diagnostics.first() {
        return Err(first.to_string());
    }
    if let Some(unknown) = found.unknown.first() {
        return Err(format!("unknown: {:?}", unknown.parts));
    }
    let text = found.objects[0].object.text("/value").unwrap();
    Ok(serde_json::from_str(text).unwrap())
}

#[test]
fn expressions_have_the_values_that_terraform_gives_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(folder.path()).unwrap();
    let table = include_str!("terraform/expressions.txt");
    let mut lines = table.lines();
    let mut wrong = Vec::new();
    let mut count = 0;
    while let (Some(expression), Some(recorded)) = (lines.next(), lines.next()) {
        count += 1;
        let recorded = recorded.trim();
        let found = evaluate(folder, expression);
        let agrees = match (&found, serde_json::from_str::<Value>(recorded)) {
            (Ok(found), Ok(recorded)) => same(found, &recorded),
            (Err(why), Err(_)) => !why.starts_with("unknown"),
            _ => false,
        };
        if !agrees {
            let found = found.map_or_else(|why| why, |value| value.to_string());
            wrong.push(format!(
                "{expression}\n  Terraform: {recorded}\n  here: {found}"
            ));
        }
    }
    assert!(count > 150, "only {count} expressions");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether both are the same, fractions to as many digits as binary ones have.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            let (left, right) = (left.as_f64().unwrap(), right.as_f64().unwrap());
            (left - right).abs() <= left.abs() * 1e-15
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(l, r)| l.0 == r.0 && same(l.1, r.1))
        }
        _ => left == right,
    }
}

#[test]
fn heredocs_have_the_texts_that_terraform_gives_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(folder.path()).unwrap();
    let table: Value = serde_json::from_str(include_str!("terraform/heredocs.json")).unwrap();
    let cases = table.as_array().unwrap();
    assert!(cases.len() > 10);
    for case in cases {
        let heredoc = case["heredoc"].as_str().unwrap();
        let text = format!(
            r#"locals {{
  it = {heredoc}
}}
resource "kubernetes_config_map" "it" {{
  metadata {{
    name = "it"
  }}
  data = {{ it = local.it }}
}}
"#
        );
        fs::write(folder.join("main.tf"), text).unwrap();
        let found = read(folder, &Options::default());
        assert!(
            found.diagnostics.is_empty(),
            "{heredoc}: {:?}",
            found.diagnostics
        );
        let value = found.objects[0].object.at("/data/it").unwrap();
        assert_eq!(value, &case["value"], "{heredoc}");
    }
}
