//! Functions on types and on sensitivity.

use std::{collections::BTreeMap, sync::Arc};

use super::{Call, Function, Needs, function};
use crate::terraform::{
    engine::Outcome,
    failure::Failure,
    value::{Data, Value},
};

pub(super) const FUNCTIONS: &[Function] = &[
    function("issensitive", 1, Some(1), Needs::Nothing, |call| {
        Ok(Value::bool(call.argument(0)?.secret))
    }),
    function("nonsensitive", 1, Some(1), Needs::Nothing, |call| {
        let mut value = call.argument(0)?.clone();
        value.secret = false;
        Ok(value)
    }),
    function("sensitive", 1, Some(1), Needs::Nothing, |call| {
        Ok(call.argument(0)?.clone().secret_if(true))
    }),
    function("tobool", 1, Some(1), Needs::Outline, |call| {
        scalar(call, "a boolean", |value| value.to_bool().map(Value::bool))
    }),
    function("tonumber", 1, Some(1), Needs::Outline, |call| {
        scalar(call, "a number", |value| {
            value.to_number().map(Value::number)
        })
    }),
    function("tostring", 1, Some(1), Needs::Outline, |call| {
        scalar(call, "a string", |value| value.to_text().map(Value::text))
    }),
    function("tolist", 1, Some(1), Needs::Outline, |call| {
        Value::list(unified(call.items(0)?))
    }),
    function("toset", 1, Some(1), Needs::Outline, |call| {
        Value::set(unified(call.items(0)?))
    }),
    function("tomap", 1, Some(1), Needs::Outline, |call| {
        let fields = &call.fields(0)?.fields;
        let values: Vec<Value> = fields.values().cloned().collect();
        let keys = fields.keys().map(Arc::clone);
        let fields: BTreeMap<_, _> = keys.zip(unified(&values)).collect();
        Value::object(fields)
    }),
];

fn scalar(call: &Call<'_, '_, '_>, wanted: &str, convert: fn(&Value) -> Option<Value>) -> Outcome {
    let value = call.argument(0)?;
    if value.is_null() {
        return Ok(Value::null());
    }
    convert(value).ok_or_else(|| {
        let message = format!("the value is {}, not {wanted}", value.describe());
        Failure::new(message)
    })
}

/// Items of one type: where texts stand beside numbers or booleans, all become texts.
pub(super) fn unified(items: &[Value]) -> Vec<Value> {
    let is_text = |value: &Value| matches!(value.data, Data::Text(_));
    let is_other = |value: &Value| matches!(value.data, Data::Bool(_) | Data::Number(_));
    if !(items.iter().any(is_text) && items.iter().any(is_other)) {
        return items.to_vec();
    }
    let texts = items.iter().map(|item| match item.to_text() {
        Some(text) => Value::text(text).secret_if(item.secret).at(item.at),
        None => item.clone(),
    });
    texts.collect()
}
