//! Functions on lists, sets, maps and objects.

use std::{collections::BTreeMap, sync::Arc};

use super::{Call, Function, Needs, function, texts, types::unified};
use crate::terraform::{
    engine::Outcome,
    expression::not,
    failure::Failure,
    number::Number,
    traversal::index_into,
    value::{Data, Value},
};

pub(super) const FUNCTIONS: &[Function] = &[
    function("alltrue", 1, Some(1), Needs::Nothing, |call| {
        every(call, true)
    }),
    function("anytrue", 1, Some(1), Needs::Nothing, |call| {
        every(call, false)
    }),
    function("chunklist", 2, Some(2), Needs::Outline, |call| {
        let items = call.items(0)?;
        let size = match call.index(1)? {
            0 => items.len().max(1),
            size => size,
        };
        let chunks = items.chunks(size).map(|chunk| Value::list(chunk.to_vec()));
        Value::list(chunks.collect::<Result<_, _>>()?)
    }),
    function("coalesce", 1, None, Needs::Nothing, |call| {
        coalesce(&unified(&call.arguments), |value| {
            value.is_null() || matches!(&value.data, Data::Text(text) if text.is_empty())
        })
    }),
    function("coalescelist", 1, None, Needs::Nothing, |call| {
        coalesce(&call.arguments, |value| {
            value.is_null() || value.items().is_some_and(<[Value]>::is_empty)
        })
    }),
    function("compact", 1, Some(1), Needs::Everything, |call| {
        let kept = call.items(0)?.iter().filter(|item| {
            !item.is_null() && !matches!(&item.data, Data::Text(text) if text.is_empty())
        });
        Value::list(kept.cloned().collect())
    }),
    function("concat", 1, None, Needs::Outline, |call| {
        let mut all = Vec::new();
        for index in 0..call.count() {
            all.extend_from_slice(call.items(index)?);
        }
        Value::list(all)
    }),
    function("contains", 2, Some(2), Needs::Nothing, contains),
    function("distinct", 1, Some(1), Needs::Everything, |call| {
        let mut seen: Vec<&Value> = Vec::new();
        for item in call.items(0)? {
            call.engine
                .spend_bytes(item.cost().saturating_mul(seen.len() as u64))?;
            if !seen.iter().any(|other| other.order(item).is_eq()) {
                seen.push(item);
            }
        }
        Value::list(seen.into_iter().cloned().collect())
    }),
    function("element", 2, Some(2), Needs::Outline, element),
    function("flatten", 1, Some(1), Needs::Nothing, |call| {
        if let Some(reason) = call.argument(0)?.reason() {
            return Ok(Value::unknown(reason));
        }
        let mut all = Vec::new();
        match flatten(call.items(0)?, &mut all) {
            Some(reason) => Ok(Value::unknown(reason)),
            None => Value::list(all),
        }
    }),
    function("index", 2, Some(2), Needs::Everything, |call| {
        let wanted = call.argument(1)?;
        let mut items = call.items(0)?.iter();
        let found = items.position(|item| item.order(wanted).is_eq());
        found
            .map(Value::count)
            .ok_or_else(|| Failure::new("the list does not hold the item"))
    }),
    function("keys", 1, Some(1), Needs::Outline, |call| {
        let fields = &call.fields(0)?.fields;
        let keys = fields.iter();
        let keys = keys.map(|(key, value)| Value::text(Arc::clone(key)).at(value.at));
        Value::list(keys.collect())
    }),
    function("length", 1, Some(1), Needs::Outline, |call| {
        let value = call.argument(0)?;
        let length = match &value.data {
            Data::Text(text) => text.chars().count(),
            Data::List(items) | Data::Set(items) => items.items.len(),
            Data::Object(object) => object.fields.len(),
            _ => return Err(call.wrong(0, "a string, list, set or map")),
        };
        Ok(Value::count(length))
    }),
    function("lookup", 2, Some(3), Needs::Nothing, lookup),
    function("matchkeys", 3, Some(3), Needs::Everything, |call| {
        let (values, keys, wanted) = (call.items(0)?, call.items(1)?, call.items(2)?);
        if values.len() != keys.len() {
            return Err(Failure::new("the lists have different lengths"));
        }
        let comparisons = (keys.len() as u64).saturating_mul(wanted.len() as u64);
        call.engine.spend_bytes(comparisons.saturating_mul(16))?;
        let pairs = values.iter().zip(keys);
        let kept = pairs.filter(|(_, key)| wanted.iter().any(|other| other.order(key).is_eq()));
        Value::list(kept.map(|(value, _)| value.clone()).collect())
    }),
    function("merge", 0, None, Needs::Outline, |call| {
        let mut all = BTreeMap::new();
        for (index, argument) in call.arguments.iter().enumerate() {
            if !argument.is_null() {
                let fields = &call.fields(index)?.fields;
                let fields = fields.iter();
                all.extend(fields.map(|(key, value)| (Arc::clone(key), value.clone())));
            }
        }
        Value::object(all)
    }),
    function("one", 1, Some(1), Needs::Outline, |call| {
        match call.items(0)? {
            [] => Ok(Value::null()),
            [item] => Ok(item.clone()),
            _ => Err(Failure::new("the list has more than one item")),
        }
    }),
    function("range", 1, Some(3), Needs::Everything, range),
    function("reverse", 1, Some(1), Needs::Outline, |call| {
        let mut items = call.items(0)?.to_vec();
        items.reverse();
        Value::list(items)
    }),
    function("setintersection", 1, None, Needs::Everything, |call| {
        combine(call, |all, items| {
            all.retain(|item| items.iter().any(|other| other.order(item).is_eq()));
        })
    }),
    function("setproduct", 1, None, Needs::Outline, setproduct),
    function("setsubtract", 2, Some(2), Needs::Everything, |call| {
        combine(call, |all, items| {
            all.retain(|item| !items.iter().any(|other| other.order(item).is_eq()));
        })
    }),
    function("setunion", 1, None, Needs::Everything, |call| {
        combine(call, Vec::extend_from_slice)
    }),
    function("slice", 3, Some(3), Needs::Outline, |call| {
        if call.is_set(0) {
            return Err(call.wrong(0, "a list"));
        }
        let (from, to) = (call.index(1)?, call.index(2)?);
        let part = call.items(0)?.get(from..to);
        part.map(<[Value]>::to_vec).map_or_else(
            || Err(Failure::new("the list has no such range")),
            Value::list,
        )
    }),
    function("sort", 1, Some(1), Needs::Everything, |call| {
        let items = call.items(0)?;
        texts(items)?;
        let mut sorted: Vec<Value> = items
            .iter()
            .map(|item| match item.to_text() {
                Some(text) => Value::text(text).secret_if(item.secret).at(item.at),
                None => item.clone(),
            })
            .collect();
        sorted.sort_by(Value::order);
        Value::list(sorted)
    }),
    function("transpose", 1, Some(1), Needs::Everything, |call| {
        let mut turned: BTreeMap<Arc<str>, Vec<Value>> = BTreeMap::new();
        for (key, value) in &call.fields(0)?.fields {
            let items = value
                .items()
                .ok_or_else(|| not(value, "a value of the map", "a list"))?;
            for text in texts(items)? {
                turned
                    .entry(text)
                    .or_default()
                    .push(Value::text(Arc::clone(key)));
            }
        }
        let fields = turned.into_iter().map(|(key, mut values)| {
            values.sort_by(Value::order);
            Ok((key, Value::list(values)?))
        });
        Value::object(fields.collect::<Result<_, Failure>>()?)
    }),
    function("values", 1, Some(1), Needs::Outline, |call| {
        Value::list(call.fields(0)?.fields.values().cloned().collect())
    }),
    function("zipmap", 2, Some(2), Needs::Nothing, zipmap),
];

