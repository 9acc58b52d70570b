//! The reference of the rules: their own pages, as `underpin explain` prints them, below one table.

use underpin_plan::rules::{RULES, Rule};

use super::NOTICE;
use crate::book::{slug, unfenced};

const INTRODUCTION: &str = "\
Every finding names its rule by a code, which never changes its meaning. `underpin explain CODE`
prints the same page in a terminal.

A finding *blocks*, *warns* or *notes*. A `?` after the code means *unknown*: something that the rule
needs could not be read, and a step that destroys on that ground is blocked. What blocks can be
accepted by name, with a reason that is recorded: `--accept CODE:SUBJECT --reason \"…\"`.
";

/// The whole page, in Markdown.
pub(crate) fn page() -> String {
    let mut text = format!("# Rules\n\n{NOTICE}\n\n{INTRODUCTION}\n");
    text.push_str("| code | name | found when |\n|---|---|---|\n");
    for rule in RULES {
        text.push_str(&row(rule));
    }
    for rule in RULES {
        text.push('\n');
        text.push_str(&one_level_down(rule.documentation.trim_end()));
    }
    text
}

fn row(rule: &Rule) -> String {
    let (code, name) = (rule.code, rule.name);
    let anchor = slug(&format!("{code}: {name}"));
    let summary = rule.summary.replace('|', "\\|");
    format!("| [{code}](#{anchor}) | {name} | {summary} |\n")
}

/// A page as a section of another: each heading is one level lower.
fn one_level_down(page: &str) -> String {
    let lowered = unfenced(page).map(|(line, fenced)| {
        let mark = if !fenced && line.starts_with('#') {
            "#"
        } else {
            ""
        };
        format!("{mark}{line}\n")
    });
    lowered.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_in_the_table_and_has_its_section() {
        let page = page();
        for rule in RULES {
            let (code, name) = (rule.code, rule.name);
            assert!(page.contains(&format!("| [{code}](#")), "{code}");
            let section = format!("\n## {code}: {name}\n\n### What it finds\n");
            assert!(page.contains(&section), "{code}");
        }
    }

    #[test]
    fn a_comment_in_an_example_is_no_heading() {
        let lowered = one_level_down("# A\n\n```sh\n# b\n```\n\n## C");
        assert_eq!(lowered, "## A\n\n```sh\n# b\n```\n\n### C\n");
    }
}
