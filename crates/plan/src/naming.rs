//! Names: valid, stable and unambiguous (RFC 1123 labels), derived in this one place.

use underpin_model::ObjectKey;

/// Longest RFC 1123 label.
const LABEL_LIMIT: usize = 63;
/// What is kept of a longer name, before `-` and eight hexadecimal digits.
const KEPT_PREFIX: usize = 54;

/// A name that leaves nothing once it is made valid.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the {what} `{name}` holds no letter or digit that a namespace name may have; \
     use lowercase letters, digits and `-`"
)]
pub struct NamingError {
    /// What was named: stack, environment, namespace.
    pub what: &'static str,
    /// The name as written.
    pub name: String,
}

/// What a placement is derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Derivation<'a> {
    /// Stack, as written.
    pub stack: &'a str,
    /// Environment, as written.
    pub environment: &'a str,
    /// Parent environment, if any.
    pub parent: Option<&'a str>,
    /// Explicit base instead of the stack's name.
    pub namespace: Option<&'a str>,
    /// Whether sharing was asked for: the explicit namespace is then taken as it is.
    pub shared: bool,
}

/// Makes a name a valid RFC 1123 label: lowercase, `_` becomes `-`, other characters are dropped,
/// no `-` at either end, at most 63 characters. Doing it twice changes nothing.
pub fn sanitize(what: &'static str, name: &str) -> Result<String, NamingError> {
    let label = characters(name);
    if label.is_empty() {
        return Err(NamingError {
            what,
            name: name.to_owned(),
        });
    }
    Ok(shorten(label))
}

/// The namespace an environment gets when it is deployed fresh: `<base>` for a standard
/// environment, `<base>-<environment>` for a child, the explicit namespace where sharing is asked
/// for.
pub fn derive_namespace(derivation: &Derivation<'_>) -> Result<String, NamingError> {
    let (what, base) = match derivation.namespace {
        Some(namespace) => ("namespace", namespace),
        None => ("stack", derivation.stack),
    };
    let base_label = characters(base);
    if base_label.is_empty() {
        return Err(NamingError {
            what,
            name: base.to_owned(),
        });
    }
    let is_child = derivation
        .parent
        .is_some_and(|parent| parent != derivation.environment);
    let as_it_is = derivation.shared && derivation.namespace.is_some();
    if !is_child || as_it_is {
        return Ok(shorten(base_label));
    }
    let suffix = characters(derivation.environment);
    if suffix.is_empty() {
        let name = derivation.environment.to_owned();
        return Err(NamingError {
            what: "environment",
            name,
        });
    }
    Ok(shorten(format!("{base_label}-{suffix}")))
}

/// The name under which a claim is stored: the dot occurs in neither part, so two environments
/// share it only if both their names are the same once valid.
pub fn claim_name(stack: &str, environment: &str) -> Result<String, NamingError> {
    Ok(format!(
        "{}.{}",
        sanitize("stack", stack)?,
        sanitize("environment", environment)?
    ))
}

/// The Namespace object of a placement.
pub fn namespace_key(namespace: &str) -> ObjectKey {
    ObjectKey::of_namespace(namespace)
}

fn characters(name: &str) -> String {
    let kept: String = name
        .chars()
        .filter_map(|c| match c.to_ascii_lowercase() {
            '_' | '-' => Some('-'),
            c if c.is_ascii_lowercase() || c.is_ascii_digit() => Some(c),
            _ => None,
        })
        .collect();
    kept.trim_matches('-').to_owned()
}

fn shorten(label: String) -> String {
    if label.len() <= LABEL_LIMIT {
        return label;
    }
    let prefix = label[..KEPT_PREFIX].trim_end_matches('-');
    format!("{prefix}-{:08x}", fnv1a_32(label.as_bytes()))
}

