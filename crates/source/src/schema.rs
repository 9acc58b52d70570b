//! Checking a file of ours against its JSON Schema.
//!
//! The checker knows the part of JSON Schema that the types generate, and a test fails when they
//! begin to use more.

use serde_json::{Map, Value};
use underpin_model::{FieldPath, listed, nearest};

use crate::yaml;

/// Sources that other tools call by these names and that are not read directly.
const FOREIGN_SOURCES: &[(&str, &str)] = &[
    (
        "compose",
        "convert it first, such as with `kompose convert`",
    ),
    (
        "helm",
        "render it first: `helm template NAME CHART | underpin … ` with `manifests: \"-\"`",
    ),
    (
        "kustomize",
        "render it first: `kubectl kustomize DIR | underpin … ` with `manifests: \"-\"`",
    ),
];

/// The JSON Schema of a type, as it is published for editors.
pub(crate) fn published<T: schemars::JsonSchema>(file: &str, title: &str) -> Value {
    let mut schema = schemars::schema_for!(T).to_value();
    if let Some(schema) = schema.as_object_mut() {
        let id = format!("https://underpin.dev/schemas/{file}");
        schema.insert("$id".to_owned(), Value::from(id));
        schema.insert("title".to_owned(), Value::from(title));
    }
    schema
}

/// One way in which a value breaks the schema.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) path: FieldPath,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// Every way in which the value breaks the schema; `whole` is what the file as a whole is called.
pub(crate) fn check(schema: &Value, whole: &'static str, value: &Value) -> Vec<Problem> {
    let mut checker = Checker {
        root: schema,
        whole,
        problems: Vec::new(),
    };
    checker.check(schema, value, &FieldPath::root());
    checker.problems
}

struct Checker<'a> {
    root: &'a Value,
    whole: &'static str,
    problems: Vec<Problem>,
}

