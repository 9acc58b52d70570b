//! Where an object comes from, down to the line.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::FieldPath;

/// A place in a declared file. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file as the user named it, or `<stdin>`.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Line and column of every field of a declared object, by its path.
pub type SpanIndex = BTreeMap<FieldPath, (u32, u32)>;

/// Where an object, or one piece of evidence, comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Written in a file.
    Declared {
        /// Where the object begins.
        place: Place,
        /// Where each of its fields begins.
        spans: Arc<SpanIndex>,
    },
    /// Read from the cluster.
    Live,
    /// Recorded in a claim or another tool's state; the text names which.
    Recorded(String),
}

impl Origin {
    /// The place of a field: its own, or the nearest enclosing one that is known.
    pub fn place_of(&self, path: &FieldPath) -> Option<Place> {
        let Self::Declared { place, spans } = self else {
            return None;
        };
        let mut at = path.clone();
        loop {
            if let Some(&(line, column)) = spans.get(&at) {
                return Some(Place {
                    file: place.file.clone(),
                    line,
                    column,
                });
            }
            match at.parent() {
                Some(parent) => at = parent,
                None => return Some(place.clone()),
            }
        }
    }
}
