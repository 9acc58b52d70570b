//! Type constraints of variables, and what becomes of a value under one.

use std::{collections::BTreeMap, sync::Arc};

use hcl_edit::expr::{Expression, FuncCall, ObjectKey};

use super::{
    expression::not,
    failure::Failure,
    value::{Data, Value},
};

/// A type constraint.
pub(super) enum Type {
    Any,
    Text,
    Number,
    Bool,
    List(Box<Type>),
    Set(Box<Type>),
    Map(Box<Type>),
    Tuple(Vec<Type>),
    Object(BTreeMap<String, Field>),
}

/// A field of an object type.
pub(super) struct Field {
    kind: Type,
    optional: bool,
    default: Option<Expression>,
}

impl Type {
    /// Reads a constraint. Recursion is bounded by the parser.
    pub(super) fn parse(expression: &Expression) -> Result<Self, Failure> {
        match expression {
            Expression::Parenthesis(inner) => Self::parse(inner.inner()),
            Expression::Variable(name) => Self::word(name.value().as_str()),
            // Older files put the word in quotes.
            Expression::String(name) => Self::word(name.value()),
            Expression::FuncCall(call) => Self::call(call),
            _ => Err(unknown_type()),
        }
    }

    fn word(name: &str) -> Result<Self, Failure> {
        Ok(match name {
            "any" => Self::Any,
            "string" => Self::Text,
            "number" => Self::Number,
            "bool" => Self::Bool,
            "list" => Self::List(Box::new(Self::Any)),
            "map" => Self::Map(Box::new(Self::Any)),
            "set" => Self::Set(Box::new(Self::Any)),
            _ => return Err(unknown_type()),
        })
    }

    fn call(call: &FuncCall) -> Result<Self, Failure> {
        let name = call.name.name.value().as_str();
        let argument = call.args.iter().next().ok_or_else(unknown_type)?;
        let inner = |argument| Self::parse(argument).map(Box::new);
        Ok(match (name, argument) {
            ("list", argument) => Self::List(inner(argument)?),
            ("set", argument) => Self::Set(inner(argument)?),
            ("map", argument) => Self::Map(inner(argument)?),
            ("tuple", Expression::Array(items)) => {
                Self::Tuple(items.iter().map(Self::parse).collect::<Result<_, _>>()?)
            }
            ("object", Expression::Object(object)) => {
                let mut fields = BTreeMap::new();
                for (key, value) in object {
                    let key = match key {
                        ObjectKey::Ident(name) => name.value().to_string(),
                        ObjectKey::Expression(Expression::String(text)) => text.value().clone(),
                        ObjectKey::Expression(_) => return Err(unknown_type()),
                    };
                    fields.insert(key, Field::parse(value.expr())?);
                }
                Self::Object(fields)
            }
            _ => return Err(unknown_type()),
        })
    }

    /// The value as one of this type. `default` evaluates the default of an optional field.
    pub(super) fn convert(
        &self,
        value: Value,
        default: &dyn Fn(&Expression) -> Result<Value, Failure>,
    ) -> Result<Value, Failure> {
        if value.reason().is_some() || value.is_null() {
            return Ok(value);
        }
        let (secret, at) = (value.secret, value.at);
        let converted = match self {
            Self::Any => value,
            Self::Text => match value.to_text() {
                Some(text) => Value::text(text),
                None => return Err(not(&value, "the value", "a string")),
            },
            Self::Number => match value.to_number() {
                Some(number) => Value::number(number),
                None => return Err(not(&value, "the value", "a number")),
            },
            Self::Bool => match value.to_bool() {
                Some(bool) => Value::bool(bool),
                None => return Err(not(&value, "the value", "a boolean")),
            },
            Self::List(kind) => Value::list(items(&value, "a list", kind, default)?)?,
            Self::Set(kind) => Value::set(items(&value, "a set", kind, default)?)?,
            Self::Tuple(kinds) => {
                let found = value
                    .items()
                    .filter(|items| items.len() == kinds.len())
                    .ok_or_else(|| not(&value, "the value", "a list of the wanted length"))?;
                let pairs = found.iter().zip(kinds);
                let items = pairs.map(|(item, kind)| kind.convert(item.clone(), default));
                Value::list(items.collect::<Result<_, _>>()?)?
            }
            Self::Map(kind) => {
                let Data::Object(object) = &value.data else {
                    return Err(not(&value, "the value", "a map"));
                };
                let fields = object.fields.iter().map(|(key, field)| {
                    Ok((Arc::clone(key), kind.convert(field.clone(), default)?))
                });
                let fields = fields.collect::<Result<_, Failure>>()?;
                Value::partial_object(fields, object.rest.clone())?
            }
            Self::Object(kinds) => {
                let Data::Object(object) = &value.data else {
                    return Err(not(&value, "the value", "an object"));
                };
                let mut fields = BTreeMap::new();
                for (name, kind) in kinds {
                    let found = object.fields.get(name.as_str()).cloned();
                    let field = match (found, &object.rest) {
                        (Some(field), _) => kind.convert(field, default)?,
                        (None, Some(reason)) => Value::unknown(Arc::clone(reason)),
                        (None, None) if kind.optional => kind.convert(Value::null(), default)?,
                        (None, None) => {
                            return Err(Failure::new(format!("the object has no `{name}`")));
                        }
                    };
                    fields.insert(Arc::from(name.as_str()), field);
                }
                Value::object(fields)?
            }
        };
        Ok(converted.secret_if(secret).at(at))
    }
}

impl Field {
    fn parse(expression: &Expression) -> Result<Self, Failure> {
        let required = |kind| Self {
            kind,
            optional: false,
            default: None,
        };
        let Expression::FuncCall(call) = expression else {
            return Type::parse(expression).map(required);
        };
        if call.name.name.value().as_str() != "optional" {
            return Type::parse(expression).map(required);
        }
        let mut arguments = call.args.iter();
        let kind = Type::parse(arguments.next().ok_or_else(unknown_type)?)?;
        Ok(Self {
            kind,
            optional: true,
            default: arguments.next().cloned(),
        })
    }

    fn convert(
        &self,
        value: Value,
        default: &dyn Fn(&Expression) -> Result<Value, Failure>,
    ) -> Result<Value, Failure> {
        match &self.default {
            Some(expression) if value.is_null() => self.kind.convert(default(expression)?, default),
            _ => self.kind.convert(value, default),
        }
    }
}

fn items(
    value: &Value,
    wanted: &str,
    kind: &Type,
    default: &dyn Fn(&Expression) -> Result<Value, Failure>,
) -> Result<Vec<Value>, Failure> {
    let Some(items) = value.items() else {
        return Err(not(value, "the value", wanted));
    };
    let items = items.iter().map(|item| kind.convert(item.clone(), default));
    items.collect()
}

fn unknown_type() -> Failure {
    Failure::new("this is no type")
        .with_help("write `string`, `list(string)`, `map(any)`, `object({ … })` or the like")
}
