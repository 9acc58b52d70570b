//! Needs that no object shows: declared in a file, or seen in recorded flows.

use camino::Utf8PathBuf;
use underpin_model::Need;
use underpin_source::{Diagnostic, flows, needs_file};

use crate::error::CommandError;

/// What is known beside the worlds.
#[derive(Default)]
pub(crate) struct Given {
    /// The needs.
    pub(crate) needs: Vec<Need>,
    /// What of recorded flows could not be understood.
    pub(crate) problems: Vec<Diagnostic>,
}

/// Reads needs files and flows. A need that was not understood would be taken for met: that ends it.
/// Of flows, there are others.
pub(crate) fn given(needs: &[Utf8PathBuf], flows: &[Utf8PathBuf]) -> Result<Given, CommandError> {
    let mut given = Given::default();
    let mut wrong = Vec::new();
    for file in needs {
        let (declared, diagnostics) = needs_file::read(file);
        given.needs.extend(declared);
        wrong.extend(diagnostics);
    }
    if !wrong.is_empty() {
        return Err(CommandError::Declared {
            summary: "the needs cannot all be read".to_owned(),
            diagnostics: wrong,
        });
    }
    for file in flows {
        let seen = flows::read(file);
        given.needs.extend(seen.needs);
        given.problems.extend(seen.diagnostics);
    }
    Ok(given)
}
