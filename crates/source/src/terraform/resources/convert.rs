//! Arguments of typed resources to fields of the API.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::table::{At, MODES, field_name, is_field, is_map, is_number, kind_of, list};
use crate::terraform::{
    engine::Outcome,
    failure::Failure,
    number::Number,
    value::{Data, Value},
};

type Object = BTreeMap<Arc<str>, Value>;

/// The object that a typed resource declares; `None` if its type is not one of them.
pub(super) fn typed(resource: &str, body: &Value) -> Option<Outcome> {
    let (version, kind) = kind_of(resource)?;
    Some(object(version, kind, body))
}

fn object(version: &str, kind: &str, body: &Value) -> Outcome {
    let at = At { kind, field: "" };
    let mut fields = fields(at, body)?;
    if kind == "Secret" {
        encode_secret(&mut fields)?;
    }
    if kind == "PersistentVolume" {
        flatten(&mut fields, "spec", "persistentVolumeSource")?;
    }
    let namespaced =
        underpin_model::builtin_kind(group(version), kind).is_some_and(|row| row.namespaced);
    if namespaced {
        default_namespace(&mut fields)?;
    }
    fields.insert("apiVersion".into(), Value::text(version));
    fields.insert("kind".into(), Value::text(kind));
    Value::object(fields)
}

fn group(version: &str) -> &str {
    version.split_once('/').map_or("", |(group, _)| group)
}

/// The provider puts objects without a namespace into `default`.
pub(super) fn default_namespace(fields: &mut Object) -> Result<(), Failure> {
    let Some(metadata) = fields.get("metadata") else {
        return Ok(());
    };
    let Some(object) = metadata.fields() else {
        return Ok(());
    };
    let given = object.fields.get("namespace");
    if given.is_none_or(Value::is_null) {
        let mut inner = object.fields.clone();
        inner.insert("namespace".into(), Value::text("default"));
        let filled = Value::partial_object(inner, object.rest.clone())?.at(metadata.at);
        fields.insert("metadata".into(), filled);
    }
    Ok(())
}

/// Recursion is bounded by the depth of values.
fn fields(at: At<'_>, body: &Value) -> Result<Object, Failure> {
    let Some(object) = body.fields() else {
        return Err(
            Failure::new(format!("a block is {}, not an object", body.describe())).at(body.at),
        );
    };
    let mut out = Object::new();
    for (name, value) in &object.fields {
        if value.is_null() || !is_field(at, name) {
            continue;
        }
        let (field, converted) = argument(at, name, value)?;
        let converted = converted.secret_if(value.secret).at(value.at);
        out.insert(field.into(), converted);
    }
    Ok(out)
}

fn argument(at: At<'_>, name: &str, value: &Value) -> Result<(String, Value), Failure> {
    if is_map(at, name) {
        return Ok((field_name(name), texts_of(value)?));
    }
    if let Some(field) = list(at, name) {
        let inner = At { field, ..at };
        let single = [value.clone()];
        let items = match &value.data {
            Data::Unknown(_) => return Ok((field.to_owned(), value.clone())),
            Data::List(items) | Data::Set(items) => items.items.as_slice(),
            _ => single.as_slice(),
        };
        let items = items.iter().map(|item| block(inner, item));
        let items = items.collect::<Result<_, _>>()?;
        return Ok((field.to_owned(), Value::list(items)?));
    }
    let field = field_name(name);
    let is_block = match &value.data {
        Data::Object(_) => true,
        Data::List(items) => items.items.iter().any(|item| item.fields().is_some()),
        _ => false,
    };
    let inner = At {
        field: &field,
        ..at
    };
    let converted = match value.items() {
        Some([only]) if is_block => block(inner, only)?,
        Some(_) if is_block => {
            let message = format!("there is more than one block `{name}`");
            return Err(Failure::new(message).at(value.at));
        }
        None if is_block => block(inner, value)?,
        // A dynamic block of which nothing is known.
        Some([only]) if only.reason().is_some() && value.at.is_some() => only.clone(),
        _ => plain(at, name, value)?,
    };
    Ok((field, converted))
}

