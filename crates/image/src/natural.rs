//! The order in which people count: `0.1.9` before `0.1.10`.

/// A part of a name: digits, or what stands between them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// What is no number.
    Text(String),
    /// A number by how many digits it has, then by them.
    Number(usize, String),
}

/// What names are compared by.
pub(crate) fn natural_key(name: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let is_number = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != is_number);
        let (part, behind) = rest.split_at(end.unwrap_or(rest.len()));
        rest = behind;
        parts.push(if is_number {
            let digits = part.trim_start_matches('0');
            Part::Number(digits.len(), digits.to_owned())
        } else {
            Part::Text(part.to_owned())
        });
    }
    parts
}
