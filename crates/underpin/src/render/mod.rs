//! Renderers are leaves: they turn results into text or JSON and decide nothing.

pub(crate) mod json;
mod style;
pub(crate) mod text;