fn block(at: At<'_>, value: &Value) -> Outcome {
    if value.reason().is_some() {
        return Ok(value.clone());
    }
    let made = Value::object(fields(at, value)?)?;
    Ok(made.secret_if(value.secret).at(value.at))
}

fn plain(at: At<'_>, name: &str, value: &Value) -> Outcome {
    let as_text = (name == "value" && at.field == "env") || matches!(name, "name" | "namespace");
    let converted = match &value.data {
        Data::Text(text) if MODES.contains(&name) => i64::from_str_radix(text, 8)
            .ok()
            .map(|mode| Value::number(Number::Whole(mode))),
        Data::Text(text) if is_number(name) => text.parse().ok().map(Value::whole),
        Data::Bool(_) | Data::Number(_) if as_text => value.to_text().map(Value::text),
        Data::List(items) | Data::Set(items) if matches!(name, "args" | "command" | "values") => {
            let items = items.items.iter().map(text_of);
            Some(Value::list(items.collect())?)
        }
        // A set has no order; the API has lists alone.
        Data::Set(items) => Some(Value::list(items.items.clone())?),
        _ => None,
    };
    Ok(converted.unwrap_or_else(|| value.clone()))
}

fn text_of(value: &Value) -> Value {
    match (&value.data, value.to_text()) {
        (Data::Bool(_) | Data::Number(_), Some(text)) => {
            Value::text(text).secret_if(value.secret).at(value.at)
        }
        _ => value.clone(),
    }
}

/// A map of texts, whatever its values were written as; what is null is not there.
fn texts_of(value: &Value) -> Outcome {
    let Some(object) = value.fields() else {
        return Ok(value.clone());
    };
    let fields = object.fields.iter().filter(|(_, field)| !field.is_null());
    let fields = fields.map(|(key, field)| (Arc::clone(key), text_of(field)));
    Value::partial_object(fields.collect(), object.rest.clone())
}

/// `data` of a Secret is encoded in the API; everything in it is secret.
fn encode_secret(fields: &mut Object) -> Result<(), Failure> {
    let mut all = Object::new();
    let mut unknown = None;
    let mut at = None;
    for (name, encode) in [
        ("data", true),
        ("dataWo", true),
        ("binaryData", false),
        ("binaryDataWo", false),
    ] {
        let Some(value) = fields.remove(name) else {
            continue;
        };
        at = at.or(value.at);
        unknown = unknown.or_else(|| value.reason());
        let Some(object) = value.fields() else {
            continue;
        };
        for (key, field) in &object.fields {
            let field = match &field.data {
                Data::Text(text) if encode => {
                    Value::text(STANDARD.encode(text.as_bytes())).at(field.at)
                }
                _ => field.clone(),
            };
            all.insert(Arc::clone(key), field.secret_if(true));
        }
    }
    match unknown {
        Some(reason) => {
            fields.insert("data".into(), Value::unknown(reason).at(at));
        }
        None if !all.is_empty() => {
            fields.insert("data".into(), Value::object(all)?.at(at));
        }
        None => {}
    }
    Ok(())
}

/// Moves what is in `outer.inner` up into `outer`.
fn flatten(fields: &mut Object, outer: &str, inner: &str) -> Result<(), Failure> {
    let Some(value) = fields.get(outer) else {
        return Ok(());
    };
    let Some(object) = value.fields() else {
        return Ok(());
    };
    let mut all = object.fields.clone();
    if let Some(source) = all.remove(inner) {
        match source.fields() {
            Some(source) => all.extend(source.fields.clone()),
            None => {
                all.insert(inner.into(), source);
            }
        }
    }
    let flat = Value::object(all)?.at(value.at);
    fields.insert(outer.into(), flat);
    Ok(())
}