/// Most items that a function makes out of nothing.
const MAX_MADE: usize = 100_000;
/// What Terraform itself allows for `range`.
const MAX_RANGE: usize = 1_024;

fn every(call: &Call<'_, '_, '_>, all: bool) -> Outcome {
    let list = call.argument(0)?;
    if let Some(reason) = list.reason() {
        return Ok(Value::unknown(reason));
    }
    let mut unknown = None;
    for item in call.items(0)? {
        match item.to_bool() {
            Some(value) if value != all => return Ok(Value::bool(!all)),
            Some(_) => {}
            None if item.is_null() && all => return Ok(Value::bool(false)),
            None if item.is_null() => {}
            None => match item.reason() {
                Some(reason) => unknown = Some(reason),
                None => return Err(not(item, "an item", "a boolean")),
            },
        }
    }
    Ok(unknown.map_or_else(|| Value::bool(all), Value::unknown))
}

fn coalesce(values: &[Value], passed_over: impl Fn(&Value) -> bool) -> Outcome {
    let chosen = values.iter().find(|value| !passed_over(value));
    chosen
        .cloned()
        .ok_or_else(|| Failure::new("all arguments are null or empty"))
}

fn contains(call: &Call<'_, '_, '_>) -> Outcome {
    if let Some(reason) = call.argument(0)?.reason() {
        return Ok(Value::unknown(reason));
    }
    let wanted = call.argument(1)?;
    let mut unknown = None;
    for item in call.items(0)? {
        match item.equals(wanted) {
            Some(true) => return Ok(Value::bool(true)),
            Some(false) => {}
            None => unknown = item.why_unknown().or_else(|| wanted.why_unknown()),
        }
    }
    Ok(unknown.map_or_else(|| Value::bool(false), Value::unknown))
}

