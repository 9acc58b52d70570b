//! From the binary form to JSON.

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    table::{Each, Message, Of, Shape, table},
    wire::{self, Wire},
};

/// What every document begins with.
const MAGIC: &[u8] = b"k8s\0";
/// Messages in messages; the deepest kind has less than 20.
const DEPTH_LIMIT: usize = 64;

/// Reads a document with its kind.
///
/// # Errors
///
/// In words: it is malformed, or its kind is not known.
pub(crate) fn decode(body: &[u8]) -> Result<Value, String> {
    let envelope = body
        .strip_prefix(MAGIC)
        .ok_or("provided data does not appear to be a protobuf message")?;
    let (mut version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for field in fields(envelope)? {
        match field {
            (1, Wire::Bytes(bytes)) => {
                for field in fields(bytes)? {
                    match field {
                        (1, Wire::Bytes(bytes)) => version = text(bytes)?,
                        (2, Wire::Bytes(bytes)) => kind = text(bytes)?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let message = table()
        .kind(&version, &kind)
        .ok_or_else(|| format!("no kind {kind:?} is registered for version {version:?}"))?;
    let mut object = Map::new();
    object.insert("apiVersion".to_owned(), json!(version));
    object.insert("kind".to_owned(), json!(kind));
    read(raw, message, &mut object, 0)?;
    Ok(Value::Object(object))
}

fn fields(mut rest: &[u8]) -> Result<Vec<(u64, Wire<'_>)>, String> {
    let mut fields = Vec::new();
    while let Some(field) = wire::next(&mut rest)? {
        fields.push((field.number, field.value));
    }
    Ok(fields)
}

fn text(bytes: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "proto: invalid UTF-8")?;
    Ok(text.to_owned())
}

/// Reads the fields of a message into an object.
fn read(
    bytes: &[u8],
    name: &str,
    object: &mut Map<String, Value>,
    depth: usize,
) -> Result<(), String> {
    let message = table()
        .message(name)
        .filter(|_| depth < DEPTH_LIMIT)
        .ok_or("proto: nesting depth exceeded")?;
    for (number, wire) in fields(bytes)? {
        read_field(message, number, wire, object, depth)?;
    }
    Ok(())
}

fn read_field(
    message: &Message,
    number: u64,
    wire: Wire<'_>,
    object: &mut Map<String, Value>,
    depth: usize,
) -> Result<(), String> {
    // Fields of newer versions are unknown here, and passed over as everywhere.
    let Some(field) = message.get(&number) else {
        return Ok(());
    };
    if let (true, Of::Message(inner), Wire::Bytes(bytes)) =
        (field.name.is_empty(), field.shape.of, wire)
    {
        return read(bytes, inner, object, depth + 1);
    }
    let name = field.name.to_owned();
    match field.shape.each {
        Each::One => {
            let value = value(field.shape.of, wire, depth)?;
            if field.shape.optional || !is_zero(field.shape, &value) {
                object.insert(name, value);
            }
        }
        Each::List => {
            let list = object.entry(name).or_insert_with(|| json!([]));
            if let Value::Array(list) = list {
                extend(list, field.shape.of, wire, depth)?;
            }
        }
        Each::Map => {
            let (key, value) = entry(field.shape.of, wire, depth)?;
            let map = object.entry(name).or_insert_with(|| json!({}));
            if let Value::Object(map) = map {
                map.insert(key, value);
            }
        }
    }
    Ok(())
}

/// What cannot be absent is written even if nothing was set.
fn is_zero(shape: Shape, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_i64() == Some(0) && shape.of == Of::Integer,
        Value::String(text) => text.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// Adds one element, or several numbers that were written as one.
fn extend(list: &mut Vec<Value>, of: Of, wire: Wire<'_>, depth: usize) -> Result<(), String> {
    match (of, wire) {
        (Of::Integer, Wire::Bytes(mut rest)) => {
            while !rest.is_empty() {
                list.push(json!(wire::varint(&mut rest)?.cast_signed()));
            }
        }
        _ => list.push(value(of, wire, depth)?),
    }
    Ok(())
}

/// One entry of a map: a message of key and value.
fn entry(of: Of, wire: Wire<'_>, depth: usize) -> Result<(String, Value), String> {
    let Wire::Bytes(bytes) = wire else {
        return Err(wrong_type());
    };
    let (mut key, mut found) = (String::new(), None);
    for field in fields(bytes)? {
        match field {
            (1, Wire::Bytes(bytes)) => key = text(bytes)?,
            (2, wire) => found = Some(value(of, wire, depth)?),
            _ => {}
        }
    }
    let found = match found {
        Some(found) => found,
        None => value(of, Wire::Bytes(&[]), depth)?,
    };
    Ok((key, found))
}

fn value(of: Of, wire: Wire<'_>, depth: usize) -> Result<Value, String> {
    match (of, wire) {
        (Of::Flag, Wire::Number(number)) => Ok(json!(number != 0)),
        (Of::Integer, Wire::Number(number)) => Ok(json!(number.cast_signed())),
        (Of::Text, Wire::Bytes(bytes)) => Ok(json!(text(bytes)?)),
        (Of::Bytes, Wire::Bytes(bytes)) => Ok(json!(BASE64_STANDARD.encode(bytes))),
        (Of::Message(name), Wire::Bytes(bytes)) => {
            let mut object = Map::new();
            read(bytes, name, &mut object, depth + 1)?;
            Ok(Value::Object(object))
        }
        (Of::Quantity, Wire::Bytes(bytes)) => {
            let first = fields(bytes)?.into_iter().find(|(number, _)| *number == 1);
            match first {
                Some((_, Wire::Bytes(bytes))) => Ok(json!(text(bytes)?)),
                _ => Ok(json!("0")),
            }
        }
        (Of::IntOrString, Wire::Bytes(bytes)) => int_or_string(bytes),
        (Of::Time, Wire::Bytes(bytes)) => time(bytes),
        (Of::Json, Wire::Bytes(bytes)) => raw_json(bytes),
        (Of::Strings, Wire::Bytes(bytes)) => {
            let mut items = Vec::new();
            for (_, wire) in fields(bytes)? {
                items.push(value(Of::Text, wire, depth)?);
            }
            Ok(Value::Array(items))
        }
        _ => Err(wrong_type()),
    }
}

fn wrong_type() -> String {
    "proto: wrong wireType".to_owned()
}

/// 1: which of the two, 2: the number, 3: the text.
fn int_or_string(bytes: &[u8]) -> Result<Value, String> {
    let (mut is_text, mut number, mut words) = (false, 0, String::new());
    for field in fields(bytes)? {
        match field {
            (1, Wire::Number(which)) => is_text = which != 0,
            (2, Wire::Number(value)) => number = value.cast_signed(),
            (3, Wire::Bytes(bytes)) => words = text(bytes)?,
            _ => {}
        }
    }
    Ok(if is_text { json!(words) } else { json!(number) })
}

/// 1: seconds, 2: nanoseconds. An empty message is no time.
fn time(bytes: &[u8]) -> Result<Value, String> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let (mut seconds, mut nanoseconds) = (0, 0);
    for field in fields(bytes)? {
        match field {
            (1, Wire::Number(value)) => seconds = value.cast_signed(),
            (2, Wire::Number(value)) => nanoseconds = i32::try_from(value).unwrap_or_default(),
            _ => {}
        }
    }
    let time = Timestamp::new(seconds, nanoseconds).map_err(|error| error.to_string())?;
    let text = if nanoseconds == 0 {
        crate::object::seconds(time)
    } else {
        time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
    };
    Ok(json!(text))
}

/// 1: a JSON document.
fn raw_json(bytes: &[u8]) -> Result<Value, String> {
    let first = fields(bytes)?.into_iter().find(|(number, _)| *number == 1);
    match first {
        Some((_, Wire::Bytes(raw))) if !raw.is_empty() => {
            serde_json::from_slice(raw).map_err(|error| error.to_string())
        }
        _ => Ok(Value::Null),
    }
}

#[cfg(test)]
mod tests;
