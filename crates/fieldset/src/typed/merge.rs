//! Laying an applied configuration over a live object.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    error::TypeError,
    shape::{ListShape, MapShape, Shape},
    validate, validate_live,
};
use crate::{
    path::PathElement,
    schema::{KindSchema, Schema, Type},
};

/// The live object with the applied values laid over it; nothing is removed.
///
/// Items of associative lists come in the applied order; live items that are not applied keep
/// their place relative to the applied ones.
pub fn merge(live: &Value, applied: &Value, schema: &KindSchema) -> Result<Value, Vec<TypeError>> {
    validate(applied, schema)?;
    validate_live(live, schema)?;
    let mut merged = live.clone();
    merge_into(&mut merged, applied, schema);
    Ok(merged)
}

/// [`merge`] in place, of values that are known to fit; where they do not, the applied one wins.
pub(crate) fn merge_into(target: &mut Value, applied: &Value, schema: &KindSchema) {
    lay_over(target, applied, &schema.schema, &schema.root);
}

fn lay_over(target: &mut Value, applied: &Value, schema: &Schema, value_type: &Type) {
    match Shape::of(schema, value_type, Some(applied)) {
        Shape::Map(shape) if !shape.is_atomic() => merge_maps(target, applied, schema, shape),
        Shape::List(shape) if !shape.is_atomic() => merge_lists(target, applied, schema, shape),
        _ => target.clone_from(applied),
    }
}

fn merge_maps(target: &mut Value, applied: &Value, schema: &Schema, shape: MapShape<'_>) {
    let live = match target {
        Value::Object(live) if !live.is_empty() => live,
        _ => {
            target.clone_from(applied);
            return;
        }
    };
    match applied {
        Value::Object(applied) => {
            for (name, value) in applied {
                match live.get_mut(name) {
                    Some(live) => lay_over(live, value, schema, shape.child(name).value),
                    None => {
                        live.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        // Null says nothing about the parts of what has parts.
        Value::Null => {}
        _ => target.clone_from(applied),
    }
}

fn merge_lists(target: &mut Value, applied: &Value, schema: &Schema, shape: ListShape<'_>) {
    let live = match target {
        Value::Array(live) if !live.is_empty() => live,
        _ => {
            target.clone_from(applied);
            return;
        }
    };
    let applied_items = match applied {
        Value::Array(items) => items.as_slice(),
        Value::Null => &[],
        _ => {
            target.clone_from(applied);
            return;
        }
    };
    // Most lists of most applies are the live ones.
    if applied_items.is_empty() || live.as_slice() == applied_items {
        return;
    }
    let elements = |items: &[Value]| -> Option<Vec<PathElement>> {
        items
            .iter()
            .map(|item| shape.element(schema, item).ok())
            .collect()
    };
    let (Some(ours), Some(theirs)) = (elements(live), elements(applied_items)) else {
        target.clone_from(applied);
        return;
    };
    let pairing = Pairing::of(&ours, &theirs);
    let mut live: Vec<Option<Value>> = std::mem::take(live).into_iter().map(Some).collect();
    let merged = pairing.order().into_iter().filter_map(|from| match from {
        From::Live(index) => live.get_mut(index)?.take(),
        From::Applied(index) => {
            let item = applied_items.get(index)?;
            let partner = match pairing.live_of.get(index) {
                Some(Partner::One(partner)) => live.get_mut(*partner)?.take(),
                _ => None,
            };
            Some(match partner {
                Some(mut partner) => {
                    lay_over(&mut partner, item, schema, shape.element);
                    partner
                }
                None => item.clone(),
            })
        }
    });
    let merged: Vec<Value> = merged.collect();
    *target = Value::Array(merged);
}

/// Where an item of the merged list comes from: a place in the live list, or one in the applied
/// list, merged with its partner.
enum From {
    Live(usize),
    Applied(usize),
}

/// The live item of an applied one. Items that are live more than once are not merged with.
#[derive(Clone, Copy)]
enum Partner {
    None,
    One(usize),
    Many,
}

/// Which live items and which applied ones are the same.
struct Pairing {
    applied_of: Vec<Option<usize>>,
    live_of: Vec<Partner>,
}

impl Pairing {
    fn of(live: &[PathElement], applied: &[PathElement]) -> Self {
        let places: BTreeMap<&PathElement, usize> = applied
            .iter()
            .enumerate()
            .map(|(place, element)| (element, place))
            .collect();
        let applied_of: Vec<Option<usize>> = live
            .iter()
            .map(|element| places.get(element).copied())
            .collect();
        let mut live_of = vec![Partner::None; applied.len()];
        for (place, partner) in applied_of.iter().enumerate() {
            if let Some(slot) = partner.and_then(|partner| live_of.get_mut(partner)) {
                *slot = match slot {
                    Partner::None => Partner::One(place),
                    Partner::One(_) | Partner::Many => Partner::Many,
                };
            }
        }
        Self {
            applied_of,
            live_of,
        }
    }

    /// The next applied item from `from` on that is live too.
    fn next_shared(&self, from: usize) -> Option<usize> {
        (from..self.live_of.len())
            .find(|place| !matches!(self.live_of.get(*place), None | Some(Partner::None)))
    }

    /// The order of the merged list: that of the applied items, with each live item that is not
    /// applied staying before the shared item that it stood before.
    fn order(&self) -> Vec<From> {
        let mut order = Vec::new();
        let (mut live, mut applied) = (0, 0);
        let mut next_shared = self.next_shared(0);
        while live < self.applied_of.len() || applied < self.live_of.len() {
            match self.applied_of.get(live) {
                Some(None) => {
                    // Only live.
                    order.push(From::Live(live));
                    live += 1;
                    continue;
                }
                Some(Some(partner)) if applied < self.live_of.len() => {
                    // Taken already, or to be taken after others that come first.
                    if *partner != applied && next_shared.is_some_and(|next| next != *partner) {
                        live += 1;
                        continue;
                    }
                    if *partner <= applied {
                        live += 1;
                    }
                }
                Some(Some(_)) => {
                    live += 1;
                    continue;
                }
                None => {}
            }
            if applied < self.live_of.len() {
                order.push(From::Applied(applied));
                applied += 1;
                if next_shared.is_some_and(|next| next < applied) {
                    next_shared = self.next_shared(applied);
                }
            }
        }
        order
    }
}
