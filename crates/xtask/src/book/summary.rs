//! The table of contents: what it does not name is not in the built book.

use super::{BOOK, Page, links::resolved, markdown::links};

/// The page that names all others.
pub(super) const SUMMARY: &str = "SUMMARY.md";

/// Pages that are named twice or not at all. That what is named is there, the links' check tells.
pub(super) fn check(pages: &[Page]) -> Vec<String> {
    let summary_path = format!("{BOOK}/{SUMMARY}");
    let Some(summary) = pages.iter().find(|page| page.path == summary_path) else {
        return vec![format!("there is no {summary_path}")];
    };
    let named: Vec<String> = links(&summary.text)
        .iter()
        .filter_map(|link| resolved(&summary_path, &link.target))
        .map(|(path, _)| path)
        .collect();
    let in_book = format!("{BOOK}/");
    let mut problems = Vec::new();
    for page in pages {
        if !page.path.starts_with(&in_book) || page.path == summary_path {
            continue;
        }
        match named.iter().filter(|name| **name == page.path).count() {
            0 => problems.push(format!("{summary_path} does not name {}", page.path)),
            1 => {}
            _ => problems.push(format!("{summary_path} names {} twice", page.path)),
        }
    }
    problems
}
