//! Parts of an object that are not known yet: what Terraform finds out only when it runs.

use std::sync::Arc;

use crate::FieldPath;

/// A part of an object that is not known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnknownPart {
    /// Where it is; the root for the whole object. A map of which some fields are known is meant
    /// when there may be further ones.
    pub path: FieldPath,
    /// Why it is not known, such as `var.allowed has no value`.
    pub reason: String,
    /// What is known of the text there, with `*` for each part that is not; `None` where nothing is.
    pub pattern: Option<String>,
}

/// Everything of an object that is not known; of most objects nothing.
///
/// In the manifest, an unknown part is `null`, or a map with the fields that are known. What is
/// there is known; only what is missing, or `null`, has to be looked up here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnknownParts(Option<Arc<Inner>>);

#[derive(Debug, Default, PartialEq, Eq)]
struct Inner {
    /// Sorted by path.
    parts: Vec<UnknownPart>,
    existence: Option<String>,
}

impl UnknownParts {
    /// These parts; and, with its reason, that the object may not exist at all.
    pub fn new(mut parts: Vec<UnknownPart>, existence: Option<String>) -> Self {
        if parts.is_empty() && existence.is_none() {
            return Self::default();
        }
        parts.sort();
        Self(Some(Arc::new(Inner { parts, existence })))
    }

    /// Whether everything is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The parts, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = &UnknownPart> {
        self.0.iter().flat_map(|inner| &inner.parts)
    }

    /// Why it is not known whether the object exists, if that is not known.
    pub fn existence(&self) -> Option<&str> {
        self.0.as_ref()?.existence.as_deref()
    }

    /// Why what is missing at `path` may be there all the same: the unknown part that it is, or is
    /// inside of.
    pub fn around(&self, path: &FieldPath) -> Option<&UnknownPart> {
        self.0.as_ref()?;
        let mut at = path.clone();
        loop {
            if let Some(found) = self.iter().find(|part| part.path == at) {
                return Some(found);
            }
            at = at.parent()?;
        }
    }

    /// The first unknown part that is inside of `path`, or is it.
    pub fn inside(&self, path: &FieldPath) -> Option<&UnknownPart> {
        self.iter().find(|part| part.path.is_within(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(paths: &[&str]) -> UnknownParts {
        let part = |path: &&str| UnknownPart {
            path: FieldPath::new(*path),
            reason: format!("{path} is not known"),
            pattern: None,
        };
        UnknownParts::new(paths.iter().map(part).collect(), None)
    }

    #[test]
    fn what_is_missing_is_looked_up_outwards() {
        let unknown = parts(&["spec.ingress[0].from", "metadata.labels"]);
        let around = |path: &str| {
            let found = unknown.around(&FieldPath::new(path));
            found.map(|part| part.path.to_string())
        };
        assert_eq!(
            around("metadata.labels.app").as_deref(),
            Some("metadata.labels")
        );
        assert_eq!(
            around("metadata.labels").as_deref(),
            Some("metadata.labels")
        );
        assert_eq!(around("metadata"), None);
        assert_eq!(around("spec.ingress[1].from"), None);
        assert_eq!(
            around("spec.ingress[0].from[2].podSelector").as_deref(),
            Some("spec.ingress[0].from")
        );
        assert!(!unknown.is_empty());
        assert!(UnknownParts::new(Vec::new(), None).is_empty());
    }

    #[test]
    fn what_is_inside_is_found_by_whole_steps() {
        let unknown = parts(&["spec.ingress[0].from"]);
        let inside = |path: &str| unknown.inside(&FieldPath::new(path)).is_some();
        assert!(inside("spec") && inside("spec.ingress") && inside("spec.ingress[0].from"));
        assert!(!inside("spec.in") && !inside("spec.ingress[0].from[0]"));
    }

    #[test]
    fn that_an_object_may_not_exist_makes_no_field_unknown() {
        let unknown = UnknownParts::new(Vec::new(), Some("var.count has no value".to_owned()));
        assert_eq!(unknown.existence(), Some("var.count has no value"));
        assert!(unknown.around(&FieldPath::new("spec")).is_none());
        let unknown = parts(&[""]);
        assert!(unknown.around(&FieldPath::new("spec")).is_some());
    }
}
