//! For code review: SARIF 2.1.0, as GitHub, GitLab and editors read it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use underpin_model::{Finding, Place};
use underpin_plan::{
    rules::{Rule, rule},
    suppression::Suppressed,
};

use super::{Checked, PROBLEM, code, level};

/// The document that SARIF files are checked against.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// Where the program is described.
const HOME: &str = "https://underpin.dev";
/// What relative paths are relative to: the root of what is reviewed.
const ROOT: &str = "%SRCROOT%";
/// The name of the fingerprint: what makes two results the same, whatever lines were put above.
const FINGERPRINT: &str = "underpinSubject/v1";

/// The whole log, of one run.
pub(crate) fn sarif(checked: &Checked) -> String {
    let mut seen = BTreeMap::new();
    let mut results: Vec<Value> = Vec::new();
    for diagnostic in &checked.diagnostics {
        let print = format!("{PROBLEM}:{}", diagnostic.message);
        let mut text = diagnostic.message.clone();
        text.extend(diagnostic.help.iter().map(|help| format!("\nhelp: {help}")));
        let place = Some(&diagnostic.place);
        results.push(result(PROBLEM, "error", &text, place, &print, &mut seen));
    }
    for finding in &checked.findings {
        results.push(of_finding(finding, &mut seen));
    }
    for one in &checked.suppressed {
        let mut value = of_finding(&one.finding, &mut seen);
        value["suppressions"] = json!([suppression(one)]);
        results.push(value);
    }
    let rules = rules(&results);
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "underpin",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": HOME,
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": checked.diagnostics.is_empty(),
                "exitCode": checked.exit.code(),
            }],
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

/// The rules that results refer to, each once.
fn rules(results: &[Value]) -> Vec<Value> {
    let mut ids: Vec<&str> = results
        .iter()
        .filter_map(|one| one["ruleId"].as_str())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let described = ids
        .into_iter()
        .map(|id| match id.parse().ok().and_then(rule) {
            Some(rule) => described(rule),
            None => json!({
                "id": PROBLEM,
                "name": PROBLEM,
                "shortDescription": { "text": "a declared file cannot be read or understood" },
                "defaultConfiguration": { "level": "error" },
            }),
        });
    described.collect()
}

fn described(rule: &Rule) -> Value {
    let page = rule.documentation.trim_end();
    json!({
        "id": rule.code.to_string(),
        "name": rule.name,
        "shortDescription": { "text": rule.summary },
        "fullDescription": { "text": rule.summary },
        "help": { "text": page, "markdown": page },
    })
}

fn of_finding(finding: &Finding, seen: &mut BTreeMap<String, usize>) -> Value {
    let id = finding.code.to_string();
    let mut text = format!("{} {}: {}", code(finding), finding.subject, finding.message);
    text.extend(
        finding
            .evidence
            .iter()
            .map(|one| format!("\nbecause {one}")),
    );
    text.extend(finding.help.iter().map(|help| format!("\nhelp: {help}")));
    let place = finding.place.as_ref();
    let file = place.map_or("", |place| &*place.file);
    let print = format!("{id}:{}@{file}", finding.subject);
    let mut value = result(&id, level(finding.severity), &text, place, &print, seen);
    let related = finding.evidence.iter().filter_map(|evidence| {
        let place = evidence.place.as_ref().filter(|one| Some(*one) != place)?;
        let mut location = location(place);
        location["message"] = json!({ "text": evidence.note });
        Some(location)
    });
    let related: Vec<Value> = related.collect();
    if !related.is_empty() {
        value["relatedLocations"] = Value::from(related);
    }
    value
}

fn result(
    id: &str,
    level: &str,
    text: &str,
    place: Option<&Place>,
    print: &str,
    seen: &mut BTreeMap<String, usize>,
) -> Value {
    // Several results may be about one subject: they are told apart by their order.
    let times = seen.entry(print.to_owned()).or_insert(0);
    *times += 1;
    let mut value = json!({
        "ruleId": id,
        "level": level,
        "message": { "text": text },
        "partialFingerprints": { FINGERPRINT: format!("{print}#{times}") },
    });
    if let Some(place) = place {
        value["locations"] = json!([location(place)]);
    }
    value
}

fn location(place: &Place) -> Value {
    let uri = uri(&place.file);
    let mut artifact = json!({ "uri": uri });
    if !place.file.starts_with('/') {
        artifact["uriBaseId"] = Value::from(ROOT);
    }
    json!({ "physicalLocation": {
        "artifactLocation": artifact,
        "region": { "startLine": place.line.max(1), "startColumn": place.column.max(1) },
    }})
}

fn suppression(one: &Suppressed) -> Value {
    json!({
        "kind": "inSource",
        "status": "accepted",
        "justification": one.by.reason,
        "location": location(&one.by.place),
    })
}

/// A path as a reference: what is no letter, digit or one of a few marks is percent-encoded.
fn uri(path: &str) -> String {
    let path = path.replace('\\', "/");
    let mut out = String::new();
    if path.starts_with('/') {
        out.push_str("file://");
    }
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_references() {
        assert_eq!(uri("k8s/web.yaml"), "k8s/web.yaml");
        assert_eq!(uri("a b/ü#1.tf"), "a%20b/%C3%BC%231.tf");
        assert_eq!(uri("/x/y.tf"), "file:///x/y.tf");
        assert_eq!(uri("k8s\\web.yaml"), "k8s/web.yaml");
    }
}
