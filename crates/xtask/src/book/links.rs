//! Links between pages: the file is there, and so is the heading; the book does not lead out of
//! itself, for nothing else is published with it.

use std::path::Path;

use super::{
    BOOK, Page,
    markdown::{Link, headings, links, slug},
};

pub(super) fn check(root: &Path, pages: &[Page]) -> Vec<String> {
    let mut problems = Vec::new();
    for page in pages {
        for link in links(&page.text) {
            if let Some(problem) = problem(root, pages, page, &link) {
                problems.push(format!("{}:{}: {problem}", page.path, link.line));
            }
        }
    }
    problems
}

fn problem(root: &Path, pages: &[Page], page: &Page, link: &Link) -> Option<String> {
    let target = &link.target;
    if target.is_empty() {
        return Some("a link that leads nowhere".to_owned());
    }
    let (path, anchor) = resolved(&page.path, target)?;
    if !root.join(&path).exists() {
        return Some(format!("{target}: there is no {path}"));
    }
    let in_book = format!("{BOOK}/");
    if page.path.starts_with(&in_book) && !path.starts_with(&in_book) {
        return Some(format!(
            "{target} leads out of the book, where the built book does not follow; write it as \
             `{path}`"
        ));
    }
    let anchor = anchor?;
    let there = pages
        .iter()
        .find(|page| page.path == path)
        .is_some_and(|page| headings(&page.text).iter().any(|one| slug(one) == anchor));
    (!there).then(|| format!("{target}: {path} has no such heading"))
}

/// A link's path from the repository's root, and the heading it leads to; `None` where it leads to
/// another site.
pub(super) fn resolved(page: &str, target: &str) -> Option<(String, Option<String>)> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = match target.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor.to_owned())),
        None => (target, None),
    };
    if path.is_empty() {
        return Some((page.to_owned(), anchor));
    }
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            // Above the root nothing is found, which is what is to be told.
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    Some((parts.join("/"), anchor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_resolved(target: &str, expected: Option<(&str, Option<&str>)>) {
        let expected = expected.map(|(path, anchor)| (path.to_owned(), anchor.map(str::to_owned)));
        assert_eq!(resolved("docs/a/b.md", target), expected, "{target}");
    }

    #[test]
    fn targets_are_resolved_from_the_page() {
        check_resolved("c.md", Some(("docs/a/c.md", None)));
        check_resolved("./c.md#x", Some(("docs/a/c.md", Some("x"))));
        check_resolved("../../README.md", Some(("README.md", None)));
        check_resolved("../../../x", Some(("../x", None)));
        check_resolved("#x", Some(("docs/a/b.md", Some("x"))));
        check_resolved("https://example.com/#x", None);
        check_resolved("mailto:a@example.com", None);
    }
}
