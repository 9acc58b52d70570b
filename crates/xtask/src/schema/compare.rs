//! Where a server and the table differ.

use std::collections::BTreeSet;

use underpin_fieldset::schema::table::Table;
use underpin_fieldset::schema::{Field, MapType, Type, openapi};

/// One line per difference that changes how something merges, then what only one side knows.
///
/// A server's published document may have no defaults at all (1.20's has none, though the server
/// knows them); then they are not compared.
pub(super) fn lines(server: &Table, table: &Table) -> Vec<String> {
    let mut lines = Vec::new();
    let mut newer = 0;
    let defaults = has_defaults(server);
    for (name, theirs) in server.schema.types() {
        let Some(ours) = table.schema.get(name) else {
            continue;
        };
        match (theirs, ours) {
            (Type::Map(theirs), Type::Map(ours)) => {
                fields(name, theirs, ours, defaults, &mut lines);
                newer += count_missing(ours, theirs);
            }
            _ => differ(name, &theirs.to_string(), &ours.to_string(), &mut lines),
        }
    }
    let only = |side: &str, one: &Table, other: &Table| {
        let known: BTreeSet<_> = other.kinds.keys().collect();
        let kinds = one.kinds.keys().filter(|kind| !known.contains(kind));
        let lines = kinds.map(|kind| format!("only {side} has {kind}"));
        lines.collect::<Vec<_>>()
    };
    lines.extend(only("the server", server, table));
    lines.extend(only("the table", table, server));
    lines.push(format!("{newer} fields that only the table has"));
    lines
}

/// A type that the server treats apart is the same by name and by form.
fn text(value: &Type) -> String {
    let special = match value {
        Type::Named(name) => openapi::special(name),
        _ => None,
    };
    special.as_ref().unwrap_or(value).to_string()
}

fn has_defaults(table: &Table) -> bool {
    table.schema.types().any(|(_, value)| {
        matches!(value, Type::Map(map) if map.fields.values().any(|field| field.default.is_some()))
    })
}

fn fields(name: &str, theirs: &MapType, ours: &MapType, defaults: bool, lines: &mut Vec<String>) {
    let word = |map: &MapType| if map.atomic { "atomic" } else { "granular" };
    differ(name, word(theirs), word(ours), lines);
    let element = |map: &MapType| {
        let element = map.element.as_ref();
        element.map_or("nothing".to_owned(), ToString::to_string)
    };
    differ(
        &format!("{name}.*"),
        &element(theirs),
        &element(ours),
        lines,
    );
    for (field, described) in &theirs.fields {
        let path = format!("{name}.{field}");
        match ours.fields.get(field) {
            None => lines.push(format!("{path}: only the server has it")),
            Some(own) => {
                differ(&path, &text(&described.value), &text(&own.value), lines);
                if defaults {
                    let path = format!("{path}, default");
                    let default = |field: &Field| {
                        let value = field.default.as_ref();
                        value.map_or("none".to_owned(), ToString::to_string)
                    };
                    differ(&path, &default(described), &default(own), lines);
                }
            }
        }
    }
}

fn differ(path: &str, theirs: &str, ours: &str, lines: &mut Vec<String>) {
    if theirs != ours {
        lines.push(format!("{path}: server {theirs}, table {ours}"));
    }
}

fn count_missing(ours: &MapType, theirs: &MapType) -> usize {
    let known = |name: &&_| !theirs.fields.contains_key(*name);
    ours.fields.keys().filter(known).count()
}

#[cfg(test)]
mod tests;
