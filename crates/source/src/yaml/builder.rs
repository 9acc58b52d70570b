//! Parser events to a tree: aliases, merge keys, duplicate keys and every bound.

use std::{borrow::Cow, collections::BTreeMap, mem, sync::Arc};

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, Span, Tag};
use serde_json::Value;
use underpin_model::Place;

use super::{
    Comment, Content, Field, MAX_ALIAS_BYTES, MAX_COMMENT_RUN, MAX_DEPTH, MAX_KEY_BYTES,
    NODE_COST_BYTES, Node, Position, Scalar,
    scalar::{Resolved, resolve_plain, resolve_tagged, to_json, to_key},
};
use crate::Diagnostic;

/// What one chunk of text held.
#[derive(Default)]
pub(super) struct Parsed {
    pub(super) roots: Vec<Node>,
    pub(super) comments: Vec<Comment>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Builds the tree of one chunk, whose first line is line `lines_before + 1` of `file`.
pub(super) fn build(file: &Arc<str>, text: &str, lines_before: u32) -> Parsed {
    let options = granit_parser::options! {
        max_buffered_comment_events: MAX_COMMENT_RUN,
        // The builder's own bound also counts lists within mappings and aliases.
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder {
        file,
        lines_before,
        frames: Vec::new(),
        anchors: BTreeMap::new(),
        alias_bytes_left: MAX_ALIAS_BYTES,
        parsed: Parsed::default(),
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let outcome = match event {
            Ok((event, span)) => builder.event(event, &span),
            Err(error) => {
                let marker = error.marker();
                let place = builder.place(builder.position(marker.line(), marker.col()));
                Err(match error.kind() {
                    ErrorKind::RecursionLimitExceeded => too_deep(place),
                    _ => syntax_error(place, error.info(), text, marker.line()),
                })
            }
        };
        // A chunk is one document: nothing of it can be trusted after a syntax error.
        if let Err(diagnostic) = outcome {
            builder.parsed.roots.clear();
            builder.parsed.diagnostics.push(diagnostic);
            break;
        }
    }
    builder.parsed
}

fn syntax_error(place: Place, info: impl AsRef<str>, text: &str, line: usize) -> Diagnostic {
    let info = info.as_ref();
    let in_file = usize::try_from(place.line).unwrap_or(usize::MAX);
    let diagnostic = Diagnostic::new(place, format!("YAML syntax error: {info}"));
    let written = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let indent = &written[..written.len() - written.trim_start().len()];
    if indent.contains('\t') {
        diagnostic.with_help("YAML is not indented by tabs: use spaces")
    } else if written.contains("${") {
        diagnostic.with_help("inside `[ ]` and `{ }` a `${variable}` must be in quotes")
    } else if written.contains("{{") {
        diagnostic.with_help("this looks like a template: render it first")
    } else if let Some(help) = shape_help(info, text, line, in_file) {
        diagnostic.with_help(help)
    } else {
        diagnostic
    }
}

/// What is often behind an error that only says that a line does not fit in. Nothing is quoted: it
/// may be a Secret's manifest. `text` begins somewhere in the file, in which `line` is `in_file`.
fn shape_help(info: &str, text: &str, line: usize, in_file: usize) -> Option<String> {
    let is_told = |line: &str| !line.is_empty() && !line.starts_with('#');
    let before = text.lines().take(line.saturating_sub(1)).map(str::trim);
    let (before, written) = before
        .enumerate()
        .filter(|(_, line)| is_told(line))
        .last()?;
    let before = in_file.saturating_sub(line.saturating_sub(before + 1));
    if info.starts_with("mapping values are not allowed") && !written.contains(':') {
        return Some(format!(
            "line {before} has no colon: a field is written `name: value`"
        ));
    }
    if info.starts_with("mapping values are not allowed") {
        return Some(format!(
            "indent line {in_file} like the fields that it belongs to, and quote a value that holds `: `"
        ));
    }
    info.contains("did not find expected key")
        .then(|| format!("indent line {in_file} like the fields that it belongs to"))
}

fn too_deep(place: Place) -> Diagnostic {
    Diagnostic::new(place, format!("nested deeper than {MAX_DEPTH} levels"))
}

/// A collection that is still open.
struct Frame {
    at: Position,
    anchor: usize,
    /// Greatest number of levels below this one, so far.
    height: usize,
    kind: FrameKind,
}

enum FrameKind {
    Sequence(Vec<Node>),
    Mapping {
        fields: Vec<Field>,
        index: BTreeMap<String, usize>,
        state: MappingState,
        merge_at: Option<Position>,
    },
}

/// What a mapping waits for.
enum MappingState {
    Key,
    Value {
        key: String,
        at: Position,
    },
    MergeValue {
        at: Position,
    },
    /// The key was refused and reported; its value is read and dropped.
    DroppedValue,
}

/// What an anchor names.
enum Anchored {
    /// Still being read: an alias to it would contain itself.
    Open,
    Done {
        node: Node,
        height: usize,
        cost: usize,
    },
}

struct Builder<'a> {
    file: &'a Arc<str>,
    lines_before: u32,
    frames: Vec<Frame>,
    anchors: BTreeMap<usize, Anchored>,
    alias_bytes_left: usize,
    parsed: Parsed,
}

type Outcome = Result<(), Diagnostic>;

impl Builder<'_> {
    fn position(&self, line: usize, column: usize) -> Position {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let column = u32::try_from(column).unwrap_or(u32::MAX);
        (
            line.saturating_add(self.lines_before),
            column.saturating_add(1),
        )
    }

