//! Patterns of names: `*` stands for anything, `?` for one character.

use std::fmt;

/// A pattern of names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Glob(String);

impl Glob {
    /// A pattern.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The one name that it matches, if it is not a pattern.
    pub fn literal(&self) -> Option<&str> {
        (!self.0.contains(['*', '?'])).then_some(&self.0)
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a name matches, as a whole. Never looks back further than the last `*`, so that no
    /// pattern takes long.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0, 0);
        let mut back = None;
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    back = Some((p + 1, n));
                    p += 1;
                }
                Some(sign) if *sign == b'?' || *sign == name[n] => {
                    p += 1;
                    n += 1;
                }
                _ => match &mut back {
                    Some((behind, taken)) => {
                        *taken += 1;
                        (p, n) = (*behind, *taken);
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|sign| *sign == b'*')
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
