//! What renderers make of every kind of plan, finding and outcome, as text and as document.

mod documents;
mod outcomes;
mod plans;
mod records;
mod samples;
mod sarif;

/// Text as it looks in a pipe, where nothing is coloured.
fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}
