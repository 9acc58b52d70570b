//! What a container wrote last, within bounds.

use underpin_model::Mask;

/// Lines that are shown, the last ones.
pub const LOG_LINES: usize = 15;
/// Bytes that are read of a log.
pub const LOG_BYTES: usize = 64 << 10;
/// Characters that are shown of a line.
const LINE_LIMIT: usize = 240;

/// The end of a container's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The pod's name.
    pub pod: String,
    /// The container's name.
    pub container: String,
    /// Whether it is of an instance that has ended and was started anew.
    pub previous: bool,
    /// The last lines.
    pub lines: Vec<String>,
}

impl Log {
    /// The last lines of `text`, which holds at most [`LOG_BYTES`] of a log: masked, without what a
    /// terminal would act on, each of bounded length.
    pub fn excerpt(text: &str, mask: &Mask) -> Vec<String> {
        // Where reading stopped, half a line may hold half a secret, which no mask knows.
        let whole = if text.len() < LOG_BYTES || text.ends_with('\n') {
            text
        } else {
            text.rsplit_once('\n').map_or("", |(whole, _)| whole)
        };
        let masked = mask.apply(whole);
        let lines: Vec<&str> = masked
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let first = lines.len().saturating_sub(LOG_LINES);
        let last = lines.get(first..).unwrap_or_default();
        last.iter().map(|line| shown(line, LINE_LIMIT)).collect()
    }
}

/// A text as one line without control characters, cut to `limit`.
pub(super) fn shown(line: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut characters = plain(line).into_iter();
    for character in characters.by_ref().take(limit) {
        out.push(character);
    }
    if characters.next().is_some() {
        out.push('…');
    }
    out
}

/// The characters of a line without those that a terminal acts on, and without whole colour
/// sequences.
fn plain(line: &str) -> Vec<char> {
    let mut out = Vec::new();
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' if characters.peek() == Some(&'[') => {
                characters.next();
                // A control sequence ends with the first letter or one of `@` to `~`.
                for end in characters.by_ref() {
                    if ('@'..='~').contains(&end) {
                        break;
                    }
                }
            }
            '\t' | '\n' => out.push(' '),
            other if other.is_control() => {}
            other => out.push(other),
        }
    }
    out
}
