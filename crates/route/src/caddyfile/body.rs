//! Text of entries, which may hold credentials: it goes to Caddy and nowhere else (R3.6).

use std::fmt;

/// A piece of Caddyfile out of an entry. Its debug form says how long it is, and there is no other.
#[derive(Clone, PartialEq, Eq)]
pub struct Body(Box<str>);

impl Body {
    pub(crate) fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text. To be handed to Caddy, and to be shown or logged by nobody.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}
