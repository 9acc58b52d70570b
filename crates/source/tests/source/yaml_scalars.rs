//! What every form of scalar and key means. The right-hand side is what `kubectl` 1.32 prints
//! (`kubectl annotate --local -o json -f -`), except where a comment says why it differs.

use serde_json::{Value, json};
use underpin_source::yaml;

#[track_caller]
fn check(scalar: &str, expect: Value) {
    let (documents, diagnostics) = yaml::parse("a.yaml", &format!("v: {scalar}\n"));
    assert_eq!(diagnostics, [], "{scalar}");
    assert_eq!(documents[0].value["v"], expect, "{scalar}");
}

#[track_caller]
fn check_key(key: &str, expect: &str) {
    let (documents, diagnostics) = yaml::parse("a.yaml", &format!("{key}: x\n"));
    assert_eq!(diagnostics, [], "{key}");
    assert_eq!(documents[0].value, json!({expect: "x"}), "{key}");
}

#[track_caller]
fn check_refused(text: &str, message: &str) {
    let (_, diagnostics) = yaml::parse("a.yaml", text);
    let messages: Vec<&str> = diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(messages, [message], "{text}");
}

#[test]
fn integers_are_read_in_every_base() {
    for (scalar, value) in [
        ("0644", 420),
        ("0o17", 15),
        ("0O17", 15),
        ("0x1F", 31),
        ("0X1f", 31),
        ("-0x1f", -31),
        ("0b11", 3),
        ("0B11", 3),
        ("-0b11", -3),
        ("1_000", 1000),
        ("1__0", 10),
        ("1_", 1),
        ("-_1", -1),
        ("0_7", 7),
        ("0x_1", 1),
        ("0_x1", 1),
        ("08", 8),
        ("089", 89),
        ("-08", -8),
        ("+1", 1),
        ("-1", -1),
        ("-0", 0),
        ("00", 0),
        ("000", 0),
        ("-017", -15),
        ("+017", 15),
        ("-0o17", -15),
        ("-0b0", 0),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
        ("!!int \"5\"", 5),
        ("!!int 5", 5),
        ("!!int 0o17", 15),
    ] {
        check(scalar, json!(value));
    }
}

#[test]
fn integers_beyond_i64_are_kept_and_beyond_u64_are_floats() {
    // kubectl prints the first two as the nearest double; the number is the same to the server.
    check("9223372036854775808", json!(9_223_372_036_854_775_808_u64));
    check("0xFFFFFFFFFFFFFFFF", json!(u64::MAX));
    check("18446744073709551616", json!(18_446_744_073_709_551_616.0));
    check("-9223372036854775809", json!(-9_223_372_036_854_775_809.0));
    check("+18446744073709551615", json!(18_446_744_073_709_551_615.0));
    check("0777777777777777777777777", json!(7.777_777_777_777_778e23));
}

#[test]
fn floats_are_numbers_and_whole_floats_integers() {
    for (scalar, value) in [
        ("1.5", json!(1.5)),
        ("1.0", json!(1)),
        ("1e3", json!(1000)),
        ("1E3", json!(1000)),
        ("1e+3", json!(1000)),
        ("1e3_0", json!(1e30)),
        ("1e21", json!(1e21)),
        ("1e20", json!(1e20)),
        ("1e-7", json!(1e-7)),
        ("0.000001", json!(0.000_001)),
        (".5", json!(0.5)),
        ("5.", json!(5)),
        (".1_43", json!(0.143)),
        (".5e1_0", json!(5_000_000_000_i64)),
        ("-.5", json!(-0.5)),
        ("+.5", json!(0.5)),
        ("-0.0", json!(0)),
        ("+0.0", json!(0)),
        ("1.e1", json!(10)),
        ("1_0.5", json!(10.5)),
        ("0789.5", json!(789.5)),
        ("007.5", json!(7.5)),
        ("!!float 1", json!(1)),
        ("!!float 1.5", json!(1.5)),
        ("!!float 0x10", json!(16)),
        ("100000000000000000000.5", json!(1e20)),
    ] {
        check(scalar, value);
    }
}

#[test]
fn booleans_are_those_of_yaml_1_1() {
    for word in "y Y yes Yes YES true True TRUE on On ON".split(' ') {
        check(word, json!(true));
    }
    for word in "n N no No NO false False FALSE off Off OFF".split(' ') {
        check(word, json!(false));
    }
    check("!!bool yes", json!(true));
    check("!!bool \"true\"", json!(true));
}

#[test]
fn null_has_five_forms() {
    for word in ["", "~", "null", "Null", "NULL", "!!null \"\""] {
        check(word, Value::Null);
    }
}

