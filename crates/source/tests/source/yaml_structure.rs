//! Duplicate keys, merge keys, anchors, bounds, and documents that are broken.

use serde_json::{Value, json};
use underpin_source::yaml;

/// Checks the values of all documents and every problem as `line:column message`.
#[track_caller]
fn check(text: &str, values: &[Value], problems: &[&str]) {
    let (documents, diagnostics) = yaml::parse("a.yaml", text);
    let got: Vec<String> = diagnostics
        .iter()
        .map(|d| format!("{}:{} {}", d.place.line, d.place.column, d.message))
        .collect();
    assert_eq!(got, problems, "{text:.200}");
    let got: Vec<Value> = documents.into_iter().map(|d| d.value).collect();
    assert_eq!(got, values, "{text:.200}");
}

#[test]
fn a_key_given_twice_names_both_places() {
    check(
        "a: 1\nb:\n  c: 1\n  d: 2\n  c: {e: 1}\n",
        &[json!({"a": 1, "b": {"c": 1, "d": 2}})],
        &["5:3 key `c` is given twice, first at a.yaml:3:3"],
    );
    check(
        "{1: a, \"1\": b}",
        &[json!({"1": "a"})],
        &["1:8 key `1` is given twice, first at a.yaml:1:2"],
    );
}

#[test]
fn merge_keys_follow_kubectl_where_kubectl_follows_the_definition() {
    check("{<<: {a: 2, b: 3}, a: 1}", &[json!({"a": 1, "b": 3})], &[]);
    check(
        "{<<: [{a: 1}, {a: 2, b: 3}]}",
        &[json!({"a": 1, "b": 3})],
        &[],
    );
    check("{!!merge <<: {a: 1}}", &[json!({"a": 1})], &[]);
    check("{\"<<\": {a: 1}}", &[json!({"<<": {"a": 1}})], &[]);
    check(
        "x: &x {a: 1}\nz: &z {<<: *x, b: 2}\nv: {<<: [*z, *x]}",
        &[json!({"x": {"a": 1}, "z": {"a": 1, "b": 2}, "v": {"a": 1, "b": 2}})],
        &[],
    );
}

#[test]
fn a_merge_key_whose_meaning_is_disputed_is_an_error() {
    check(
        "{a: 1, <<: {a: 2, b: 3}}",
        &[json!({"a": 1, "b": 3})],
        &[
            "1:8 merge key `<<` also brings `a`, which is given before it at a.yaml:1:2: \
           tools disagree which of the two counts",
        ],
    );
    check(
        "{<<: {a: 1}, b: 2, <<: {a: 3}}",
        &[json!({"a": 1, "b": 2})],
        &["1:20 merge key `<<` is given twice, first at a.yaml:1:2"],
    );
    let wrong = ["1:2 merge key `<<` needs a mapping or a list of mappings"];
    for text in ["{<<: 5}", "{<<: }", "{<<: [~]}"] {
        check(text, &[json!({})], &wrong);
    }
}

#[test]
fn anchors_are_copied_and_the_latest_counts() {
    check(
        "x: &a 1\nz: &a [2]\nv: *a\n&k q: 1\nr: *k\n",
        &[json!({"x": 1, "z": [2], "v": [2], "q": 1, "r": "q"})],
        &[],
    );
    check("a: &x 5\n*x : b\n", &[json!({"a": 5, "5": "b"})], &[]);
    check(
        "a: &a [*a]\n",
        &[],
        &["1:8 the anchor's value contains itself"],
    );
    check(
        "a: &a {b: *a}\n",
        &[],
        &["1:11 the anchor's value contains itself"],
    );
    check(
        "a: *nope\n",
        &[],
        &["1:4 YAML syntax error: while parsing node, found unknown anchor"],
    );
}

#[test]
fn a_broken_document_leaves_the_others_readable() {
    check(
        "a: 1\n---\nb: c: d\n---\ne: 2\n---\nf:\n\tg: 1\n",
        &[json!({"a": 1}), json!({"e": 2})],
        &[
            "3:5 YAML syntax error: mapping values are not allowed in this context",
            "8:2 YAML syntax error: tabs disallowed within this context (block indentation)",
        ],
    );
    check(
        "a: \"open\n---\nb: 1\n",
        &[json!({"b": 1})],
        &["2:1 YAML syntax error: invalid indentation in multiline quoted scalar"],
    );
    check(
        "a: [1,\n---\nb: 1\n",
        &[json!({"b": 1})],
        &["1:4 YAML syntax error: unclosed bracket '['"],
    );
}