    fn place(&self, (line, column): Position) -> Place {
        Place {
            file: Arc::clone(self.file),
            line,
            column,
        }
    }

    fn report(&mut self, at: Position, message: impl Into<String>, help: &str) {
        let diagnostic = Diagnostic::new(self.place(at), message).with_help(help);
        self.parsed.diagnostics.push(diagnostic);
    }

    fn event(&mut self, event: Event<'_>, span: &Span) -> Outcome {
        let at = self.position(span.start.line(), span.start.col());
        match event {
            Event::Comment(text, _) => {
                let place = self.place(at);
                let text = text.into_owned();
                self.parsed.comments.push(Comment { place, text });
            }
            Event::DocumentStart(..) => self.anchors.clear(),
            Event::Scalar(text, style, anchor, tag) => {
                // The parser shows an absent value as `~`.
                let absent = span.start.index() == span.end.index();
                let text = match style {
                    ScalarStyle::Plain if absent => Cow::Borrowed(""),
                    _ => text,
                };
                self.scalar(&text, style, anchor, tag.as_deref(), at)?;
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open(at, anchor, FrameKind::Sequence(Vec::new()))?;
            }
            Event::MappingStart(_, anchor, _) => {
                let kind = FrameKind::Mapping {
                    fields: Vec::new(),
                    index: BTreeMap::new(),
                    state: MappingState::Key,
                    merge_at: None,
                };
                self.open(at, anchor, kind)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
            Event::Alias(id) => self.alias(id, at)?,
            // Stream and document boundaries; anchor names and unresolved aliases are not asked for.
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, at: Position, anchor: usize, kind: FrameKind) -> Outcome {
        if let Some(FrameKind::Mapping {
            state: MappingState::Key,
            ..
        }) = self.frames.last().map(|frame| &frame.kind)
        {
            let message = "a mapping key must be a scalar, not a list or a mapping";
            return Err(Diagnostic::new(self.place(at), message).with_help(
                "where this is a template placeholder such as `{{ name }}`, render it first; \
                 else quote the key",
            ));
        }
        self.check_depth(self.frames.len() + 1, at)?;
        if anchor != 0 {
            self.anchors.insert(anchor, Anchored::Open);
        }
        self.frames.push(Frame {
            at,
            anchor,
            height: 1,
            kind,
        });
        Ok(())
    }

    fn check_depth(&self, depth: usize, at: Position) -> Outcome {
        if depth <= MAX_DEPTH {
            return Ok(());
        }
        Err(too_deep(self.place(at)))
    }

    fn close(&mut self) -> Outcome {
        let Some(frame) = self.frames.pop() else {
            return Ok(());
        };
        let content = match frame.kind {
            FrameKind::Sequence(items) => Content::Sequence(items),
            FrameKind::Mapping { fields, .. } => Content::Mapping(fields),
        };
        let node = Node {
            content,
            at: frame.at,
        };
        self.remember(frame.anchor, &node, frame.height, frame.at)?;
        self.place_node(node, frame.height);
        Ok(())
    }

    /// Keeps what an anchor names, within the bound on copies.
    fn remember(&mut self, anchor: usize, node: &Node, height: usize, at: Position) -> Outcome {
        if anchor == 0 {
            return Ok(());
        }
        let cost = cost(node);
        self.spend(cost, at)?;
        let node = node.clone();
        self.anchors
            .insert(anchor, Anchored::Done { node, height, cost });
        Ok(())
    }

    fn spend(&mut self, cost: usize, at: Position) -> Outcome {
        match self.alias_bytes_left.checked_sub(cost) {
            Some(left) => {
                self.alias_bytes_left = left;
                Ok(())
            }
            None => Err(Diagnostic::new(
                self.place(at),
                format!("anchors and aliases expand to more than {MAX_ALIAS_BYTES} bytes"),
            )
            .with_help("write the repeated parts out")),
        }
    }

    fn alias(&mut self, id: usize, at: Position) -> Outcome {
        let (node, height, cost) = match self.anchors.get(&id) {
            Some(Anchored::Done { node, height, cost }) => (node.clone(), *height, *cost),
            Some(Anchored::Open) => {
                let message = "the anchor's value contains itself";
                return Err(Diagnostic::new(self.place(at), message));
            }
            // The parser refuses unknown anchors before this.
            None => return Err(Diagnostic::new(self.place(at), "unknown anchor")),
        };
        self.spend(cost, at)?;
        self.check_depth(self.frames.len() + height, at)?;
        if let Some(Frame {
            kind:
                FrameKind::Mapping {
                    state: MappingState::Key,
                    ..
                },
            ..
        }) = self.frames.last()
        {
            let Content::Scalar(scalar) = node.content else {
                let message = "a mapping key must be a scalar, not a list or a mapping";
                return Err(Diagnostic::new(self.place(at), message));
            };
            let resolved = match (scalar.plain, &scalar.value) {
                (_, Value::String(text)) => Resolved::Text(text.clone()),
                _ => resolve_plain(scalar.text()),
            };
            self.key(resolved, at);
            return Ok(());
        }
        self.place_node(Node { at, ..node }, height);
        Ok(())
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        at: Position,
    ) -> Outcome {
        let plain = style == ScalarStyle::Plain && tag.is_none();
        let tag = tag.map(|tag| format!("{}{}", tag.handle(), tag.suffix()));
        let wants_key = match self.frames.last().map(|frame| &frame.kind) {
            Some(FrameKind::Mapping {
                state: MappingState::Key,
                ..
            }) => true,
            Some(_) | None => false,
        };
        let merge_tag = tag.as_deref() == Some("tag:yaml.org,2002:merge");
        if wants_key && text == "<<" && (plain || merge_tag) {
            self.merge_key(at);
            return Ok(());
        }
        let resolved = match &tag {
            Some(tag) => resolve_tagged(tag, text),
            None if plain => Ok(resolve_plain(text)),
            None => Ok(Resolved::Text(text.to_owned())),
        };
        let resolved = resolved.unwrap_or_else(|message| {
            self.report(at, message, "correct the value or remove the tag");
            Resolved::Text(text.to_owned())
        });
        let key = wants_key.then(|| resolved.clone());
        let value = to_json(resolved).unwrap_or_else(|message| {
            if !wants_key {
                self.report(
                    at,
                    format!("`{text}`: {message}"),
                    "quote it if text is meant",
                );
            }
            Value::String(text.to_owned())
        });
        let written = (!value.is_string()).then(|| text.into());
        let scalar = Scalar {
            value,
            written,
            plain,
        };
        let node = Node {
            content: Content::Scalar(scalar),
            at,
        };
        self.remember(anchor, &node, 0, at)?;
        match key {
            Some(key) => self.key(key, at),
            None => self.place_node(node, 0),
        }
        Ok(())
    }

    /// Puts a finished node where the innermost open collection waits for one.
    fn place_node(&mut self, node: Node, height: usize) {
        let Some(frame) = self.frames.last_mut() else {
            self.parsed.roots.push(node);
            return;
        };
        frame.height = frame.height.max(height + 1);
        match &mut frame.kind {
            FrameKind::Sequence(items) => items.push(node),
            FrameKind::Mapping {
                fields,
                index,
                state,
                ..
            } => {
                match mem::replace(state, MappingState::Key) {
                    MappingState::Value { key, at } => {
                        let field = Field {
                            key: key.clone(),
                            key_at: at,
                            value: node,
                            merged: false,
                        };
                        // Present is only a merged field: written ones were refused with their key.
                        if let Some(&existing) = index.get(&key) {
                            fields[existing] = field;
                        } else {
                            index.insert(key, fields.len());
                            fields.push(field);
                        }
                    }
                    MappingState::MergeValue { at } => self.merge(node, at),
                    // A collection as a key is refused where it opens.
                    MappingState::DroppedValue | MappingState::Key => {}
                }
            }
        }
    }

    fn key(&mut self, resolved: Resolved, at: Position) {
        let key = to_key(resolved).and_then(|key| {
            if key.len() > MAX_KEY_BYTES {
                Err("the key is longer than 1024 bytes")
            } else {
                Ok(key)
            }
        });
        let Some(FrameKind::Mapping {
            fields,
            index,
            state,
            ..
        }) = self.frames.last_mut().map(|frame| &mut frame.kind)
        else {
            return;
        };
        match key {
            Err(message) => {
                *state = MappingState::DroppedValue;
                self.report(at, message, "quote the key");
            }
            Ok(key) => match index.get(&key).map(|&existing| &fields[existing]) {
                Some(first) if !first.merged => {
                    let first_at = first.key_at;
                    *state = MappingState::DroppedValue;
                    self.report_duplicate(&key, at, first_at);
                }
                _ => *state = MappingState::Value { key, at },
            },
        }
    }

    fn report_duplicate(&mut self, key: &str, at: Position, first_at: Position) {
        let first = self.place(first_at);
        let message = format!("key `{key}` is given twice, first at {first}");
        self.report(at, message, "remove one of the two");
    }

    fn merge_key(&mut self, at: Position) {
        let Some(FrameKind::Mapping {
            state, merge_at, ..
        }) = self.frames.last_mut().map(|frame| &mut frame.kind)
        else {
            return;
        };
        if let Some(first_at) = *merge_at {
            *state = MappingState::DroppedValue;
            let first = self.place(first_at);
            let message = format!("merge key `<<` is given twice, first at {first}");
            self.report(at, message, "merge a list: `<<: [*first, *second]`");
        } else {
            *merge_at = Some(at);
            *state = MappingState::MergeValue { at };
        }
    }

    /// Brings the fields of a merge key's value into the innermost open mapping.
    fn merge(&mut self, value: Node, at: Position) {
        let sources = match value.content {
            Content::Mapping(fields) => Some(vec![fields]),
            Content::Sequence(items) => items
                .into_iter()
                .map(|item| match item.content {
                    Content::Mapping(fields) => Some(fields),
                    _ => None,
                })
                .collect(),
            Content::Scalar(_) => None,
        };
        let Some(sources) = sources else {
            let message = "merge key `<<` needs a mapping or a list of mappings";
            self.report(
                at,
                message,
                "quote the key if it is not meant as a merge key",
            );
            return;
        };
        let Some(FrameKind::Mapping { fields, index, .. }) =
            self.frames.last_mut().map(|frame| &mut frame.kind)
        else {
            return;
        };
        let mut overridden = Vec::new();
        for source in sources.into_iter().flatten() {
            match index.get(&source.key).map(|&existing| &fields[existing]) {
                Some(existing) if existing.merged => {}
                Some(existing) => overridden.push((source.key, existing.key_at)),
                None => {
                    index.insert(source.key.clone(), fields.len());
                    fields.push(Field {
                        merged: true,
                        ..source
                    });
                }
            }
        }
        for (key, key_at) in overridden {
            let key_place = self.place(key_at);
            let message = format!(
                "merge key `<<` also brings `{key}`, which is given before it at {key_place}: \
                 tools disagree which of the two counts"
            );
            self.report(
                at,
                message,
                "put `<<` first in its mapping: what is written then wins",
            );
        }
    }
}

/// What copying a node counts for.
fn cost(node: &Node) -> usize {
    let inner: usize = match &node.content {
        Content::Scalar(scalar) => scalar.text().len(),
        Content::Sequence(items) => items.iter().map(cost).sum(),
        Content::Mapping(fields) => fields
            .iter()
            .map(|field| field.key.len() + cost(&field.value))
            .sum(),
    };
    NODE_COST_BYTES + inner
}
