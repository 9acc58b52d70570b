//! Dumps of a cluster: YAML or JSON as `kubectl get --all-namespaces --output yaml` prints it.
//!
//! A dump is what somebody chose to write down. What is not in it may be in the cluster all the same:
//! kinds that were not asked for, namespaces, the contents of Secrets.

use camino::Utf8PathBuf;
use underpin_model::Object;

use crate::{
    Diagnostic,
    manifests::{Documents, dumped, read_paths, read_text_as},
};

/// The objects of files and folders, lists flattened, each with its place, and what could not be
/// understood: the rest is returned all the same. An object that is there twice counts once.
pub fn read(paths: &[Utf8PathBuf]) -> (Vec<Object>, Vec<Diagnostic>) {
    understood(read_paths(paths))
}

/// The same of one text; `name` is what places call it.
pub fn read_text(name: &str, text: &str) -> (Vec<Object>, Vec<Diagnostic>) {
    understood(read_text_as(name, text, false))
}

fn understood(
    (documents, mut diagnostics): (Documents, Vec<Diagnostic>),
) -> (Vec<Object>, Vec<Diagnostic>) {
    let (objects, more) = dumped(documents);
    diagnostics.extend(more);
    for diagnostic in &mut diagnostics {
        let help = "dump it anew, or take the document out";
        diagnostic.help.get_or_insert_with(|| help.to_owned());
    }
    diagnostics.sort_by(|a, b| (&a.place, &a.message).cmp(&(&b.place, &b.message)));
    (objects, diagnostics)
}
