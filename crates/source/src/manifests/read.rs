//! Files to documents.

use std::{collections::BTreeSet, fs, io::Read as _, path::PathBuf, sync::Arc};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use underpin_model::{FieldPath, Place, in_parallel};

use super::walk::{Walk, is_manifest, walk};
use crate::{
    Diagnostic,
    stack::Stack,
    yaml::{Comment, NodeDocument, parse_nodes},
};

/// What standard input is called in places.
pub const STANDARD_INPUT: &str = "<stdin>";

/// Largest manifest file.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Everything the sources hold, parsed once, before variables are known.
#[derive(Default)]
pub struct Documents {
    pub(super) sources: Vec<SourceDocuments>,
}

/// The documents of one source.
pub(super) struct SourceDocuments {
    pub(super) documents: Vec<NodeDocument>,
    pub(super) substitute: bool,
}

impl Documents {
    /// Every comment, by file in the order of reading; within a file in its order.
    pub fn comments(&self) -> impl Iterator<Item = &Comment> {
        self.documents().flat_map(|document| &document.comments)
    }

    /// Whether no document was found.
    pub fn is_empty(&self) -> bool {
        self.documents().next().is_none()
    }

    fn documents(&self) -> impl Iterator<Item = &NodeDocument> {
        self.sources.iter().flat_map(|source| &source.documents)
    }
}

/// Reads the sources of a stack. `stdin` is what standard input holds, where a source names it.
///
/// What cannot be read is reported at its place, or at the source's place in the stack file: then
/// the documents are incomplete and must not be taken for the stack's whole.
pub fn read(stack: &Stack, stdin: Option<String>) -> (Documents, Vec<Diagnostic>) {
    let mut reader = Reader::default();
    reader.skip(&stack.path);
    let mut stdin = stdin;
    for (index, source) in stack.file.spec.sources.iter().enumerate() {
        let path = FieldPath::new("spec.sources").index(index).key("manifests");
        let place = stack.place_of(&path);
        let documents = if source.manifests == "-" {
            reader.standard_input(stdin.take(), &place)
        } else {
            let path = tidy(&stack.folder.join(&source.manifests));
            reader.path(&path, &place)
        };
        reader.documents.sources.push(SourceDocuments {
            documents,
            substitute: source.substitute,
        });
    }
    (reader.documents, reader.diagnostics)
}

/// Reads one text as the only source; `name` is what places call it.
pub fn read_text_as(name: &str, text: &str, substitute: bool) -> (Documents, Vec<Diagnostic>) {
    let mut reader = Reader::default();
    let documents = reader.text(name, text);
    reader.documents.sources.push(SourceDocuments {
        documents,
        substitute,
    });
    (reader.documents, reader.diagnostics)
}

/// Reads files and folders without a stack, and without substitution.
pub fn read_paths(paths: &[Utf8PathBuf]) -> (Documents, Vec<Diagnostic>) {
    let mut reader = Reader::default();
    for path in paths {
        let path = tidy(path);
        let documents = reader.path(&path, &start_of(&path));
        reader.documents.sources.push(SourceDocuments {
            documents,
            substitute: false,
        });
    }
    (reader.documents, reader.diagnostics)
}

/// The files that a stack's sources hold, links resolved, the stack file among them. What cannot be
/// read is left out: [`read`] says why.
pub fn files_of(stack: &Stack) -> BTreeSet<PathBuf> {
    let sources = stack.file.spec.sources.iter();
    let walks = sources.filter_map(|source| {
        let path = tidy(&stack.folder.join(&source.manifests));
        walk(&path, is_manifest).ok()
    });
    let files = walks.flat_map(|walk| walk.files);
    files
        .chain([stack.path.clone()])
        .filter_map(|file| fs::canonicalize(file).ok())
        .collect()
}

/// Reads those of these texts that are meant, each from the file of its name.
pub(crate) fn read_files(
    files: &[Utf8PathBuf],
    is_meant: impl Fn(&str) -> bool,
) -> (Documents, Vec<Diagnostic>) {
    let mut reader = Reader::default();
    for file in files {
        match read_text(file) {
            Ok(text) if is_meant(&text) => {
                let documents = reader.text(file.as_str(), &text);
                reader.documents.sources.push(SourceDocuments {
                    documents,
                    substitute: false,
                });
            }
            Ok(_) => {}
            Err(message) => {
                let diagnostic = Diagnostic::new(start_of(file), message);
                reader.diagnostics.push(diagnostic);
            }
        }
    }
    (reader.documents, reader.diagnostics)
}

