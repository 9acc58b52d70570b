//! Functions on numbers.

use super::{Call, Function, Needs, function};
use crate::terraform::{engine::Outcome, failure::Failure, number::Number, value::Value};

pub(super) const FUNCTIONS: &[Function] = &[
    function("abs", 1, Some(1), Needs::Everything, |call| {
        let number = call.number(0)?;
        if number.compare(Number::Whole(0)).is_lt() {
            return finite(Number::Whole(0).subtract(number));
        }
        Ok(Value::number(number))
    }),
    function("ceil", 1, Some(1), Needs::Everything, |call| {
        finite(Number::from_f64(call.number(0)?.as_f64().ceil()))
    }),
    function("floor", 1, Some(1), Needs::Everything, |call| {
        finite(Number::from_f64(call.number(0)?.as_f64().floor()))
    }),
    function("max", 1, None, Needs::Everything, |call| {
        extreme(call, std::cmp::Ordering::is_gt)
    }),
    function("min", 1, None, Needs::Everything, |call| {
        extreme(call, std::cmp::Ordering::is_lt)
    }),
    function("parseint", 2, Some(2), Needs::Everything, parseint),
    function("pow", 2, Some(2), Needs::Everything, |call| {
        let (base, power) = (call.number(0)?, call.number(1)?);
        if let (Number::Whole(base), Number::Whole(power)) = (base, power)
            && let Ok(power) = u32::try_from(power)
            && let Some(result) = base.checked_pow(power)
        {
            return Ok(Value::whole(result));
        }
        finite(Number::from_f64(base.as_f64().powf(power.as_f64())))
    }),
    function("signum", 1, Some(1), Needs::Everything, |call| {
        Ok(Value::whole(
            match call.number(0)?.compare(Number::Whole(0)) {
                std::cmp::Ordering::Less => -1,
                std::cmp::Ordering::Equal => 0,
                std::cmp::Ordering::Greater => 1,
            },
        ))
    }),
    function("sum", 1, Some(1), Needs::Everything, |call| {
        let items = call.items(0)?;
        if items.is_empty() {
            return Err(Failure::new("there is nothing to add up"));
        }
        let mut sum = Number::Whole(0);
        for item in items {
            let number = item
                .to_number()
                .ok_or_else(|| Failure::new("an item is not a number"))?;
            sum = sum
                .add(number)
                .ok_or_else(|| Failure::new("the result is no finite number"))?;
        }
        Ok(Value::number(sum))
    }),
];

fn finite(number: Option<Number>) -> Outcome {
    number
        .map(Value::number)
        .ok_or_else(|| Failure::new("the result is no finite number"))
}

fn extreme(call: &Call<'_, '_, '_>, better: fn(std::cmp::Ordering) -> bool) -> Outcome {
    let mut best = call.number(0)?;
    for index in 1..call.count() {
        let number = call.number(index)?;
        if better(number.compare(best)) {
            best = number;
        }
    }
    Ok(Value::number(best))
}

fn parseint(call: &Call<'_, '_, '_>) -> Outcome {
    let text = call.text(0)?;
    let base = u32::try_from(call.whole(1)?).unwrap_or(0);
    if !(2..=36).contains(&base) {
        return Err(Failure::new("the base is not between 2 and 36"));
    }
    i64::from_str_radix(&text, base)
        .map(Value::whole)
        .map_err(|_| Failure::new(format!("the text is no whole number in base {base}")))
}
