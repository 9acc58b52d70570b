//! Cutting a text into documents before any is parsed, so that a broken one leaves the others
//! readable.
//!
//! This is exact: YAML forbids a line that begins with `---` or `...` followed by white space
//! inside every kind of scalar (production c-forbidden of YAML 1.2).

/// One document's text, directives and end marker included.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk<'a> {
    /// The text.
    pub(super) text: &'a str,
    /// How many lines precede it.
    pub(super) lines_before: u32,
}

/// Cuts at every `---` line, and after every `...` line. Directives stay with the document that
/// follows them.
pub(super) fn split(text: &str) -> Vec<Chunk<'_>> {
    let mut chunks = Vec::new();
    let (mut start, mut start_line) = (0, 0);
    let mut prologue = Prologue::Empty;
    let mut cut = |from: usize, to: usize, lines_before: u32| {
        if from < to {
            let text = &text[from..to];
            chunks.push(Chunk { text, lines_before });
        }
    };
    let mut position = 0;
    for (number, line) in (0_u32..).zip(lines(text)) {
        let end = position + line.len();
        if is_marker(line, "---") {
            if prologue != Prologue::Directives {
                cut(start, position, start_line);
                (start, start_line) = (position, number);
            }
            prologue = Prologue::Over;
        } else if is_marker(line, "...") {
            cut(start, end, start_line);
            (start, start_line) = (end, number + 1);
            prologue = Prologue::Empty;
        } else {
            prologue = prologue.after(line);
        }
        position = end;
    }
    cut(start, text.len(), start_line);
    chunks
}

/// What the current chunk holds so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prologue {
    /// Blank lines and comments.
    Empty,
    /// A directive, and nothing else that counts.
    Directives,
    /// Content.
    Over,
}

impl Prologue {
    fn after(self, line: &str) -> Self {
        let rest = line.trim_start();
        if self == Self::Over || rest.is_empty() || rest.starts_with('#') {
            self
        } else if line.starts_with('%') {
            Self::Directives
        } else {
            Self::Over
        }
    }
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r']))
}

/// Lines with their line breaks: `\n`, `\r\n` or a lone `\r`.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let bytes = rest.as_bytes();
        let end = match bytes.iter().position(|b| matches!(b, b'\n' | b'\r')) {
            Some(at) if bytes[at] == b'\r' && bytes.get(at + 1) == Some(&b'\n') => at + 2,
            Some(at) => at + 1,
            None => rest.len(),
        };
        let (line, after) = rest.split_at(end);
        rest = after;
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &[(&str, u32)]) {
        let got = split(text);
        let got: Vec<(&str, u32)> = got.iter().map(|c| (c.text, c.lines_before)).collect();
        assert_eq!(got, expect);
    }

    #[test]
    fn documents_are_cut_at_their_markers() {
        check("", &[]);
        check("a: 1", &[("a: 1", 0)]);
        check("a\n---\nb\n", &[("a\n", 0), ("---\nb\n", 1)]);
        check(
            "---\r\na\r\n--- # x\r\nb",
            &[("---\r\na\r\n", 0), ("--- # x\r\nb", 2)],
        );
        check("a\n...\nb\n", &[("a\n...\n", 0), ("b\n", 2)]);
        check("a\r---\rb", &[("a\r", 0), ("---\rb", 1)]);
    }

    #[test]
    fn directives_stay_with_their_document() {
        check("%YAML 1.1\n---\na\n", &[("%YAML 1.1\n---\na\n", 0)]);
        check(
            "# c\n%YAML 1.1\n# d\n---\na\n",
            &[("# c\n%YAML 1.1\n# d\n---\na\n", 0)],
        );
        check("# c\n---\na\n", &[("# c\n", 0), ("---\na\n", 1)]);
    }

    #[test]
    fn what_only_looks_like_a_marker_is_content() {
        check(
            "a: |\n  ---\n ---\n----\n---x\n",
            &[("a: |\n  ---\n ---\n----\n---x\n", 0)],
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "([-.%#a \t]|---|\\.\\.\\.|\n|\r|\r\n|é){0,60}") {
            let chunks = split(&text);
            let joined: String = chunks.iter().map(|c| c.text).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
