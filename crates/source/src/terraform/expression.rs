//! Expressions to values.

use std::{collections::BTreeMap, sync::Arc};

use hcl_edit::{
    Span as _,
    expr::{
        Array, BinaryOp, BinaryOperator, Conditional, Expression, ForExpr, Object, ObjectKey,
        UnaryOp, UnaryOperator,
    },
};

use super::{
    engine::{Engine, Name, Outcome, Scope},
    failure::Failure,
    number::Number,
    text::Site,
    value::{Data, Value},
};

impl<'a> Engine<'a> {
    /// The value of an expression: unknown where it depends on what is, a failure where Terraform
    /// would refuse it.
    pub(super) fn evaluate(&self, expression: &Expression, scope: Scope<'_, 'a>) -> Outcome {
        self.step()?;
        let site = scope.site_of(expression);
        self.deeper(|| self.expression(expression, scope))
            .map(|value| {
                if value.at.is_none() {
                    value.at(site)
                } else {
                    value
                }
            })
            .map_err(|failure| failure.at(site))
    }

    fn expression(&self, expression: &Expression, scope: Scope<'_, 'a>) -> Outcome {
        match expression {
            Expression::Null(_) => Ok(Value::null()),
            Expression::Bool(value) => Ok(Value::bool(*value.value())),
            Expression::Number(value) => number(value.value()),
            Expression::String(value) => Ok(Value::text(value.value().as_str())),
            Expression::Array(array) => self.array(array, scope, false),
            Expression::Object(object) => self.object(object, scope, false),
            Expression::StringTemplate(template) => self.template(template, true, scope),
            Expression::HeredocTemplate(heredoc) => self.heredoc(heredoc, scope),
            Expression::Parenthesis(inner) => self.evaluate(inner.inner(), scope),
            Expression::Variable(name) => self.reference(name.value().as_str(), &[], scope),
            Expression::Conditional(conditional) => self.conditional(conditional, scope),
            Expression::FuncCall(call) => self.call(call, scope),
            Expression::Traversal(traversal) => self.traversal(traversal, scope),
            Expression::UnaryOp(operation) => self.unary(operation, scope),
            Expression::BinaryOp(operation) => self.binary(operation, scope),
            Expression::ForExpr(for_expression) => self.for_expression(for_expression, scope),
        }
    }

    /// The value of an expression of which as much as possible is kept: what fails within is reported
    /// and unknown, the rest is there.
    pub(super) fn evaluate_leniently(
        &self,
        expression: &Expression,
        scope: Scope<'_, 'a>,
    ) -> Outcome {
        let site = scope.site_of(expression);
        let outcome = self.step().and_then(|()| match expression {
            Expression::Object(object) => self.deeper(|| self.object(object, scope, true)),
            Expression::Array(array) => self.deeper(|| self.array(array, scope, true)),
            _ => self.evaluate(expression, scope),
        });
        match outcome {
            Ok(value) if value.at.is_none() => Ok(value.at(site)),
            Err(failure) if !failure.details().fatal => {
                let file = scope.file.unwrap_or_default();
                let fallback = self.place(file, 0);
                Ok(Value::unknown(self.fail(&failure, site, &fallback)).at(site))
            }
            other => other.map_err(|failure| failure.at(site)),
        }
    }

    fn within_collection(
        &self,
        expression: &Expression,
        scope: Scope<'_, 'a>,
        leniently: bool,
    ) -> Outcome {
        if leniently {
            self.evaluate_leniently(expression, scope)
        } else {
            self.evaluate(expression, scope)
        }
    }

    fn array(&self, array: &Array, scope: Scope<'_, 'a>, leniently: bool) -> Outcome {
        let items = array.iter().map(|item| {
            let value = self.within_collection(item, scope, leniently)?;
            Ok(placed(item, value, scope, scope.site_of(item)))
        });
        Value::list(items.collect::<Result<_, Failure>>()?)
    }

