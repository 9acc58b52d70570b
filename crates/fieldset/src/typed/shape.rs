//! How one value is divided into fields: its type resolved, or deduced from the value.

use serde_json::{Map, Value};

use crate::{
    path::PathElement,
    schema::{Field, ListRelation, MapType, Scalar, Schema, Type},
};

/// A resolved type.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Shape<'s> {
    Scalar(Scalar),
    Map(MapShape<'s>),
    List(ListShape<'s>),
}

/// An object's type; `None` where it is deduced.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct MapShape<'s>(Option<&'s MapType>);

/// A list's type.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct ListShape<'s> {
    pub(super) element: &'s Type,
    pub(super) relation: &'s ListRelation,
}

/// The type of one child of an object.
#[derive(Clone, Copy)]
pub(super) struct Child<'s> {
    /// Its type; [`Type::Deduced`] if it is not declared in any way.
    pub(super) value: &'s Type,
    /// Its declaration, if it is a field of its own.
    pub(super) field: Option<&'s Field>,
    /// Whether the schema allows it.
    pub(super) known: bool,
}

impl<'s> Shape<'s> {
    /// The shape of a value of some type. Where the type is deduced and the value null or
    /// absent, it is an object's, as in the server.
    pub(super) fn of(schema: &'s Schema, value_type: &'s Type, value: Option<&Value>) -> Self {
        match schema.resolve(value_type) {
            Type::Scalar(scalar) => Self::Scalar(*scalar),
            Type::Map(map) => Self::Map(MapShape(Some(map))),
            Type::List(list) => Self::List(ListShape {
                element: &list.element,
                relation: &list.relation,
            }),
            Type::Deduced | Type::Named(_) => match value {
                None | Some(Value::Null | Value::Object(_)) => Self::Map(MapShape(None)),
                Some(Value::Array(_)) => Self::List(ListShape {
                    element: &Type::Deduced,
                    relation: &ListRelation::Atomic,
                }),
                Some(_) => Self::Scalar(Scalar::Any),
            },
        }
    }
}

/// Whether a type is deduced from the value.
pub(super) fn is_deduced(schema: &Schema, value_type: &Type) -> bool {
    matches!(schema.resolve(value_type), Type::Deduced | Type::Named(_))
}

impl<'s> MapShape<'s> {
    pub(super) fn is_atomic(self) -> bool {
        self.0.is_some_and(|map| map.atomic)
    }

    pub(super) fn child(self, name: &str) -> Child<'s> {
        let undeclared = Child {
            value: &Type::Deduced,
            field: None,
            known: true,
        };
        let Some(map) = self.0 else {
            return undeclared;
        };
        match (map.fields.get(name), &map.element) {
            (Some(field), _) => Child {
                value: &field.value,
                field: Some(field),
                known: true,
            },
            (None, Some(element)) => Child {
                value: element,
                ..undeclared
            },
            (None, None) => Child {
                known: false,
                ..undeclared
            },
        }
    }
}

impl ListShape<'_> {
    pub(super) fn is_atomic(self) -> bool {
        *self.relation == ListRelation::Atomic
    }

    /// How an item of an associative list is told apart, or why it cannot be.
    pub(super) fn element(self, schema: &Schema, item: &Value) -> Result<PathElement, String> {
        match (self.relation, item) {
            (ListRelation::Atomic, _) => {
                Err("an atomic list's items are not told apart".to_owned())
            }
            (ListRelation::Set, Value::Object(_)) => {
                Err("associative list without keys has an element that's a map type".to_owned())
            }
            (ListRelation::Set, Value::Array(_)) => {
                Err("not supported: associative list with lists as elements".to_owned())
            }
            (ListRelation::Set, Value::Null) => Err(
                "associative list without keys has an element that's an explicit null".to_owned(),
            ),
            (ListRelation::Set, scalar) => Ok(PathElement::Value(scalar.clone())),
            (ListRelation::Map(keys), Value::Object(item)) => {
                self.keyed_element(schema, keys, item)
            }
            (ListRelation::Map(_), Value::Null) => {
                Err("associative list with keys may not have a null element".to_owned())
            }
            (ListRelation::Map(_), _) => {
                Err("associative list with keys may not have non-map elements".to_owned())
            }
        }
    }

    /// A missing key counts as its default; keys without either are left out.
    fn keyed_element(
        self,
        schema: &Schema,
        keys: &[std::sync::Arc<str>],
        item: &Map<String, Value>,
    ) -> Result<PathElement, String> {
        let Shape::Map(shape) = Shape::of(schema, self.element, None) else {
            return Err("associative list may not have non-map types".to_owned());
        };
        let found: std::collections::BTreeMap<_, _> = keys
            .iter()
            .filter_map(|key| {
                let value = item
                    .get(&**key)
                    .or_else(|| shape.child(key).field?.default.as_ref())?;
                Some((key.as_ref().to_owned(), value.clone()))
            })
            .collect();
        if found.is_empty() && !keys.is_empty() {
            return Err(format!(
                "associative list with keys has an element that omits all key fields {keys:?} \
                 (and doesn't have default values for any key fields)"
            ));
        }
        Ok(PathElement::Key(found))
    }
}
