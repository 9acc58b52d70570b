//! Functions on strings.

use std::{collections::BTreeMap, sync::Arc};

use regex::{Captures, Regex};

use super::{Call, Function, Needs, format, function, texts};
use crate::terraform::{engine::Outcome, expression::not, failure::Failure, value::Value};

pub(super) const FUNCTIONS: &[Function] = &[
    function("chomp", 1, Some(1), Needs::Everything, |call| {
        Ok(Value::text(call.text(0)?.trim_end_matches(['\n', '\r'])))
    }),
    function("endswith", 2, Some(2), Needs::Everything, |call| {
        Ok(Value::bool(call.text(0)?.ends_with(&*call.text(1)?)))
    }),
    function("format", 1, None, Needs::Everything, |call| {
        let arguments = call.arguments.get(1..).unwrap_or_default();
        format::format(&call.text(0)?, arguments).map(Value::text)
    }),
    function("formatlist", 1, None, Needs::Everything, formatlist),
    function("indent", 2, Some(2), Needs::Everything, |call| {
        let spaces = " ".repeat(call.index(0)?.min(MAX_INDENT));
        let text = call.text(1)?;
        Ok(Value::text(text.replace('\n', &format!("\n{spaces}"))))
    }),
    function("join", 2, None, Needs::Everything, |call| {
        let mut all = Vec::new();
        for index in 1..call.count() {
            all.extend(texts(call.items(index)?)?);
        }
        Ok(Value::text(all.join(&*call.text(0)?)))
    }),
    function("lower", 1, Some(1), Needs::Everything, |call| {
        Ok(Value::text(call.text(0)?.to_lowercase()))
    }),
    function("regex", 2, Some(2), Needs::Everything, |call| {
        let text = call.text(1)?;
        let pattern = searched(call, &call.text(0)?, &text)?;
        match pattern.captures(&text) {
            Some(captures) => matched(&pattern, &captures),
            None => Err(Failure::new("the pattern matches nothing in the text")),
        }
    }),
    function("regexall", 2, Some(2), Needs::Everything, |call| {
        let text = call.text(1)?;
        let pattern = searched(call, &call.text(0)?, &text)?;
        let all = pattern.captures_iter(&text);
        let all = all.map(|captures| matched(&pattern, &captures));
        Value::list(all.collect::<Result<_, _>>()?)
    }),
    function("replace", 3, Some(3), Needs::Everything, replace),
    function("split", 2, Some(2), Needs::Everything, |call| {
        let (separator, text) = (call.text(0)?, call.text(1)?);
        let parts: Vec<Value> = if separator.is_empty() {
            text.chars().map(|c| Value::text(c.to_string())).collect()
        } else {
            text.split(&*separator).map(Value::text).collect()
        };
        Value::list(parts)
    }),
    function("startswith", 2, Some(2), Needs::Everything, |call| {
        Ok(Value::bool(call.text(0)?.starts_with(&*call.text(1)?)))
    }),
    function("strcontains", 2, Some(2), Needs::Everything, |call| {
        Ok(Value::bool(call.text(0)?.contains(&*call.text(1)?)))
    }),
    function("strrev", 1, Some(1), Needs::Everything, |call| {
        Ok(Value::text(call.text(0)?.chars().rev().collect::<String>()))
    }),
    function("substr", 3, Some(3), Needs::Everything, substr),
    function("title", 1, Some(1), Needs::Everything, |call| {
        Ok(Value::text(title(&call.text(0)?)))
    }),
    function("trim", 2, Some(2), Needs::Everything, |call| {
        let (text, cut) = (call.text(0)?, call.text(1)?);
        Ok(Value::text(text.trim_matches(|c| cut.contains(c))))
    }),
    function("trimprefix", 2, Some(2), Needs::Everything, |call| {
        let (text, prefix) = (call.text(0)?, call.text(1)?);
        Ok(Value::text(text.strip_prefix(&*prefix).unwrap_or(&text)))
    }),
    function("trimspace", 1, Some(1), Needs::Everything, |call| {
        Ok(Value::text(call.text(0)?.trim()))
    }),
    function("trimsuffix", 2, Some(2), Needs::Everything, |call| {
        let (text, suffix) = (call.text(0)?, call.text(1)?);
        Ok(Value::text(text.strip_suffix(&*suffix).unwrap_or(&text)))
    }),
    function("upper", 1, Some(1), Needs::Everything, |call| {
        Ok(Value::text(call.text(0)?.to_uppercase()))
    }),
];

