//! Whether a request of a strange host matches; `None` where that is not known.

use serde_json::Value;

use super::request::Request;

/// Whether any of a route's sets of matchers matches. A route without any matches everything.
pub(super) fn matches(route: &Value, request: &Request) -> Option<bool> {
    let Some(sets) = route.get("match").and_then(Value::as_array) else {
        return Some(true);
    };
    if sets.is_empty() {
        return Some(true);
    }
    any(sets.iter().map(|set| matches_set(set, request)))
}

fn matches_set(set: &Value, request: &Request) -> Option<bool> {
    let matchers = set.as_object()?;
    all(matchers
        .iter()
        .map(|(name, value)| matches_one(name, value, request)))
}

fn matches_one(name: &str, value: &Value, request: &Request) -> Option<bool> {
    match name {
        "host" => any(texts(value).map(|pattern| host(pattern, request.host))),
        "path" => any(texts(value).map(|pattern| path(pattern, request.path?))),
        "method" => any(texts(value).map(|method| literal(method).map(|m| m == request.method))),
        "protocol" => match value.as_str()? {
            "https" => Some(request.is_tls),
            "http" => Some(!request.is_tls),
            _ => None,
        },
        "header" => all(value
            .as_object()?
            .iter()
            .map(|(name, values)| header(name, values, request))),
        // Of what a stranger sends, nothing is asked for by such a name.
        "query" => value.as_object().map(serde_json::Map::is_empty),
        "not" => match value {
            Value::Array(sets) => {
                any(sets.iter().map(|set| matches_set(set, request))).map(|found| !found)
            }
            _ => None,
        },
        _ => None,
    }
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let (list, one) = match value {
        Value::Array(items) => (Some(items), None),
        other => (None, other.as_str()),
    };
    let listed = list.into_iter().flatten().filter_map(Value::as_str);
    listed.chain(one)
}

/// A text without placeholders, which are filled in at the time of the request.
fn literal(text: &str) -> Option<&str> {
    (!text.contains('{')).then_some(text)
}

/// Each `*` stands for one label.
fn host(pattern: &str, host: &str) -> Option<bool> {
    let pattern = literal(pattern)?;
    let (mut labels, mut own) = (pattern.split('.'), host.split('.'));
    loop {
        match (labels.next(), own.next()) {
            (None, None) => return Some(true),
            (Some(label), Some(own)) if label == "*" || label.eq_ignore_ascii_case(own) => {}
            _ => return Some(false),
        }
    }
}

/// `*` at either end stands for whatever is there; in between it is left open.
fn path(pattern: &str, path: &str) -> Option<bool> {
    let pattern = literal(pattern)?.to_ascii_lowercase();
    let inner = pattern.trim_matches('*');
    match (
        pattern == "*",
        inner.contains(['*', '?', '[', '%']),
        pattern.starts_with('*'),
        pattern.ends_with('*'),
    ) {
        (true, ..) => Some(true),
        (_, true, ..) => None,
        (_, _, true, true) => Some(path.contains(inner)),
        (_, _, true, false) => Some(path.ends_with(inner)),
        (_, _, false, true) => Some(path.starts_with(inner)),
        (_, _, false, false) => Some(path == inner),
    }
}

fn header(name: &str, values: &Value, request: &Request) -> Option<bool> {
    let sent = if name.eq_ignore_ascii_case("X-Forwarded-Proto") {
        request.forwarded
    } else if name.eq_ignore_ascii_case("Host") {
        Some(request.host)
    } else {
        None
    };
    // A name without values asks for the header not to be there, an empty list for it to be.
    let Some(asked) = values.as_array() else {
        return values.is_null().then_some(sent.is_none());
    };
    let Some(sent) = sent else {
        return Some(false);
    };
    if asked.is_empty() {
        return Some(true);
    }
    any(asked.iter().map(|value| {
        let pattern = literal(value.as_str()?)?;
        let inner = pattern.trim_matches('*');
        Some(match (pattern.starts_with('*'), pattern.ends_with('*')) {
            (true, true) => sent.contains(inner),
            (true, false) => sent.ends_with(inner),
            (false, true) => sent.starts_with(inner),
            (false, false) => sent == inner,
        })
    }))
}

/// One that is true is enough; without that, one that is not known leaves all open.
fn any(found: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut open = false;
    for one in found {
        match one {
            Some(true) => return Some(true),
            Some(false) => {}
            None => open = true,
        }
    }
    (!open).then_some(false)
}

fn all(found: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    any(found.map(|one| one.map(|one| !one))).map(|one| !one)
}
