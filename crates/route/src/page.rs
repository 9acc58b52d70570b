//! The answer to hosts that nothing is configured for (R3.4).

use serde_json::{Value, json};

/// The longest page that is taken; a longer one is replaced by the built-in page.
pub const MAXIMUM_PAGE: usize = 256 * 1024;

/// The page where the operator has given none.
pub const BUILT_IN_PAGE: &str = "\
<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<title>No route</title>
<style>body { font-family: sans-serif; margin: 4em auto; max-width: 36em; }</style>
</head>
<body>
<h1>No backend route is configured for this host</h1>
<p>If you operate it, check the route entry of its Service.</p>
</body>
</html>
";

/// The page to be shown: the operator's, or the built-in one where there is none, it is empty or it
/// is too long. The second says whether the operator's was taken.
pub fn page_or_built_in(page: Option<&str>) -> (&str, bool) {
    match page {
        Some(page) if !page.trim().is_empty() && page.len() <= MAXIMUM_PAGE => (page, true),
        _ => (BUILT_IN_PAGE, false),
    }
}

/// Answers every request: 503 for every method, and nothing that a cache or a client would take
/// for an answer of the site.
pub(crate) fn handler(page: &str) -> Value {
    json!({
        "handler": "static_response",
        "status_code": 503,
        "headers": {
            "Cache-Control": ["no-store"],
            "Content-Type": ["text/html; charset=utf-8"],
            "Retry-After": ["60"],
        },
        "body": escaped(page),
    })
}

/// A text that Caddy gives out as it is. It replaces placeholders such as `{env.HOME}` and takes the
/// backslash before a brace off; a text without an opening brace it does not look into.
fn escaped(text: &str) -> String {
    if !text.contains('{') {
        return text.to_owned();
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '{' | '}') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_of_a_page_are_not_filled_in() {
        assert_eq!(escaped("{env.HOME} \\{x\\}"), "\\{env.HOME\\} \\\\{x\\\\}");
        assert_eq!(escaped("no braces, \\} or one"), "no braces, \\} or one");
    }

    /// R3.4: the page names no versions, addresses or namespaces, and says what to do.
    #[test]
    fn the_built_in_page_says_what_to_do() {
        assert!(BUILT_IN_PAGE.contains("No backend route is configured for this host"));
        assert!(BUILT_IN_PAGE.contains("check the route entry of its Service"));
        let long = "x".repeat(MAXIMUM_PAGE + 1);
        for page in [None, Some(""), Some(" \n"), Some(long.as_str())] {
            assert_eq!(page_or_built_in(page), (BUILT_IN_PAGE, false));
        }
        assert_eq!(page_or_built_in(Some("<p>")), ("<p>", true));
    }
}
