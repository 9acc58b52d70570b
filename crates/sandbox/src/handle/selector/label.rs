//! Label selectors as text: `app=web,tier!=db,env in (a,b),!legacy,weight>3`.

/// One requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requirement {
    pub(super) key: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    Missing,
    Greater,
    Less,
}

impl Requirement {
    pub(super) fn matches(&self, label: Option<&str>) -> bool {
        let number = |text: &str| text.parse::<i64>().ok();
        let compare = |fits: fn(i64, i64) -> bool| {
            let limit = self.values.first().and_then(|value| number(value));
            matches!((label.and_then(number), limit), (Some(have), Some(limit)) if fits(have, limit))
        };
        match self.operator {
            Operator::In => label.is_some_and(|label| self.values.iter().any(|one| one == label)),
            Operator::NotIn => label.is_none_or(|label| self.values.iter().all(|one| one != label)),
            Operator::Exists => label.is_some(),
            Operator::Missing => label.is_none(),
            Operator::Greater => compare(|have, limit| have > limit),
            Operator::Less => compare(|have, limit| have < limit),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Sign(&'static str),
    End,
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::Sign(sign) => sign,
            Self::End => "",
        }
    }
}

/// Two-character signs before those that they begin with.
const SIGNS: &[&str] = &["==", "!=", "=", "!", ",", "(", ")", ">", "<"];

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else {
            let ends = |c: char| c.is_whitespace() || "=!,()><".contains(c);
            let end = rest.find(ends).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    tokens
}

/// Reads a selector.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, String> {
    let mut parser = Parser {
        tokens: tokens(text),
        at: 0,
    };
    let mut requirements = Vec::new();
    if parser.peek() == Token::End {
        return Ok(requirements);
    }
    loop {
        match parser.peek() {
            Token::Word(_) | Token::Sign("!") => {}
            other => {
                return Err(format!(
                    "found '{}', expected: !, identifier, or 'end of string'",
                    other.text()
                ));
            }
        }
        let requirement = parser.requirement();
        requirements
            .push(requirement.map_err(|why| format!("unable to parse requirement: {why}"))?);
        match parser.next() {
            Token::End => return Ok(requirements),
            Token::Sign(",") => match parser.peek() {
                Token::Word(_) | Token::Sign("!") => {}
                other => {
                    return Err(format!(
                        "found '{}', expected: identifier after ','",
                        other.text()
                    ));
                }
            },
            other => {
                return Err(format!(
                    "found '{}', expected: ',' or 'end of string'",
                    other.text()
                ));
            }
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Token {
        self.tokens.get(self.at).cloned().unwrap_or(Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let negated = self.peek() == Token::Sign("!");
        if negated {
            self.next();
        }
        let key = match self.next() {
            Token::Word(key) => key,
            other => return Err(format!("found '{}', expected: identifier", other.text())),
        };
        check_key(&key)?;
        let made = |operator, values| Requirement {
            key: key.clone(),
            operator,
            values,
        };
        if negated {
            return Ok(made(Operator::Missing, Vec::new()));
        }
        if matches!(self.peek(), Token::End | Token::Sign(",")) {
            return Ok(made(Operator::Exists, Vec::new()));
        }
        let operator = self.next();
        let requirement = match operator.text() {
            "in" => made(Operator::In, self.set()?),
            "notin" => made(Operator::NotIn, self.set()?),
            "=" | "==" => made(Operator::In, vec![self.value()?]),
            "!=" => made(Operator::NotIn, vec![self.value()?]),
            ">" => made(Operator::Greater, vec![self.number()?]),
            "<" => made(Operator::Less, vec![self.number()?]),
            other => {
                return Err(format!(
                    "found '{other}', expected: in, notin, =, ==, !=, gt, lt"
                ));
            }
        };
        for value in &requirement.values {
            check_value(&key, value)?;
        }
        Ok(requirement)
    }

    fn value(&mut self) -> Result<String, String> {
        if matches!(self.peek(), Token::End | Token::Sign(",")) {
            return Ok(String::new());
        }
        match self.next() {
            Token::Word(value) => Ok(value),
            other => Err(format!("found '{}', expected: identifier", other.text())),
        }
    }

    fn number(&mut self) -> Result<String, String> {
        let value = self.value()?;
        match value.parse::<i64>() {
            Ok(_) => Ok(value),
            Err(_) => Err(format!(
                "values[0]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must be \
                 an integer"
            )),
        }
    }

    fn set(&mut self) -> Result<Vec<String>, String> {
        let open = self.next();
        if open != Token::Sign("(") {
            return Err(format!("found '{}', expected: '('", open.text()));
        }
        let mut values = Vec::new();
        // An empty place between commas is the empty value.
        let mut pending = true;
        loop {
            match self.next() {
                Token::Word(value) if pending => {
                    values.push(value);
                    pending = false;
                }
                Token::Sign(",") => {
                    if pending {
                        values.push(String::new());
                    }
                    pending = true;
                }
                Token::Sign(")") => {
                    if pending && !values.is_empty() {
                        values.push(String::new());
                    }
                    break;
                }
                other => return Err(format!("found '{}', expected: ',' or ')'", other.text())),
            }
        }
        if values.is_empty() {
            return Err(
                "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty"
                    .to_owned(),
            );
        }
        values.sort();
        values.dedup();
        Ok(values)
    }
}

const LONGEST_NAME: usize = 63;

fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.chars().all(inner) && edge(text.chars().next()) && edge(text.chars().next_back())
}

fn check_key(key: &str) -> Result<(), String> {
    let name = key.rsplit('/').next().unwrap_or_default();
    if is_name(name) && name.len() <= LONGEST_NAME && key.matches('/').count() <= 1 {
        return Ok(());
    }
    Err(format!(
        "key: Invalid value: \"{key}\": name part must consist of alphanumeric characters, '-', \
         '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or \
         'my.name',  or '123-abc', regex used for validation is \
         '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
    ))
}

fn check_value(key: &str, value: &str) -> Result<(), String> {
    if value.is_empty() || is_name(value) && value.len() <= LONGEST_NAME {
        return Ok(());
    }
    let why = if value.len() > LONGEST_NAME {
        format!("must be no more than {LONGEST_NAME} characters")
    } else {
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or \
         '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or \
         'my_value',  or '12345', regex used for validation is \
         '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
            .to_owned()
    };
    Err(format!(
        "values[0][{key}]: Invalid value: \"{value}\": {why}"
    ))
}
