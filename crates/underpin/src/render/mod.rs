//! Renderers are leaves: they turn results into text or JSON and decide nothing.

pub(crate) mod json;
mod judged;
pub(crate) mod rbac;
pub(crate) mod style;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub(crate) mod why;

pub(crate) use judged::{Ended, Judged, ended};
pub use why::json_schema as why_json_schema;
