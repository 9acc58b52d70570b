//! Renderers are leaves: they turn results into text or JSON and decide nothing.

pub(crate) mod check;
mod documents;
pub(crate) mod images;
pub(crate) mod json;
mod judged;
pub(crate) mod rbac;
pub(crate) mod reach;
pub(crate) mod routes;
pub(crate) mod shell;
pub(crate) mod style;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub(crate) mod why;

pub use documents::{CommandSchema, command_schemas};
pub(crate) use judged::{Ended, Judged, ended};
