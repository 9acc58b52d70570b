//! Kubernetes manifests: files to documents, documents to objects.
//!
//! Two steps, because variables are known late: [`read`] parses every file once, [`render`]
//! substitutes and yields the objects of one environment.

mod identity;
mod read;
mod render;
mod walk;

pub use crate::substitute::{Variable, Variables};
pub use read::{Documents, STANDARD_INPUT, read, read_paths, read_text_as};
pub(crate) use read::{read_text, start_of};
pub(crate) use render::{dumped, objects_of_text};
pub use render::{render, uses_variable};
pub(crate) use walk::{Walk, walk};
