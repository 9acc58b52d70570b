//! Where in an object something is, as the server writes it.

use std::fmt;

/// A path that is built on the way down and costs nothing until it is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    part: Part<'p>,
}

#[derive(Clone, Copy, Debug)]
enum Part<'p> {
    Field(&'p str),
    Index(usize),
    Key(&'p str),
}

impl<'p> Path<'p> {
    /// A field of the object itself; several, if dots are in it.
    pub(crate) const fn root(field: &'p str) -> Self {
        Self {
            parent: None,
            part: Part::Field(field),
        }
    }

    /// A field of what is here.
    pub(crate) const fn child(&'p self, field: &'p str) -> Self {
        Self {
            parent: Some(self),
            part: Part::Field(field),
        }
    }

    /// An item of the list that is here.
    pub(crate) const fn index(&'p self, index: usize) -> Self {
        Self {
            parent: Some(self),
            part: Part::Index(index),
        }
    }

    /// An entry of the map that is here, written `[key]`.
    pub(crate) const fn key(&'p self, key: &'p str) -> Self {
        Self {
            parent: Some(self),
            part: Part::Key(key),
        }
    }

    /// Whether this is an entry of a map.
    pub(crate) const fn is_entry(&self) -> bool {
        matches!(self.part, Part::Key(_))
    }

    /// The fields alone, joined by dots: neither indices nor keys.
    pub(crate) fn fields(&self) -> String {
        let before = self.parent.map(Path::fields).unwrap_or_default();
        match self.part {
            Part::Field(field) if before.is_empty() => field.to_owned(),
            Part::Field(field) => format!("{before}.{field}"),
            Part::Index(_) | Part::Key(_) => before,
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}")?;
        }
        match self.part {
            Part::Field(field) if self.parent.is_none() => write!(f, "{field}"),
            Part::Field(field) => write!(f, ".{field}"),
            Part::Index(index) => write!(f, "[{index}]"),
            Part::Key(key) => write!(f, "[{key}]"),
        }
    }
}
