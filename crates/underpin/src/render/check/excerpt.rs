//! Lines of declared files, with a mark below what is meant.

use std::{collections::BTreeMap, sync::Arc};

use underpin_model::{Mask, Place};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::render::style::{BOLD, DIM, paint};

/// What a tab is shown as.
const TAB: &str = "    ";
/// Longer lines are cut around what is meant.
const WIDTH_LIMIT: usize = 140;
/// What stands for what was cut or hidden.
const CUT: char = '…';
const HIDDEN: &str = "•••";

/// The texts of files, and what of them must not be shown.
#[derive(Default)]
pub(crate) struct Excerpts {
    texts: BTreeMap<Arc<str>, String>,
    /// Lines that belong to Secrets, from the first to the last, per file.
    secrets: BTreeMap<Arc<str>, Vec<(u32, u32)>>,
    /// Fields of whose text nothing is shown, by line: where they begin, and what they are called.
    covered: BTreeMap<(Arc<str>, u32), (u32, String)>,
    masks: Vec<Mask>,
}

/// What a text over many lines begins with: nothing of it stands beside that.
const TEXT_BELOW: [&str; 3] = ["|", ">", "<<"];

impl Excerpts {
    /// Of these texts.
    pub(crate) fn new(texts: BTreeMap<Arc<str>, String>) -> Self {
        Self {
            texts,
            ..Self::default()
        }
    }

    /// The lines of a file that are never shown.
    pub(crate) fn hide_lines(&mut self, file: Arc<str>, first: u32, last: u32) {
        self.secrets.entry(file).or_default().push((first, last));
    }

    /// A field whose text is never shown: where it begins, and what it is called.
    pub(crate) fn cover(&mut self, place: Place, name: &str) {
        let covered = (place.column, name.to_owned());
        self.covered.insert((place.file, place.line), covered);
    }

    /// Values that are never shown.
    pub(crate) fn hide_values(&mut self, mask: Mask) {
        self.masks.push(mask);
    }

    /// The line of a place with a mark below it; nothing where the file is not known, and nothing
    /// but the place where it belongs to a Secret.
    pub(crate) fn show(&self, place: &Place, label: &str) -> String {
        let number = place.line.to_string();
        let indent = " ".repeat(number.len());
        let bar = paint(DIM, "|");
        let mut shown = format!("    {indent}{} {place}\n", paint(DIM, "-->"));
        let Some(line) = self.line(place) else {
            return shown;
        };
        let column = usize::try_from(place.column.saturating_sub(1)).unwrap_or(usize::MAX);
        let marked = Marked::new(&self.masked(&line), column);
        shown.push_str(&format!("    {indent} {bar}\n"));
        let text = &marked.text;
        shown.push_str(&format!("    {} {bar} {text}\n", paint(DIM, &number)));
        let below = format!(
            "{}{} {label}",
            " ".repeat(marked.before),
            "^".repeat(marked.width)
        );
        shown.push_str(&format!(
            "    {indent} {bar} {}\n",
            paint(BOLD, below.trim_end())
        ));
        shown
    }

    fn line(&self, place: &Place) -> Option<String> {
        let is_secret = |(first, last): &(u32, u32)| (*first..=*last).contains(&place.line);
        let secrets = self.secrets.get(&place.file);
        if secrets.into_iter().flatten().any(is_secret) {
            return None;
        }
        let index = usize::try_from(place.line.checked_sub(1)?).ok()?;
        let line = self.texts.get(&place.file)?.lines().nth(index)?;
        let Some((column, name)) = self.covered.get(&(place.file.clone(), place.line)) else {
            return Some(line.trim_end().to_owned());
        };
        let before = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
        let before: usize = line.chars().take(before).map(char::len_utf8).sum();
        // Fields begin with their name, which may be shown.
        let rest = line.get(before..).unwrap_or_default();
        let named = rest.find(&**name).map_or(0, |at| at + name.len());
        let value = rest.get(named..).unwrap_or_default();
        let value = value.trim_start_matches(|c: char| " \t\"':=".contains(c));
        if TEXT_BELOW.iter().any(|one| value.starts_with(one)) {
            return Some(line.trim_end().to_owned());
        }
        let shown = line.get(..before + named).unwrap_or_default();
        Some(format!("{shown}{HIDDEN}"))
    }

    /// The line without values that must not be shown, the passwords in URLs among them.
    fn masked(&self, line: &str) -> String {
        let masks = self.masks.iter();
        let line = masks.fold(line.to_owned(), |line, mask| mask.apply(&line));
        without_passwords(&line)
    }
}

/// `postgres://web:secret@db` without the secret.
fn without_passwords(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "/\"'`".contains(c));
        let authority = &after[..end.unwrap_or(after.len())];
        rest = match authority
            .rsplit_once('@')
            .and_then(|(user, _)| user.split_once(':'))
        {
            Some((user, password)) => {
                out.push_str(&format!("{user}:{HIDDEN}"));
                &after[user.len() + 1 + password.len()..]
            }
            None => after,
        };
    }
    out.push_str(rest);
    out
}

/// A line as it is shown, and what of it is marked, in columns of a terminal.
struct Marked {
    text: String,
    before: usize,
    width: usize,
}

