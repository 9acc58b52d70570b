//! Names of which a part is filled in later: variables of shells, Kubernetes, Flux and templates.

/// A name with `*` for each variable in it; `None` where it holds none.
pub fn opened_name(text: &str) -> Option<String> {
    if !text.contains(['$', '{', '}', '<', '>', '%']) {
        return None;
    }
    let mut opened = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['$', '{', '}', '<', '>', '%']) {
        opened.push_str(&rest[..at]);
        if !opened.ends_with('*') {
            opened.push('*');
        }
        rest = behind_variable(&rest[at..]);
    }
    opened.push_str(rest);
    Some(opened)
}

/// What stands behind the variable that a text begins with; nothing where it does not end.
fn behind_variable(text: &str) -> &str {
    let mut chars = text.chars();
    let first = chars.next();
    let behind = chars.as_str();
    match first {
        Some('$') => match behind.chars().next() {
            Some('{') => behind_pair(behind, '{', '}'),
            Some('(') => behind_pair(behind, '(', ')'),
            _ => behind.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_'),
        },
        Some('{') => behind_pair(text, '{', '}'),
        Some('<') => behind_pair(text, '<', '>'),
        Some('%') => behind.split_once('%').map_or("", |(_, behind)| behind),
        _ => behind,
    }
}

/// What stands behind the bracket that closes the one at the beginning.
fn behind_pair(text: &str, open: char, close: char) -> &str {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return text.get(at + c.len_utf8()..).unwrap_or_default();
            }
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::opened_name;

    #[test]
    fn variables_of_all_forms_stand_for_anything() {
        for (text, expected) in [
            ("team/web:1.2", None),
            ("team/web:${TAG}", Some("team/web:*")),
            ("team/web:${TAG:-${OTHER}}-x", Some("team/web:*-x")),
            ("$(REGISTRY)/web:$TAG", Some("*/web:*")),
            ("{{ .Values.registry }}/web:{{ .tag }}", Some("*/web:*")),
            ("team/<name>:1", Some("team/*:1")),
            ("team/web:%TAG%", Some("team/web:*")),
            ("team/web:${TAG", Some("team/web:*")),
            ("team/web:$A$B", Some("team/web:*")),
            ("a}b", Some("a*b")),
        ] {
            assert_eq!(opened_name(text).as_deref(), expected, "{text}");
        }
    }
}
