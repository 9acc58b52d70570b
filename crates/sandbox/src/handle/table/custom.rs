//! Columns that a CustomResourceDefinition asks for.

use serde_json::Value;

use super::{Column, Row, Source, columns, duration, json_path::JsonPath};
use crate::{Kind, object::text};

/// The columns of a custom resource: its name, then its own or its age.
pub(super) fn columns(kind: &Kind, definition: &Value) -> Vec<Column> {
    let versions = definition
        .pointer("/spec/versions")
        .and_then(Value::as_array);
    let version = versions
        .into_iter()
        .flatten()
        .find(|version| text(version, "/name") == kind.version);
    let declared = version
        .and_then(|version| version.get("additionalPrinterColumns"))
        .and_then(Value::as_array)
        .filter(|declared| !declared.is_empty());
    let mut columns = vec![columns::name()];
    match declared {
        Some(declared) => columns.extend(declared.iter().map(column)),
        None => columns.push(Column {
            kind: "date".to_owned(),
            source: Source::Path(JsonPath::parse(".metadata.creationTimestamp")),
            ..columns::age()
        }),
    }
    columns
}

fn column(declared: &Value) -> Column {
    Column {
        name: text(declared, "/name").to_owned(),
        kind: text(declared, "/type").to_owned(),
        format: text(declared, "/format").to_owned(),
        description: text(declared, "/description").to_owned(),
        priority: declared
            .get("priority")
            .and_then(Value::as_i64)
            .unwrap_or(0),
        source: Source::Path(JsonPath::parse(text(declared, "/jsonPath"))),
    }
}

/// A cell: the first value at the path, as far as it is of the column's type.
pub(super) fn cell(path: Option<&JsonPath>, kind: &str, row: &Row) -> Value {
    let found = path.and_then(|path| path.find(row.object).first().copied());
    match (kind, found) {
        (_, None) => Value::Null,
        ("string", Some(Value::String(text))) => Value::from(text.as_str()),
        ("string", Some(Value::Null)) => Value::from(""),
        ("string", Some(other)) => Value::from(other.to_string()),
        ("integer", Some(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::from(whole),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "cut off as the server does"
            )]
            (None, Some(broken)) => Value::from(broken.trunc() as i64),
            (None, None) => Value::Null,
        },
        ("number", Some(Value::Number(number))) => Value::Number(number.clone()),
        ("boolean", Some(Value::Bool(flag))) => Value::Bool(*flag),
        ("date", Some(Value::String(time))) => Value::from(duration::since(time, row.now)),
        _ => Value::Null,
    }
}
