//! One container: its environment, its command and arguments, the commands of its probes.

use std::{borrow::Cow, collections::HashMap};

use underpin_model::{FieldPath, Object};

use super::{
    expansion::expand,
    key::{self, Hint},
    script,
    sighting::{Sighting, Trust},
    value::{port_beside, sightings},
    workload::Reader,
};
use crate::{configuration::Configuration, field::Field, host::only_mention};

/// A variable of a container's environment.
struct Variable<'w> {
    name: Cow<'w, str>,
    /// Absent where it is not known.
    value: Option<Cow<'w, str>>,
    is_secret: bool,
    object: &'w Object,
    path: FieldPath,
}

/// A container's environment, in the order in which it is defined; later ones win.
#[derive(Default)]
struct Environment<'w> {
    variables: Vec<Variable<'w>>,
    by_name: HashMap<String, usize>,
}

impl<'w> Environment<'w> {
    fn set(&mut self, variable: Variable<'w>) {
        let name = variable.name.clone().into_owned();
        if let Some(at) = self.by_name.get(&name) {
            self.variables[*at] = variable;
        } else {
            self.by_name.insert(name, self.variables.len());
            self.variables.push(variable);
        }
    }

    fn get(&self, name: &str) -> Option<&Variable<'w>> {
        self.variables.get(*self.by_name.get(name)?)
    }

    /// A text with its references replaced, and whether a value of a Secret is in it.
    fn expand<'t>(
        &self,
        text: &'t str,
        reader: &Reader<'w>,
        namespace: &str,
    ) -> (Cow<'t, str>, bool) {
        if !text.contains('$') {
            return (Cow::Borrowed(text), false);
        }
        let is_secret = std::cell::Cell::new(false);
        let expanded = expand(text, &|name| match self.get(name) {
            Some(variable) => {
                is_secret.set(is_secret.get() || variable.is_secret);
                variable
                    .value
                    .as_ref()
                    .map(|value| value.clone().into_owned())
            }
            None => reader.directory.of_variable(namespace, name),
        });
        (Cow::Owned(expanded), is_secret.get())
    }
}

/// What a container of `object` says to connect to.
pub(super) fn read<'w>(reader: &mut Reader<'w>, object: &'w Object, container: &Field<'w>) {
    let environment = environment(reader, object, container);
    variables(reader, &environment);
    let mut lists = vec![container.get("command"), container.get("args")];
    let words: Vec<Field<'w>> = lists
        .drain(..)
        .flatten()
        .flat_map(|list| list.items().collect::<Vec<_>>())
        .collect();
    command(reader, object, &environment, &words);
    for probe in [
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
        "lifecycle.postStart",
        "lifecycle.preStop",
    ] {
        let words: Vec<Field<'w>> = container.each(&format!("{probe}.exec.command")).collect();
        command(reader, object, &environment, &words);
    }
}

fn environment<'w>(
    reader: &mut Reader<'w>,
    object: &'w Object,
    container: &Field<'w>,
) -> Environment<'w> {
    let mut environment = Environment::default();
    for source in container.each("envFrom") {
        let prefix = source.text_at("prefix").unwrap_or_default();
        for (field, kind) in [("configMapRef", "ConfigMap"), ("secretRef", "Secret")] {
            let Some(configuration) = source
                .get(field)
                .and_then(|source| reader.configuration(kind, &source, "name"))
            else {
                continue;
            };
            for entry in configuration.entries() {
                environment.set(Variable {
                    name: if prefix.is_empty() {
                        Cow::Borrowed(entry.key)
                    } else {
                        Cow::Owned(format!("{prefix}{}", entry.key))
                    },
                    value: Some(entry.text),
                    is_secret: configuration.is_secret,
                    object: configuration.object,
                    path: entry.path,
                });
            }
        }
    }
    for variable in container.each("env") {
        if let Some(variable) = own_variable(reader, object, &environment, &variable) {
            environment.set(variable);
        }
    }
    environment
}

fn own_variable<'w>(
    reader: &mut Reader<'w>,
    object: &'w Object,
    environment: &Environment<'w>,
    field: &Field<'w>,
) -> Option<Variable<'w>> {
    let name = field.text_at("name")?;
    let mut variable = Variable {
        name: Cow::Borrowed(name),
        value: None,
        is_secret: false,
        object,
        path: field.path.key("value"),
    };
    if let Some(text) = field.text_at("value") {
        let namespace = reader.namespace.clone();
        let (value, is_secret) = environment.expand(text, reader, &namespace);
        variable.value = Some(value);
        variable.is_secret = is_secret;
        return Some(variable);
    }
    variable.path = field.path.key("valueFrom");
    if field.text_at("valueFrom.fieldRef.fieldPath") == Some("metadata.namespace") {
        variable.value = Some(Cow::Owned(reader.namespace.clone()));
    }
    for (source, kind) in [("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")] {
        let Some(source) = field.at("valueFrom").and_then(|from| from.get(source)) else {
            continue;
        };
        variable.is_secret = kind == "Secret";
        let Some(key) = source.text_at("key") else {
            continue;
        };
        let entry = reader
            .configuration(kind, &source, "name")
            .and_then(|configuration| Some((configuration, configuration.entry(key)?)));
        if let Some((configuration, entry)) = entry {
            variable.object = configuration.object;
            variable.path = entry.path;
            variable.value = Some(entry.text);
        }
    }
    Some(variable)
}

