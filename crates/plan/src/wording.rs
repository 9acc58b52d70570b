//! Words that findings share: counts, lists, commands.

pub(crate) use underpin_model::wording::{count, list};

/// The way out that is always there: taking the responsibility by name.
pub(crate) fn accept(code: underpin_model::Code, subject: &str) -> String {
    format!("to go on all the same: --accept {code}:{subject} --reason \"…\"")
}
