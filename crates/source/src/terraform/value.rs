//! Values that may be unknown, in whole or in part.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use super::{failure::Failure, number::Number, text::Site};

/// Deepest nesting of a value; what is deeper could not be written as an object either.
const MAX_VALUE_DEPTH: u32 = 100;
/// Largest value, in nodes and bytes of text together. References share what they refer to, so that
/// a few lines can describe a value larger than any memory.
const MAX_VALUE_COST: u64 = 16 << 20;
/// What one node counts for, beside its text.
const NODE_COST: u64 = 64;

/// A value, and what is known about it.
#[derive(Clone)]
pub(super) struct Value {
    pub(super) data: Data,
    /// Whether it must not be shown.
    pub(super) secret: bool,
    /// Where it is written.
    pub(super) at: Option<Site>,
    /// Of a text that is unknown, what is known of it, with `*` for each part that is not.
    pub(super) pattern: Option<Arc<str>>,
}

#[derive(Clone)]
pub(super) enum Data {
    /// Not known before Terraform runs, and why.
    Unknown(Arc<str>),
    Null,
    Bool(bool),
    Number(Number),
    Text(Arc<str>),
    List(Arc<Items>),
    /// Sorted, each item once.
    Set(Arc<Items>),
    Object(Arc<Fields>),
}

/// The items of a list or set.
pub(super) struct Items {
    pub(super) items: Vec<Value>,
    facts: Facts,
}

/// The fields of an object or map.
#[expect(
    clippy::struct_field_names,
    reason = "what an object holds are its fields"
)]
pub(super) struct Fields {
    pub(super) fields: BTreeMap<Arc<str>, Value>,
    /// Why fields other than these are unknown; `None` where there are no others.
    pub(super) rest: Option<Arc<str>>,
    facts: Facts,
}

/// What holds of a value and everything in it, counted when it is made.
#[derive(Clone, Copy)]
struct Facts {
    known: bool,
    secret: bool,
    cost: u64,
    depth: u32,
}

impl Facts {
    fn of<'a>(values: impl Iterator<Item = &'a Value>) -> Self {
        let start = Self {
            known: true,
            secret: false,
            cost: NODE_COST,
            depth: 1,
        };
        values.fold(start, |all, value| {
            let one = value.facts();
            Self {
                known: all.known && one.known,
                secret: all.secret || one.secret,
                cost: all.cost.saturating_add(one.cost),
                depth: all.depth.max(one.depth.saturating_add(1)),
            }
        })
    }

    fn check(self) -> Result<Self, Failure> {
        if self.depth > MAX_VALUE_DEPTH {
            return Err(Failure::fatal(format!(
                "a value is nested deeper than {MAX_VALUE_DEPTH} levels"
            )));
        }
        if self.cost > MAX_VALUE_COST {
            return Err(Failure::fatal(format!(
                "a value grows beyond {MAX_VALUE_COST} bytes"
            )));
        }
        Ok(self)
    }
}

impl From<Data> for Value {
    fn from(data: Data) -> Self {
        Self {
            data,
            secret: false,
            at: None,
            pattern: None,
        }
    }
}

impl Value {
    pub(super) fn null() -> Self {
        Data::Null.into()
    }

    pub(super) fn unknown(reason: impl Into<Arc<str>>) -> Self {
        Data::Unknown(reason.into()).into()
    }

    pub(super) fn bool(value: bool) -> Self {
        Data::Bool(value).into()
    }

    pub(super) fn number(value: Number) -> Self {
        Data::Number(value).into()
    }

    pub(super) fn whole(value: i64) -> Self {
        Self::number(Number::Whole(value))
    }

    pub(super) fn count(value: usize) -> Self {
        Self::whole(i64::try_from(value).unwrap_or(i64::MAX))
    }

    pub(super) fn text(value: impl Into<Arc<str>>) -> Self {
        Data::Text(value.into()).into()
    }