    fn object(&self, object: &Object, scope: Scope<'_, 'a>, leniently: bool) -> Outcome {
        let mut fields = BTreeMap::new();
        let mut secret = false;
        for (key, value) in object {
            let site = scope.site(key.span());
            let key = match key {
                ObjectKey::Ident(name) => Value::text(name.value().as_str()),
                // A name in a key is the key, unless it is in parentheses.
                ObjectKey::Expression(Expression::Variable(name)) => {
                    Value::text(name.value().as_str())
                }
                ObjectKey::Expression(expression) => self.evaluate(expression, scope)?,
            };
            let expression = value.expr();
            let value = self.within_collection(expression, scope, leniently)?;
            let value = placed(expression, value, scope, site);
            if let Some(reason) = key.reason() {
                return Ok(Value::unknown(reason));
            }
            let Some(text) = key.to_text() else {
                let message = format!("the key of an object is {}, not a string", key.describe());
                return Err(Failure::new(message).at(site));
            };
            secret |= key.secret;
            fields.insert(text, value);
        }
        Ok(Value::object(fields)?.secret_if(secret))
    }

    fn conditional(&self, conditional: &Conditional, scope: Scope<'_, 'a>) -> Outcome {
        let condition = self.evaluate(&conditional.cond_expr, scope)?;
        if let Some(reason) = condition.reason() {
            return Ok(Value::unknown(reason));
        }
        let Some(choice) = condition.to_bool() else {
            return Err(not(&condition, "the condition", "a boolean")
                .at(scope.site_of(&conditional.cond_expr)));
        };
        let chosen = if choice {
            &conditional.true_expr
        } else {
            &conditional.false_expr
        };
        Ok(self.evaluate(chosen, scope)?.secret_if(condition.secret))
    }

    fn unary(&self, operation: &UnaryOp, scope: Scope<'_, 'a>) -> Outcome {
        let value = self.evaluate(&operation.expr, scope)?;
        if let Some(reason) = value.reason() {
            return Ok(Value::unknown(reason));
        }
        let result = match operation.operator.value() {
            UnaryOperator::Not => Value::bool(!to_bool(&value)?),
            UnaryOperator::Neg => {
                Value::number(computed(Number::Whole(0).subtract(to_number(&value)?))?)
            }
        };
        Ok(result.secret_if(value.secret))
    }

    fn binary(&self, operation: &BinaryOp, scope: Scope<'_, 'a>) -> Outcome {
        use BinaryOperator as Op;
        let left = self.evaluate(&operation.lhs_expr, scope)?;
        let right = self.evaluate(&operation.rhs_expr, scope)?;
        let operator = *operation.operator.value();
        let secret = left.holds_secret() || right.holds_secret();
        let reason = || {
            let reason = left.why_unknown().or_else(|| right.why_unknown());
            Value::unknown(reason.unwrap_or_default())
        };
        let answer = match operator {
            Op::Eq | Op::NotEq => {
                self.spend_bytes(left.cost().min(right.cost()))?;
                left.equals(&right)
                    .map(|equal| Value::bool(equal == (operator == Op::Eq)))
            }
            Op::And | Op::Or => logical(operator == Op::Or, &left, &right)?.map(Value::bool),
            _ if left.reason().is_some() || right.reason().is_some() => None,
            _ => Some(arithmetic(operator, to_number(&left)?, to_number(&right)?)?),
        };
        Ok(answer.unwrap_or_else(reason).secret_if(secret))
    }

