//! `$(VAR)` in values, arguments and commands, as Kubernetes replaces it.

/// The text with every reference replaced by what `value` knows of it. `$$` is a dollar sign, and a
/// reference to what nobody defines stays as it is written.
pub(super) fn expand(text: &str, value: &dyn Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at..];
        let closed = rest
            .strip_prefix("$(")
            .and_then(|inner| inner.split_once(')'));
        if let Some(after) = rest.strip_prefix("$$") {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) = closed {
            match value(name) {
                Some(value) => expanded.push_str(&value),
                None => expanded.push_str(&rest[..rest.len() - after.len()]),
            }
            rest = after;
        } else {
            // A dollar sign with nothing behind it, or a reference that never ends.
            let length = "$".len() + rest[1..].chars().next().map_or(0, char::len_utf8);
            expanded.push_str(&rest[..length]);
            rest = &rest[length..];
        }
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn known(name: &str) -> Option<String> {
        match name {
            "A" => Some("1".to_owned()),
            "B" => Some("$(A)".to_owned()),
            "" => Some("empty".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn references_are_replaced_as_kubernetes_does() {
        for (text, expect) in [
            ("$(A)", "1"),
            ("x$(A)y$(A)", "x1y1"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$1"),
            ("$(C)", "$(C)"),
            ("$(B)", "$(A)"),
            ("$A ${A}", "$A ${A}"),
            ("$(A", "$(A"),
            ("$($(A))", "$($(A))"),
            ("$", "$"),
            ("$()", "empty"),
            ("é$é$(A)", "é$é1"),
        ] {
            assert_eq!(expand(text, &known), expect, "{text}");
        }
    }

    /// One character after another, as a machine of states.
    fn oracle(text: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        let mut out = String::new();
        let mut at = 0;
        while at < chars.len() {
            if chars[at] != '$' || at + 1 == chars.len() {
                out.push(chars[at]);
                at += 1;
                continue;
            }
            match chars[at + 1] {
                '$' => {
                    out.push('$');
                    at += 2;
                }
                '(' => {
                    let name: String = chars[at + 2..].iter().take_while(|c| **c != ')').collect();
                    let end = at + 2 + name.chars().count();
                    if end == chars.len() {
                        out.push_str("$(");
                        at += 2;
                        continue;
                    }
                    match known(&name) {
                        Some(value) => out.push_str(&value),
                        None => out.push_str(&format!("$({name})")),
                    }
                    at = end + 1;
                }
                other => {
                    out.push('$');
                    out.push(other);
                    at += 2;
                }
            }
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn expansion_agrees_with_a_machine_of_states(text in "[$()AB x]{0,24}|\\PC{0,24}") {
            prop_assert_eq!(expand(&text, &known), oracle(&text));
        }
    }
}
