//! References and the way from a value to a part of it.

use std::sync::Arc;

use hcl_edit::{
    Decorated, Span as _,
    expr::{Expression, Traversal, TraversalOperator},
};

use super::{
    engine::{Engine, Outcome, Scope},
    expression::not,
    failure::Failure,
    instance::NodeKey,
    value::{Data, Value},
};

type Operator = Decorated<TraversalOperator>;

impl<'a> Engine<'a> {
    pub(super) fn traversal(&self, traversal: &Traversal, scope: Scope<'_, 'a>) -> Outcome {
        if let Expression::Variable(name) = &traversal.expr {
            return self.reference(name.value().as_str(), &traversal.operators, scope);
        }
        let value = self.evaluate(&traversal.expr, scope)?;
        self.walk(value, &traversal.operators, scope)
    }

    /// What a name means, followed by operators.
    pub(super) fn reference(
        &self,
        name: &str,
        operators: &[Operator],
        scope: Scope<'_, 'a>,
    ) -> Outcome {
        if let Some(value) = scope.name(name) {
            return self.walk(value.clone(), operators, scope);
        }
        if scope.closed {
            let message = format!("`{name}` means nothing here");
            let help = "templates see the variables that they are given, values of variables none";
            return Err(Failure::new(message).with_help(help));
        }
        let (key, used) = match (name, attribute(operators, 0), attribute(operators, 1)) {
            ("var", Some(name), _) => (NodeKey::Variable(name.to_owned()), 1),
            ("local", Some(name), _) => (NodeKey::Local(name.to_owned()), 1),
            ("module", Some(call), _) => return self.module(call, operators, scope),
            ("path", Some(name), _) => {
                let value = path(name, scope)?;
                return self.walk(value, operators.get(1..).unwrap_or_default(), scope);
            }
            ("terraform", Some("workspace"), _) => {
                let value = match self.workspace {
                    Some(workspace) => Value::text(workspace),
                    None => Value::unknown("the workspace is chosen when Terraform runs"),
                };
                return self.walk(value, operators.get(1..).unwrap_or_default(), scope);
            }
            ("terraform", _, _) => return Ok(Value::unknown("a fact of the run of Terraform")),
            ("each" | "count" | "self", _, _) => return Err(out_of_place(name)),
            ("data", Some(kind), Some(name)) if operators.len() >= 2 => {
                (NodeKey::Data(kind.to_owned(), name.to_owned()), 2)
            }
            (kind, Some(name), _) if !RESERVED.contains(&kind) => {
                (NodeKey::Resource(kind.to_owned(), name.to_owned()), 1)
            }
            _ => {
                let message = format!("`{name}` is no value by itself");
                return Err(Failure::new(message).with_help("put texts in quotes"));
            }
        };
        let value = self.node(scope.instance, key)?;
        self.walk(value, operators.get(used..).unwrap_or_default(), scope)
    }

    /// `module.<call>` and what follows; a single output is evaluated alone.
    fn module(&self, call: &str, operators: &[Operator], scope: Scope<'_, 'a>) -> Outcome {
        if let (Some(output), Some(child)) = (
            attribute(operators, 1),
            self.single_child(scope.instance, call)?,
        ) {
            let value = self.node(&child, NodeKey::Output(output.to_owned()))?;
            return self.walk(value, operators.get(2..).unwrap_or_default(), scope);
        }
        let value = self.node(scope.instance, NodeKey::Call(call.to_owned()))?;
        self.walk(value, operators.get(1..).unwrap_or_default(), scope)
    }

    /// Follows operators from a value.
    pub(super) fn walk(
        &self,
        value: Value,
        operators: &[Operator],
        scope: Scope<'_, 'a>,
    ) -> Outcome {
        let mut value = value;
        for (index, operator) in operators.iter().enumerate() {
            if value.reason().is_some() {
                return Ok(value);
            }
            let site = scope.site(operator.span());
            let rest = operators.get(index + 1..).unwrap_or_default();
            let next = match operator.value() {
                TraversalOperator::GetAttr(name) => get_attribute(&value, name.value().as_str()),
                TraversalOperator::LegacyIndex(number) => {
                    let index = i64::try_from(*number.value()).unwrap_or(i64::MAX);
                    index_into(&value, &Value::whole(index))
                }
                TraversalOperator::Index(expression) => {
                    let index = self.evaluate(expression, scope)?;
                    index_into(&value, &index)
                }
                TraversalOperator::FullSplat(_) => return self.splat(&value, rest, scope),
                TraversalOperator::AttrSplat(_) => {
                    let attributes = rest
                        .iter()
                        .take_while(|next| matches!(next.value(), TraversalOperator::GetAttr(_)))
                        .count();
                    let (each, after) = rest.split_at(attributes);
                    let all = self.splat(&value, each, scope)?;
                    return self.walk(all, after, scope);
                }
            };
            value = next.map_err(|failure| failure.at(site))?;
        }
        Ok(value)
    }

