//! What a scalar's text means: `sigs.k8s.io/yaml` 1.4 on its fork of go-yaml v2.
//!
//! Sources: go-yaml v2 `resolve.go` (table of words, `strconv.ParseInt(text, 0, 64)`, the float
//! pattern), `decode.go` (tags, timestamps stay strings), sigs.k8s.io/yaml `yaml.go` (keys). The
//! table in the tests was compared with `kubectl` 1.32 (`kubectl annotate --local -o json`).

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Number, Value};

/// The meaning of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Resolved {
    Null,
    Bool(bool),
    /// Any integer of 64 bits, signed or unsigned.
    Int(i128),
    Float(f64),
    Text(String),
}

/// Prefix of the tags that YAML itself defines.
const CORE: &str = "tag:yaml.org,2002:";

/// Resolves a plain scalar without a tag.
pub(crate) fn resolve_plain(text: &str) -> Resolved {
    let Some(first) = text.chars().next() else {
        return Resolved::Null;
    };
    if let Some(word) = word(text) {
        return word;
    }
    let number = match first {
        // Here go-yaml leaves underscores to Go, which wants a digit on either side.
        '.' if underscores_separate_digits(text) => float(&text.replace('_', "")),
        '0'..='9' | '+' | '-' => {
            let digits = text.replace('_', "");
            integer(&digits)
                .map(Resolved::Int)
                .or_else(|| is_float(&digits).then(|| float(&digits)).flatten())
        }
        _ => None,
    };
    number.unwrap_or_else(|| Resolved::Text(text.to_owned()))
}

/// Resolves a scalar with an explicit tag, given in full. Errors are sentences.
pub(crate) fn resolve_tagged(tag: &str, text: &str) -> Result<Resolved, String> {
    let Some(kind) = tag.strip_prefix(CORE) else {
        // Application tags (`!foo`) are ignored by kubectl, and the scalar stays text.
        return Ok(Resolved::Text(text.to_owned()));
    };
    let found = resolve_plain(text);
    let accepted = match (kind, &found) {
        ("null", Resolved::Null)
        | ("bool", Resolved::Bool(_))
        | ("int", Resolved::Int(_))
        | ("float", Resolved::Float(_)) => found,
        #[expect(clippy::cast_precision_loss, reason = "a float was asked for")]
        ("float", Resolved::Int(int)) => Resolved::Float(*int as f64),
        ("timestamp", Resolved::Text(_)) if looks_like_date(text) => found,
        ("binary", _) => return decode_binary(text),
        ("null" | "bool" | "int" | "float" | "timestamp", _) => {
            return Err(format!("`{text}` is not a valid !!{kind}"));
        }
        _ => Resolved::Text(text.to_owned()),
    };
    Ok(accepted)
}

fn decode_binary(text: &str) -> Result<Resolved, String> {
    // Go's decoder skips line breaks and nothing else.
    let compact: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let bytes = STANDARD
        .decode(compact)
        .map_err(|_| "!!binary value is not valid base64".to_owned())?;
    String::from_utf8(bytes)
        .map(Resolved::Text)
        .map_err(|_| "!!binary value does not decode to UTF-8 text, which JSON needs".to_owned())
}

/// Four digits and a dash: the quick check before any of the timestamp forms.
fn looks_like_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() > 5 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-'
}

fn word(text: &str) -> Option<Resolved> {
    let word = match text {
        "~" | "null" | "Null" | "NULL" => Resolved::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Resolved::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Resolved::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" => Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Resolved::Float(f64::NEG_INFINITY),
        _ => return None,
    };
    Some(word)
}

