//! Paths that a route is for, and the order in which they are tried.

use std::{cmp::Reverse, fmt};

/// Which paths of a host a route is for. Caddy takes upper and lower case for the same, and so are
/// they here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathMatch {
    /// Every path: the whole site.
    All,
    /// This one.
    Exact(String),
    /// This one and all below it, `Prefix` of Ingresses: `/shop` and `/shop/…` but not `/shopping`.
    Below(String),
    /// A pattern of Caddy with `*` in it.
    Pattern(String),
}

impl PathMatch {
    /// A path as matchers of Caddy have it; `None` when it is none, or holds what paths do not.
    pub fn of_caddy(text: &str) -> Option<Self> {
        if text == "*" || text == "/*" {
            return Some(Self::All);
        }
        let path = valid(text)?;
        Some(if path.contains('*') {
            Self::Pattern(path)
        } else {
            Self::Exact(path)
        })
    }

    /// A path of an Ingress with its type. What implementations may choose freely is taken for a
    /// prefix, as most do. `None` when it is no path, or of a type that is not known.
    pub fn of_ingress(path: &str, path_type: &str) -> Option<Self> {
        match path_type {
            "Exact" => valid(path)
                .filter(|path| !path.contains('*'))
                .map(Self::Exact),
            "Prefix" | "ImplementationSpecific" | "" => {
                if path.is_empty() {
                    return Some(Self::All);
                }
                let path = valid(path).filter(|path| !path.contains('*'))?;
                let path = path.trim_end_matches('/');
                Some(if path.is_empty() {
                    Self::All
                } else {
                    Self::Below(path.to_owned())
                })
            }
            _ => None,
        }
    }

    /// Whether a route of it without a host would answer in place of the page for hosts that are not
    /// known: where that is asked for first, at `/`, or everywhere.
    pub fn is_catch_all(&self) -> bool {
        match self {
            Self::All => true,
            // `%*` is a `*` too; Caddy takes it for one that is not decoded.
            Self::Exact(path) | Self::Pattern(path) => path.chars().all(|c| "/%*".contains(c)),
            Self::Below(_) => false,
        }
    }

    /// The patterns of Caddy's path matcher; none for every path.
    pub fn patterns(&self) -> Vec<String> {
        match self {
            Self::All => Vec::new(),
            Self::Exact(path) | Self::Pattern(path) => vec![path.clone()],
            Self::Below(path) => vec![path.clone(), format!("{path}/*")],
        }
    }

    /// Routes of one host are tried in this order: exact paths, then longer ones first, then what
    /// is for every path.
    pub(crate) fn order(&self) -> (u8, Reverse<usize>, &Self) {
        let (class, length) = match self {
            Self::Exact(path) => (0, path.len()),
            Self::Below(path) => (1, path.len()),
            Self::Pattern(path) => (1, path.find('*').unwrap_or(path.len())),
            Self::All => (2, 0),
        };
        (class, Reverse(length), self)
    }
}

/// The path in lower case, if it holds nothing but what paths are made of.
fn valid(text: &str) -> Option<String> {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "/-._~!&'()+,;=:@%*".contains(c);
    let is_valid = text.starts_with('/') && text.chars().all(is_path) && has_whole_escapes(text);
    is_valid.then(|| text.to_ascii_lowercase())
}

/// Whether each `%` stands before what it may: two hexadecimal digits (RFC 3986, 2.1), or Caddy's `*`.
/// Requests for anything else are none.
fn has_whole_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        let digits = after.bytes().take(2).filter(u8::is_ascii_hexdigit);
        after.starts_with('*') || digits.count() == 2
    })
}

/// As a matcher of Caddy; nothing for every path.
impl fmt::Display for PathMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => Ok(()),
            Self::Exact(path) | Self::Pattern(path) => f.write_str(path),
            Self::Below(path) => write!(f, "{path}/"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_caddy_and_of_ingresses() {
        let pattern = |text: &str| Some(PathMatch::Pattern(text.into()));
        assert_eq!(PathMatch::of_caddy("/Shop*"), pattern("/shop*"));
        assert_eq!(PathMatch::of_caddy("/*"), Some(PathMatch::All));
        let exact = Some(PathMatch::Exact("/shop".into()));
        assert_eq!(PathMatch::of_caddy("/shop"), exact);
        for text in [
            "shop", "@shop", "/{env.X}", "/a b", "/\u{e4}", "/a%zz*", "/a%4",
        ] {
            assert_eq!(PathMatch::of_caddy(text), None, "{text}");
        }
        let below = Some(PathMatch::Below("/shop".into()));
        assert_eq!(PathMatch::of_ingress("/shop/", "Prefix"), below);
        assert_eq!(PathMatch::of_ingress("/", "Prefix"), Some(PathMatch::All));
        assert_eq!(PathMatch::of_ingress("", ""), Some(PathMatch::All));
        assert_eq!(PathMatch::of_ingress("/shop", "Exact"), exact);
        for (path, path_type) in [("/x", "Regex"), ("/x*", "Prefix"), ("x", "Exact")] {
            assert_eq!(PathMatch::of_ingress(path, path_type), None, "{path}");
        }
    }

    /// R3.4
    #[test]
    fn r3_4_what_would_answer_in_place_of_the_page() {
        for text in ["*", "/*", "/", "/**", "/*/", "//", "/%*"] {
            let path = PathMatch::of_caddy(text).unwrap();
            assert!(path.is_catch_all(), "{text}");
        }
        for text in ["/shop", "/shop*", "/*.php", "/%2f"] {
            let path = PathMatch::of_caddy(text).unwrap();
            assert!(!path.is_catch_all(), "{text}");
        }
        assert!(!PathMatch::Below("/shop".into()).is_catch_all());
    }

    #[test]
    fn what_matches_less_is_tried_first() {
        let mut paths = [
            PathMatch::All,
            PathMatch::Below("/a".into()),
            PathMatch::Pattern("/abc*".into()),
            PathMatch::Exact("/".into()),
        ];
        paths.sort_by(|left, right| left.order().cmp(&right.order()));
        let shown: Vec<String> = paths.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["/", "/abc*", "/a/", ""]);
    }
}
