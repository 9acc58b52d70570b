//! What happens to an object between the request and the store: decoding, defaults, strategy,
//! allocation, validation.
//!
//! In the order in which a request needs them:
//!
//! 1. [`decode`]: types, unknown fields, the normal form that a Go server gives back;
//! 2. [`set_defaults`]: what is missing and has a default; a field manager sees the object so;
//! 3. [`admit`]: what refers to something that is not there is refused;
//! 4. [`prepare`]: the strategy: status and generation, allocation, what admission adds (it does 2
//!    again, which changes nothing);
//! 5. [`validate`]: what is wrong with it.

mod admit;
mod causes;
mod custom;
mod decode;
mod defaults;
mod normal;
mod path;
mod pods;
mod prepare;
mod qos;
mod services;
mod validate;
mod view;
mod wire;

pub(crate) use admit::admit;
pub(crate) use decode::decode;
pub(crate) use prepare::{prepare, set_defaults};
pub(crate) use validate::validate;
pub(crate) use wire::quantity::Quantity;

/// What is done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// It is new.
    Create,
    /// It replaces an older state of itself.
    Update,
}

/// What unknown and duplicate fields lead to (`fieldValidation`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    /// They are dropped.
    Ignore,
    /// They are dropped with a warning.
    #[default]
    Warn,
    /// They are refused.
    Strict,
}
