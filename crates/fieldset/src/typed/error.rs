//! What is wrong with a value under its schema.

use std::fmt;

use crate::path::{FieldPath, PathElement};

/// One place where a value does not fit its schema. It names types, never values: they may be
/// a Secret's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeError {
    /// Where; the root if empty.
    pub path: FieldPath,
    /// What is wrong there.
    pub message: String,
}

impl TypeError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            path: FieldPath::new(),
            message: message.into(),
        }
    }

    /// Moves the errors from `start` on below an element.
    pub(crate) fn prefix(errors: &mut [Self], start: usize, element: impl Fn() -> PathElement) {
        for error in errors.iter_mut().skip(start) {
            error.path = std::mem::take(&mut error.path).prefixed(element());
        }
    }
}

impl fmt::Display for TypeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.elements().is_empty() {
            formatter.write_str(&self.message)
        } else {
            write!(formatter, "{}: {}", self.path, self.message)
        }
    }
}

impl std::error::Error for TypeError {}

/// All errors in one text, as the server joins them.
pub fn describe(errors: &[TypeError]) -> String {
    match errors {
        [error] => error.to_string(),
        errors => errors.iter().fold("errors:".to_owned(), |text, error| {
            format!("{text}\n  {error}")
        }),
    }
}