#[test]
fn everything_else_is_text() {
    for text in "_1 + yES tRUE nULL . .. 1e999 .1e999 12:30:45 2001-12-14 \
                 2001-12-14T21:59:43.10-05:00 2024-1-2 0x 0xg 0o8 0o 0b 0b2 1e 1.2.3 123abc \
                 0x1p-2 0x1.8p1 Infinity NaN nan inf 1,000 O0 o t f T F Y1 = --1 0x-1 ._5 .5_ .5__5 .5_e1 .5e_1 .1_e5_ ._inf 10m 1Gi"
        .split_whitespace()
    {
        check(text, json!(text));
    }
    check("<<", json!("<<"));
}

#[test]
fn quotes_blocks_and_tags_decide_over_the_text() {
    for (scalar, value) in [
        ("\"yes\"", "yes"),
        ("'0644'", "0644"),
        ("\"\"", ""),
        ("|\n    x", "x\n"),
        (">\n    a\n    b", "a b\n"),
        ("!!str 123", "123"),
        ("!!str", ""),
        ("!!str ~", "~"),
        ("!!str 2001-12-14", "2001-12-14"),
        ("!<tag:yaml.org,2002:str> 12", "12"),
        ("!!timestamp 2001-12-14", "2001-12-14"),
        ("!!binary aGVsbG8=", "hello"),
        ("!!binary |\n    aGVs\n    bG8=", "hello"),
        ("!foo 123", "123"),
        ("! 12", "12"),
        ("!!unknown 5", "5"),
        ("!!merge x", "x"),
        (r#""\ud83d\ude00\/\t""#, "\u{1f600}/\t"),
    ] {
        check(scalar, json!(value));
    }
    check("!!set {a, b}", json!({"a": null, "b": null}));
    check("!!omap [a: 1]", json!([{"a": 1}]));
}

#[test]
fn what_json_or_the_tag_does_not_allow_is_refused() {
    let infinity = "infinity and not-a-number do not exist in JSON";
    for word in [".inf", ".nan", "-.INF", "+.Inf"] {
        check_refused(&format!("v: {word}"), &format!("`{word}`: {infinity}"));
    }
    check_refused("v: !!int 1.5", "`1.5` is not a valid !!int");
    check_refused("v: !!bool foo", "`foo` is not a valid !!bool");
    check_refused("v: !!null foo", "`foo` is not a valid !!null");
    check_refused("v: !!int null", "`null` is not a valid !!int");
    check_refused("v: !!float yes", "`yes` is not a valid !!float");
    check_refused("v: !!timestamp 5", "`5` is not a valid !!timestamp");
    check_refused("v: !!binary '!!!'", "!!binary value is not valid base64");
    check_refused(
        "v: !!binary \"aGVs bG8=\"",
        "!!binary value is not valid base64",
    );
    // kubectl writes a replacement character here.
    check_refused(
        "v: !!binary /w==",
        "!!binary value does not decode to UTF-8 text, which JSON needs",
    );
}

#[test]
fn keys_become_the_strings_that_kubectl_makes() {
    for (key, expect) in [
        ("1", "1"),
        ("0x10", "16"),
        ("0o17", "15"),
        ("1_000", "1000"),
        ("-1", "-1"),
        ("yes", "true"),
        ("no", "false"),
        ("on", "true"),
        ("y", "true"),
        ("1.5", "1.5"),
        ("1.0", "1"),
        ("1e3", "1000"),
        ("1e6", "1e+06"),
        ("1e-5", "1e-05"),
        ("0.0001", "0.0001"),
        ("1e21", "1e+21"),
        ("-0.0", "-0"),
        // Formatted with 32 bits, as the original does.
        ("123456789.5", "1.2345679e+08"),
        (".inf", ".inf"),
        ("-.inf", "-.inf"),
        (".nan", ".nan"),
        ("2001-12-14", "2001-12-14"),
        ("!!str 1", "1"),
        ("\"yes\"", "yes"),
        ("!!binary aGVsbG8=", "hello"),
    ] {
        check_key(key, expect);
    }
}

#[test]
fn what_cannot_be_a_key_is_refused() {
    check_refused("~: a", "a key cannot be null");
    check_refused("{: a}", "a key cannot be null");
    check_refused(
        "9223372036854775808: a",
        "the key is a number that does not fit into 64 bits",
    );
    let collection = "a mapping key must be a scalar, not a list or a mapping";
    check_refused("{{a: b}: c}", collection);
    check_refused("? [a]\n: c", collection);
    check_refused(
        &format!("? {}\n: c", "k".repeat(yaml::MAX_KEY_BYTES + 1)),
        "the key is longer than 1024 bytes",
    );
}
