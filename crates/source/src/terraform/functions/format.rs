//! The verbs of `format`.

use super::encodings::{json_text, to_json};
use crate::terraform::{expression::not, failure::Failure, value::Value};

/// Widest padding.
const MAX_WIDTH: usize = 10_000;

/// One `%…` of a format.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the format, any set of which may stand together"
)]
struct Verb {
    left: bool,
    plus: bool,
    space: bool,
    zero: bool,
    sharp: bool,
    width: Option<usize>,
    precision: Option<usize>,
    argument: Option<usize>,
}

/// The text with each verb replaced by its argument.
pub(super) fn format(template: &str, arguments: &[Value]) -> Result<String, Failure> {
    let mut out = String::new();
    let mut next = 0;
    let mut highest = 0;
    let mut explicit = false;
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let (verb, letter) = read(&mut chars)?;
        if letter == '%' {
            out.push('%');
            continue;
        }
        let index = match verb.argument {
            Some(number) => {
                explicit = true;
                number.checked_sub(1).ok_or_else(too_few)?
            }
            None => next,
        };
        next = index + 1;
        highest = highest.max(next);
        let value = arguments.get(index).ok_or_else(too_few)?;
        out.push_str(&verb.write(letter, value)?);
    }
    if highest < arguments.len() && !explicit {
        return Err(Failure::new(
            "there are more arguments than the format uses",
        ));
    }
    Ok(out)
}

fn too_few() -> Failure {
    Failure::new("there are fewer arguments than the format uses")
}

fn read(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<(Verb, char), Failure> {
    let mut verb = Verb::default();
    while let Some(&c) = chars.peek() {
        match c {
            '-' => verb.left = true,
            '+' => verb.plus = true,
            ' ' => verb.space = true,
            '0' => verb.zero = true,
            '#' => verb.sharp = true,
            _ => break,
        }
        chars.next();
    }
    verb.width = digits(chars);
    if chars.next_if_eq(&'.').is_some() {
        verb.precision = Some(digits(chars).unwrap_or(0));
    }
    if chars.next_if_eq(&'[').is_some() {
        verb.argument = digits(chars);
        chars
            .next_if_eq(&']')
            .ok_or_else(|| Failure::new("a `[` of the format is not closed"))?;
    }
    if verb.width.max(verb.precision) > Some(MAX_WIDTH) {
        return Err(Failure::new(format!("a width is above {MAX_WIDTH}")));
    }
    let letter = chars
        .next()
        .ok_or_else(|| Failure::new("the format ends within a verb"))?;
    Ok((verb, letter))
}

fn digits(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<usize> {
    let mut number = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        chars.next();
        let so_far: usize = number.unwrap_or(0);
        number = Some(so_far.saturating_mul(10).saturating_add(digit as usize));
    }
    number
}

impl Verb {
    fn write(&self, letter: char, value: &Value) -> Result<String, Failure> {
        let text = match letter {
            'v' => self.general(value),
            's' => {
                let text = value
                    .to_text()
                    .ok_or_else(|| not(value, "an argument", "a string"))?;
                match self.precision {
                    Some(most) => text.chars().take(most).collect(),
                    None => text.to_string(),
                }
            }
            'q' => {
                let text = value
                    .to_text()
                    .ok_or_else(|| not(value, "an argument", "a string"))?;
                json_text(&serde_json::Value::from(&*text))
            }
            't' => value
                .to_bool()
                .ok_or_else(|| not(value, "an argument", "a boolean"))?
                .to_string(),
            'd' | 'b' | 'o' | 'x' | 'X' => self.whole(letter, value)?,
            'f' => {
                let number = number(value)?;
                self.signed(format!("{number:.*}", self.precision.unwrap_or(6)))
            }
            'e' => {
                let number = number(value)?;
                let text = format!("{number:.*e}", self.precision.unwrap_or(6));
                self.signed(exponent(&text))
            }
            'g' if self.precision.is_none() => self.signed(number(value)?.to_string()),
            _ => {
                return Err(Failure::new(format!(
                    "the verb `%{letter}` is not supported"
                )));
            }
        };
        Ok(self.padded(text, letter))
    }

    fn general(&self, value: &Value) -> String {
        if self.sharp {
            return json_text(&to_json(value));
        }
        if let Some(text) = value.to_text() {
            return text.to_string();
        }
        if value.is_null() {
            return "null".to_owned();
        }
        json_text(&to_json(value))
    }

    fn whole(&self, letter: char, value: &Value) -> Result<String, Failure> {
        let number = value
            .to_number()
            .and_then(crate::terraform::number::Number::as_whole)
            .ok_or_else(|| not(value, "an argument", "a whole number"))?;
        let digits = number.unsigned_abs();
        let digits = match letter {
            'b' => format!("{digits:b}"),
            'o' => format!("{digits:o}"),
            'x' => format!("{digits:x}"),
            'X' => format!("{digits:X}"),
            _ => digits.to_string(),
        };
        let sign = if number < 0 { "-" } else { "" };
        Ok(self.signed(format!("{sign}{digits}")))
    }

    fn signed(&self, text: String) -> String {
        match (text.starts_with('-'), self.plus, self.space) {
            (true, ..) | (_, false, false) => text,
            (false, true, _) => format!("+{text}"),
            (false, false, true) => format!(" {text}"),
        }
    }

    fn padded(&self, text: String, letter: char) -> String {
        let missing = self.width.unwrap_or(0).saturating_sub(text.chars().count());
        if missing == 0 {
            return text;
        }
        let is_number = !matches!(letter, 's' | 'q' | 't' | 'v');
        if self.left {
            return text + &" ".repeat(missing);
        }
        if self.zero && is_number {
            let digits = text.find(|c: char| c.is_ascii_hexdigit()).unwrap_or(0);
            let (sign, digits) = text.split_at(digits);
            return format!("{sign}{}{digits}", "0".repeat(missing));
        }
        let padding = if self.zero { "0" } else { " " };
        padding.repeat(missing) + &text
    }
}

fn number(value: &Value) -> Result<f64, Failure> {
    value
        .to_number()
        .map(crate::terraform::number::Number::as_f64)
        .ok_or_else(|| not(value, "an argument", "a number"))
}

/// `1.5e3` as Go writes it: `1.5e+03`.
fn exponent(text: &str) -> String {
    let Some((digits, power)) = text.split_once('e') else {
        return text.to_owned();
    };
    let (sign, power) = match power.strip_prefix('-') {
        Some(power) => ('-', power),
        None => ('+', power),
    };
    format!("{digits}e{sign}{power:0>2}")
}