#[test]
fn tabs_and_templates_get_advice() {
    for (text, advice) in [
        ("a:\n\tb: 1\n", "YAML is not indented by tabs: use spaces"),
        (
            "# c\na 1\n\nb: 2\n",
            "line 2 has no colon: a field is written `name: value`",
        ),
        ("a: 1\n  b: 2\n", "indent line 2 like the fields"),
        (
            "a: {{ .Values.x }}\n",
            "where this is a template placeholder",
        ),
        (
            "a: [${x}]\n",
            "inside `[ ]` and `{ }` a `${variable}` must be in quotes",
        ),
        ("{{- if .x }}\na: 1\n", "render it first"),
    ] {
        let (documents, diagnostics) = yaml::parse("a.yaml", text);
        assert!(documents.is_empty());
        let help = diagnostics[0].help.as_deref().unwrap_or_default();
        assert!(help.contains(advice), "{text}: {diagnostics:?}");
    }
}

/// Lines are counted in the file, not in the document.
#[test]
fn advice_names_the_line_of_the_file() {
    let (_, diagnostics) = yaml::parse("a.yaml", "a: 1\n---\nb 1\nc: 2\n");
    assert_eq!(diagnostics[0].place.line, 4);
    let help = diagnostics[0].help.as_deref().unwrap_or_default();
    assert!(help.starts_with("line 3 has no colon"), "{diagnostics:?}");
}

#[test]
fn empty_documents_are_dropped() {
    for text in [
        "",
        "\n\n",
        "# only\n",
        "---\n---\n# c\n---\n...\n",
        "~\n",
        "\u{feff}",
    ] {
        check(text, &[], &[]);
    }
    check(
        "--- # c\n---\n\nfoo\n--- []\n",
        &[json!("foo"), json!([])],
        &[],
    );
    check("%YAML 1.1\n---\na: 0644\n", &[json!({"a": 420})], &[]);
}

#[test]
fn nesting_is_bounded() {
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let (documents, diagnostics) = yaml::parse("a.yaml", &deep(yaml::MAX_DEPTH));
    assert_eq!((documents.len(), diagnostics), (1, vec![]));
    let too_deep = "1:121 nested deeper than 120 levels";
    check(&deep(yaml::MAX_DEPTH + 1), &[], &[too_deep]);
    check(&"[".repeat(100_000), &[], &[too_deep]);
    let block: String = (0..200)
        .map(|level| format!("{}a:\n", " ".repeat(level)))
        .collect();
    check(&block, &[], &["121:121 nested deeper than 120 levels"]);
}

#[test]
fn nesting_through_aliases_is_bounded() {
    let mut text = "a0: &a0 [1]\n".to_owned();
    for level in 1..200 {
        text.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    check(&text, &[], &["120:14 nested deeper than 120 levels"]);
}

#[test]
fn alias_bombs_are_stopped() {
    let mut text = "a0: &a0 [lol, lol, lol]\n".to_owned();
    for level in 1..40 {
        let before = format!("*a{}", level - 1);
        let row = [before.as_str(); 9].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{row}]\n"));
    }
    let (documents, diagnostics) = yaml::parse("a.yaml", &text);
    assert!(documents.is_empty());
    let message = &diagnostics[0].message;
    assert!(
        message.starts_with("anchors and aliases expand to more than"),
        "{message}"
    );
    // One long text, many times.
    let long = "x".repeat(1 << 20);
    let uses = "- *x\n".repeat(100);
    let (documents, diagnostics) = yaml::parse("a.yaml", &format!("- &x {long}\n{uses}"));
    assert_eq!((documents.len(), diagnostics.len()), (0, 1));
}

#[test]
fn paths_of_hostile_keys_do_not_exhaust_memory() {
    let mut text = String::new();
    for level in 0..100 {
        text.push_str(&format!(
            "{}? {}\n{}:\n",
            " ".repeat(level),
            "k".repeat(1000),
            " ".repeat(level)
        ));
    }
    text.push_str(&format!("{}[{}]\n", " ".repeat(100), "1,".repeat(20_000)));
    let (documents, diagnostics) = yaml::parse("a.yaml", &text);
    assert_eq!(diagnostics, []);
    let bytes: usize = documents[0]
        .spans
        .keys()
        .map(|path| path.as_str().len())
        .sum();
    assert!(bytes <= yaml::MAX_SPAN_BYTES);
    assert!(documents[0].spans.len() < 20_000, "the bound was reached");
}

#[test]
fn a_document_is_named_and_not_shown_by_debug() {
    let (documents, _) = yaml::parse("a.yaml", "stringData: {password: hunter2}\n");
    assert!(!format!("{documents:?}").contains("hunter2"));
}
