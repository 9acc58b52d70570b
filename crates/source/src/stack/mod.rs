//! The stack file, `underpin.yaml`: its types, its published JSON Schema, and reading it.
//!
//! The types generate the schema, and the schema checks the file: what an editor completes and
//! what the program accepts cannot drift apart.

mod find;
mod load;
mod types;
mod variables;

pub use find::{FILE_NAME, FindError, find, is_stack_file};
pub use load::{LoadError, Stack, load, parse};
pub use types::{
    ApiVersion, Environment, IgnoreFields, Limits, Metadata, RESERVED_VARIABLES, SecretSource,
    Source, StackFile, StackKind, StackSpec, json_schema,
};
