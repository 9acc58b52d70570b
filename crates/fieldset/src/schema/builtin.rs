//! The kinds of Kubernetes itself.

use std::sync::LazyLock;

use super::KindSchema;
use super::table::Table;

/// Written by `cargo xtask schema`.
const TEXT: &str = include_str!("builtin.txt");

/// Parsed when first asked for. That the committed text parses is tested here and by
/// `cargo xtask generate --check`.
static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(TEXT).unwrap_or_default());

/// The table of all kinds that Kubernetes itself defines.
pub fn builtin_table() -> &'static Table {
    &TABLE
}

/// The schema of a kind that Kubernetes itself defines, as current servers see it; the group is
/// empty for the core group. `None` says that the table does not hold the kind, not that no
/// server has it.
///
/// Fields that a newer or an older server has besides are not in it: a field it does not know is
/// unknown, not refused.
pub fn builtin(group: &str, version: &str, kind: &str) -> Option<KindSchema> {
    TABLE.kind(group, version, kind)
}

/// Group, version and kind of all that [`builtin`] knows, sorted.
pub fn builtin_kinds() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let kinds = TABLE.kinds.keys();
    kinds.map(|name| (&*name.group, &*name.version, &*name.kind))
}

#[cfg(test)]
mod tests;