/// `strconv.ParseInt(text, 0, 64)`, then `ParseUint`: a sign, then `0x`, `0o`, `0b`, a leading
/// zero for octal, or decimal digits.
fn integer(text: &str) -> Option<i128> {
    let (negative, signed, digits) = match text.as_bytes().first()? {
        b'-' => (true, true, &text[1..]),
        b'+' => (false, true, &text[1..]),
        _ => (false, false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', _, ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    // from_str_radix accepts a sign of its own, which Go does not.
    if !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = i128::from(u64::from_str_radix(digits, radix).ok()?);
    let value = if negative { -magnitude } else { magnitude };
    let fits = i64::try_from(value).is_ok() || !signed;
    fits.then_some(value)
}

/// go-yaml's pattern `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn is_float(text: &str) -> bool {
    let digits =
        |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole = digits(rest);
    let rest = &rest[whole..];
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => (digits(rest), &rest[digits(rest)..]),
        None => (0, rest),
    };
    if whole == 0 && fraction == 0 {
        return false;
    }
    let Some(exponent) = rest.strip_prefix(['e', 'E']) else {
        return rest.is_empty();
    };
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    !exponent.is_empty() && digits(exponent) == exponent.len()
}

fn underscores_separate_digits(text: &str) -> bool {
    let parts: Vec<&str> = text.split('_').collect();
    parts.windows(2).all(|pair| {
        pair[0].ends_with(|c: char| c.is_ascii_digit())
            && pair[1].starts_with(|c: char| c.is_ascii_digit())
    })
}

/// A finite float; what overflows stays text, as in go-yaml.
fn float(text: &str) -> Option<Resolved> {
    let value: f64 = text.parse().ok()?;
    value.is_finite().then_some(Resolved::Float(value))
}

/// The JSON value; an error sentence where JSON has none.
pub(crate) fn to_json(resolved: Resolved) -> Result<Value, &'static str> {
    let value = match resolved {
        Resolved::Null => Value::Null,
        Resolved::Bool(value) => Value::Bool(value),
        Resolved::Text(text) => Value::String(text),
        Resolved::Int(int) => match (i64::try_from(int), u64::try_from(int)) {
            (Ok(int), _) => Value::from(int),
            (_, Ok(int)) => Value::from(int),
            _ => return Err("the number does not fit into 64 bits"),
        },
        Resolved::Float(float) => Value::Number(
            json_number(float).ok_or("infinity and not-a-number do not exist in JSON")?,
        ),
    };
    Ok(value)
}

/// Go prints whole floats without a fraction, and the API server reads them as integers.
fn json_number(float: f64) -> Option<Number> {
    const INTEGER_BOUND: f64 = 9_223_372_036_854_775_808.0;
    if float.fract() == 0.0 && float.abs() < INTEGER_BOUND {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole and within i64, just checked"
        )]
        return Some(Number::from(float as i64));
    }
    Number::from_f64(float)
}

/// A mapping key as sigs.k8s.io/yaml writes it; an error sentence for what cannot be one.
pub(crate) fn to_key(resolved: Resolved) -> Result<String, &'static str> {
    match resolved {
        Resolved::Text(text) => Ok(text),
        Resolved::Bool(value) => Ok(value.to_string()),
        Resolved::Int(int) => i64::try_from(int)
            .map(|int| int.to_string())
            .map_err(|_| "the key is a number that does not fit into 64 bits"),
        Resolved::Float(float) => Ok(float_key(float)),
        Resolved::Null => Err("a key cannot be null"),
    }
}

/// `strconv.FormatFloat(key, 'g', -1, 32)` with YAML's words for the special values.
fn float_key(float: f64) -> String {
    if float.is_nan() {
        return ".nan".to_owned();
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the original formats 32 bits"
    )]
    let single = float as f32;
    if single.is_infinite() {
        let word = if single > 0.0 { ".inf" } else { "-.inf" };
        return word.to_owned();
    }
    let scientific = format!("{single:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if !(-4..GO_SHORTEST_PRECISION).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    format!("{single}")
}

/// Go's shortest `%g` decides as if the precision were 6.
const GO_SHORTEST_PRECISION: i32 = 6;
