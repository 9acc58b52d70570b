//! Words that findings share: counts, lists, commands.

/// Names listed before the rest is only counted.
const LISTED: usize = 5;

/// `1 object`, `3 objects`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// `a`, `a and b`, `a, b and c`; beyond five names, `a, b, c, d, e and 7 more`.
pub(crate) fn list<T: std::fmt::Display>(items: &[T]) -> String {
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

/// The way out that is always there: taking the responsibility by name.
pub(crate) fn accept(code: underpin_model::Code, subject: &str) -> String {
    format!("to go on all the same: --accept {code}:{subject} --reason \"…\"")
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
