use schemars::JsonSchema;
use serde::Serialize;
use underpin_model::Place;
use underpin_source::Diagnostic;

/// A place in a file.
#[derive(Serialize, JsonSchema)]
pub(crate) struct PlaceDocument {
    /// The file.
    file: String,
    /// Line, from 1.
    line: u32,
    /// Column, from 1.
    column: u32,
}

impl From<&Place> for PlaceDocument {
    fn from(place: &Place) -> Self {
        Self {
            file: place.file.to_string(),
            line: place.line,
            column: place.column,
        }
    }
}

/// Something in a file that is wrong, or could not be understood.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ProblemDocument {
    /// Where.
    place: PlaceDocument,
    /// What is wrong.
    message: String,
    /// What to do about it.
    help: Option<String>,
}

impl From<&Diagnostic> for ProblemDocument {
    fn from(diagnostic: &Diagnostic) -> Self {
        Self {
            place: (&diagnostic.place).into(),
            message: diagnostic.message.clone(),
            help: diagnostic.help.clone(),
        }
    }
}
