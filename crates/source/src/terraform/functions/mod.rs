//! Functions of Terraform's language that are evaluated. Any other gives an unknown value.
//!
//! | of | functions |
//! |---|---|
//! | numbers | `abs` `ceil` `floor` `max` `min` `parseint` `pow` `signum` `sum` |
//! | strings | `chomp` `endswith` `format` `formatlist` `indent` `join` `lower` `regex` `regexall` `replace` `split` `startswith` `strcontains` `strrev` `substr` `title` `trim` `trimprefix` `trimspace` `trimsuffix` `upper` |
//! | collections | `alltrue` `anytrue` `chunklist` `coalesce` `coalescelist` `compact` `concat` `contains` `distinct` `element` `flatten` `index` `keys` `length` `lookup` `matchkeys` `merge` `one` `range` `reverse` `setintersection` `setproduct` `setsubtract` `setunion` `slice` `sort` `transpose` `values` `zipmap` |
//! | encodings | `base64decode` `base64encode` `jsondecode` `jsonencode` `urlencode` `yamldecode` `yamlencode` `provider::kubernetes::manifest_decode` `…manifest_decode_multi` `…manifest_encode` |
//! | files, within the folder that is read | `basename` `dirname` `file` `filebase64` `fileexists` `fileset` `templatefile` `templatestring` |
//! | addresses | `cidrhost` `cidrnetmask` `cidrsubnet` `cidrsubnets` |
//! | types | `can` `issensitive` `nonsensitive` `sensitive` `tobool` `tolist` `tomap` `tonumber` `toset` `tostring` `try` |
//!
//! What differs from Terraform: characters are Unicode scalar values, not grapheme clusters; numbers
//! have 53 bits where they are fractions; patterns are those of the `regex` crate, which lacks
//! nothing that RE2 has but some names of classes.

mod collections;
mod encodings;
mod files;
mod format;
mod networks;
mod numbers;
mod strings;
mod types;
mod yaml;

use std::sync::Arc;

use hcl_edit::{Span as _, expr::FuncCall};

use super::{
    engine::{Engine, Outcome, Scope},
    expression::not,
    failure::Failure,
    number::Number,
    value::{Data, Fields, Value},
};

/// What a function must know of its arguments.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// All of them: an unknown part makes the result unknown.
    Everything,
    /// The arguments themselves, not all that is in them.
    Outline,
    /// It decides by itself.
    Nothing,
}

/// A function by its name.
struct Function {
    name: &'static str,
    least: usize,
    /// `None` for any number.
    most: Option<usize>,
    needs: Needs,
    run: Run,
}

type Run = fn(&Call<'_, '_, '_>) -> Outcome;

const fn function(
    name: &'static str,
    least: usize,
    most: Option<usize>,
    needs: Needs,
    run: Run,
) -> Function {
    Function {
        name,
        least,
        most,
        needs,
        run,
    }
}

/// One call of a function.
struct Call<'c, 's, 'a> {
    engine: &'c Engine<'a>,
    scope: Scope<'s, 'a>,
    arguments: Vec<Value>,
}

/// The documents of a YAML text as `kubectl` reads them.
pub(super) fn manifests(text: &str) -> Result<Vec<Value>, Failure> {
    yaml::decode(text, yaml::Reader::Kubectl)
}

fn find(name: &str) -> Option<&'static Function> {
    let tables = [
        collections::FUNCTIONS,
        encodings::FUNCTIONS,
        files::FUNCTIONS,
        networks::FUNCTIONS,
        numbers::FUNCTIONS,
        strings::FUNCTIONS,
        types::FUNCTIONS,
    ];
    let mut all = tables.into_iter().flatten();
    all.find(|function| function.name == name)
}

impl<'a> Engine<'a> {
    pub(super) fn call(&self, call: &FuncCall, scope: Scope<'_, 'a>) -> Outcome {
        let name = full_name(call);
        match name.as_str() {
            "try" => return self.try_each(call, scope),
            "can" => return self.can(call, scope),
            _ => {}
        }
        let mut arguments = Vec::new();
        for argument in &call.args {
            arguments.push(self.evaluate(argument, scope)?);
        }
        if call.args.expand_final()
            && let Some(last) = arguments.pop()
        {
            if let Some(reason) = last.reason() {
                return Ok(Value::unknown(reason));
            }
            let Some(items) = last.items() else {
                return Err(not(&last, "what stands before `...`", "a list"));
            };
            let secret = last.secret;
            let items = items.iter().map(|item| item.clone().secret_if(secret));
            arguments.extend(items);
        }
        let Some(function) = find(&name) else {
            return Ok(Value::unknown(format!(
                "function `{name}` is not evaluated"
            )));
        };
        self.run(function, arguments, scope)
            .map_err(|failure| named(&failure, &name).at(scope.site(call.span())))
    }

