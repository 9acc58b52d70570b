//! Placeholders that values may hold.

/// Families that tell of the request, of what was answered and of the time.
const ALLOWED: &[&str] = &["http", "time"];
/// Families that are known and not allowed, so that they can be named.
const KNOWN: &[&str] = &["env", "file", "system"];

/// The first placeholder in a text that may not be used, by its family; `other` for one that is not
/// known. What stands in braces without a name and a dot is no placeholder: Caddy leaves it as it
/// is.
pub(crate) fn forbidden(text: &str) -> Option<&'static str> {
    // From every brace, for Caddy tries each in turn; one behind the last closing brace opens
    // nothing.
    let end = text.rfind('}')?;
    text[..end].match_indices('{').find_map(|(at, _)| {
        let rest = &text[at + 1..end];
        let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$');
        let family = &rest[..rest.find(|c| !name(c))?];
        let is_placeholder = !family.is_empty() && rest[family.len()..].starts_with('.');
        if !is_placeholder || ALLOWED.contains(&family) {
            return None;
        }
        let known = KNOWN.iter().find(|known| **known == family);
        Some(known.copied().unwrap_or("other"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_tells_of_the_request_is_allowed() {
        for (text, expect) in [
            ("{http.request.host}{http.request.uri}", None),
            ("{time.now.unix}", None),
            ("a {env.TOKEN} b", Some("env")),
            ("{file./etc/passwd}", Some("file")),
            ("{system.hostname}", Some("system")),
            ("{vault.secret}", Some("other")),
            ("{{env.TOKEN}}", Some("env")),
            ("\\{env.TOKEN}", Some("env")),
            ("{http.request.host} {env.TOKEN}", Some("env")),
            ("body { margin: 1.5em } {\"a\": 1.5}", None),
            ("{env.TOKEN", None),
            ("{}", None),
        ] {
            assert_eq!(forbidden(text), expect, "{text}");
        }
    }
}