    fn for_expression(&self, expression: &ForExpr, scope: Scope<'_, 'a>) -> Outcome {
        let intro = &expression.intro;
        let collection = self.evaluate(&intro.collection_expr, scope)?;
        let site = scope.site_of(&intro.collection_expr);
        let pairs = match pairs(&collection).map_err(|failure| failure.at(site))? {
            Ok(pairs) => pairs,
            Err(reason) => return Ok(Value::unknown(reason)),
        };
        let key_name = intro.key_var.as_ref().map(|name| name.value().as_str());
        let value_name = intro.value_var.value().as_str();
        let mut built = Built::default();
        for (key, value) in pairs {
            let names = (key_name, value_name);
            let unknown = with_pair(names, key, value, scope, |scope| {
                self.for_item(expression, scope, &mut built)
            })?;
            if let Some(reason) = unknown {
                return Ok(Value::unknown(reason));
            }
        }
        built
            .into_value(expression)
            .map(|value| value.secret_if(collection.secret))
    }

    /// Adds what one item of a `for` gives; returns why that is unknown, if it is.
    fn for_item(
        &self,
        expression: &ForExpr,
        scope: Scope<'_, 'a>,
        built: &mut Built,
    ) -> Result<Option<Arc<str>>, Failure> {
        if let Some(condition) = &expression.cond {
            let value = self.evaluate(&condition.expr, scope)?;
            if let Some(reason) = value.reason() {
                return Ok(Some(reason));
            }
            if !to_bool(&value).map_err(|failure| failure.at(scope.site_of(&condition.expr)))? {
                return Ok(None);
            }
        }
        let Some(key) = &expression.key_expr else {
            let value = self.evaluate(&expression.value_expr, scope)?;
            built.items.push(value);
            return Ok(None);
        };
        let site = scope.site_of(key);
        let key = self.evaluate(key, scope)?;
        if let Some(reason) = key.reason() {
            return Ok(Some(reason));
        }
        let Some(text) = key.to_text() else {
            return Err(not(&key, "the key", "a string").at(site));
        };
        built.secret |= key.secret;
        let value = self.evaluate(&expression.value_expr, scope)?;
        if expression.grouping {
            built.groups.entry(text).or_default().push(value);
        } else if built.fields.insert(text, value).is_some() {
            let failure = Failure::new("two items of a `for` give the same key");
            return Err(failure
                .with_help("add `...` after the value to group them")
                .at(site));
        }
        Ok(None)
    }
}

/// What is looped over, or why it is unknown.
type Pairs = Result<Vec<(Value, Value)>, Arc<str>>;

/// Keys and values to loop over; `Err` within says why they are unknown.
pub(super) fn pairs(collection: &Value) -> Result<Pairs, Failure> {
    let pairs: Vec<_> = match &collection.data {
        Data::Unknown(reason) => return Ok(Err(Arc::clone(reason))),
        Data::List(list) => list
            .items
            .iter()
            .enumerate()
            .map(|(index, item)| (Value::count(index), item.clone()))
            .collect(),
        Data::Set(set) => set
            .items
            .iter()
            .map(|item| (item.clone(), item.clone()))
            .collect(),
        Data::Object(object) => {
            if let Some(reason) = &object.rest {
                return Ok(Err(Arc::clone(reason)));
            }
            let pairs = object.fields.iter();
            pairs
                .map(|(key, value)| (Value::text(Arc::clone(key)).at(value.at), value.clone()))
                .collect()
        }
        _ => {
            return Err(not(
                collection,
                "what is looped over",
                "a list, set, map or object",
            ));
        }
    };
    let secret = collection.secret;
    let marked = pairs
        .into_iter()
        .map(|(key, value)| (key.secret_if(secret), value.secret_if(secret)));
    Ok(Ok(marked.collect()))
}

/// Runs with the names of a loop.
pub(super) fn with_pair<'a, T>(
    (key_name, value_name): (Option<&str>, &str),
    key: Value,
    value: Value,
    scope: Scope<'_, 'a>,
    run: impl FnOnce(Scope<'_, 'a>) -> T,
) -> T {
    let value = Name {
        word: value_name,
        value,
        up: scope.names,
    };
    let Some(name) = key_name else {
        return run(scope.with(&value));
    };
    let key = Name {
        word: name,
        value: key,
        up: Some(&value),
    };
    run(scope.with(&key))
}