    pub(super) fn list(items: Vec<Self>) -> Result<Self, Failure> {
        let facts = Facts::of(items.iter()).check()?;
        Ok(Data::List(Arc::new(Items { items, facts })).into())
    }

    /// A set of these; unknown if an item is, for it might be one of the others.
    pub(super) fn set(mut items: Vec<Self>) -> Result<Self, Failure> {
        if let Some(reason) = items.iter().find_map(Self::why_unknown) {
            return Ok(Self::unknown(reason));
        }
        items.sort_by(Self::order);
        items.dedup_by(|left, right| left.order(right) == Ordering::Equal);
        let facts = Facts::of(items.iter()).check()?;
        Ok(Data::Set(Arc::new(Items { items, facts })).into())
    }

    pub(super) fn object(fields: BTreeMap<Arc<str>, Self>) -> Result<Self, Failure> {
        Self::partial_object(fields, None)
    }

    /// An object of which further fields are unknown, and why.
    pub(super) fn partial_object(
        fields: BTreeMap<Arc<str>, Self>,
        rest: Option<Arc<str>>,
    ) -> Result<Self, Failure> {
        let mut facts = Facts::of(fields.values()).check()?;
        let keys: usize = fields.keys().map(|key| key.len()).sum();
        facts.cost = facts.cost.saturating_add(keys as u64);
        facts.known &= rest.is_none();
        let facts = facts.check()?;
        Ok(Data::Object(Arc::new(Fields {
            fields,
            rest,
            facts,
        }))
        .into())
    }

    #[must_use]
    pub(super) fn at(mut self, site: Option<Site>) -> Self {
        self.at = site.or(self.at);
        self
    }

    #[must_use]
    pub(super) fn secret_if(mut self, secret: bool) -> Self {
        self.secret |= secret;
        self
    }

    fn facts(&self) -> Facts {
        let leaf = Facts {
            known: true,
            secret: self.secret,
            cost: NODE_COST,
            depth: 1,
        };
        match &self.data {
            Data::Unknown(_) => Facts {
                known: false,
                ..leaf
            },
            Data::Null | Data::Bool(_) | Data::Number(_) => leaf,
            Data::Text(text) => Facts {
                cost: NODE_COST.saturating_add(text.len() as u64),
                ..leaf
            },
            Data::List(items) | Data::Set(items) => Facts {
                secret: self.secret || items.facts.secret,
                ..items.facts
            },
            Data::Object(fields) => Facts {
                secret: self.secret || fields.facts.secret,
                ..fields.facts
            },
        }
    }

    /// Whether it and everything in it is known.
    pub(super) fn is_wholly_known(&self) -> bool {
        self.facts().known
    }

    /// Whether it or anything in it is secret.
    pub(super) fn holds_secret(&self) -> bool {
        self.facts().secret
    }

    /// What walking through all of it costs.
    pub(super) fn cost(&self) -> u64 {
        self.facts().cost
    }

    /// Why the value as such is unknown; `None` if only something in it is, or nothing.
    pub(super) fn reason(&self) -> Option<Arc<str>> {
        match &self.data {
            Data::Unknown(reason) => Some(Arc::clone(reason)),
            _ => None,
        }
    }

    /// Why the value or something in it is unknown.
    pub(super) fn why_unknown(&self) -> Option<Arc<str>> {
        if self.is_wholly_known() {
            return None;
        }
        match &self.data {
            Data::Unknown(reason) => Some(Arc::clone(reason)),
            Data::List(items) | Data::Set(items) => items.items.iter().find_map(Self::why_unknown),
            Data::Object(fields) => fields
                .fields
                .values()
                .find_map(Self::why_unknown)
                .or_else(|| fields.rest.clone()),
            _ => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.data, Data::Null)
    }

    /// The items of a list or set.
    pub(super) fn items(&self) -> Option<&[Self]> {
        match &self.data {
            Data::List(items) | Data::Set(items) => Some(&items.items),
            _ => None,
        }
    }

