//! A text to its documents.

use std::{mem, sync::Arc};

use serde_json::Value;
use underpin_model::{FieldPath, Place, SpanIndex};

use super::{Content, Node, builder, node::to_value_and_spans, split::split, stand_in};
use crate::Diagnostic;

/// One document of a file.
#[derive(Clone)]
pub struct Document {
    /// Its content.
    pub value: Value,
    /// Where each field begins.
    pub spans: SpanIndex,
    /// Where its content begins.
    pub place: Place,
    /// The comments in it, and those of documents before it that hold nothing else.
    pub comments: Vec<Comment>,
}

/// Names the document and never its contents, which may be a Secret's.
impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// A comment, without its `#`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Where its `#` stands.
    pub place: Place,
    /// What follows the `#`, as written.
    pub text: String,
}

/// A document as a tree, before it becomes JSON.
pub(crate) struct NodeDocument {
    pub(crate) root: Node,
    pub(crate) file: Arc<str>,
    pub(crate) comments: Vec<Comment>,
}

impl NodeDocument {
    /// Its tree, of which nothing stays here.
    pub(crate) fn take_root(&mut self) -> Node {
        let nothing = Node {
            content: Content::Sequence(Vec::new()),
            at: self.root.at,
        };
        mem::replace(&mut self.root, nothing)
    }

    /// The place of a position in this document's file.
    pub(crate) fn place(&self, (line, column): (u32, u32)) -> Place {
        Place {
            file: Arc::clone(&self.file),
            line,
            column,
        }
    }
}

/// Reads every document of a YAML or JSON text. `file` is what positions are named by.
///
/// Empty documents are dropped. A document with a syntax error is reported and left out; those
/// before and after it are read. A document with lesser errors (a key twice, a value that JSON
/// does not have) is reported and returned with what could be understood.
pub fn parse(file: &str, text: &str) -> (Vec<Document>, Vec<Diagnostic>) {
    let (documents, diagnostics) = parse_nodes(file, text);
    let documents = documents
        .into_iter()
        .map(|document| {
            let place = document.place(document.root.at);
            let (value, spans) = to_value_and_spans(document.root);
            Document {
                value,
                spans,
                place,
                comments: document.comments,
            }
        })
        .collect();
    (documents, diagnostics)
}

/// [`parse`], with the documents as trees.
pub(crate) fn parse_nodes(file: &str, text: &str) -> (Vec<NodeDocument>, Vec<Diagnostic>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Some((text, stand_ins)) = stand_in::replace(text) else {
        return parse_chunks(file, text);
    };
    let (mut documents, mut diagnostics) = parse_chunks(file, &text);
    for document in &mut documents {
        stand_ins.restore(&mut document.root);
    }
    for diagnostic in &mut diagnostics {
        stand_ins.restore_text(&mut diagnostic.message);
    }
    (documents, diagnostics)
}

fn parse_chunks(file: &str, text: &str) -> (Vec<NodeDocument>, Vec<Diagnostic>) {
    let file: Arc<str> = file.into();
    let mut documents: Vec<NodeDocument> = Vec::new();
    let mut diagnostics = Vec::new();
    let mut pending = Vec::new();
    for chunk in split(text) {
        let parsed = builder::build(&file, chunk.text, chunk.lines_before);
        diagnostics.extend(parsed.diagnostics);
        pending.extend(parsed.comments);
        for root in parsed.roots.into_iter().filter(|root| !is_null(root)) {
            documents.push(NodeDocument {
                root,
                file: Arc::clone(&file),
                comments: mem::take(&mut pending),
            });
        }
    }
    // Comments after the last document belong to it.
    if let Some(last) = documents.last_mut() {
        last.comments.extend(pending);
    }
    (documents, diagnostics)
}

/// The place of a field of a document: its own, or that of the nearest enclosing field.
pub(crate) fn place_of(place: &Place, spans: &SpanIndex, path: &FieldPath) -> Place {
    let mut at = Some(path.clone());
    while let Some(path) = at {
        if let Some(&(line, column)) = spans.get(&path) {
            return Place {
                file: place.file.clone(),
                line,
                column,
            };
        }
        at = path.parent();
    }
    place.clone()
}

fn is_null(node: &Node) -> bool {
    matches!(&node.content, Content::Scalar(scalar) if scalar.value.is_null())
}