/// Where a field or item counts as written: where it stands, or, where that is the same for all
/// items of a loop, where the loop's own item stands.
pub(super) fn placed(
    expression: &Expression,
    value: Value,
    scope: Scope<'_, '_>,
    site: Option<Site>,
) -> Value {
    let root = match expression {
        Expression::Variable(name) => Some(name.value().as_str()),
        Expression::Traversal(traversal) => match &traversal.expr {
            Expression::Variable(name) => Some(name.value().as_str()),
            _ => None,
        },
        _ => None,
    };
    let of_loop = root.is_some_and(|root| scope.name(root).is_some());
    let same_file = value.at.map(|at| at.file) == site.map(|site| site.file);
    if of_loop && same_file && value.items().is_none() && value.fields().is_none() {
        return value;
    }
    value.at(site)
}

/// What a `for` has given so far.
#[derive(Default)]
struct Built {
    items: Vec<Value>,
    fields: BTreeMap<Arc<str>, Value>,
    groups: BTreeMap<Arc<str>, Vec<Value>>,
    secret: bool,
}

impl Built {
    fn into_value(self, expression: &ForExpr) -> Outcome {
        let value = if expression.key_expr.is_none() {
            Value::list(self.items)?
        } else if expression.grouping {
            let groups = self.groups.into_iter();
            let fields: Result<_, Failure> = groups
                .map(|(key, values)| Ok((key, Value::list(values)?)))
                .collect();
            Value::object(fields?)?
        } else {
            Value::object(self.fields)?
        };
        Ok(value.secret_if(self.secret))
    }
}

fn number(number: &hcl_edit::Number) -> Outcome {
    let value = match number.as_i64() {
        Some(whole) => Some(Number::Whole(whole)),
        None => number.as_f64().and_then(Number::from_f64),
    };
    Ok(Value::number(computed(value)?))
}

/// `and` or `or` with what may be unknown: one side can decide alone.
fn logical(or: bool, left: &Value, right: &Value) -> Result<Option<bool>, Failure> {
    let known = |value: &Value| {
        if value.reason().is_some() {
            Ok(None)
        } else {
            to_bool(value).map(Some)
        }
    };
    let (left, right) = (known(left)?, known(right)?);
    Ok(match (left, right) {
        (Some(one), _) | (_, Some(one)) if one == or => Some(or),
        (Some(_), Some(_)) => Some(!or),
        _ => None,
    })
}

fn arithmetic(operator: BinaryOperator, left: Number, right: Number) -> Outcome {
    use BinaryOperator as Op;
    let order = left.compare(right);
    let result = match operator {
        Op::Plus => left.add(right),
        Op::Minus => left.subtract(right),
        Op::Mul => left.multiply(right),
        Op::Div => left.divide(right),
        Op::Mod => left.remainder(right),
        Op::Less => return Ok(Value::bool(order.is_lt())),
        Op::LessEq => return Ok(Value::bool(order.is_le())),
        Op::Greater => return Ok(Value::bool(order.is_gt())),
        Op::GreaterEq => return Ok(Value::bool(order.is_ge())),
        Op::Eq | Op::NotEq | Op::And | Op::Or => None,
    };
    Ok(Value::number(computed(result)?))
}

fn computed(number: Option<Number>) -> Result<Number, Failure> {
    number.ok_or_else(|| Failure::new("the result is no finite number"))
}

fn to_bool(value: &Value) -> Result<bool, Failure> {
    value
        .to_bool()
        .ok_or_else(|| not(value, "the operand", "a boolean"))
}

fn to_number(value: &Value) -> Result<Number, Failure> {
    value
        .to_number()
        .ok_or_else(|| not(value, "the operand", "a number"))
}

/// A value of the wrong type; tells of its type alone.
pub(super) fn not(value: &Value, what: &str, wanted: &str) -> Failure {
    Failure::new(format!("{what} is {}, not {wanted}", value.describe()))
}
