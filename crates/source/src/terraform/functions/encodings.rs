//! Functions that encode and decode.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value as Json;

use super::{Call, Function, Needs, function, yaml};
use crate::terraform::{
    engine::Outcome,
    failure::Failure,
    number::Number,
    value::{Data, Value},
};

pub(super) const FUNCTIONS: &[Function] = &[
    function("base64decode", 1, Some(1), Needs::Everything, |call| {
        let bytes = STANDARD
            .decode(call.text(0)?.as_bytes())
            .map_err(|_| Failure::new("the text is not base64"))?;
        String::from_utf8(bytes)
            .map(Value::text)
            .map_err(|_| Failure::new("what is encoded is not UTF-8 text"))
    }),
    function("base64encode", 1, Some(1), Needs::Everything, |call| {
        Ok(Value::text(STANDARD.encode(call.text(0)?.as_bytes())))
    }),
    function("jsondecode", 1, Some(1), Needs::Everything, |call| {
        let json: Json = serde_json::from_str(&call.text(0)?)
            .map_err(|error| syntax("JSON", error.line(), error.column()))?;
        from_json(&json)
    }),
    function("jsonencode", 1, Some(1), Needs::Everything, |call| {
        Ok(Value::text(json_text(&to_json(call.argument(0)?))))
    }),
    function("urlencode", 1, Some(1), Needs::Everything, |call| {
        Ok(Value::text(urlencode(&call.text(0)?)))
    }),
    function("yamldecode", 1, Some(1), Needs::Everything, yamldecode),
    function("yamlencode", 1, Some(1), Needs::Everything, |call| {
        Ok(Value::text(yaml::encode(&to_json(call.argument(0)?))))
    }),
    function(
        "provider::kubernetes::manifest_decode",
        1,
        Some(1),
        Needs::Everything,
        yamldecode,
    ),
    function(
        "provider::kubernetes::manifest_decode_multi",
        1,
        Some(1),
        Needs::Everything,
        |call| Value::list(yaml::decode(&call.text(0)?, yaml::Reader::Terraform)?),
    ),
    function(
        "provider::kubernetes::manifest_encode",
        1,
        Some(1),
        Needs::Everything,
        |call| Ok(Value::text(yaml::encode(&to_json(call.argument(0)?)))),
    ),
];

fn yamldecode(call: &Call<'_, '_, '_>) -> Outcome {
    let mut documents = yaml::decode(&call.text(0)?, yaml::Reader::Terraform)?.into_iter();
    match (documents.next(), documents.next()) {
        (None, _) => Ok(Value::null()),
        (Some(document), None) => Ok(document),
        (Some(_), Some(_)) => Err(Failure::new("the text holds more than one YAML document")
            .with_help("split it at `---`, or use `provider::kubernetes::manifest_decode_multi`")),
    }
}

/// A text that cannot be decoded; the place is within it, and the text may be secret.
pub(super) fn syntax(what: &str, line: usize, column: usize) -> Failure {
    Failure::new(format!(
        "the text is not valid {what}, from its line {line}, column {column}"
    ))
}

/// JSON as a value. Recursion is bounded by its parser.
pub(super) fn from_json(json: &Json) -> Outcome {
    Ok(match json {
        Json::Null => Value::null(),
        Json::Bool(value) => Value::bool(*value),
        Json::Number(number) => {
            let number = match number.as_i64() {
                Some(whole) => Some(Number::Whole(whole)),
                None => number.as_f64().and_then(Number::from_f64),
            };
            Value::number(number.ok_or_else(|| Failure::new("a number is not finite"))?)
        }
        Json::String(text) => Value::text(text.as_str()),
        Json::Array(items) => {
            let items = items.iter().map(from_json);
            Value::list(items.collect::<Result<_, _>>()?)?
        }
        Json::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, value)| Ok((Arc::from(key.as_str()), from_json(value)?)));
            Value::object(fields.collect::<Result<BTreeMap<_, _>, Failure>>()?)?
        }
    })
}

/// A wholly known value as JSON. Recursion is bounded by the depth of values.
pub(super) fn to_json(value: &Value) -> Json {
    match &value.data {
        Data::Unknown(_) | Data::Null => Json::Null,
        Data::Bool(value) => Json::Bool(*value),
        Data::Number(number) => number.to_json(),
        Data::Text(text) => Json::from(&**text),
        Data::List(items) | Data::Set(items) => items.items.iter().map(to_json).collect(),
        Data::Object(object) => object
            .fields
            .iter()
            .map(|(key, value)| (key.to_string(), to_json(value)))
            .collect(),
    }
}

/// JSON as Terraform writes it: what HTML could take for its own is escaped.
pub(super) fn json_text(json: &Json) -> String {
    let text = json.to_string();
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            other => out.push(other),
        }
    }
    out
}

fn urlencode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}
