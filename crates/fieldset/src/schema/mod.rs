//! How the fields of a type merge.
//!
//! Source: KEP-555 and the Kubernetes API reference, "Merge strategy" of server-side apply
//! (`listType`, `listMapKey`, `mapType`, `structType`).
//!
//! Where schemas come from:
//!
//! - [`builtin`]: the kinds of Kubernetes itself, from a committed table;
//! - [`crd::of_definition`]: a custom resource's kind, from its definition;
//! - [`openapi::of_document`]: what a server says of its kinds.
//!
//! [`table`] is the text form of the committed table.

mod builtin;
pub mod crd;
pub mod openapi;
pub mod table;

pub use builtin::{builtin, builtin_kinds, builtin_table};

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::Value;

/// How values of one type are divided into fields.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// A value without parts.
    Scalar(Scalar),
    /// An object.
    Map(MapType),
    /// A list.
    List(ListType),
    /// No schema (a custom resource's preserved unknown fields): objects are granular, lists
    /// atomic.
    Deduced,
    /// Another type of the same [`Schema`], by its name.
    Named(Arc<str>),
}

/// What a scalar may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// A string.
    String,
    /// A number.
    Number,
    /// true or false.
    Boolean,
    /// Any of these: `IntOrString`, `Quantity`, `Time`.
    Any,
}

/// An object's type: known fields, or one type for every value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MapType {
    /// Fields by name.
    pub fields: BTreeMap<Arc<str>, Field>,
    /// The type of all other values; `None` if there are no others.
    pub element: Option<Box<Type>>,
    /// Whether it is owned and replaced as one.
    pub atomic: bool,
}

/// One known field of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The field's type.
    pub value: Type,
    /// What the server puts where it is missing; it counts where the field is a list's key.
    pub default: Option<Value>,
}

/// A list's type.
#[derive(Clone, Debug, PartialEq)]
pub struct ListType {
    /// The type of the items.
    pub element: Box<Type>,
    /// How its items are told apart.
    pub relation: ListRelation,
}

/// How a list's items are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListRelation {
    /// Not at all: it is owned and replaced as one.
    Atomic,
    /// By their value.
    Set,
    /// By the values of these fields, in the order of the schema.
    Map(Vec<Arc<str>>),
}

/// Types by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    /// Hashed, since the names share long beginnings and every value asks for one.
    types: HashMap<Arc<str>, Type>,
}

impl Schema {
    /// An empty schema.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a type, or replaces the one of the same name.
    pub fn insert(&mut self, name: impl Into<Arc<str>>, value: Type) {
        self.types.insert(name.into(), value);
    }

    /// A type by name.
    pub fn get(&self, name: &str) -> Option<&Type> {
        self.types.get(name)
    }

    /// All types, sorted by name.
    pub fn types(&self) -> impl Iterator<Item = (&Arc<str>, &Type)> {
        let mut types: Vec<_> = self.types.iter().collect();
        types.sort_unstable_by_key(|(name, _)| *name);
        types.into_iter()
    }

    /// Follows [`Type::Named`] to what it names; a name that the schema does not hold, or a
    /// chain longer than any real one, is [`Type::Deduced`].
    pub fn resolve<'s>(&'s self, mut value: &'s Type) -> &'s Type {
        /// Names that name names.
        const CHAIN_LIMIT: usize = 8;
        for _ in 0..CHAIN_LIMIT {
            match value {
                Type::Named(name) => match self.types.get(name) {
                    Some(named) => value = named,
                    None => return &Type::Deduced,
                },
                found => return found,
            }
        }
        &Type::Deduced
    }
}

/// The type of one kind: a schema and where to begin in it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KindSchema {
    /// All types it may name.
    pub schema: Arc<Schema>,
    /// The type of the whole object.
    pub root: Type,
}

impl KindSchema {
    /// A kind that nothing is known of: everything is deduced, metadata too, as the server does
    /// for custom resources without a schema.
    pub fn deduced() -> Self {
        Self {
            schema: Arc::new(Schema::new()),
            root: Type::Deduced,
        }
    }
}