#[derive(Default)]
struct Reader {
    documents: Documents,
    diagnostics: Vec<Diagnostic>,
    /// Real paths of the files that were read, or that are not to be.
    seen: BTreeSet<PathBuf>,
}

impl Reader {
    fn skip(&mut self, path: &Utf8Path) {
        if let Ok(real) = fs::canonicalize(path) {
            self.seen.insert(real);
        }
    }

    fn standard_input(&mut self, text: Option<String>, place: &Place) -> Vec<NodeDocument> {
        let Some(text) = text else {
            let diagnostic = Diagnostic::new(place.clone(), "standard input is empty or closed")
                .with_help("pipe the manifests into the command");
            self.diagnostics.push(diagnostic);
            return Vec::new();
        };
        self.text(STANDARD_INPUT, &text)
    }

    fn text(&mut self, name: &str, text: &str) -> Vec<NodeDocument> {
        let (documents, diagnostics) = parse_nodes(name, text);
        self.diagnostics.extend(diagnostics);
        documents
    }

    /// The documents of a file or folder; `place` is where it is named.
    fn path(&mut self, path: &Utf8Path, place: &Place) -> Vec<NodeDocument> {
        let walk = match walk(path, is_manifest) {
            Ok(walk) => walk,
            Err(error) => {
                let message = format!("cannot read `{path}`: {error}");
                let help = "paths are relative to the stack file, or to the current folder \
                            where they are given on the command line";
                self.diagnostics
                    .push(Diagnostic::new(place.clone(), message).with_help(help));
                return Vec::new();
            }
        };
        let Walk {
            files, unreadable, ..
        } = walk;
        if files.is_empty() && unreadable.is_empty() {
            let message = format!("no manifests in `{path}`");
            let help = "files named *.yaml, *.yml and *.json are read; hidden ones are not";
            self.diagnostics
                .push(Diagnostic::new(place.clone(), message).with_help(help));
        }
        for problem in unreadable {
            let mut diagnostic = Diagnostic::new(start_of(&problem.path), problem.message);
            diagnostic.help = problem.help.map(str::to_owned);
            self.diagnostics.push(diagnostic);
        }
        let unseen: Vec<Utf8PathBuf> = files
            .into_iter()
            // Where this fails, reading fails too, and says why.
            .filter(|file| fs::canonicalize(file).map_or(true, |real| self.seen.insert(real)))
            .collect();
        let mut found = Vec::new();
        for (documents, diagnostics) in in_parallel(&unseen, |file| parse_file(file)) {
            found.extend(documents);
            self.diagnostics.extend(diagnostics);
        }
        found
    }
}

/// The documents of one file, or why it cannot be read.
fn parse_file(path: &Utf8Path) -> (Vec<NodeDocument>, Vec<Diagnostic>) {
    match read_text(path) {
        Ok(text) => parse_nodes(path.as_str(), &text),
        Err(message) => (Vec::new(), vec![Diagnostic::new(start_of(path), message)]),
    }
}

/// The text of a file, within the bound on its size.
pub(crate) fn read_text(path: &Utf8Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot read: {error}");
    let file = fs::File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err("not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("larger than {MAX_FILE_BYTES} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "not UTF-8 text".to_owned())
}

/// Where a file begins.
pub(crate) fn start_of(path: &Utf8Path) -> Place {
    Place {
        file: Arc::from(path.as_str()),
        line: 1,
        column: 1,
    }
}

/// The path without `.` segments, as a user would type it.
pub(crate) fn tidy(path: &Utf8Path) -> Utf8PathBuf {
    let tidied: Utf8PathBuf = path
        .components()
        .filter(|component| *component != Utf8Component::CurDir)
        .collect();
    if tidied.as_str().is_empty() {
        Utf8PathBuf::from(".")
    } else {
        tidied
    }
}
