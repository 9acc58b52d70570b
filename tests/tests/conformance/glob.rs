//! Patterns of field paths.

/// Whether a text matches a pattern in which `*` stands for anything without `/`, and `**` for
/// anything.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    fn from(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', b'*', rest @ ..] => (0..=text.len()).any(|skip| from(rest, &text[skip..])),
            [b'*', rest @ ..] => {
                let segment = text.iter().position(|byte| *byte == b'/');
                let longest = segment.unwrap_or(text.len());
                (0..=longest).any(|skip| from(rest, &text[skip..]))
            }
            [first, rest @ ..] => text.first() == Some(first) && from(rest, &text[1..]),
        }
    }
    from(pattern.as_bytes(), text.as_bytes())
}

#[test]
fn patterns_match_within_their_bounds() {
    #[track_caller]
    fn check(pattern: &str, text: &str, expect: bool) {
        assert_eq!(matches(pattern, text), expect, "{pattern} {text}");
    }
    check("/a/b", "/a/b", true);
    check("/a/*", "/a/b", true);
    check("/a/*", "/a/b/c", false);
    check("/a/**", "/a/b/c", true);
    check("**/c", "/a/b/c", true);
    check("/a/*/c", "/a/b/d", false);
    check("/a", "/a/b", false);
}
