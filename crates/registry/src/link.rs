//! `Link`: where the next page of a list is.

/// Longest header that is read.
const LENGTH_LIMIT: usize = 16 * 1024;

/// Path and query of the link with `rel="next"`: `Ok(None)` where there is none.
///
/// The host of a link is not looked at: registries behind a proxy write the one that they know of
/// themselves, and credentials go to the registry that the operator named.
///
/// Fails on a header that is not written as it must be: it may have said that there is more.
pub fn next_link(header: &str) -> Result<Option<String>, &'static str> {
    if header.len() > LENGTH_LIMIT {
        return Err("its `Link` header is too long");
    }
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Ok(None);
        }
        let malformed = "its `Link` header cannot be read";
        let inside = rest.strip_prefix('<').ok_or(malformed)?;
        let (target, behind) = inside.split_once('>').ok_or(malformed)?;
        let (parameters, behind) = split_parameters(behind);
        if parameters.iter().any(|parameter| is_next(parameter)) {
            return path_and_query(target).map(Some).ok_or(malformed);
        }
        rest = behind;
    }
}

/// The parameters behind a link, up to the comma before the next one.
fn split_parameters(text: &str) -> (Vec<&str>, &str) {
    let (mut parameters, mut start, mut is_quoted) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => is_quoted = !is_quoted,
            ';' | ',' if !is_quoted => {
                parameters.push(&text[start..at]);
                start = at + 1;
                if c == ',' {
                    return (parameters, &text[start..]);
                }
            }
            _ => {}
        }
    }
    parameters.push(&text[start..]);
    (parameters, "")
}

fn is_next(parameter: &str) -> bool {
    let Some((key, value)) = parameter.split_once('=') else {
        return false;
    };
    let value = value.trim().trim_matches('"');
    key.trim().eq_ignore_ascii_case("rel")
        && value
            .split_ascii_whitespace()
            .any(|relation| relation.eq_ignore_ascii_case("next"))
}

/// What of a URL stands behind its host.
fn path_and_query(target: &str) -> Option<String> {
    let path = match target.split_once("://") {
        Some((_, behind)) => &behind[behind.find('/')?..],
        None => target,
    };
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic());
    (path.starts_with('/') && is_plain).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::next_link;

    #[track_caller]
    fn check(header: &str, expect: Result<Option<&str>, ()>) {
        let found = next_link(header).map_err(|_| ());
        assert_eq!(
            found,
            expect.map(|path| path.map(str::to_owned)),
            "{header}"
        );
    }

    #[test]
    fn registries_write_it_in_these_ways() {
        let next = Ok(Some("/v2/_catalog?last=b&n=2"));
        check(r#"</v2/_catalog?last=b&n=2>; rel="next""#, next);
        check("</v2/_catalog?last=b&n=2>;REL=next", next);
        check(
            r#"<http://10.0.0.1/v2/_catalog?last=b&n=2>; rel="next""#,
            next,
        );
        check(
            r#"</v2/_catalog?last=b&n=2>; title="a, b; c"; rel="next last", </x>; rel="last""#,
            next,
        );
        check(
            r#"</x>; rel="last", </v2/_catalog?last=b&n=2>; rel="next""#,
            next,
        );
        check("", Ok(None));
        check(r#"</x>; rel="prev""#, Ok(None));
        check("</x>", Ok(None));
    }

    #[test]
    fn what_is_not_well_formed_is_no_end_of_the_list() {
        check("/v2/_catalog; rel=next", Err(()));
        check("</v2/_catalog; rel=next", Err(()));
        check("<v2/_catalog>; rel=next", Err(()));
        check("<http://x>; rel=next", Err(()));
        check("</a b>; rel=next", Err(()));
        check(&format!("<{}>", "x".repeat(20_000)), Err(()));
    }
}
