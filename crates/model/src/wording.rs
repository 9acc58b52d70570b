//! Counts and lists, as all that is told to people words them.

use std::fmt;

/// Names listed before the rest is only counted.
const LISTED: usize = 5;

/// `1 object`, `3 objects`.
pub fn count<N: Copy + PartialEq + From<u8> + fmt::Display>(number: N, noun: &str) -> String {
    let plural = if number == N::from(1) { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// `a`, `a and b`, `a, b and c`; beyond five names, `a, b, c, d, e and 7 more`.
pub fn list<T: fmt::Display>(items: &[T]) -> String {
    let mut words: Vec<String> = items.iter().take(LISTED).map(ToString::to_string).collect();
    if items.len() > LISTED {
        words.push(format!("{} more", items.len() - LISTED));
    }
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_read_as_sentences() {
        for (items, expect) in [
            (&[][..], ""),
            (&["a"], "a"),
            (&["a", "b"], "a and b"),
            (&["a", "b", "c"], "a, b and c"),
            (
                &["a", "b", "c", "d", "e", "f", "g"],
                "a, b, c, d, e and 2 more",
            ),
        ] {
            assert_eq!(list(items), expect);
        }
        assert_eq!(
            (count(1, "object"), count(0, "object")),
            ("1 object".into(), "0 objects".into())
        );
    }
}
