//! Texts of files: lines with settings in blocks, as YAML, JSON, INI and properties have them.

use std::collections::{BTreeSet, HashMap};

use super::{
    key,
    sighting::{Sighting, Surroundings},
    value::{port_beside, sightings},
};

/// One line: its setting, or a text without a key.
struct Line<'t> {
    key: &'t str,
    value: &'t str,
    block: usize,
}

/// Everything that a file names. `name` is its key in the ConfigMap or Secret: a value of one line
/// is known by it.
pub(super) fn sightings_of_file(
    around: &Surroundings<'_>,
    name: &str,
    text: &str,
) -> BTreeSet<Sighting> {
    if !text.trim().contains('\n') && !text.trim_start().starts_with(['{', '[']) {
        let around = Surroundings {
            hint: key::hint(name),
            ..*around
        };
        return sightings(&around, text, None);
    }
    let lines = lines(text);
    let mut ports: HashMap<(usize, String), &str> = HashMap::new();
    for line in &lines {
        if key::may_be_port(line.key) {
            ports.insert((line.block, key::normalized(line.key)), line.value);
        }
    }
    let mut found = BTreeSet::new();
    for line in &lines {
        let around = Surroundings {
            hint: key::hint(line.key),
            ..*around
        };
        let port = port_beside(line.key, |key| {
            ports.get(&(line.block, key.to_owned())).copied()
        });
        found.extend(sightings(&around, line.value, port));
    }
    found
}

/// The lines of a text, comments left out. Settings that stand beside one another are of one block.
fn lines(text: &str) -> Vec<Line<'_>> {
    let mut found = Vec::new();
    let mut blocks = Blocks::default();
    for line in text.lines().flat_map(parts) {
        let trimmed = line.trim_start();
        let mut indent = line.len() - trimmed.len();
        let mut content = trimmed;
        if content.is_empty() || content.starts_with(['#', ';']) || content.starts_with("//") {
            continue;
        }
        if content.starts_with('[') && content.trim_end().ends_with(']') {
            blocks.section();
            continue;
        }
        let mut starts_an_item = false;
        while let Some(rest) = content.strip_prefix("- ") {
            starts_an_item = true;
            indent += content.len() - rest.trim_start().len();
            content = rest.trim_start();
        }
        let block = blocks.of(indent, starts_an_item);
        let (key, value) = setting(content);
        found.push(Line { key, value, block });
    }
    found
}

/// A line of a file in which everything stands on one line, such as compact JSON, in parts.
fn parts(line: &str) -> Vec<&str> {
    let is_compact = line.contains("\":\"") || line.contains("\": \"") || line.contains("\",");
    let trimmed = line.trim_start();
    if !is_compact || !trimmed.starts_with(['{', '[']) {
        return vec![line];
    }
    line.split_inclusive(['{', '}', ','])
        .map(|part| part.trim_matches(['{', '}', ' ']))
        .collect()
}

/// Which block a line is of.
#[derive(Default)]
struct Blocks {
    next: usize,
    /// Indents with their blocks, outermost first.
    open: Vec<(usize, usize)>,
}

impl Blocks {
    fn section(&mut self) {
        self.open.clear();
    }

    fn of(&mut self, indent: usize, starts_an_item: bool) -> usize {
        while self.open.last().is_some_and(|(open, _)| *open > indent) {
            self.open.pop();
        }
        if starts_an_item && self.open.last().is_some_and(|(open, _)| *open == indent) {
            self.open.pop();
        }
        match self.open.last() {
            Some((open, block)) if *open == indent => *block,
            _ => {
                self.next += 1;
                self.open.push((indent, self.next));
                self.next
            }
        }
    }
}

/// Key and value of a line: `key: value`, `"key": "value",`, `key = value`, `directive value;`. A
/// line without a key is all value.
fn setting(line: &str) -> (&str, &str) {
    let quotes = |c: char| matches!(c, '"' | '\'' | ',' | ';') || c.is_whitespace();
    let colon = line
        .match_indices(':')
        .find(|(at, _)| {
            let after = &line[at + 1..];
            after.is_empty() || after.starts_with([' ', '"']) || line[..*at].ends_with('"')
        })
        .map(|(at, _)| at);
    let equals = line.find('=');
    let space = line.find(char::is_whitespace);
    let at = match (colon, equals) {
        (Some(colon), Some(equals)) => Some(colon.min(equals)),
        (colon, equals) => colon.or(equals),
    };
    let is_key = |key: &str| {
        !key.is_empty()
            && !key.contains(['/', '(', '<', '@'])
            && !key.trim_matches(quotes).contains(' ')
    };
    if let Some(at) = at.filter(|at| is_key(&line[..*at])) {
        return (
            line[..at].trim_matches(quotes),
            without_comment(&line[at + 1..]).trim_matches(quotes),
        );
    }
    match space.filter(|at| is_key(&line[..*at])) {
        // The first word of a directive tells what the rest is.
        Some(at) => (
            line[..at].trim_matches(quotes),
            without_comment(&line[at..]).trim_matches(quotes),
        ),
        None => ("", without_comment(line).trim_matches(quotes)),
    }
}

/// A value without the comment behind it.
fn without_comment(value: &str) -> &str {
    value.split(" #").next().unwrap_or_default()
}
