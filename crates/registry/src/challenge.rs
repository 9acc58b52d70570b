//! `WWW-Authenticate`: how a registry asks who somebody is.

/// Longest header that is read.
const LENGTH_LIMIT: usize = 8 * 1024;

/// One way that a server offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// `basic` or `bearer`, in lower case.
    pub scheme: String,
    /// Its parameters; names in lower case, in the order in which they stand.
    pub parameters: Vec<(String, String)>,
}

impl Challenge {
    /// A parameter, if it is there once.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut named = self.parameters.iter().filter(|(key, _)| key == name);
        match (named.next(), named.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}

/// Reads the ways that a header offers: `Bearer realm="…",service="…", Basic realm="…"`. What is not
/// written as it must be ends the reading.
pub fn challenges(header: &str) -> Vec<Challenge> {
    let mut found: Vec<Challenge> = Vec::new();
    if header.len() > LENGTH_LIMIT {
        return found;
    }
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let Some((word, behind)) = token(rest) else {
            return found;
        };
        let value = behind.trim_start_matches([' ', '\t']).strip_prefix('=');
        // `key=value` belongs to the scheme before it, unless there is none.
        match (value.and_then(parameter_value), found.last_mut()) {
            (Some((value, behind)), Some(last)) => {
                last.parameters.push((word.to_ascii_lowercase(), value));
                rest = behind;
            }
            (None, _) if value.is_none() => {
                found.push(Challenge {
                    scheme: word.to_ascii_lowercase(),
                    parameters: Vec::new(),
                });
                rest = behind;
            }
            _ => return found,
        }
    }
}

/// A word of the characters that names are made of.
fn token(text: &str) -> Option<(&str, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// What stands behind the `=`, in quotes or not.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start_matches([' ', '\t']);
    let Some(quoted) = text.strip_prefix('"') else {
        return token(text).map(|(value, rest)| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::challenges;

    #[track_caller]
    fn check(header: &str, expect: &[&str]) {
        let found: Vec<String> = challenges(header)
            .iter()
            .map(|one| {
                let parameters = one.parameters.iter();
                let parameters: Vec<String> = parameters
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                format!("{} {}", one.scheme, parameters.join(";"))
            })
            .collect();
        assert_eq!(found, expect, "{header}");
    }

    #[test]
    fn registries_ask_in_these_ways() {
        check(
            r#"Bearer realm="https://auth.example.com/token",service="r",scope="repository:a:pull,push""#,
            &["bearer realm=https://auth.example.com/token;service=r;scope=repository:a:pull,push"],
        );
        check(r#"Basic realm="a \"b\", c""#, &[r#"basic realm=a "b", c"#]);
        check(
            r#"Bearer realm="https://a/t" , Basic realm=x"#,
            &["bearer realm=https://a/t", "basic realm=x"],
        );
        check(
            "Negotiate, BASIC realm = x",
            &["negotiate ", "basic realm=x"],
        );
    }

    #[test]
    fn what_is_not_well_formed_ends_the_reading() {
        check("", &[]);
        check("realm=\"x\"", &[]);
        check("Bearer realm=\"x", &["bearer "]);
        check("Bearer realm=\"x\\", &["bearer "]);
        check("Bearer realm=", &["bearer "]);
        check(&format!("Bearer realm=\"{}\"", "x".repeat(9000)), &[]);
    }

    #[test]
    fn a_parameter_that_stands_there_twice_is_none() {
        let found = challenges("Bearer realm=\"a\",realm=\"b\",service=s");
        assert_eq!(found[0].parameter("realm"), None);
        assert_eq!(found[0].parameter("service"), Some("s"));
    }
}
