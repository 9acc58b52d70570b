//! Who may connect to whom: for people, for programs, as a graph and as a page.

pub(crate) mod change;
pub(crate) mod csv;
pub(crate) mod document;
pub(crate) mod dot;
pub(crate) mod html;
mod listing;
pub(crate) mod needs;
mod sources;
pub(crate) mod text;

pub(crate) use listing::Listing;
