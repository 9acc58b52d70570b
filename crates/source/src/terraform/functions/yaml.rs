//! YAML as `yamldecode` reads and `yamlencode` writes it.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value as Json;

use super::encodings::{from_json, syntax};
use crate::{
    terraform::{engine::Outcome, failure::Failure, number::Number, value::Value},
    yaml::{Content, Node, parse_nodes},
};

/// Who reads: plain scalars do not mean the same to both.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    Terraform,
    Kubectl,
}

/// The documents of a text, empty ones left out.
pub(super) fn decode(text: &str, reader: Reader) -> Result<Vec<Value>, Failure> {
    let (documents, diagnostics) = parse_nodes("", text);
    if let Some(first) = diagnostics.first() {
        let place = &first.place;
        return Err(syntax("YAML", place.line as usize, place.column as usize));
    }
    documents
        .iter()
        .map(|document| value(&document.root, reader))
        .collect()
}

/// Recursion is bounded by the YAML parser.
fn value(node: &Node, reader: Reader) -> Outcome {
    match &node.content {
        Content::Scalar(scalar) if scalar.plain && reader == Reader::Terraform => {
            plain(scalar.text(), &scalar.value)
        }
        Content::Scalar(scalar) => from_json(&scalar.value),
        Content::Sequence(items) => {
            let items = items.iter().map(|item| value(item, reader));
            Value::list(items.collect::<Result<_, _>>()?)
        }
        Content::Mapping(fields) => {
            let fields = fields
                .iter()
                .map(|field| Ok((Arc::from(field.key.as_str()), value(&field.value, reader)?)));
            Value::object(fields.collect::<Result<BTreeMap<_, _>, Failure>>()?)
        }
    }
}

/// A scalar without quotes: words of YAML 1.1, numbers of 1.2, so that `0644` is 644.
fn plain(text: &str, otherwise: &Json) -> Outcome {
    let lower = text.to_ascii_lowercase();
    let cased =
        text == lower || text == text.to_ascii_uppercase() || text.get(1..) == lower.get(1..);
    match lower.as_str() {
        "" | "~" | "null" if cased => return Ok(Value::null()),
        "y" | "yes" | "on" | "true" if cased => return Ok(Value::bool(true)),
        "n" | "no" | "off" | "false" if cased => return Ok(Value::bool(false)),
        _ => {}
    }
    // Anything that this crate's own resolver takes for no text, and the words above do not cover.
    let radix = [("0x", 16), ("0o", 8)]
        .into_iter()
        .find_map(|(prefix, radix)| {
            let digits = text.strip_prefix(prefix)?;
            i64::from_str_radix(digits, radix).ok()
        });
    if let Some(whole) = radix {
        return Ok(Value::whole(whole));
    }
    if text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && let Some(number) = Number::parse(text)
    {
        return Ok(Value::number(number));
    }
    if matches!(otherwise, Json::Number(_)) && lower.contains(['n', 'i']) {
        return Err(Failure::new("a number is not finite"));
    }
    Ok(Value::text(date(text).unwrap_or_else(|| text.to_owned())))
}

/// A date alone becomes a point in time.
fn date(text: &str) -> Option<String> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let number = |text: &str, longest: usize| {
        let plausible = (1..=longest).contains(&text.len());
        plausible.then(|| text.parse::<u32>().ok())?
    };
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day);
    valid.then(|| format!("{year:04}-{month:02}-{day:02}T00:00:00Z"))
}

/// The value as one YAML document, keys and texts in quotes.
pub(super) fn encode(json: &Json) -> String {
    let mut out = String::new();
    match json {
        Json::Array(items) if !items.is_empty() => block(json, 0, &mut out),
        Json::Object(fields) if !fields.is_empty() => block(json, 0, &mut out),
        Json::String(text) if is_literal(text) => literal(text, 0, &mut out),
        scalar => {
            out.push_str(&scalar.to_string());
            out.push('\n');
        }
    }
    out
}

/// A list or mapping that is not empty. Recursion is bounded by the depth of values.
fn block(json: &Json, indent: usize, out: &mut String) {
    match json {
        Json::Array(items) => {
            for item in items {
                out.push_str(&" ".repeat(indent));
                out.push('-');
                entry(item, indent, true, out);
            }
        }
        Json::Object(fields) => {
            for (key, value) in fields {
                out.push_str(&" ".repeat(indent));
                out.push_str(&Json::from(key.as_str()).to_string());
                out.push(':');
                entry(value, indent, false, out);
            }
        }
        _ => {}
    }
}

/// What follows a `-` or a key.
fn entry(value: &Json, indent: usize, in_list: bool, out: &mut String) {
    match value {
        Json::Array(items) if !items.is_empty() => {
            if in_list {
                // A list in a list begins on the same line.
                let mut inner = String::new();
                block(value, indent + 2, &mut inner);
                out.push(' ');
                out.push_str(inner.trim_start());
            } else {
                out.push('\n');
                block(value, indent, out);
            }
        }
        Json::Object(fields) if !fields.is_empty() => {
            if in_list {
                let mut inner = String::new();
                block(value, indent + 2, &mut inner);
                out.push(' ');
                out.push_str(inner.trim_start());
            } else {
                out.push('\n');
                block(value, indent + 2, out);
            }
        }
        Json::String(text) if is_literal(text) => {
            out.push(' ');
            literal(text, indent + 2, out);
        }
        scalar => {
            out.push(' ');
            out.push_str(&scalar.to_string());
            out.push('\n');
        }
    }
}

/// Whether a text is written line by line: one of several lines, of which none needs escapes.
fn is_literal(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && text
            .chars()
            .all(|c| c == '\n' || c == '\t' || !c.is_control())
}

fn literal(text: &str, indent: usize, out: &mut String) {
    let kept = text.trim_end_matches('\n');
    let chomp = match text.len() - kept.len() {
        0 => "|-",
        1 => "|",
        _ => "|+",
    };
    out.push_str(chomp);
    out.push('\n');
    let body = text.strip_suffix('\n').unwrap_or(text);
    for line in body.split('\n') {
        if !line.is_empty() {
            out.push_str(&" ".repeat(indent));
            out.push_str(line);
        }
        out.push('\n');
    }
}