    fn splat(&self, value: &Value, rest: &[Operator], scope: Scope<'_, 'a>) -> Outcome {
        let single = [value.clone()];
        let items = match &value.data {
            Data::Null => &[],
            Data::List(items) | Data::Set(items) => items.items.as_slice(),
            _ => single.as_slice(),
        };
        let items = items.iter().map(|item| {
            self.step()?;
            self.walk(item.clone(), rest, scope)
        });
        Ok(Value::list(items.collect::<Result<_, Failure>>()?)?.secret_if(value.secret))
    }
}

fn path(name: &str, scope: Scope<'_, '_>) -> Outcome {
    match name {
        "module" => Ok(Value::text(scope.instance.path_of_module())),
        "root" => Ok(Value::text(".")),
        "cwd" => Ok(Value::unknown("the folder in which Terraform will run")),
        _ => Err(Failure::new(format!("there is no `path.{name}`"))
            .with_help("`path` has `module`, `root` and `cwd`")),
    }
}

/// First words of references that are no types of resources.
const RESERVED: &[&str] = &[
    "var",
    "local",
    "module",
    "path",
    "data",
    "terraform",
    "each",
    "count",
    "self",
    "ephemeral",
];

fn out_of_place(name: &str) -> Failure {
    let (message, help) = match name {
        "each" => (
            "`each` stands where there is no `for_each`",
            "add `for_each` to the block",
        ),
        "count" => (
            "`count` stands where there is no `count`",
            "add `count` to the block",
        ),
        _ => ("`self` stands where it means nothing", "name the resource"),
    };
    Failure::new(message).with_help(help)
}

fn attribute(operators: &[Operator], index: usize) -> Option<&str> {
    match operators.get(index)?.value() {
        TraversalOperator::GetAttr(name) => Some(name.value().as_str()),
        TraversalOperator::Index(Expression::String(name)) => Some(name.value()),
        _ => None,
    }
}

/// The field of an object.
pub(super) fn get_attribute(value: &Value, name: &str) -> Outcome {
    match &value.data {
        Data::Unknown(_) => Ok(value.clone()),
        Data::Object(object) => match (object.fields.get(name), &object.rest) {
            (Some(field), _) => Ok(field.clone().secret_if(value.secret)),
            (None, Some(reason)) => Ok(Value::unknown(format!("`{name}`: {reason}"))),
            (None, None) => Err(missing(name, value)),
        },
        Data::List(_) | Data::Set(_) => Err(not(value, "the value", "an object")
            .with_help("choose one item with `[0]`, or all with `[*]`")),
        _ => Err(not(value, "the value", "an object")),
    }
}

/// The item or field that an index names.
pub(super) fn index_into(value: &Value, index: &Value) -> Outcome {
    if let Some(reason) = value.reason().or_else(|| index.reason()) {
        return Ok(Value::unknown(reason));
    }
    let secret = value.secret || index.secret;
    match &value.data {
        Data::Object(_) => {
            let Some(key) = index.to_text() else {
                return Err(not(index, "the index", "a string"));
            };
            if index.secret {
                let field = value.fields().and_then(|object| object.fields.get(&key));
                return match field {
                    Some(field) => Ok(field.clone().secret_if(true)),
                    None => Err(Failure::new("the map has no such key")),
                };
            }
            get_attribute(value, &key).map(|field| field.secret_if(secret))
        }
        Data::List(list) => {
            let Some(number) = index.to_number() else {
                return Err(not(index, "the index", "a number"));
            };
            let item = number.as_index().and_then(|index| list.items.get(index));
            let Some(item) = item else {
                let message = format!(
                    "the list has {} items, none at this index",
                    list.items.len()
                );
                return Err(Failure::new(message).with_help("indexes begin at 0"));
            };
            Ok(item.clone().secret_if(secret))
        }
        Data::Set(_) => Err(Failure::new("a set has no indexes")
            .with_help("make it a list with `tolist`, or take one with `one`")),
        _ => Err(not(value, "what is indexed", "a list or map")),
    }
}

fn missing(name: &str, value: &Value) -> Failure {
    let failure = Failure::new(format!("the object has no `{name}`"));
    if value.secret {
        return failure;
    }
    let keys: Vec<Arc<str>> = value
        .fields()
        .map(|object| object.fields.keys().cloned().collect())
        .unwrap_or_default();
    match underpin_model::nearest(name, keys.iter().map(|key| &**key)) {
        Some(near) => failure.with_help(format!("did you mean `{near}`?")),
        None => failure,
    }
}
