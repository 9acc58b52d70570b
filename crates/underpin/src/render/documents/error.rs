use schemars::JsonSchema;
use serde::Serialize;

use super::ProblemDocument;
use crate::error::CommandError;

/// What any command says that could not answer.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ErrorDocument {
    /// Why there is no answer.
    error: ErrorDetails,
}

/// Why there is no answer.
#[derive(Serialize, JsonSchema)]
struct ErrorDetails {
    /// What happened, to what, and why.
    message: String,
    /// The way out, where one is known beyond the message.
    help: Option<String>,
    /// What is wrong in files.
    diagnostics: Vec<ProblemDocument>,
    /// What is not as it was when a plan was frozen; absent where that is not the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    moved: Vec<MovementDocument>,
}

/// Something that is not as it was when a plan was frozen.
#[derive(Serialize, JsonSchema)]
struct MovementDocument {
    /// What it is about.
    object: String,
    /// What moved.
    message: String,
}

impl From<&CommandError> for ErrorDocument {
    fn from(error: &CommandError) -> Self {
        let moved = error.movements().iter().map(|one| MovementDocument {
            object: one.subject.clone(),
            message: one.message.clone(),
        });
        Self {
            error: ErrorDetails {
                message: error.to_string(),
                help: error.help(),
                diagnostics: error.diagnostics().iter().map(Into::into).collect(),
                moved: moved.collect(),
            },
        }
    }
}
