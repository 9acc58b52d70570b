//! Bodies of requests: media types, size, JSON, and which kind they say they are.

use serde_json::Value;

use crate::{Failure, Kind, Request, State, protobuf};

/// Longest body, in bytes.
pub(crate) const BODY_LIMIT: usize = 3 * 1024 * 1024;
/// Bytes of a body that a message quotes.
const QUOTE_LIMIT: usize = 30;

/// Refuses bodies that are too long.
pub(crate) fn check_size(request: &Request) -> Result<(), Failure> {
    if request.body.len() <= BODY_LIMIT {
        Ok(())
    } else {
        Err(Failure::too_large())
    }
}

/// The media type, without its parameters.
pub(crate) fn media_type(request: &Request) -> &str {
    let media_type = request.content_type.split(';').next();
    media_type.unwrap_or_default().trim()
}

/// Refuses what is neither JSON nor the binary form. (YAML is JSON's superset; only its JSON is
/// read here.)
pub(crate) fn check_content_type(request: &Request) -> Result<(), Failure> {
    match media_type(request) {
        "" | "application/json" | "application/yaml" | protobuf::MEDIA_TYPE => Ok(()),
        _ => Err(Failure::new(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: \
             application/json, application/yaml, application/vnd.kubernetes.protobuf",
        )),
    }
}

/// Parses a body; says what is wrong in the words of the server's JSON library.
pub(crate) fn parse(request: &Request) -> Result<Value, String> {
    if media_type(request) == protobuf::MEDIA_TYPE {
        return protobuf::decode(&request.body);
    }
    serde_json::from_slice(&request.body)
        .map_err(|error| format!("json parse error: {}", go_error(&error, &request.body)))
}

/// Parses the body as an object of a kind. Missing `apiVersion` and `kind` are taken from the
/// path, others refused.
pub(crate) fn object(state: &State, request: &Request, kind: &Kind) -> Result<Value, Failure> {
    check_content_type(request)?;
    let unrecognized = |reason: &str| {
        Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): couldn't get \
             version/kind; {reason} ({})",
            kind.kind.kind,
            summary(&request.body)
        ))
    };
    let mut value = match parse(request).map_err(|reason| unrecognized(&reason))? {
        Value::Null => Value::Object(serde_json::Map::new()),
        value @ Value::Object(_) => value,
        other => return Err(unrecognized(&not_a_kind(go_name(&other)))),
    };
    for field in ["apiVersion", "kind"] {
        if let Some(other) = value
            .get(field)
            .filter(|given| !given.is_string() && !given.is_null())
        {
            return Err(unrecognized(&format!(
                "json parse error: json: cannot unmarshal {} into Go struct field .{field} of \
                 type string",
                go_name(other)
            )));
        }
    }
    check_kind(state, kind, &value)?;
    value["apiVersion"] = kind.api_version().into();
    value["kind"] = kind.kind.kind.clone().into();
    Ok(value)
}

/// Refuses an object that says that it is of another kind or version.
pub(crate) fn check_kind(state: &State, kind: &Kind, value: &Value) -> Result<(), Failure> {
    let given = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
    let expected_version = kind.api_version();
    let version = match given("apiVersion") {
        "" => expected_version.as_str(),
        version => version,
    };
    let name = match given("kind") {
        "" => kind.kind.kind.as_str(),
        name => name,
    };
    if version == expected_version && name == kind.kind.kind {
        return Ok(());
    }
    if kind.definition.is_some() && version != expected_version {
        return Err(Failure::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version \
             ({expected_version})"
        )));
    }
    let (group, short) = version.split_once('/').unwrap_or(("", version));
    let known = state.kinds.of(&underpin_model::GroupKind::new(group, name));
    // Lists are kinds, too.
    let listed = match name.strip_suffix("List") {
        Some("") => version == "v1",
        Some(item) => {
            let item = underpin_model::GroupKind::new(group, item);
            state
                .kinds
                .of(&item)
                .is_some_and(|item| item.version == short)
        }
        None => false,
    };
    let why = if listed || known.is_some_and(|known| known.version == short) {
        format!(
            "converting ({}.{name}) to ({}.{}): unknown conversion",
            short,
            package(&kind.kind.group),
            kind.kind.kind
        )
    } else {
        format!(
            "no kind {name:?} is registered for version {version:?} in scheme \
             \"pkg/api/legacyscheme/scheme.go:30\""
        )
    };
    Err(Failure::bad_request(format!(
        "{name} in version {short:?} cannot be handled as a {}: {why}",
        kind.kind.kind
    )))
}

