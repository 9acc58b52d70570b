//! The API's types as a Go server reads and writes them: which fields there are, of which type,
//! and what is left out of JSON when it is empty.

mod decode;
pub(crate) mod quantity;
pub(crate) mod shape;

pub(crate) use decode::{Found, read};
