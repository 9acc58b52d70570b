//! The files that were read, and places in them.

use std::sync::Arc;

use underpin_model::Place;

/// A file, by its number in [`Texts`].
pub(super) type FileId = u32;

/// A byte of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Site {
    pub(super) file: FileId,
    pub(super) offset: u32,
}

/// One file.
pub(super) struct Text {
    /// As places name it.
    pub(super) name: Arc<str>,
    pub(super) content: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl Text {
    pub(super) fn new(name: &str, mut text: String) -> Self {
        // Positions are counted without it, as editors do.
        if text.starts_with('\u{feff}') {
            text.remove(0);
        }
        let after_breaks = text.match_indices('\n').map(|(index, _)| index + 1);
        let lines = std::iter::once(0).chain(after_breaks).collect();
        Self {
            name: name.into(),
            lines,
            content: text,
        }
    }

    /// Line and column of a byte, both from 1, the column in characters.
    pub(super) fn position(&self, offset: usize) -> (u32, u32) {
        let line = self
            .lines
            .partition_point(|start| *start <= offset)
            .saturating_sub(1);
        let start = self.lines.get(line).copied().unwrap_or_default();
        let before = self.content.get(start..offset).unwrap_or_default();
        (small(line + 1), small(before.chars().count() + 1))
    }

    pub(super) fn place(&self, offset: usize) -> Place {
        let (line, column) = self.position(offset);
        Place {
            file: Arc::clone(&self.name),
            line,
            column,
        }
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// All files that were read.
#[derive(Default)]
pub(super) struct Texts(Vec<Text>);

impl Texts {
    pub(super) fn add(&mut self, text: Text) -> FileId {
        self.0.push(text);
        small(self.0.len() - 1)
    }

    pub(super) fn get(&self, file: FileId) -> Option<&Text> {
        self.0.get(file as usize)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Text> {
        self.0.iter()
    }

    pub(super) fn place(&self, site: Site) -> Option<Place> {
        Some(self.get(site.file)?.place(site.offset as usize))
    }
}

impl Text {
    /// The byte at a line and column.
    pub(super) fn offset(&self, (line, column): (u32, u32)) -> usize {
        let start = self.lines.get((line as usize).saturating_sub(1));
        let start = start.copied().unwrap_or_default();
        let text = self.content.get(start..).unwrap_or_default();
        let before = text.chars().take((column as usize).saturating_sub(1));
        start + before.map(char::len_utf8).sum::<usize>()
    }
}
