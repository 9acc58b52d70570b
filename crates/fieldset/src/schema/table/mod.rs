//! The text form of schemas: compact, sorted, one line a type, made to be committed and compared.
//!
//! ```text
//! # a comment; only before everything else
//! source PACKAGE VERSION
//! kind apps/v1 Deployment io.k8s.api.apps.v1.Deployment
//! type io.k8s.api.apps.v1.DeploymentSpec (paused:b replicas:n selector:io.k8s… template:io.k8s…)
//! ```
//!
//! Types within a line:
//!
//! | text | meaning |
//! |---|---|
//! | `s` `n` `b` `x` | a string, a number, a boolean, any of these |
//! | `?` | deduced from the value |
//! | `io.k8s.api.core.v1.Pod` | another type; `.Pod` one of the package of the line's own type |
//! | `[]T` | an atomic list |
//! | `[=]T` | a set |
//! | `[containerPort,protocol]T` | a list told apart by these keys |
//! | `{}T` | an object with values of one type |
//! | `(a:T b:T=DEFAULT *:T)` | an object with known fields; `*` stands for all others |
//! | `!` before `{}T` or `(…)` | the object is atomic |
//!
//! A default is JSON. A name with other characters than letters, digits, `$`, `_`, `-`, `.` is a
//! JSON string.

mod parse;
mod write;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use super::{KindSchema, Schema, Type};

pub use parse::{Problem, TableError};

/// How deep types may stand in one another within one line.
const DEPTH_LIMIT: usize = 64;

/// A kind's group (empty for the core group), version and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KindName {
    /// For example `apps`, or empty.
    pub group: Arc<str>,
    /// For example `v1`.
    pub version: Arc<str>,
    /// For example `Deployment`.
    pub kind: Arc<str>,
}

/// What a table was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The package, or what else the types come from; without spaces.
    pub name: String,
    /// Its version; without spaces.
    pub version: String,
}

/// Types by name, kinds with the names of their types, and where they come from.
///
/// [`Table::parse`] and `Display` are each other's inverse.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// What it was made from, in the order of merging.
    pub sources: Vec<Source>,
    /// The name of each kind's type.
    pub kinds: BTreeMap<KindName, Arc<str>>,
    /// The types.
    pub schema: Arc<Schema>,
}

impl Table {
    /// Reads the text form.
    ///
    /// Fails on the first line that is not of that form, that repeats a name, or that names a
    /// type which the table does not hold. Order and spacing other than the canonical are
    /// accepted; compare with `to_string()` to know.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        parse::table(text)
    }

    /// The schema of a kind; `None` if the table does not hold the kind.
    pub fn kind(&self, group: &str, version: &str, kind: &str) -> Option<KindSchema> {
        let name = KindName {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
        };
        Some(KindSchema {
            schema: Arc::clone(&self.schema),
            root: Type::Named(Arc::clone(self.kinds.get(&name)?)),
        })
    }
}

/// Whether a name is written as it is, not as a JSON string.
fn is_bare(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(is_bare_byte)
}

fn is_bare_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'$' | b'_' | b'-' | b'.')
}

/// A type's package: its name up to the last dot; empty if it has none.
fn package(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(package, _)| package)
}
