//! Kubernetes manifests: files to documents, documents to objects.
//!
//! Two steps, because variables are known late: [`read`] parses every file once, [`render`]
//! substitutes and yields the objects of one environment.

mod identity;
mod read;
mod render;
mod walk;

pub use crate::substitute::{Variable, Variables};
pub use read::{Documents, STANDARD_INPUT, files_of, read, read_paths, read_text_as};
pub(crate) use read::{read_files, read_text, start_of, tidy};
pub use render::{Repeated, render, uses_variable};
pub(crate) use render::{dumped, found, is_stack_document, objects_of_text};
pub use walk::Below;
pub(crate) use walk::{Walk, is_manifest, walk, walk_below};