/// The server's own name for a group: `core`, or the group's first label.
fn package(group: &str) -> &str {
    match group.split('.').next().unwrap_or_default() {
        "" => "core",
        first => first,
    }
}

/// What the server says of a document that is no object.
pub(crate) fn not_a_kind(found: &str) -> String {
    format!(
        "json parse error: json: cannot unmarshal {found} into Go value of type struct {{ \
         APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \
         \"json:\\\"kind,omitempty\\\"\" }}"
    )
}

/// A value's type as Go's JSON library names it.
pub(crate) fn go_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// What is wrong with a document, as Go's JSON library says it where that can be told.
pub(crate) fn go_error(error: &serde_json::Error, body: &[u8]) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let line_begin = body
        .split_inclusive(|byte| *byte == b'\n')
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum::<usize>();
    let at = line_begin + error.column().saturating_sub(1);
    match body.get(at) {
        Some(byte) => {
            let found = match byte {
                b'\'' => r"\'".to_owned(),
                b'"' => "\"".to_owned(),
                byte => go_quoted(&char::from(*byte).to_string()).replace('"', ""),
            };
            let place = if error.to_string().starts_with("trailing characters") {
                "after top-level value"
            } else {
                "looking for beginning of value"
            };
            format!("invalid character '{found}' {place}")
        }
        None => "unexpected end of JSON input".to_owned(),
    }
}

/// The beginning of a body, as messages quote it: hexadecimal unless it looks like JSON.
fn summary(body: &[u8]) -> String {
    if body.is_empty() {
        return "<empty>".to_owned();
    }
    let begin = &body[..body.len().min(QUOTE_LIMIT)];
    let more = if body.len() > QUOTE_LIMIT { " ..." } else { "" };
    if body.first() == Some(&b'{') {
        format!("{}{more}", String::from_utf8_lossy(begin))
    } else {
        let digits: String = begin.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{digits}{more}")
    }
}

/// A value as Go's `%v` prints it.
pub(crate) fn go_printed(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_printed).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(fields) => {
            // Go sorts the keys of what it prints.
            let fields: std::collections::BTreeMap<_, _> = fields.iter().collect();
            let fields: Vec<String> = fields
                .into_iter()
                .map(|(name, value)| format!("{name}:{}", go_printed(value)))
                .collect();
            format!("map[{}]", fields.join(" "))
        }
        other => other.to_string(),
    }
}

/// A string in Go's `%q`: quotes, and escapes for what cannot be printed.
pub(crate) fn go_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 || u32::from(c) == 0x7f => {
                out.push_str(&format!("\\x{:02x}", u32::from(c)));
            }
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Config, handle::tests::request};

    #[track_caller]
    fn check(body: &str, expect: &str) {
        let state = State::new(Config::default());
        let kind = state.kinds.find("", "v1", "configmaps").unwrap();
        let mut request = request("POST", "/", &json!(null));
        request.body = body.to_owned().into();
        let found = match object(&state, &request, kind) {
            Ok(value) => value.to_string(),
            Err(failure) => failure.message,
        };
        assert_eq!(found, expect);
    }

    #[test]
    fn bodies_are_told_apart_as_the_server_does() {
        check("{}", r#"{"apiVersion":"v1","kind":"ConfigMap"}"#);
        check("null", r#"{"apiVersion":"v1","kind":"ConfigMap"}"#);
        check(
            "{",
            "the object provided is unrecognized (must be of type ConfigMap): couldn't get \
             version/kind; json parse error: unexpected end of JSON input ({)",
        );
        check(
            "",
            "the object provided is unrecognized (must be of type ConfigMap): couldn't get \
             version/kind; json parse error: unexpected end of JSON input (<empty>)",
        );
        check(
            "[]",
            "the object provided is unrecognized (must be of type ConfigMap): couldn't get \
             version/kind; json parse error: json: cannot unmarshal array into Go value of type \
             struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \
             \"json:\\\"kind,omitempty\\\"\" } (5b5d)",
        );
        check(
            r#"{"kind":"Foo","apiVersion":"v1"}"#,
            "Foo in version \"v1\" cannot be handled as a ConfigMap: no kind \"Foo\" is \
             registered for version \"v1\" in scheme \"pkg/api/legacyscheme/scheme.go:30\"",
        );
        check(
            r#"{"kind":"Deployment","apiVersion":"apps/v1"}"#,
            "Deployment in version \"v1\" cannot be handled as a ConfigMap: converting \
             (v1.Deployment) to (core.ConfigMap): unknown conversion",
        );
    }
}
