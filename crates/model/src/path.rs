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

    /// The same path as a JSON pointer (RFC 6901); of a path that was built step by step, exactly that.
    pub fn pointer(&self) -> String {
        let mut pointer = String::new();
        let mut rest = self.0.as_str();
        while !rest.is_empty() {
            if let Some(quoted) = rest.strip_prefix("[\"") {
                let (key, behind) = unquoted(quoted);
                push_token(&mut pointer, &key);
                rest = behind.strip_prefix(']').unwrap_or(behind);
                continue;
            }
            if let Some(index) = rest.strip_prefix('[') {
                let (index, behind) = index.split_once(']').unwrap_or((index, ""));
                push_token(&mut pointer, index);
                rest = behind;
                continue;
            }
            let key = rest.strip_prefix('.').unwrap_or(rest);
            let (key, behind) = key.split_at(key.find(['.', '[']).unwrap_or(key.len()));
            push_token(&mut pointer, key);
            rest = behind;
        }
        pointer
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

/// One step of a pointer, in which two signs are written otherwise.
fn push_token(pointer: &mut String, key: &str) {
    pointer.push('/');
    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
}

/// A key in quotes, as it was before it was quoted, and what stands behind it. Signs that are written as
/// numbers stay so: keys of objects hold none.
fn unquoted(text: &str) -> (String, &str) {
    let mut key = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return (key, chars.as_str()),
            '\\' => key.extend(chars.next()),
            c => key.push(c),
        }
    }
    (key, "")
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
    fn paths_are_pointers() {
        let path = FieldPath::root().key("a").key("b.c/d\"~").index(3).key("e");
        assert_eq!(path.pointer(), "/a/b.c~1d\"~0/3/e");
        assert_eq!(FieldPath::root().index(0).key("x").pointer(), "/0/x");
        assert_eq!(FieldPath::root().pointer(), "");
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