fn element(call: &Call<'_, '_, '_>) -> Outcome {
    if call.is_set(0) {
        return Err(call.wrong(0, "a list"));
    }
    let items = call.items(0)?;
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    if length == 0 {
        return Err(Failure::new("the list is empty"));
    }
    let index = i64::try_from(call.index(1)?).unwrap_or(i64::MAX) % length;
    index_into(call.argument(0)?, &Value::whole(index))
}

/// Adds all items, those of lists within in their place; returns why that is unknown, if it is.
/// Recursion is bounded by the depth of values.
fn flatten(items: &[Value], all: &mut Vec<Value>) -> Option<Arc<str>> {
    for item in items {
        if let Some(reason) = item.reason() {
            return Some(reason);
        }
        match item.items() {
            Some(inner) => {
                let start = all.len();
                if let Some(reason) = flatten(inner, all) {
                    return Some(reason);
                }
                if item.secret {
                    for value in all.iter_mut().skip(start) {
                        value.secret = true;
                    }
                }
            }
            None => all.push(item.clone()),
        }
    }
    None
}

fn lookup(call: &Call<'_, '_, '_>) -> Outcome {
    let (map, key) = (call.argument(0)?, call.argument(1)?);
    if let Some(reason) = map.reason().or_else(|| key.reason()) {
        return Ok(Value::unknown(reason));
    }
    let fields = call.fields(0)?;
    if let Some(value) = fields.fields.get(&call.text(1)?) {
        return Ok(value.clone());
    }
    if let Some(reason) = &fields.rest {
        return Ok(Value::unknown(Arc::clone(reason)));
    }
    match call.arguments.get(2) {
        Some(default) => Ok(default.clone()),
        None => Err(Failure::new("the map has no such key").with_help("give a default")),
    }
}

fn range(call: &Call<'_, '_, '_>) -> Outcome {
    let zero = Number::Whole(0);
    let (start, end) = match call.count() {
        1 => (zero, call.number(0)?),
        _ => (call.number(0)?, call.number(1)?),
    };
    let down = end.compare(start).is_lt();
    let step = match call.count() {
        3 => call.number(2)?,
        _ if down => Number::Whole(-1),
        _ => Number::Whole(1),
    };
    if step.compare(zero).is_eq()
        || step.compare(zero).is_lt() != down && !end.compare(start).is_eq()
    {
        return Err(Failure::new("the step never reaches the end"));
    }
    let mut out = Vec::new();
    let mut at = start;
    while if down {
        at.compare(end).is_gt()
    } else {
        at.compare(end).is_lt()
    } {
        if out.len() >= MAX_RANGE {
            return Err(Failure::new(format!(
                "it gives more than {MAX_RANGE} numbers"
            )));
        }
        out.push(Value::number(at));
        at = at
            .add(step)
            .ok_or_else(|| Failure::new("the result is no finite number"))?;
    }
    Value::list(out)
}

/// A set from the first argument, and what each further one does to it.
fn combine(call: &Call<'_, '_, '_>, mut step: impl FnMut(&mut Vec<Value>, &[Value])) -> Outcome {
    let mut all = call.items(0)?.to_vec();
    for index in 1..call.count() {
        let items = call.items(index)?;
        let pairs = (all.len() as u64).saturating_mul(items.len() as u64);
        call.engine.spend_bytes(pairs.saturating_mul(16))?;
        step(&mut all, items);
    }
    Value::set(unified(&all))
}

fn setproduct(call: &Call<'_, '_, '_>) -> Outcome {
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for index in 0..call.count() {
        let items = call.items(index)?;
        if rows.len().saturating_mul(items.len()) > MAX_MADE {
            return Err(Failure::new(format!("it gives more than {MAX_MADE} rows")));
        }
        let longer = rows.iter().flat_map(|row| {
            items.iter().map(move |item| {
                let mut row = row.clone();
                row.push(item.clone());
                row
            })
        });
        rows = longer.collect();
    }
    let rows = rows.into_iter().map(Value::list);
    let rows: Vec<Value> = rows.collect::<Result<_, _>>()?;
    if (0..call.count()).all(|index| call.is_set(index)) {
        Value::set(rows)
    } else {
        Value::list(rows)
    }
}

fn zipmap(call: &Call<'_, '_, '_>) -> Outcome {
    let (keys, values) = (call.argument(0)?, call.argument(1)?);
    if let Some(reason) = keys.why_unknown().or_else(|| values.reason()) {
        return Ok(Value::unknown(reason));
    }
    let (keys, values) = (texts(call.items(0)?)?, call.items(1)?);
    if keys.len() != values.len() {
        return Err(Failure::new("there are not as many keys as values"));
    }
    Value::object(keys.into_iter().zip(values.iter().cloned()).collect())
}
