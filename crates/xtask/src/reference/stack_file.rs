//! The reference of the stack file: every field with its path, from the schema that files are read
//! by.

use serde_json::{Map, Value};

use super::NOTICE;
use crate::book::slug;

/// The schema beside the book.
const SCHEMA: &str = "schemas/stack.v1.json";
/// Where the schema keeps what several places share.
const SHARED: &str = "#/$defs/";
/// Objects within objects: far more than anybody would read, and an end where a schema has none.
const DEEPEST: usize = 8;

/// The whole page, in Markdown.
pub(crate) fn page() -> String {
    let schema = underpin_source::stack::json_schema();
    let mut text = format!("# The stack file\n\n{NOTICE}\n\n");
    text.push_str(&format!(
        "{}\n[Getting started](getting-started.md) shows one. No other fields may stand in it: a \
         misspelt one is an\nerror with its place.\n\n\
         The same is in the repository as a JSON Schema, `{SCHEMA}`. With\n\
         `# yaml-language-server: $schema=…/stack.v1.json` on the first line, editors complete the \
         file.\n",
        description(&schema)
    ));
    let root = Place {
        path: String::new(),
        object: &schema,
    };
    for place in places(&schema, root) {
        text.push_str(&section(&schema, &place));
    }
    text
}

/// An object of the file, and the path that leads to it.
struct Place<'a> {
    path: String,
    object: &'a Value,
}

/// A place and all objects in it, in the order in which one reads them.
fn places<'a>(schema: &'a Value, root: Place<'a>) -> Vec<Place<'a>> {
    let mut left = vec![(0, root)];
    let mut places = Vec::new();
    while let Some((depth, place)) = left.pop() {
        let within = fields(place.object).filter_map(|(name, field)| {
            let (step, object) = object_within(schema, field)?;
            let dot = if place.path.is_empty() { "" } else { "." };
            let path = format!("{}{dot}{name}{step}", place.path);
            (depth < DEEPEST).then_some((depth + 1, Place { path, object }))
        });
        let within: Vec<_> = within.collect();
        left.extend(within.into_iter().rev());
        places.push(place);
    }
    places
}

/// The object that a field holds, directly, in a list or by name, and how one gets there.
fn object_within<'a>(schema: &'a Value, field: &'a Value) -> Option<(&'static str, &'a Value)> {
    let candidates = [
        ("", Some(field)),
        ("[]", field.get("items")),
        (".NAME", field.get("additionalProperties")),
    ];
    candidates.into_iter().find_map(|(step, value)| {
        let object = resolved(schema, value?);
        object.get("properties").map(|_| (step, object))
    })
}

/// What a value of the schema refers to, or itself.
fn resolved<'a>(schema: &'a Value, value: &'a Value) -> &'a Value {
    let reference = value.get("$ref").and_then(Value::as_str);
    let name = reference.and_then(|reference| reference.strip_prefix(SHARED));
    name.and_then(|name| schema.get("$defs")?.get(name))
        .unwrap_or(value)
}

fn fields(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let properties = object.get("properties").and_then(Value::as_object);
    properties.into_iter().flat_map(Map::iter)
}

fn section(schema: &Value, place: &Place<'_>) -> String {
    let mut text = if place.path.is_empty() {
        "\n## The whole file\n\n".to_owned()
    } else {
        format!("\n## `{}`\n\n{}\n\n", place.path, description(place.object))
    };
    let is_required = |name: &str| {
        let required = place.object.get("required").and_then(Value::as_array);
        required.is_some_and(|names| names.iter().any(|one| one == name))
    };
    // What must be there comes first.
    let (required, optional): (Vec<_>, Vec<_>) =
        fields(place.object).partition(|(name, _)| is_required(name));
    for (name, field) in required {
        text.push_str(&item(schema, place, name, field, "required"));
    }
    for (name, field) in optional {
        text.push_str(&item(schema, place, name, field, "optional"));
    }
    text
}

fn item(schema: &Value, place: &Place<'_>, name: &str, field: &Value, needed: &str) -> String {
    let mut kind = kind(schema, field);
    if let Some((step, _)) = object_within(schema, field) {
        let dot = if place.path.is_empty() { "" } else { "." };
        let path = format!("{}{dot}{name}{step}", place.path);
        kind = format!("[{kind}](#{})", slug(&path));
    }
    let text = description(field).replace('\n', "\n  ");
    let mut line = format!("- `{name}` ({kind}, {needed}): {text}");
    // The default of an object follows from those of its fields.
    if let Some(default) = field.get("default").filter(|default| !default.is_object()) {
        line.push_str(&format!(" Default: `{default}`."));
    }
    line.push('\n');
    line
}

/// What a field holds, in words.
fn kind(schema: &Value, field: &Value) -> String {
    let field = resolved(schema, field);
    if let Some(choices) = field.get("oneOf").and_then(Value::as_array) {
        let choices = choices.iter().filter_map(|choice| choice.get("const"));
        let choices: Vec<_> = choices.filter_map(Value::as_str).collect();
        return format!("`{}`", choices.join("` or `"));
    }
    let of = |name: &str| field.get(name).filter(|inner| inner.is_object());
    if let Some(items) = of("items") {
        return format!("list of {}s", kind(schema, items));
    }
    if let Some(values) = of("additionalProperties") {
        return format!("by name: {}", kind(schema, values));
    }
    // What may be left out may be null, which nobody writes.
    let types = match field.get("type") {
        Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one.as_str()],
        _ => Vec::new(),
    };
    let types: Vec<_> = types.into_iter().filter(|one| *one != "null").collect();
    types.join(" or ")
}

fn description(value: &Value) -> String {
    let text = value.get("description").and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_schema_is_on_the_page() {
        let (schema, page) = (underpin_source::stack::json_schema(), page());
        let shared = schema["$defs"].as_object().unwrap().values();
        let mut count = 0;
        for (name, field) in shared.chain([&schema]).flat_map(fields) {
            let item = page.lines().find(|line| {
                line.starts_with(&format!("- `{name}` ("))
                    && line.contains(description(field).lines().next().unwrap())
            });
            assert!(item.is_some_and(|item| !item.contains("()")), "{name}");
            count += 1;
        }
        assert!(count > 20, "{count}");
    }

    #[test]
    fn paths_tell_lists_and_names() {
        let page = page();
        for path in [
            "spec",
            "spec.sources[]",
            "spec.environments.NAME.secrets.NAME",
        ] {
            assert!(
                page.contains(&format!("\n## `{path}`\n\n")),
                "{path}\n{page}"
            );
        }
    }

    #[test]
    fn a_schema_that_holds_itself_comes_to_an_end() {
        let schema = serde_json::json!({
            "$defs": {"A": {"properties": {"a": {"$ref": "#/$defs/A"}}}},
            "properties": {"a": {"$ref": "#/$defs/A"}},
        });
        let root = Place {
            path: String::new(),
            object: &schema,
        };
        let last = places(&schema, root).pop().unwrap();
        assert_eq!(last.path.matches('a').count(), DEEPEST);
    }
}
