//! Values of variables: from files, from the caller, from calls, from defaults.

use std::{collections::BTreeMap, rc::Rc};

use camino::Utf8Path;
use hcl_edit::expr::Expression;

use super::{
    engine::{Engine, Outcome, Scope},
    failure::Failure,
    instance::{Instance, literal_bool},
    load::{Loaded, VariableFile},
    text::FileId,
    types::Type,
    value::Value,
};

/// A value that a root module's variable is given.
pub(super) enum Given {
    /// In a file.
    File {
        file: FileId,
        expression: Expression,
    },
    /// As a text, as in `TF_VAR_name`: an expression for variables of structured types.
    Text(String),
}

/// What the variables of a root module are given, the strongest last: the environment,
/// `terraform.tfvars`, `*.auto.tfvars` by name, files that the caller names.
pub(super) fn given(
    loaded: &Loaded,
    folder: &Utf8Path,
    environment: &BTreeMap<String, String>,
    named: &[VariableFile],
) -> BTreeMap<String, Given> {
    let mut given: BTreeMap<String, Given> = environment
        .iter()
        .map(|(name, text)| (name.clone(), Given::Text(text.clone())))
        .collect();
    let mut automatic: Vec<&VariableFile> = loaded
        .variable_files
        .get(folder)
        .into_iter()
        .flatten()
        .collect();
    automatic.sort_by_key(|file| {
        let name = file.path.file_name().unwrap_or_default();
        let rank = match name {
            "terraform.tfvars" => 0,
            "terraform.tfvars.json" => 1,
            _ => 2,
        };
        (rank, name.to_owned())
    });
    for values in automatic.into_iter().chain(named) {
        for attribute in values.body.attributes() {
            let value = Given::File {
                file: values.file,
                expression: attribute.value.clone(),
            };
            given.insert(attribute.key.value().to_string(), value);
        }
    }
    given
}

impl<'a> Engine<'a> {
    /// `var.<name>`.
    pub(super) fn variable(&self, instance: &Rc<Instance<'a>>, name: &str) -> Outcome {
        let Some(part) = instance.module.variables.get(name) else {
            return undeclared_variable(instance, name);
        };
        if let Some(place) = &part.overridden {
            return Ok(Value::unknown(format!("overridden at {place}")));
        }
        let secret = literal_bool(part, "sensitive") || literal_bool(part, "ephemeral");
        let scope = Scope::of(instance, part.file);
        let kind = match part.body.get_attribute("type") {
            Some(attribute) => Type::parse(&attribute.value)
                .map_err(|failure| failure.at(scope.site_of(&attribute.value))),
            None => Ok(Type::Any),
        };
        let kind = match kind {
            Ok(kind) => kind,
            Err(failure) => return self.settle(Err(failure), part.file, part.offset),
        };
        let default = part.body.get_attribute("default");
        let nullable = part
            .body
            .get_attribute("nullable")
            .is_none_or(|attribute| attribute.value.as_bool() != Some(false));
        let value = match self.given(instance, name, &kind) {
            Some(value) => {
                let value = value?;
                match default {
                    Some(default) if value.is_null() && !nullable => {
                        self.evaluate(&default.value, scope)?
                    }
                    _ => value,
                }
            }
            None => {
                if let Some(default) = default {
                    self.evaluate(&default.value, scope)?
                } else {
                    self.report_missing_argument(instance, name);
                    let address = &instance.address;
                    Value::unknown(format!("`{address}var.{name}` is given no value"))
                }
            }
        };
        let site = value.at;
        let converted = kind
            .convert(value, &|expression| self.evaluate(expression, scope))
            .map_err(|failure| of_variable(&failure, name).at(site));
        Ok(self
            .settle(converted, part.file, part.offset)?
            .secret_if(secret))
    }

    /// The value from outside the module, if there is one.
    fn given(&self, instance: &Rc<Instance<'a>>, name: &str, kind: &Type) -> Option<Outcome> {
        if !instance.address.is_empty() {
            return self.argument(instance, name);
        }
        Some(match instance.root.given.get(name)? {
            Given::File { file, expression } => {
                let scope = Scope {
                    closed: true,
                    ..Scope::of(instance, *file)
                };
                let value = self.evaluate(expression, scope);
                self.settle(value, *file, 0)
            }
            Given::Text(text) => {
                let scope = Scope {
                    closed: true,
                    file: None,
                    ..Scope::of(instance, 0)
                };
                match (kind, text.parse::<Expression>()) {
                    (Type::Any | Type::Text | Type::Number | Type::Bool, _) | (_, Err(_)) => {
                        Ok(Value::text(text.as_str()))
                    }
                    (_, Ok(expression)) => self.evaluate(&expression, scope),
                }
            }
        })
    }
}

fn undeclared_variable(instance: &Instance<'_>, name: &str) -> Outcome {
    if instance.module.unread {
        return Ok(Value::unknown(format!(
            "`var.{name}` may be declared in a file that could not be read"
        )));
    }
    let names = instance.module.variables.keys().map(String::as_str);
    let failure = Failure::new(format!("`var.{name}` is not declared"));
    Err(match underpin_model::nearest(name, names) {
        Some(near) => failure.with_help(format!("did you mean `{near}`?")),
        None => failure.with_help(format!("declare `variable \"{name}\"` in this module")),
    })
}

fn of_variable(failure: &Failure, name: &str) -> Failure {
    let details = failure.details();
    let message = format!("variable `{name}`: {}", details.message);
    Failure::new(message).at(details.site)
}