/// What the variables name, and pairs of them such as `DB_HOST` and `DB_PORT`.
fn variables<'w>(reader: &mut Reader<'w>, environment: &Environment<'w>) {
    let known = environment.variables.iter().filter_map(|variable| {
        let is_port = key::may_be_port(&variable.name);
        let value = variable.value.as_deref().filter(|_| is_port)?;
        Some((key::normalized(&variable.name), value))
    });
    let ports: HashMap<String, &str> = known.collect();
    for variable in &environment.variables {
        let Some(value) = &variable.value else {
            continue;
        };
        let hint = key::hint(&variable.name);
        let port = match hint {
            Hint::Address => port_beside(&variable.name, |key| ports.get(key).copied())
                .or_else(|| known_default(&variable.name)),
            _ => None,
        };
        let around = reader.around(hint, Trust::Value, variable.is_secret);
        for sighting in sightings(&around, value, port) {
            reader.see(variable.object, variable.path.clone(), sighting);
        }
    }
}

/// The port of a client whose variables say nothing of it.
fn known_default(name: &str) -> Option<u16> {
    match name {
        "PGHOST" => Some(5432),
        _ => None,
    }
}

/// A command with its arguments: flags with their values, and scripts.
fn command<'w>(
    reader: &mut Reader<'w>,
    object: &'w Object,
    environment: &Environment<'w>,
    fields: &[Field<'w>],
) {
    let namespace = reader.namespace.clone();
    let words: Vec<(Cow<'w, str>, bool, &FieldPath)> = fields
        .iter()
        .filter_map(|field| {
            let (text, is_secret) = environment.expand(field.text()?, reader, &namespace);
            Some((text, is_secret, &field.path))
        })
        .collect();
    let plain: Vec<&str> = words.iter().map(|(text, ..)| text.as_ref()).collect();
    let settings = settings(&plain);
    let ports: HashMap<String, &str> = settings
        .iter()
        .map(|(key, value, _)| (key::normalized(key), *value))
        .collect();
    for (key, value, at) in &settings {
        let (_, is_secret, path) = &words[*at];
        let around = reader.around(key::hint(key), Trust::Value, *is_secret);
        let port = port_beside(key, |key| ports.get(key).copied());
        for sighting in sightings(&around, value, port) {
            reader.see(object, (*path).clone(), sighting);
        }
    }
    let mut told: Vec<(&str, Option<u16>, usize)> = script::hosts_of_command(&plain)
        .into_iter()
        .filter_map(|(host, port)| {
            let at = plain.iter().position(|word| word.contains(host))?;
            Some((host, port, at))
        })
        .collect();
    for (at, word) in plain.iter().enumerate() {
        if word.contains(char::is_whitespace) {
            let hosts = script::hosts(word).into_iter();
            told.extend(hosts.map(|(host, port)| (host, port, at)));
        }
    }
    for (host, port, at) in told {
        let (_, is_secret, path) = &words[at];
        let around = reader.around(Hint::Address, Trust::Value, *is_secret);
        let seen: Option<Sighting> =
            only_mention(host).and_then(|mention| around.sighting(&mention, true, port));
        if let Some(sighting) = seen {
            reader.see(object, (*path).clone(), sighting);
        }
    }
}

/// Words as settings: `--flag=value`, `--flag value`, `NAME=value`; the word that the value stands
/// in comes last.
fn settings<'t>(words: &[&'t str]) -> Vec<(&'t str, &'t str, usize)> {
    let mut found = Vec::new();
    let mut flag: Option<&str> = None;
    for (at, word) in words.iter().enumerate() {
        let named = word.split_once('=').filter(|(key, _)| {
            key.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        });
        match (named, flag.take()) {
            (Some((key, value)), _) => found.push((key, value, at)),
            (None, _) if word.starts_with('-') => flag = Some(word),
            (None, before) => found.push((before.unwrap_or_default(), *word, at)),
        }
    }
    found
}

/// The values of a mounted file, or of all files of a ConfigMap or Secret.
pub(super) fn files<'w>(
    reader: &mut Reader<'w>,
    configuration: Configuration<'w>,
    only: Option<&[&str]>,
) {
    for entry in configuration.entries() {
        if only.is_some_and(|only| !only.contains(&entry.key)) {
            continue;
        }
        let found = reader.file(configuration, &entry);
        for sighting in found.iter() {
            reader.see(configuration.object, entry.path.clone(), sighting.clone());
        }
    }
}