impl<'a> Checker<'a> {
    fn name_of<'p>(&self, path: &'p FieldPath) -> &'p str {
        let text = path.as_str();
        if text.is_empty() { self.whole } else { text }
    }

    fn container(&self, path: &FieldPath) -> String {
        match path.as_str() {
            "" => self.whole.to_owned(),
            text => format!("`{text}`"),
        }
    }

    fn report(&mut self, path: &FieldPath, message: String, help: Option<String>) {
        self.problems.push(Problem {
            path: path.clone(),
            message,
            help,
        });
    }

    /// Recursion follows the value, whose depth the parser bounds.
    fn check(&mut self, schema: &'a Value, value: &Value, path: &FieldPath) {
        let schema = self.resolve(schema, value);
        if let Some(expected) = allowed_values(schema) {
            if !expected.contains(&value) {
                let words: Vec<String> = expected.iter().map(|v| plain(v)).collect();
                let message = format!(
                    "`{}` is {}, but must be {}",
                    self.name_of(path),
                    found(value),
                    listed(words.iter().map(String::as_str)),
                );
                self.report(path, message, None);
            }
            return;
        }
        if !self.type_fits(schema, value, path) {
            return;
        }
        match value {
            Value::Object(map) => self.check_object(schema, map, path),
            Value::Array(items) => self.check_array(schema, items, path),
            Value::String(text) => self.check_text(schema, text, path),
            Value::Number(_) => self.check_number(schema, value, path),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Follows `$ref`, and of `anyOf` takes the alternative that is not null.
    fn resolve(&self, schema: &'a Value, value: &Value) -> &'a Value {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let pointer = reference.trim_start_matches('#');
            return self.root.pointer(pointer).unwrap_or(schema);
        }
        let alternatives = schema.get("anyOf").and_then(Value::as_array);
        let is_null = |schema: &Value| schema.get("type").and_then(Value::as_str) == Some("null");
        alternatives
            .into_iter()
            .flatten()
            .find(|alternative| is_null(alternative) == value.is_null())
            .map_or(schema, |alternative| self.resolve(alternative, value))
    }

    fn type_fits(&mut self, schema: &Value, value: &Value, path: &FieldPath) -> bool {
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => return true,
        };
        if types.iter().any(|name| is_of_type(value, name)) {
            return true;
        }
        let words: Vec<&str> = types
            .iter()
            .filter(|name| **name != "null")
            .map(|name| type_words(name))
            .collect();
        let message = format!(
            "`{}` is {}, but must be {}",
            self.name_of(path),
            found(value),
            words.join(" or ")
        );
        let number_for_text =
            types.contains(&"string") && (value.is_number() || value.is_boolean());
        let help = number_for_text.then(|| "put it in quotes".to_owned());
        self.report(path, message, help);
        false
    }

    fn check_object(&mut self, schema: &'a Value, map: &Map<String, Value>, path: &FieldPath) {
        let properties = schema.get("properties").and_then(Value::as_object);
        for (key, value) in map {
            let at = path.key(key);
            match (
                properties.and_then(|p| p.get(key)),
                schema.get("additionalProperties"),
            ) {
                (None, Some(Value::Bool(false))) => {
                    self.unknown_field(properties, key, path);
                }
                (Some(schema), _) | (None, Some(schema)) => self.check(schema, value, &at),
                (None, None) => {}
            }
        }
        let required = schema.get("required").and_then(Value::as_array);
        for key in required.into_iter().flatten().filter_map(Value::as_str) {
            // A misspelt or foreign field in its place was reported already.
            let unknown = map
                .keys()
                .filter(|k| properties.is_none_or(|p| !p.contains_key(*k)));
            let mut unknown = unknown.map(String::as_str);
            let stands_in = |k: &str| {
                nearest(k, [key]).is_some() || (key == "manifests" && foreign_source(k).is_some())
            };
            if !map.contains_key(key) && !unknown.any(stands_in) {
                let message = format!("{} needs the field `{key}`", self.container(path));
                self.report(path, message, None);
            }
        }
        let fewest = schema.get("minProperties").and_then(Value::as_u64);
        if fewest.is_some_and(|fewest| (map.len() as u64) < fewest) {
            self.report(
                path,
                format!("`{}` must not be empty", self.name_of(path)),
                None,
            );
        }
    }

    fn unknown_field(
        &mut self,
        properties: Option<&Map<String, Value>>,
        key: &str,
        path: &FieldPath,
    ) {
        let known = || {
            properties
                .into_iter()
                .flat_map(Map::keys)
                .map(String::as_str)
        };
        let at = path.key(key);
        if let Some(advice) = foreign_source(key).filter(|_| known().any(|k| k == "manifests")) {
            let message = format!("sources of type `{key}` are not supported");
            self.report(&at, message, Some(advice.to_owned()));
            return;
        }
        let message = format!("{} has no field `{key}`", self.container(path));
        let allowed = format!("allowed fields: {}", listed(known()));
        let help = match nearest(key, known()) {
            Some(near) => format!("did you mean `{near}`? {allowed}"),
            None => allowed,
        };
        self.report(&at, message, Some(help));
    }

    fn check_array(&mut self, schema: &'a Value, items: &[Value], path: &FieldPath) {
        let fewest = schema.get("minItems").and_then(Value::as_u64);
        if fewest.is_some_and(|fewest| (items.len() as u64) < fewest) {
            self.report(
                path,
                format!("`{}` must not be empty", self.name_of(path)),
                None,
            );
        }
        if let Some(schema) = schema.get("items") {
            for (index, item) in items.iter().enumerate() {
                self.check(schema, item, &path.index(index));
            }
        }
    }

    fn check_text(&mut self, schema: &Value, text: &str, path: &FieldPath) {
        let bound = |name| schema.get(name).and_then(Value::as_u64);
        let length = text.chars().count() as u64;
        if bound("minLength").is_some_and(|fewest| length < fewest) {
            self.report(
                path,
                format!("`{}` must not be empty", self.name_of(path)),
                None,
            );
        }
        if let Some(most) = bound("maxLength").filter(|most| length > *most) {
            let message = format!("`{}` is longer than {most} characters", self.name_of(path));
            self.report(path, message, None);
        }
    }

    fn check_number(&mut self, schema: &Value, value: &Value, path: &FieldPath) {
        let bound = |name| schema.get(name).and_then(Value::as_f64);
        let (Some(low), Some(high)) = (bound("minimum"), bound("maximum")) else {
            return;
        };
        if value
            .as_f64()
            .is_none_or(|number| number < low || number > high)
        {
            let name = self.name_of(path);
            let message = format!("`{name}` is {value}, but must be from {low} to {high}");
            self.report(path, message, None);
        }
    }
}

fn foreign_source(key: &str) -> Option<&'static str> {
    let row = FOREIGN_SOURCES.iter().find(|(name, _)| *name == key);
    row.map(|(_, advice)| *advice)
}

/// The values an enumeration or a constant allows.
fn allowed_values(schema: &Value) -> Option<Vec<&Value>> {
    if let Some(only) = schema.get("const") {
        return Some(vec![only]);
    }
    if let Some(several) = schema.get("enum").and_then(Value::as_array) {
        return Some(several.iter().collect());
    }
    let one_of = schema.get("oneOf").and_then(Value::as_array)?;
    one_of.iter().map(|schema| schema.get("const")).collect()
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

fn type_words(name: &str) -> &'static str {
    match name {
        "boolean" => "`true` or `false`",
        "string" => "a string",
        "number" => "a number",
        "integer" => "a whole number",
        "array" => "a list",
        "object" => "a mapping",
        _ => "null",
    }
}

/// The value for a message: short scalars as they are, everything else by its type.
fn found(value: &Value) -> String {
    const LONGEST: usize = 40;
    match value {
        Value::Null => "empty".to_owned(),
        Value::String(text) if text.len() <= LONGEST => format!("`{text}`"),
        Value::Bool(_) | Value::Number(_) => format!("`{value}`"),
        _ => yaml::describe(value).to_owned(),
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
