//! JSON strings may hold characters that YAML does not allow unescaped, such as U+007F; kubectl
//! reads such files with a JSON parser. Here each of them is parsed as an unused character of the
//! same width in columns, and restored in the tree.

use serde::de::IgnoredAny;

use super::{Content, Node};

/// First code point tried as a stand-in: a plane for private use.
const FIRST: u32 = 0xF_0000;
/// Code points tried. There are fewer than 40 characters to stand in for.
const TRIED: u32 = 4096;

/// Which character stands for which: `(original, stand-in)`.
pub(super) struct StandIns(Vec<(char, char)>);

/// The text with stand-ins, if it is JSON that needs them.
pub(super) fn replace(text: &str) -> Option<(String, StandIns)> {
    let is_json = || serde_json::from_str::<IgnoredAny>(text).is_ok();
    if !text.trim_start().starts_with(['{', '[', '"']) || !text.contains(unprintable) || !is_json()
    {
        return None;
    }
    let mut unused = (FIRST..FIRST + TRIED)
        .filter_map(char::from_u32)
        .filter(|candidate| !text.contains(*candidate));
    let mut pairs: Vec<(char, char)> = Vec::new();
    for original in text.chars().filter(|c| unprintable(*c)) {
        if pairs.iter().all(|(known, _)| *known != original) {
            pairs.push((original, unused.next()?));
        }
    }
    let stand_in = |c: char| pairs.iter().find(|(original, _)| *original == c);
    let replaced = text.chars().map(|c| stand_in(c).map_or(c, |pair| pair.1));
    Some((replaced.collect(), StandIns(pairs)))
}

/// What YAML 1.2 does not count as printable and JSON allows in a string.
fn unprintable(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

impl StandIns {
    /// Puts the originals back into keys and scalars.
    pub(super) fn restore(&self, node: &mut Node) {
        match &mut node.content {
            Content::Scalar(scalar) => {
                if let serde_json::Value::String(text) = &mut scalar.value {
                    self.restore_text(text);
                }
            }
            Content::Sequence(items) => items.iter_mut().for_each(|item| self.restore(item)),
            Content::Mapping(fields) => {
                for field in fields {
                    self.restore_text(&mut field.key);
                    self.restore(&mut field.value);
                }
            }
        }
    }

    /// Puts the originals back into a text.
    pub(super) fn restore_text(&self, text: &mut String) {
        for (original, stand_in) in &self.0 {
            if text.contains(*stand_in) {
                *text = text.replace(*stand_in, original.encode_utf8(&mut [0; 4]));
            }
        }
    }
}
