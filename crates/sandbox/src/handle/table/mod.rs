//! Tables, as `kubectl get` prints them.
//!
//! Source: Kubernetes `pkg/printers/internalversion` and, for custom resources, the table
//! convertor of apiextensions.

mod cells;
mod columns;
mod custom;
mod duration;
mod json_path;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{Kind, Request, object};

/// What a row carries of its object beside the cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Include {
    /// Nothing.
    None,
    /// Its metadata.
    #[default]
    Metadata,
    /// All of it.
    Object,
}

impl Include {
    /// What `includeObject` asks for.
    pub(crate) fn of(request: &Request) -> Self {
        match request.parameter("includeObject") {
            Some("None") => Self::None,
            Some("Object") => Self::Object,
            _ => Self::Metadata,
        }
    }
}

/// The `Table` of objects, without metadata of the list.
pub(crate) fn table_with(
    kind: &Kind,
    items: &[Arc<Value>],
    now: Timestamp,
    include: Include,
) -> Value {
    let columns = columns::of(kind);
    let rows: Vec<Value> = items
        .iter()
        .map(|item| row(&columns, item, now, include))
        .collect();
    let definitions: Vec<Value> = columns.iter().map(Column::definition).collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {},
        "columnDefinitions": definitions, "rows": rows,
    })
}

fn row(columns: &[Column], item: &Arc<Value>, now: Timestamp, include: Include) -> Value {
    let context = Row { object: item, now };
    let cells: Vec<Value> = columns.iter().map(|column| column.cell(&context)).collect();
    let mut row = json!({"cells": cells});
    match include {
        Include::None => row["object"] = Value::Null,
        Include::Metadata => row["object"] = metadata_only(item),
        Include::Object => row["object"] = item.as_ref().clone(),
    }
    let completed = match object::text(item, "/status/phase") {
        "Succeeded" => Some("The pod has completed successfully."),
        "Failed" => Some("The pod failed."),
        _ => None,
    };
    if let Some(message) = completed.filter(|_| object::text(item, "/kind") == "Pod") {
        let reason = object::text(item, "/status/phase");
        row["conditions"] = json!([{
            "type": "Completed", "status": "True", "reason": reason, "message": message,
        }]);
    }
    row
}

/// An object as `PartialObjectMetadata`.
pub(crate) fn metadata_only(item: &Value) -> Value {
    let metadata = item.get("metadata").cloned().unwrap_or_else(|| json!({}));
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
    })
}

/// What a cell is made of.
struct Row<'a> {
    object: &'a Value,
    now: Timestamp,
}

/// One column.
struct Column {
    name: String,
    /// `string`, `integer`, `boolean`, `date`…
    kind: String,
    format: String,
    description: String,
    /// 0 is always shown, 1 with `-o wide`.
    priority: i64,
    source: Source,
}

/// Where a column's cells come from.
enum Source {
    Built(fn(&Row) -> Value),
    /// A path of a custom resource's printer column; `None` if it cannot be read.
    Path(Option<json_path::JsonPath>),
}

impl Column {
    fn definition(&self) -> Value {
        json!({
            "name": self.name, "type": self.kind, "format": self.format,
            "description": self.description, "priority": self.priority,
        })
    }

    fn cell(&self, row: &Row) -> Value {
        match &self.source {
            Source::Built(cell) => cell(row),
            Source::Path(path) => custom::cell(path.as_ref(), &self.kind, row),
        }
    }
}

#[cfg(test)]
mod tests;
