//! Whether a value fits its schema.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    error::TypeError,
    shape::{ListShape, MapShape, Shape},
};
use crate::{
    path::PathElement,
    schema::{KindSchema, Scalar, Schema, Type},
};

/// Deeper than any object that a JSON parser lets through, so that no input exhausts the stack.
const DEPTH_LIMIT: usize = 256;
/// More errors than anybody reads.
const ERROR_LIMIT: usize = 100;

/// Checks shapes, unknown fields, and that items of sets and keyed lists are there only once.
///
/// Lists all errors, up to a hundred.
pub fn validate(value: &Value, schema: &KindSchema) -> Result<(), Vec<TypeError>> {
    Validation::run(value, schema, false)
}

/// The same for what is stored already: the server lets duplicates in lists live on.
pub(crate) fn validate_live(value: &Value, schema: &KindSchema) -> Result<(), Vec<TypeError>> {
    Validation::run(value, schema, true)
}

struct Validation<'s> {
    schema: &'s Schema,
    allow_duplicates: bool,
    errors: Vec<TypeError>,
}

impl<'s> Validation<'s> {
    fn run(
        value: &Value,
        schema: &'s KindSchema,
        allow_duplicates: bool,
    ) -> Result<(), Vec<TypeError>> {
        let mut validation = Self {
            schema: &schema.schema,
            allow_duplicates,
            errors: Vec::new(),
        };
        validation.value(value, &schema.root, 0);
        if validation.errors.is_empty() {
            Ok(())
        } else {
            Err(validation.errors)
        }
    }

    fn error(&mut self, message: impl Into<String>) {
        if self.errors.len() < ERROR_LIMIT {
            self.errors.push(TypeError::new(message));
        }
    }

    fn value(&mut self, value: &Value, value_type: &'s Type, depth: usize) {
        if depth > DEPTH_LIMIT {
            self.error(format!("nested deeper than {DEPTH_LIMIT}"));
            return;
        }
        match Shape::of(self.schema, value_type, Some(value)) {
            _ if value.is_null() => {}
            Shape::Scalar(scalar) => self.scalar(value, scalar),
            Shape::Map(shape) => self.map(value, shape, depth),
            Shape::List(shape) => self.list(value, shape, depth),
        }
    }

    fn scalar(&mut self, value: &Value, scalar: Scalar) {
        let (fits, expected) = match scalar {
            Scalar::Number => (value.is_number(), "numeric (int or float)"),
            Scalar::String => (value.is_string(), "string"),
            Scalar::Boolean => (value.is_boolean(), "boolean"),
            Scalar::Any => (!value.is_object() && !value.is_array(), "any scalar"),
        };
        if !fits {
            self.error(format!("expected {expected}, got {}", kind_of(value)));
        }
    }

    fn map(&mut self, value: &Value, shape: MapShape<'s>, depth: usize) {
        let Value::Object(map) = value else {
            self.error(format!("expected map, got {}", kind_of(value)));
            return;
        };
        for (name, value) in map {
            let start = self.errors.len();
            let child = shape.child(name);
            if child.known {
                self.value(value, child.value, depth + 1);
            } else {
                self.error("field not declared in schema");
            }
            TypeError::prefix(&mut self.errors, start, || PathElement::Field(name.clone()));
        }
    }

    fn list(&mut self, value: &Value, shape: ListShape<'s>, depth: usize) {
        let Value::Array(items) = value else {
            self.error(format!("expected list, got {}", kind_of(value)));
            return;
        };
        let mut seen = BTreeSet::new();
        for (index, item) in items.iter().enumerate() {
            let element = if shape.is_atomic() {
                PathElement::Index(index)
            } else {
                match shape.element(self.schema, item) {
                    Ok(element) => element,
                    Err(reason) => {
                        self.error(format!("element {index}: {reason}"));
                        continue;
                    }
                }
            };
            let start = self.errors.len();
            self.value(item, shape.element, depth + 1);
            TypeError::prefix(&mut self.errors, start, || element.clone());
            if !shape.is_atomic() && !self.allow_duplicates && !seen.insert(element.clone()) {
                self.error(format!("duplicate entries for key {element}"));
            }
        }
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}
