//! `underpin explain`.

use crate::harness::{check, underpin};

#[test]
fn rules() {
    check("explain_all", 0, underpin("no-stack", "explain"));
    check(
        "explain_lower_case",
        0,
        underpin("no-stack", "explain up102"),
    );
    check("explain_unknown", 1, underpin("no-stack", "explain UP999"));
    check(
        "explain_unknown_json",
        1,
        underpin("no-stack", "explain UP999 -o json"),
    );
}

/// The documentation of the rules has its own tests; here it is the document's form.
#[test]
fn every_rule_has_a_page_in_the_document() {
    let ended = underpin("no-stack", "explain --output json").end();
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(document["schema"], "underpin.dev/explain/v1");
    let rules = document["rules"].as_array().unwrap();
    assert!(rules.len() >= 14, "{}", rules.len());
    for rule in rules {
        let page = rule["documentation"].as_str().unwrap();
        let code = rule["code"].as_str().unwrap();
        let title = format!("# {code}: {}", rule["name"].as_str().unwrap());
        assert!(page.starts_with(&title), "{page}");
        assert!(!rule["summary"].as_str().unwrap().is_empty());
        let shown = underpin("no-stack", &format!("explain {code}")).end();
        assert_eq!(shown.stdout, format!("{}\n", page.trim_end()));
    }
}