    fn run(&self, function: &Function, arguments: Vec<Value>, scope: Scope<'_, 'a>) -> Outcome {
        let given = arguments.len();
        if given < function.least || function.most.is_some_and(|most| given > most) {
            return Err(Failure::new(format!(
                "it is given {given} arguments, and takes {}",
                takes(function)
            )));
        }
        for argument in &arguments {
            self.spend_bytes(argument.cost())?;
            let reason = match function.needs {
                Needs::Everything => argument.why_unknown(),
                Needs::Outline => argument
                    .reason()
                    .or_else(|| argument.fields()?.rest.clone()),
                Needs::Nothing => None,
            };
            if let Some(reason) = reason {
                return Ok(Value::unknown(reason));
            }
        }
        let by_itself = matches!(function.name, "nonsensitive" | "issensitive");
        let secret = arguments.iter().any(|argument| argument.secret);
        let within = arguments.iter().any(Value::holds_secret);
        let call = Call {
            engine: self,
            scope,
            arguments,
        };
        let value = (function.run)(&call)?;
        self.spend_bytes(value.cost())?;
        let keeps_marks = value.items().is_some() || value.fields().is_some();
        Ok(value.secret_if(!by_itself && (secret || (within && !keeps_marks))))
    }

    /// The first argument that can be evaluated.
    fn try_each(&self, call: &FuncCall, scope: Scope<'_, 'a>) -> Outcome {
        for argument in &call.args {
            match self.evaluate(argument, scope) {
                Err(failure) if !failure.details().fatal => {}
                other => return other,
            }
        }
        Err(Failure::new(
            "none of the expressions of `try` can be evaluated",
        ))
    }

    fn can(&self, call: &FuncCall, scope: Scope<'_, 'a>) -> Outcome {
        let Some(argument) = call.args.iter().next() else {
            return Err(Failure::new("`can` takes an expression"));
        };
        match self.evaluate(argument, scope) {
            Err(failure) if failure.details().fatal => Err(failure),
            Err(_) => Ok(Value::bool(false)),
            Ok(value) => Ok(match value.why_unknown() {
                Some(reason) => Value::unknown(reason),
                None => Value::bool(true),
            }),
        }
    }
}

fn full_name(call: &FuncCall) -> String {
    let parts = call.name.namespace.iter().chain([&call.name.name]);
    let parts: Vec<&str> = parts.map(|part| part.value().as_str()).collect();
    let name = parts.join("::");
    name.strip_prefix("core::")
        .map(str::to_owned)
        .unwrap_or(name)
}

fn takes(function: &Function) -> String {
    match (function.least, function.most) {
        (least, None) => format!("{least} or more"),
        (least, Some(most)) if least == most => least.to_string(),
        (least, Some(most)) => format!("{least} to {most}"),
    }
}

/// The failure with the function's name before it.
fn named(failure: &Failure, name: &str) -> Failure {
    let details = failure.details();
    if details.site.is_some() || details.fatal {
        let again = if details.fatal {
            Failure::fatal(details.message.clone())
        } else {
            Failure::new(details.message.clone())
        };
        return with_help_of(again, failure).at(details.site);
    }
    with_help_of(
        Failure::new(format!("`{name}`: {}", details.message)),
        failure,
    )
}

fn with_help_of(failure: Failure, other: &Failure) -> Failure {
    match &other.details().help {
        Some(help) => failure.with_help(help.clone()),
        None => failure,
    }
}

impl Call<'_, '_, '_> {
    fn count(&self) -> usize {
        self.arguments.len()
    }

    fn argument(&self, index: usize) -> Result<&Value, Failure> {
        self.arguments
            .get(index)
            .ok_or_else(|| Failure::new("an argument is missing"))
    }

    fn text(&self, index: usize) -> Result<Arc<str>, Failure> {
        let value = self.argument(index)?;
        value.to_text().ok_or_else(|| self.wrong(index, "a string"))
    }

    fn number(&self, index: usize) -> Result<Number, Failure> {
        let value = self.argument(index)?;
        value
            .to_number()
            .ok_or_else(|| self.wrong(index, "a number"))
    }

    fn whole(&self, index: usize) -> Result<i64, Failure> {
        let number = self.number(index)?.as_whole();
        number.ok_or_else(|| self.wrong(index, "a whole number"))
    }

    fn index(&self, index: usize) -> Result<usize, Failure> {
        let number = self.number(index)?.as_index();
        number.ok_or_else(|| self.wrong(index, "a whole number from 0"))
    }

    fn items(&self, index: usize) -> Result<&[Value], Failure> {
        let items = self.argument(index)?.items();
        items.ok_or_else(|| self.wrong(index, "a list or set"))
    }

    fn fields(&self, index: usize) -> Result<&Fields, Failure> {
        let fields = self.argument(index)?.fields();
        fields.ok_or_else(|| self.wrong(index, "a map or object"))
    }

    fn is_set(&self, index: usize) -> bool {
        matches!(
            self.arguments.get(index).map(|value| &value.data),
            Some(Data::Set(_))
        )
    }

    fn wrong(&self, index: usize, wanted: &str) -> Failure {
        let found = self.arguments.get(index).map_or("missing", Value::describe);
        Failure::new(format!("argument {} is {found}, not {wanted}", index + 1))
    }
}

/// The texts of a list.
fn texts(items: &[Value]) -> Result<Vec<Arc<str>>, Failure> {
    let texts = items.iter().map(|item| {
        item.to_text()
            .ok_or_else(|| not(item, "an item", "a string"))
    });
    texts.collect()
}
