//! Paths of fields, written as people write them: `spec.containers[0].image`.

use std::fmt;

/// The path of a field inside an object. Built step by step; compared and looked up as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldPath(String);

impl FieldPath {
    /// The object itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// A path already in text form, such as `spec.rules[0].host`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// This path with a map key appended. Keys that hold dots, brackets or quotes are quoted:
    /// `metadata.annotations["a.b/c"]`.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let plain = !key.is_empty()
            && key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_$".contains(c));
        Self(match (plain, self.0.is_empty()) {
            (true, true) => key.to_owned(),
            (true, false) => format!("{}.{key}", self.0),
            (false, _) => format!("{}[{key:?}]", self.0),
        })
    }

    /// This path with a list index appended.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// The path's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `other`, or inside of it.
    pub fn is_within(&self, other: &Self) -> bool {
        let rest = self.0.strip_prefix(&other.0);
        rest.is_some_and(|rest| {
            other.0.is_empty() || rest.is_empty() || rest.starts_with(['.', '['])
        })
    }

    /// The path one step up, or `None` at the root.
    pub fn parent(&self) -> Option<Self> {
        if self.0.is_empty() {
            return None;
        }
        let mut in_quotes = false;
        let mut escaped = false;
        let mut last = 0;
        for (position, c) in self.0.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' if in_quotes => escaped = true,
                '"' => in_quotes = !in_quotes,
                '.' | '[' if !in_quotes => last = position,
                _ => {}
            }
        }
        Some(Self(self.0[..last].to_owned()))
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_people_write_them() {
        let path = FieldPath::root()
            .key("spec")
            .key("containers")
            .index(0)
            .key("image");
        assert_eq!(path.as_str(), "spec.containers[0].image");
        let path = FieldPath::root()
            .key("metadata")
            .key("annotations")
            .key("a.b/c\"d");
        assert_eq!(path.as_str(), r#"metadata.annotations["a.b/c\"d"]"#);
    }

    #[test]
    fn parents_end_at_the_root() {
        let path = FieldPath::root().key("a").key("b.c[\"]").index(3).key("d");
        let mut seen = vec![path.to_string()];
        let mut at = path;
        while let Some(parent) = at.parent() {
            seen.push(parent.to_string());
            at = parent;
        }
        assert_eq!(
            seen,
            [
                r#"a["b.c[\"]"][3].d"#,
                r#"a["b.c[\"]"][3]"#,
                r#"a["b.c[\"]"]"#,
                "a",
                ""
            ]
        );
    }
}
