//! Words of a Caddyfile, as every version of Caddy since 2.6.2 splits them.
//!
//! Where versions differ, or a reader would be misled, the text is refused instead of read one way.

use std::{iter::Peekable, ops::Range, str::CharIndices};

use super::defect::{Defect, DefectKind, Position};

/// One word.
#[derive(Debug)]
pub(crate) struct Token {
    /// Without quotes.
    pub(crate) text: String,
    /// In the text of the entry, quotes included.
    pub(crate) span: Range<usize>,
    pub(crate) at: Position,
    /// Whether it is the first of its line.
    pub(crate) first: bool,
    pub(crate) quoted: bool,
}

impl Token {
    /// Whether this is a brace of a block.
    pub(crate) fn is(&self, brace: &str) -> bool {
        !self.quoted && self.text == brace
    }
}

/// The words of a text, and what is wrong with how they are written.
pub(crate) fn tokens(text: &str) -> (Vec<Token>, Vec<Defect>) {
    let mut lexer = Lexer {
        text,
        chars: text.char_indices().peekable(),
        at: Position { line: 1, column: 1 },
        tokens: Vec::new(),
        defects: Vec::new(),
        first: true,
    };
    lexer.run();
    (lexer.tokens, lexer.defects)
}

struct Lexer<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
    at: Position,
    tokens: Vec<Token>,
    defects: Vec<Defect>,
    first: bool,
}

impl Lexer<'_> {
    fn run(&mut self) {
        while let Some(c) = self.peek() {
            match c {
                '\n' => {
                    self.first = true;
                    self.next();
                }
                '\r' => self.carriage_return(),
                ' ' | '\t' => {
                    self.next();
                }
                '#' => self.comment(),
                '\\' if self.line_continues() => {}
                _ => self.word(),
            }
        }
    }

    fn peek(&mut self) -> Option<char> {
        self.chars.peek().map(|(_, c)| *c)
    }

    fn offset(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    fn next(&mut self) -> Option<char> {
        let (_, c) = self.chars.next()?;
        if c == '\n' {
            self.at.line += 1;
            self.at.column = 1;
        } else {
            self.at.column += 1;
        }
        Some(c)
    }

    fn defect(&mut self, at: Position, kind: DefectKind) {
        self.defects.push(Defect { at, kind });
    }

    /// Caddy drops it without ending a word, and only the line feed behind it ends the line.
    fn carriage_return(&mut self) {
        let at = self.at;
        self.next();
        if !matches!(self.peek(), Some('\n') | None) {
            self.defect(at, DefectKind::Invisible('\r'));
        }
    }

    fn comment(&mut self) {
        while self.peek().is_some_and(|c| c != '\n') {
            self.next();
        }
    }

    /// Passes over a backslash that ends its line, so that the next one continues it.
    fn line_continues(&mut self) -> bool {
        let offset = self.offset();
        let rest = self.text.get(offset + 1..).unwrap_or_default();
        let ends = rest.starts_with('\n') || rest.starts_with("\r\n");
        if ends {
            while self.next().is_some_and(|c| c != '\n') {}
        }
        ends
    }

    fn word(&mut self) {
        let at = self.at;
        let start = self.offset();
        let mut text = String::new();
        let quote = self.peek().filter(|c| matches!(c, '"' | '`'));
        match quote {
            Some(quote) => self.quoted(quote, at, &mut text),
            None => self.plain(&mut text),
        }
        let end = self.offset();
        let quoted = quote.is_some();
        if quoted && (text == "{" || text == "}") {
            self.defect(at, DefectKind::QuotedBrace);
        }
        if !quoted && (text.starts_with("<<") || text.starts_with("\\<<")) {
            self.defect(at, DefectKind::Heredoc);
        }
        self.tokens.push(Token {
            text,
            span: start..end,
            at,
            first: self.first,
            quoted,
        });
        self.first = false;
    }

    fn quoted(&mut self, quote: char, at: Position, text: &mut String) {
        self.next();
        while let Some(c) = self.next() {
            if c == quote {
                // What follows at once would begin another word, which nobody sees.
                if self.peek().is_some_and(|c| !c.is_whitespace()) {
                    self.defect(at, DefectKind::BehindQuotation);
                }
                return;
            }
            if c != '\\' || quote != '"' {
                text.push(c);
                continue;
            }
            // Only a quote is escaped; the backslash stays before everything else.
            let escaped = self.next();
            if escaped != Some('"') {
                text.push(c);
            }
            text.extend(escaped);
        }
        self.defect(at, DefectKind::Quotation);
    }

    fn plain(&mut self, text: &mut String) {
        while let Some(c) = self.peek() {
            let at = self.at;
            match c {
                ' ' | '\t' | '\n' => return,
                '\r' => {
                    self.carriage_return();
                    continue;
                }
                '\\' => {
                    if self.escape(text) {
                        return;
                    }
                    continue;
                }
                c if is_invisible(c) => self.defect(at, DefectKind::Invisible(c)),
                _ => {}
            }
            text.push(c);
            self.next();
        }
    }

    /// A backslash outside of quotes; whether the word ends with it.
    fn escape(&mut self, text: &mut String) -> bool {
        if self.line_continues() {
            return true;
        }
        let at = self.at;
        self.next();
        text.push('\\');
        match self.peek() {
            Some('\\') => {
                self.next();
                text.push('\\');
            }
            Some(c) if !c.is_whitespace() && !matches!(c, '#' | '"' | '`' | '{' | '}') => {}
            _ => self.defect(at, DefectKind::Backslash),
        }
        false
    }
}

/// White space that is no blank, control characters, and characters without a shape of their own.
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}
