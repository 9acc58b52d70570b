//! As much of Markdown as checking pages takes: fences, headings, links.

/// A link of a page.
pub(super) struct Link {
    /// Its line, from 1.
    pub(super) line: usize,
    /// Where it leads, as written.
    pub(super) target: String,
}

/// Each line, and whether it belongs to a fenced block; the fences do.
pub(crate) fn unfenced(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut open: Option<&str> = None;
    text.lines().map(move |line| {
        let trimmed = line.trim_start();
        let fence = ["```", "~~~"]
            .into_iter()
            .find(|fence| trimmed.starts_with(fence));
        match (open, fence) {
            (Some(opened), Some(fence)) if opened == fence => {
                open = None;
                (line, true)
            }
            (Some(_), _) => (line, true),
            (None, fence) => {
                open = fence;
                (line, fence.is_some())
            }
        }
    })
}

/// The headings, without their marks.
pub(super) fn headings(text: &str) -> Vec<&str> {
    unfenced(text)
        .filter(|(line, fenced)| !fenced && line.starts_with('#'))
        .map(|(line, _)| line.trim_start_matches('#').trim())
        .collect()
}

/// The anchor that mdBook and forges give a heading.
pub(crate) fn slug(heading: &str) -> String {
    heading
        .chars()
        .filter_map(|character| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            other if other.is_alphanumeric() => Some(other.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}

/// Links outside of code: `[text](target)`, and definitions, `[name]: target`.
pub(super) fn links(text: &str) -> Vec<Link> {
    let mut links = Vec::new();
    for (index, (line, fenced)) in unfenced(text).enumerate() {
        if fenced {
            continue;
        }
        let prose = without_code(line);
        let targets = inline(&prose).chain(definition(&prose));
        links.extend(targets.map(|target| Link {
            line: index + 1,
            target: target.to_owned(),
        }));
    }
    links
}

/// The line without what stands between backticks.
fn without_code(line: &str) -> String {
    let parts: Vec<&str> = line.split('`').collect();
    let last = parts.len() - 1;
    // A backtick without its partner opens nothing.
    let prose = parts
        .iter()
        .enumerate()
        .filter(|(index, _)| index % 2 == 0 || *index == last);
    prose.map(|(_, part)| *part).collect()
}

fn inline(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("](").filter_map(|(at, mark)| {
        let rest = &line[at + mark.len()..];
        let target = &rest[..rest.find(')')?];
        // A title may follow.
        Some(target.split_whitespace().next().unwrap_or_default())
    })
}

fn definition(line: &str) -> Option<&str> {
    let (_, target) = line.strip_prefix('[')?.split_once("]: ")?;
    target.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_those_of_mdbook() {
        assert_eq!(slug("UP101: namespace-cascade"), "up101-namespace-cascade");
        assert_eq!(slug("`underpin why`"), "underpin-why");
        assert_eq!(
            slug("What breaks: `--if-removed`"),
            "what-breaks---if-removed"
        );
    }

    #[test]
    fn links_are_found_outside_of_code_only() {
        let text = "[a](b.md) and ![c](d.png \"title\") `[e](f)` [`g`](h)\n[i]: j.md\n~~~\n[k](l)\n```\n~~~\n[m](n)";
        let found: Vec<_> = links(text)
            .into_iter()
            .map(|link| format!("{} {}", link.line, link.target))
            .collect();
        assert_eq!(found, ["1 b.md", "1 d.png", "1 h", "2 j.md", "7 n"]);
    }
}
