//! Templates: quoted, heredocs, and files for `templatefile`.
//!
//! Stripping (`~`) and the indentation of `<<-` work on the literal parts as the scanner of
//! Terraform's language cuts them: one for each line of a heredoc or file, one for each stretch of a
//! quoted text, before they belong to any directive.

use hcl_edit::{
    Span as _,
    expr::Expression,
    template::{Directive, Element, HeredocTemplate, Strip, Template},
};

use super::{
    engine::{Engine, Outcome, Scope},
    expression::{not, pairs, with_pair},
    failure::Failure,
    value::Value,
};

/// A template as a flat row of parts.
enum Part<'t> {
    Literal(String),
    Value(&'t Expression),
    If(&'t Expression),
    Else,
    EndIf,
    For {
        key: Option<&'t str>,
        value: &'t str,
        collection: &'t Expression,
    },
    EndFor,
}

impl<'a> Engine<'a> {
    /// The value of a template; `quoted` says that its line breaks are escaped.
    pub(super) fn template(
        &self,
        template: &Template,
        quoted: bool,
        scope: Scope<'_, 'a>,
    ) -> Outcome {
        let mut row = Row {
            quoted,
            ..Row::default()
        };
        row.template(template);
        self.row(&row.parts, scope)
    }

    /// The value of a heredoc.
    pub(super) fn heredoc(&self, heredoc: &HeredocTemplate, scope: Scope<'_, 'a>) -> Outcome {
        let Some((text, start)) = self.flush_text(heredoc, scope) else {
            return self.template(&heredoc.template, false, scope);
        };
        // The parser has taken the indentation from the outermost literals alone, so that its
        // template is of no use here.
        self.spend_bytes(text.len() as u64)?;
        let template: Template = text
            .parse()
            .map_err(|_| Failure::new("the heredoc cannot be read as a template"))?;
        let mut row = Row::default();
        row.template(&template);
        flush(&mut row.parts);
        let inner = Scope {
            shift: scope.shift + start,
            ..scope
        };
        self.row(&row.parts, inner)
    }

    /// The text between the marks of a `<<-` heredoc, and where it begins; `None` for one of `<<`.
    fn flush_text<'t>(
        &'t self,
        heredoc: &HeredocTemplate,
        scope: Scope<'_, 'a>,
    ) -> Option<(&'t str, usize)> {
        let span = heredoc.span()?;
        let file = self.texts.get(scope.file?)?;
        let range = span.start + scope.shift..span.end + scope.shift;
        let text = file.content.get(range)?;
        if !text.starts_with("<<-") {
            return None;
        }
        let start = text.find('\n')? + 1;
        let body = text.get(start..)?;
        // The last line is the mark; the line break before it belongs to the text.
        let end = body.rfind('\n').map_or(0, |index| index + 1);
        Some((body.get(..end)?, span.start + start))
    }

    fn row(&self, parts: &[Part<'_>], scope: Scope<'_, 'a>) -> Outcome {
        // A value alone stays what it is.
        if let [Part::Value(expression)] = parts {
            return self.evaluate(expression, scope);
        }
        let mut text = Written::default();
        let mut at = 0;
        while at < parts.len() {
            at = self.part(parts, at, scope, &mut text)?;
        }
        Ok(text.into_value())
    }

    /// Writes the part at `at` with all that belongs to it, and returns where the next begins.
    fn part(
        &self,
        parts: &[Part<'_>],
        at: usize,
        scope: Scope<'_, 'a>,
        text: &mut Written,
    ) -> Result<usize, Failure> {
        match parts.get(at) {
            Some(Part::Literal(literal)) => {
                self.spend_bytes(literal.len() as u64)?;
                text.push(literal)?;
                Ok(at + 1)
            }
            Some(Part::Value(expression)) => {
                let value = self.evaluate(expression, scope)?;
                text.push_value(&value)
                    .map_err(|failure| failure.at(scope.site_of(expression)))?;
                Ok(at + 1)
            }
            Some(Part::If(condition)) => self.if_directive(parts, at, condition, scope, text),
            Some(Part::For {
                key,
                value,
                collection,
            }) => {
                let names = (*key, *value);
                self.for_directive(parts, at, names, collection, scope, text)
            }
            Some(Part::Else | Part::EndIf | Part::EndFor) | None => Ok(at + 1),
        }
    }

    fn if_directive(
        &self,
        parts: &[Part<'_>],
        at: usize,
        condition: &Expression,
        scope: Scope<'_, 'a>,
        text: &mut Written,
    ) -> Result<usize, Failure> {
        let (middle, end) = branches(parts, at);
        let value = self.evaluate(condition, scope)?;
        if let Some(reason) = value.reason() {
            text.push_unknown(reason, None)?;
            return Ok(end + 1);
        }
        let Some(choice) = value.to_bool() else {
            return Err(not(&value, "the condition", "a boolean").at(scope.site_of(condition)));
        };
        text.secret |= value.secret;
        let (from, to) = match (choice, middle) {
            (true, middle) => (at + 1, middle.unwrap_or(end)),
            (false, Some(middle)) => (middle + 1, end),
            (false, None) => (end, end),
        };
        self.range(parts, (from, to), scope, text)?;
        Ok(end + 1)
    }

    fn for_directive(
        &self,
        parts: &[Part<'_>],
        at: usize,
        names: (Option<&str>, &str),
        collection: &Expression,
        scope: Scope<'_, 'a>,
        text: &mut Written,
    ) -> Result<usize, Failure> {
        let (_, end) = branches(parts, at);
        let value = self.evaluate(collection, scope)?;
        let site = scope.site_of(collection);
        match pairs(&value).map_err(|failure| failure.at(site))? {
            Err(reason) => text.push_unknown(reason, None)?,
            Ok(pairs) => {
                text.secret |= value.secret;
                for (key, value) in pairs {
                    self.step()?;
                    with_pair(names, key, value, scope, |scope| {
                        self.range(parts, (at + 1, end), scope, text)
                    })?;
                }
            }
        }
        Ok(end + 1)
    }

    fn range(
        &self,
        parts: &[Part<'_>],
        (from, to): (usize, usize),
        scope: Scope<'_, 'a>,
        text: &mut Written,
    ) -> Result<(), Failure> {
        self.deeper(|| {
            let mut at = from;
            while at < to {
                at = self.part(parts, at, scope, text)?;
            }
            Ok(())
        })
    }
}

/// Where the `else` and the end of the directive at `at` stand.
fn branches(parts: &[Part<'_>], at: usize) -> (Option<usize>, usize) {
    let mut depth = 0_usize;
    let mut middle = None;
    for (index, part) in parts.iter().enumerate().skip(at + 1) {
        match part {
            Part::If(_) | Part::For { .. } => depth += 1,
            Part::EndIf | Part::EndFor if depth == 0 => return (middle, index),
            Part::EndIf | Part::EndFor => depth -= 1,
            Part::Else if depth == 0 => middle = Some(index),
            Part::Else | Part::Literal(_) | Part::Value(_) => {}
        }
    }
    (middle, parts.len())
}

/// A text in the making.
#[derive(Default)]
struct Written {
    text: String,
    unknown: Option<std::sync::Arc<str>>,
    secret: bool,
}

/// Longest text that a template gives.
const MAX_TEXT_BYTES: usize = 16 << 20;

impl Written {
    fn push(&mut self, text: &str) -> Result<(), Failure> {
        self.text.push_str(text);
        if self.text.len() > MAX_TEXT_BYTES {
            let message = format!("a template gives more than {MAX_TEXT_BYTES} bytes");
            return Err(Failure::fatal(message));
        }
        Ok(())
    }

    fn push_value(&mut self, value: &Value) -> Result<(), Failure> {
        self.secret |= value.secret;
        if let Some(reason) = value.reason() {
            return self.push_unknown(reason, value.pattern.as_deref());
        }
        let Some(text) = value.to_text() else {
            return Err(not(value, "what is put into a text", "a string"));
        };
        self.push(&text)
    }

    /// What is not known, as far as it is.
    fn push_unknown(
        &mut self,
        reason: std::sync::Arc<str>,
        pattern: Option<&str>,
    ) -> Result<(), Failure> {
        self.unknown = self.unknown.take().or(Some(reason));
        self.push(pattern.unwrap_or("*"))
    }

    fn into_value(self) -> Value {
        let value = match self.unknown {
            Some(reason) => Value {
                pattern: Some(self.text.into()),
                ..Value::unknown(reason)
            },
            None => Value::text(self.text),
        };
        value.secret_if(self.secret)
    }
}

/// Parts in the making.
#[derive(Default)]
struct Row<'t> {
    parts: Vec<Part<'t>>,
    quoted: bool,
    /// Whether the next literal loses the white space at its beginning.
    strip_next: bool,
}

impl<'t> Row<'t> {
    /// Recursion is bounded by the parser.
    fn template(&mut self, template: &'t Template) {
        for element in template {
            match element {
                Element::Literal(literal) => self.literal(literal.value()),
                Element::Interpolation(interpolation) => {
                    self.mark(interpolation.strip, Part::Value(&interpolation.expr));
                }
                Element::Directive(directive) => match &**directive {
                    Directive::If(directive) => {
                        let first = &directive.if_expr;
                        self.mark(first.strip, Part::If(&first.cond_expr));
                        self.template(&first.template);
                        if let Some(second) = &directive.else_expr {
                            self.mark(second.strip, Part::Else);
                            self.template(&second.template);
                        }
                        self.mark(directive.endif_expr.strip, Part::EndIf);
                    }
                    Directive::For(directive) => {
                        let first = &directive.for_expr;
                        let part = Part::For {
                            key: first.key_var.as_ref().map(|name| name.value().as_str()),
                            value: first.value_var.value().as_str(),
                            collection: &first.collection_expr,
                        };
                        self.mark(first.strip, part);
                        self.template(&first.template);
                        self.mark(directive.endfor_expr.strip, Part::EndFor);
                    }
                },
            }
        }
    }

    fn literal(&mut self, text: &str) {
        let pieces: Vec<&str> = if self.quoted {
            vec![text]
        } else {
            text.split_inclusive('\n').collect()
        };
        for piece in pieces {
            let piece = if std::mem::take(&mut self.strip_next) {
                piece.trim_start()
            } else {
                piece
            };
            self.parts.push(Part::Literal(piece.to_owned()));
        }
    }

    fn mark(&mut self, strip: Strip, part: Part<'t>) {
        if strip.strip_start()
            && let Some(Part::Literal(literal)) = self.parts.last_mut()
        {
            literal.truncate(literal.trim_end().len());
        }
        self.parts.push(part);
        self.strip_next = strip.strip_end();
    }
}

/// Takes the indentation that all lines share from each of them.
fn flush(parts: &mut [Part<'_>]) {
    let mut shared = usize::MAX;
    let mut lines = Vec::new();
    let mut begins = true;
    for (index, part) in parts.iter().enumerate() {
        if std::mem::take(&mut begins) {
            let spaces = match part {
                Part::Literal(text) => {
                    let trimmed = text.trim_start();
                    if trimmed.is_empty() && text.ends_with('\n') {
                        usize::MAX
                    } else {
                        lines.push(index);
                        text[..text.len() - trimmed.len()].chars().count()
                    }
                }
                _ => 0,
            };
            shared = shared.min(spaces);
        }
        begins = matches!(part, Part::Literal(text) if text.ends_with('\n'));
    }
    for index in lines {
        if let Some(Part::Literal(text)) = parts.get_mut(index) {
            *text = text.chars().skip(shared).collect();
        }
    }
}