impl Marked {
    fn new(line: &str, column: usize) -> Self {
        let chars: Vec<char> = line.chars().collect();
        let column = column.min(chars.len());
        let meant: String = chars[column..].iter().collect();
        let meant = without_comment(&meant);
        let (first, last) = window(&chars, column);
        let mut text = String::new();
        let mut before = 0;
        if first > 0 {
            text.push(CUT);
            before = 1;
        }
        for (at, char) in chars.iter().enumerate().take(last).skip(first) {
            let shown = visible(*char);
            if at < column {
                before += shown.width();
            }
            text.push_str(&shown);
        }
        let shown: String = meant
            .chars()
            .take(last.saturating_sub(column))
            .map(visible)
            .collect();
        if last < chars.len() {
            text.push(CUT);
        }
        Self {
            text,
            before,
            width: shown.width().max(1),
        }
    }
}

/// A character as it is shown: tabs as spaces, what terminals would obey as what it is.
fn visible(char: char) -> String {
    match char {
        '\t' => TAB.to_owned(),
        other if other.is_control() => char::REPLACEMENT_CHARACTER.to_string(),
        other => other.to_string(),
    }
}

/// The part of a value that is not the comment behind it.
fn without_comment(text: &str) -> &str {
    let cut = text.find(" #").map_or(text, |at| &text[..at]);
    cut.trim_end()
}

/// The characters of a long line that are shown, from the first to before the last.
fn window(chars: &[char], column: usize) -> (usize, usize) {
    let widths = chars.iter().map(|char| char.width().unwrap_or(1));
    if widths.sum::<usize>() <= WIDTH_LIMIT {
        return (0, chars.len());
    }
    let first = column.saturating_sub(WIDTH_LIMIT / 4);
    (first, chars.len().min(first + WIDTH_LIMIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpts(text: &str) -> Excerpts {
        Excerpts::new(BTreeMap::from([("a.yaml".into(), text.to_owned())]))
    }

    fn at(line: u32, column: u32) -> Place {
        Place {
            file: "a.yaml".into(),
            line,
            column,
        }
    }

    /// R3.6
    #[test]
    fn r3_6_entries_of_one_line_are_covered() {
        for (line, shown) in [
            (
                "    a.example/route: \"http://x { respond hunter2 }\"",
                "    a.example/route•••",
            ),
            (
                "    \"a.example/route\": 'hunter2'",
                "    \"a.example/route•••",
            ),
            ("    a.example/route: |", "    a.example/route: |"),
            (
                "    \"a.example/route\" = <<-EOT",
                "    \"a.example/route\" = <<-EOT",
            ),
            ("    hunter2", "    •••"),
        ] {
            let mut excerpts = excerpts(line);
            excerpts.cover(at(1, 5), "a.example/route");
            assert_eq!(excerpts.line(&at(1, 5)).as_deref(), Some(shown));
        }
    }

    #[track_caller]
    fn check(excerpts: &Excerpts, place: &Place, expect: &[&str]) {
        let shown = anstream::adapter::strip_str(&excerpts.show(place, "label")).to_string();
        let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
        assert_eq!(lines, expect);
    }

    #[test]
    fn what_is_meant_is_marked_below_its_line() {
        let text = "kind: Namespace\nmetadata:\n  name: web # mine\n";
        let expect = [
            "     --> a.yaml:3:3",
            "      |",
            "    3 |   name: web # mine",
            "      |   ^^^^^^^^^ label",
        ];
        check(&excerpts(text), &at(3, 3), &expect);
    }

    #[test]
    fn tabs_and_wide_characters_do_not_shift_the_mark() {
        let expect = [
            "     --> a.yaml:1:7",
            "      |",
            "    1 |     店é = \"x\"",
            "      |           ^^^ label",
        ];
        check(&excerpts("\t店é = \"x\"\n"), &at(1, 7), &expect);
        // What a terminal would obey is not printed.
        let expect = [
            "     --> a.yaml:1:1",
            "      |",
            "    1 | a\u{fffd}[2Jb",
            "      | ^^^^^^ label",
        ];
        check(&excerpts("a\u{1b}[2Jb"), &at(1, 1), &expect);
    }

    #[test]
    fn long_lines_are_cut_around_what_is_meant() {
        let line = format!("{}x: y{}", "a".repeat(500), "b".repeat(500));
        let shown = excerpts(&line).show(&at(1, 501), "");
        let widest = shown.lines().map(|line| line.chars().count()).max();
        assert!(shown.contains("x: y") && widest < Some(200), "{shown}");
    }

    #[test]
    fn places_that_are_not_there_show_no_line() {
        for place in [at(0, 0), at(9, 1), at(u32::MAX, u32::MAX)] {
            assert_eq!(excerpts("a: b\n").show(&place, "").lines().count(), 1);
        }
        // A column behind the end, as of an empty value.
        assert!(excerpts("a:\n").show(&at(1, 40), "").contains("a:"));
    }

    /// R3.6: no value of a Secret is shown, wherever it stands.
    #[test]
    fn secrets_are_not_shown() {
        let text = "kind: Secret\ndata: {a: hunter2}\n---\nx: hunter2\nurl: pg://me:hunter3@db/a?b=//c:d@e\n";
        let mut excerpts = excerpts(text);
        excerpts.hide_lines("a.yaml".into(), 1, 3);
        excerpts.hide_values(Mask::new(["hunter2".to_owned()]));
        for line in 1..=5 {
            let shown = excerpts.show(&at(line, 1), "");
            assert!(!shown.contains("hunter"), "{shown}");
        }
        assert!(excerpts.show(&at(5, 1), "").contains("pg://me:•••@db/a"));
    }
}
