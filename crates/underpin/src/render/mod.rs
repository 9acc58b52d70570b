//! Renderers are leaves: they turn results into text or JSON and decide nothing.

mod judged;
pub(crate) mod json;
mod style;
pub(crate) mod text;

pub(crate) use judged::{Ended, Judged, ended};
