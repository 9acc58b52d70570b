//! Evidence: why Underpin believes that one thing needs another.

use std::fmt;

use crate::{FieldPath, ObjectKey, Place};

/// One fact that a person can check: which object, which field, where, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The object that says so.
    pub object: ObjectKey,
    /// The field that says so; the root when it is the object as a whole.
    pub path: FieldPath,
    /// File, line and column where the object is declared; absent for live objects.
    pub place: Option<Place>,
    /// What it says, in a few words. Never holds a secret value.
    pub note: String,
}

/// `k8s/web.yaml:12:9 deployment.apps/wallet/web spec.template…: uses Secret db`.
impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place} ")?;
        }
        write!(f, "{}", self.object)?;
        if !self.path.as_str().is_empty() {
            write!(f, " {}", self.path)?;
        }
        if !self.note.is_empty() {
            write!(f, ": {}", self.note)?;
        }
        Ok(())
    }
}