/// FNV-1a, 32 bits (draft-eastlake-fnv): stable over versions and machines, unlike a hasher.
fn fnv1a_32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(stack: &str, environment: &str, parent: Option<&str>, expect: &str) {
        let derivation = Derivation {
            stack,
            environment,
            parent,
            namespace: None,
            shared: false,
        };
        assert_eq!(derive_namespace(&derivation).as_deref(), Ok(expect));
    }

    /// R1.1: the table of the requirement.
    #[test]
    fn derivation_table() {
        check("wallet", "production", None, "wallet");
        check("wallet", "production", Some("production"), "wallet");
        check("wallet", "tenant-a", Some("production"), "wallet-tenant-a");
        check(
            "pay_space_wallet",
            "GL_Pay",
            Some("production"),
            "pay-space-wallet-gl-pay",
        );
        check("wallet", "staging", None, "wallet");
    }

    /// R1.1: an explicit namespace is a base; with `shared` it is the placement.
    #[test]
    fn explicit_namespaces() {
        let mut derivation = Derivation {
            stack: "wallet",
            environment: "tenant-a",
            parent: Some("production"),
            namespace: Some("legacy"),
            shared: false,
        };
        assert_eq!(
            derive_namespace(&derivation).as_deref(),
            Ok("legacy-tenant-a")
        );
        derivation.shared = true;
        assert_eq!(derive_namespace(&derivation).as_deref(), Ok("legacy"));
        derivation.namespace = None;
        assert_eq!(
            derive_namespace(&derivation).as_deref(),
            Ok("wallet-tenant-a")
        );
    }

    /// R1.2
    #[test]
    fn names_that_leave_nothing_are_errors() {
        for name in ["", "---", "___", "***", "äöü"] {
            assert!(sanitize("stack", name).is_err(), "{name}");
        }
        let derivation = Derivation {
            stack: "wallet",
            environment: "---",
            parent: Some("production"),
            namespace: None,
            shared: false,
        };
        assert_eq!(
            derive_namespace(&derivation).map_err(|error| error.what),
            Err("environment")
        );
    }

    /// R1.2
    #[test]
    fn long_names_keep_54_characters_and_a_hash() {
        let name = "a".repeat(64);
        assert_eq!(
            sanitize("stack", &name).unwrap(),
            format!("{}-d96f0f85", "a".repeat(54))
        );
        assert_eq!(sanitize("stack", &"a".repeat(63)).unwrap(), "a".repeat(63));
        let cut_at_dash = format!("{}-{}", "a".repeat(53), "b".repeat(20));
        let shortened = sanitize("stack", &cut_at_dash).unwrap();
        assert!(
            shortened.starts_with(&format!("{}-", "a".repeat(53))),
            "{shortened}"
        );
        assert_eq!(shortened.len(), 53 + 9);
    }

    /// The reference vectors of the FNV draft.
    #[test]
    fn fnv_vectors() {
        assert_eq!(fnv1a_32(b""), 0x811c_9dc5);
        assert_eq!(fnv1a_32(b"a"), 0xe40c_292c);
        assert_eq!(fnv1a_32(b"foobar"), 0xbf9c_f968);
    }

    proptest! {
        /// R1.2: whatever is written, the result is a label and a fixed point.
        #[test]
        fn sanitized_names_are_labels_and_fixed_points(name in "\\PC{0,120}|[-_a-zA-Z0-9]{0,120}") {
            if let Ok(label) = sanitize("stack", &name) {
                prop_assert!(!label.is_empty() && label.len() <= LABEL_LIMIT);
                prop_assert!(label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
                prop_assert!(!label.starts_with('-') && !label.ends_with('-'));
                prop_assert_eq!(sanitize("stack", &label), Ok(label));
            }
        }

        /// R1.1: a child never lands in its parent's namespace.
        #[test]
        fn a_child_is_apart_from_its_parent(
            stack in "[a-zA-Z0-9_-]{1,70}", child in "[a-z0-9]{1,70}", parent in "[A-Z]{1,5}",
        ) {
            let derive = |environment: &str, parent: Option<&str>| derive_namespace(&Derivation {
                stack: &stack, environment, parent, namespace: None, shared: false,
            });
            if let Ok(home) = derive(&parent, None) {
                let own = derive(&child, Some(&parent)).unwrap();
                prop_assert_ne!(own, home);
            }
        }
    }
}
