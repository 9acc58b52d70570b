//! YAML and JSON text to values, with the position of every field.
//!
//! What a scalar means follows `kubectl`: `sigs.k8s.io/yaml` on its fork of go-yaml v2, the YAML
//! 1.1 rules with some of 1.2's (compared with `kubectl` 1.32, scalar by scalar). On purpose
//! stricter than `kubectl`, because silence there costs more than an error here:
//!
//! * a key given twice is an error that names both places (`kubectl` keeps the last);
//! * a merge key `<<` after a key that it also brings is an error (`kubectl` lets the merged value
//!   win, the YAML definition lets the written one win);
//! * `!!binary` that is not UTF-8 is an error (`kubectl` puts replacement characters).
//!
//! Positions: a mapping's field begins at its key, a list's item at its content (after anchor and
//! tag; the text of a block scalar). An alias is placed where `*name` stands; the fields inside it
//! where the anchor defines them, since that is where they are edited; so are merged fields.

mod builder;
mod document;
mod node;
pub(crate) mod scalar;
mod split;
mod stand_in;

pub use document::{Comment, Document, parse};
pub(crate) use document::{NodeDocument, parse_nodes, place_of};
pub(crate) use node::{Content, Field, Node, Position, Scalar, describe, to_value_and_spans};

/// Deepest nesting of lists and mappings, aliases expanded. Kubernetes' deepest schemas nest about
/// fifty levels; `serde_json` reads back 128.
pub const MAX_DEPTH: usize = 120;
/// Longest mapping key in bytes. The longest key Kubernetes allows has 317.
pub const MAX_KEY_BYTES: usize = 1024;
/// Bound on what the anchors of one document may copy, each node counted as its text plus
/// [`NODE_COST_BYTES`].
pub const MAX_ALIAS_BYTES: usize = 16 << 20;
/// What one copied node counts for, beside its text.
pub const NODE_COST_BYTES: usize = 64;
/// Bound on the text of all paths whose position is kept for one object; what lies beyond is
/// placed at its nearest enclosing field.
pub const MAX_SPAN_BYTES: usize = 256 << 20;
/// Most consecutive comment lines.
pub const MAX_COMMENT_RUN: usize = 100_000;
