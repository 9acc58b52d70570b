//! Parts of policies of which it is not known what they say.

use std::sync::Arc;

use underpin_model::{ObjectKey, UnknownPart};

use crate::reason::Reason;

/// Why a part of a policy is not known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Gap {
    /// It was not read, or cannot be understood; then a defect says why.
    Unreadable,
    /// It is found out later, such as when Terraform runs.
    Later(Arc<UnknownPart>),
    /// The policy may not exist at all.
    Existence(Arc<str>),
}

impl Gap {
    pub(crate) fn later(part: &UnknownPart) -> Self {
        Self::Later(Arc::new(part.clone()))
    }

    /// The reason why an answer is not known, if this is what it hangs on.
    pub(crate) fn reason(&self, object: &ObjectKey) -> Reason {
        let object = object.clone();
        match self {
            Self::Unreadable => Reason::Unreadable(object),
            Self::Later(part) => Reason::UnknownPart {
                object,
                part: part.clone(),
            },
            Self::Existence(why) => Reason::MayNotExist {
                object,
                why: why.to_string(),
            },
        }
    }
}
