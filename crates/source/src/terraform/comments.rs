//! The comments of a file, for marks such as `# underpin: allow UP402 -- reason`.

use underpin_model::Place;

use super::text::Text;
use crate::yaml::Comment;

/// Where the scanner is.
enum Within {
    /// Between words, with the number of open braces, if the code is within a template.
    Code(usize),
    Quotes,
    /// A heredoc until this mark.
    Heredoc(String),
}

/// Every comment, without its sign; of one over several lines, each line.
pub(super) fn comments(text: &Text) -> Vec<Comment> {
    if text.name.ends_with(".json") {
        return Vec::new();
    }
    let mut scanner = Scanner {
        text: &text.content,
        at: 0,
        within: vec![Within::Code(0)],
        found: Vec::new(),
    };
    while scanner.at < scanner.text.len() && !scanner.within.is_empty() {
        scanner.step();
    }
    let found = scanner.found.into_iter().map(|(at, comment)| {
        let Place { file, line, column } = text.place(at);
        Comment {
            place: Place { file, line, column },
            text: comment.to_owned(),
        }
    });
    found.collect()
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    within: Vec<Within>,
    found: Vec<(usize, &'t str)>,
}

impl<'t> Scanner<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn step(&mut self) {
        match self.within.last() {
            Some(Within::Code(braces)) => self.code(*braces),
            Some(Within::Quotes) => self.quotes(),
            Some(Within::Heredoc(mark)) => {
                let mark = mark.clone();
                self.heredoc(&mark);
            }
            None => {}
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.at = self.text.len().min(self.at + bytes.max(1));
        while !self.text.is_char_boundary(self.at) {
            self.at += 1;
        }
    }

    fn code(&mut self, braces: usize) {
        let rest = self.rest();
        if rest.starts_with('#') || rest.starts_with("//") {
            let line = rest.lines().next().unwrap_or_default();
            let sign = if rest.starts_with('#') { 1 } else { 2 };
            let comment = line.get(sign..).unwrap_or_default();
            self.found.push((self.at, comment));
            self.skip(line.len());
        } else if rest.starts_with("/*") {
            let end = rest.find("*/").unwrap_or(rest.len());
            let body = rest.get(2..end).unwrap_or_default();
            let mut at = self.at + 2;
            for line in body.split_inclusive('\n') {
                self.found.push((at, line.trim_end()));
                at += line.len();
            }
            self.skip(end + 2);
        } else if rest.starts_with('"') {
            self.within.push(Within::Quotes);
            self.skip(1);
        } else if let Some(mark) = heredoc_mark(rest) {
            let line = rest.find('\n').map_or(rest.len(), |end| end + 1);
            self.within.push(Within::Heredoc(mark.to_owned()));
            self.skip(line);
        } else if rest.starts_with('{') {
            self.braces(braces + 1);
        } else if rest.starts_with('}') {
            match braces.checked_sub(1) {
                Some(fewer) => self.braces(fewer),
                None if self.within.len() > 1 => {
                    self.within.pop();
                    self.skip(1);
                }
                None => self.skip(1),
            }
        } else {
            self.skip(1);
        }
    }

    fn braces(&mut self, braces: usize) {
        if let Some(last) = self.within.last_mut() {
            *last = Within::Code(braces);
        }
        self.skip(1);
    }

    fn quotes(&mut self) {
        let rest = self.rest();
        if rest.starts_with('\\') {
            self.skip(2);
        } else if self.template(rest) {
        } else if rest.starts_with('"') {
            self.within.pop();
            self.skip(1);
        } else {
            self.skip(1);
        }
    }

    /// Enters a template's code; whether there was one, or an escaped sign.
    fn template(&mut self, rest: &str) -> bool {
        if rest.starts_with("$${") || rest.starts_with("%%{") {
            self.skip(3);
            return true;
        }
        if rest.starts_with("${") || rest.starts_with("%{") {
            self.within.push(Within::Code(0));
            self.skip(2);
            return true;
        }
        false
    }

    fn heredoc(&mut self, mark: &str) {
        let rest = self.rest();
        let begins_line = self
            .text
            .get(..self.at)
            .is_some_and(|text| text.ends_with('\n'));
        let line = rest.lines().next().unwrap_or_default();
        if begins_line && line.trim() == mark {
            self.within.pop();
            self.skip(line.len());
        } else if !self.template(rest) {
            self.skip(1);
        }
    }
}

fn heredoc_mark(rest: &str) -> Option<&str> {
    let rest = rest.strip_prefix("<<")?;
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    let mark = rest.lines().next()?.trim_end();
    let is_name = mark.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && mark
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    is_name.then_some(mark)
}