/// Widest indentation.
const MAX_INDENT: usize = 1_000;
/// Largest program that a pattern may become.
const MAX_PATTERN_BYTES: usize = 1 << 18;

/// A pattern that is about to be searched for, which costs up to the product of both lengths.
fn searched(call: &Call<'_, '_, '_>, pattern: &str, text: &str) -> Result<Regex, Failure> {
    let cost = (pattern.len() as u64).saturating_mul(text.len() as u64);
    call.engine.spend_bytes(cost / 16)?;
    regex::RegexBuilder::new(pattern)
        .size_limit(MAX_PATTERN_BYTES)
        .build()
        .map_err(|_| Failure::new("the pattern is not valid, or too large"))
}

/// A match as its groups: a map if they have names, a list if not, the match itself without any.
fn matched(pattern: &Regex, captures: &Captures<'_>) -> Outcome {
    let value = |index: usize| match captures.get(index) {
        Some(found) => Value::text(found.as_str()),
        None => Value::null(),
    };
    let groups = 1..pattern.captures_len();
    if groups.is_empty() {
        return Ok(value(0));
    }
    let named: BTreeMap<Arc<str>, Value> = pattern
        .capture_names()
        .enumerate()
        .filter_map(|(index, name)| Some((Arc::from(name?), value(index))))
        .collect();
    if named.is_empty() {
        Value::list(groups.map(value).collect())
    } else {
        Value::object(named)
    }
}

fn replace(call: &Call<'_, '_, '_>) -> Outcome {
    let (text, what, with) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let inner = what
        .strip_prefix('/')
        .and_then(|what| what.strip_suffix('/'));
    let replaced = match inner {
        Some(inner) if what.len() > 1 => {
            let pattern = searched(call, inner, &text)?;
            pattern.replace_all(&text, &*with).into_owned()
        }
        _ => {
            let times = text.matches(&*what).count() as u64;
            call.engine
                .spend_bytes(times.saturating_mul(with.len() as u64))?;
            text.replace(&*what, &with)
        }
    };
    Ok(Value::text(replaced))
}

fn substr(call: &Call<'_, '_, '_>) -> Outcome {
    let text = call.text(0)?;
    let (offset, length) = (call.whole(1)?, call.whole(2)?);
    let count = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let start = if offset < 0 {
        count.saturating_add(offset).max(0)
    } else {
        offset
    };
    let rest = text
        .chars()
        .skip(usize::try_from(start).unwrap_or(usize::MAX));
    let part: String = match usize::try_from(length) {
        Ok(length) => rest.take(length).collect(),
        // A negative length takes all.
        Err(_) => rest.collect(),
    };
    Ok(Value::text(part))
}

/// Each word with a capital, as Go's `strings.Title` finds words.
fn title(text: &str) -> String {
    let mut previous = ' ';
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if begins_word(previous) {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        previous = c;
    }
    out
}

fn begins_word(previous: char) -> bool {
    if previous.is_ascii() {
        return !previous.is_ascii_alphanumeric() && previous != '_';
    }
    !previous.is_alphanumeric() && previous.is_whitespace()
}

fn formatlist(call: &Call<'_, '_, '_>) -> Outcome {
    let template = call.text(0)?;
    let arguments = call.arguments.get(1..).unwrap_or_default();
    let mut length = None;
    for items in arguments.iter().filter_map(Value::items) {
        if length.is_some_and(|length| length != items.len()) {
            return Err(Failure::new("the lists have different lengths"));
        }
        length = Some(items.len());
    }
    let mut out = Vec::new();
    for index in 0..length.unwrap_or(1) {
        let row = arguments.iter().map(|argument| match argument.items() {
            Some(items) => items.get(index).cloned().unwrap_or_else(Value::null),
            None => argument.clone(),
        });
        let row: Vec<Value> = row.collect();
        out.push(Value::text(format::format(&template, &row)?));
    }
    if arguments.iter().any(|argument| argument.fields().is_some()) {
        return Err(not(
            call.argument(1)?,
            "an argument",
            "a list or a single value",
        ));
    }
    Value::list(out)
}