    pub(super) fn fields(&self) -> Option<&Fields> {
        match &self.data {
            Data::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// What it is, for a sentence.
    pub(super) fn describe(&self) -> &'static str {
        match &self.data {
            Data::Unknown(_) => "unknown",
            Data::Null => "null",
            Data::Bool(_) => "a boolean",
            Data::Number(_) => "a number",
            Data::Text(_) => "a string",
            Data::List(_) => "a list",
            Data::Set(_) => "a set",
            Data::Object(_) => "a map or object",
        }
    }

    /// A number, boolean or string as text.
    pub(super) fn to_text(&self) -> Option<Arc<str>> {
        match &self.data {
            Data::Bool(value) => Some(value.to_string().into()),
            Data::Number(value) => Some(value.to_string().into()),
            Data::Text(text) => Some(Arc::clone(text)),
            _ => None,
        }
    }

    /// A number, or a string that is one.
    pub(super) fn to_number(&self) -> Option<Number> {
        match &self.data {
            Data::Number(number) => Some(*number),
            Data::Text(text) => Number::parse(text),
            _ => None,
        }
    }

    /// A boolean, or a string that is one.
    pub(super) fn to_bool(&self) -> Option<bool> {
        match &self.data {
            Data::Bool(value) => Some(*value),
            Data::Text(text) => match &**text {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether both are the same, by the language's `==`; `None` where that is unknown.
    pub(super) fn equals(&self, other: &Self) -> Option<bool> {
        match (&self.data, &other.data) {
            (Data::Unknown(_), _) | (_, Data::Unknown(_)) => None,
            (Data::List(left), Data::List(right)) | (Data::Set(left), Data::Set(right)) => {
                if left.items.len() != right.items.len() {
                    return Some(false);
                }
                all(left
                    .items
                    .iter()
                    .zip(&right.items)
                    .map(|(left, right)| left.equals(right)))
            }
            (Data::Object(left), Data::Object(right)) => {
                if left.rest.is_some() || right.rest.is_some() {
                    return None;
                }
                if !left.fields.keys().eq(right.fields.keys()) {
                    return Some(false);
                }
                all(left
                    .fields
                    .values()
                    .zip(right.fields.values())
                    .map(|(left, right)| left.equals(right)))
            }
            _ => Some(self.order(other) == Ordering::Equal),
        }
    }

    /// A total order: that of a set's items.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        match (&self.data, &other.data) {
            (Data::Bool(left), Data::Bool(right)) => left.cmp(right),
            (Data::Number(left), Data::Number(right)) => left.compare(*right),
            (Data::Text(left), Data::Text(right)) => left.cmp(right),
            (Data::List(left), Data::List(right)) | (Data::Set(left), Data::Set(right)) => {
                let pairs = left.items.iter().zip(&right.items);
                pairs
                    .map(|(left, right)| left.order(right))
                    .find(|order| *order != Ordering::Equal)
                    .unwrap_or_else(|| left.items.len().cmp(&right.items.len()))
            }
            (Data::Object(left), Data::Object(right)) => {
                let pairs = left.fields.iter().zip(&right.fields);
                pairs
                    .map(|(left, right)| left.0.cmp(right.0).then_with(|| left.1.order(right.1)))
                    .find(|order| *order != Ordering::Equal)
                    .unwrap_or_else(|| left.fields.len().cmp(&right.fields.len()))
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match &self.data {
            Data::Unknown(_) => 0,
            Data::Null => 1,
            Data::Bool(_) => 2,
            Data::Number(_) => 3,
            Data::Text(_) => 4,
            Data::List(_) => 5,
            Data::Set(_) => 6,
            Data::Object(_) => 7,
        }
    }
}

/// Whether all are true; one that is false decides, whatever is unknown.
fn all(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(true);
    for answer in answers {
        match answer {
            Some(false) => return Some(false),
            None => result = None,
            Some(true) => {}
        }
    }
    result
}
