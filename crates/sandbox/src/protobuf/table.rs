//! The committed table of messages, as it was parsed.
//!
//! ```text
//! kind apps/v1 Deployment apps.v1.Deployment
//! message apps.v1.DeploymentSpec replicas=1:*i selector=2:*meta.v1.LabelSelector …
//! ```
//!
//! A field is its name in JSON (empty: the fields of its type stand in its place), its number and
//! its shape: `s` text, `b` yes or no, `i` integer, `y` bytes, `Quantity`, `IntOrString`, `Time`,
//! `Json`, `Strings`, or another message; after `[]` a list, `{}` a map from text, `*` something
//! that can be absent, so that zero is a value of its own. `cargo xtask protobuf` writes it.

use std::{collections::BTreeMap, sync::LazyLock};

const TEXT: &str = include_str!("messages.txt");

/// Every message and kind.
#[derive(Debug, Default)]
pub(super) struct Table {
    messages: BTreeMap<&'static str, Message>,
    kinds: BTreeMap<(&'static str, &'static str), &'static str>,
}

/// The fields of a message by number.
pub(super) type Message = BTreeMap<u64, Field>;

/// One field of a message.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
}

/// The shape of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) of: Of,
    /// Whether it is there only if it was set.
    pub(super) optional: bool,
    pub(super) each: Each,
}

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Each {
    One,
    List,
    Map,
}

/// One value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Text,
    Flag,
    Integer,
    Bytes,
    Quantity,
    IntOrString,
    Time,
    Json,
    Strings,
    Message(&'static str),
}

/// The table.
pub(super) fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(TEXT));
    &TABLE
}

impl Table {
    pub(super) fn message(&self, name: &str) -> Option<&Message> {
        self.messages.get(name)
    }

    /// The message that a kind is. Some kinds are the same in every version.
    pub(super) fn kind(&self, version: &str, kind: &str) -> Option<&'static str> {
        let found = self.kinds.get(&(version, kind));
        found.or_else(|| self.kinds.get(&("*", kind))).copied()
    }

    /// Lines of another form are passed over; a test finds them.
    fn parse(text: &'static str) -> Self {
        let mut table = Self::default();
        for line in text.lines() {
            let mut words = line.split(' ');
            match (words.next(), words.next()) {
                (Some("kind"), Some(version)) => {
                    if let (Some(kind), Some(message)) = (words.next(), words.next()) {
                        table.kinds.insert((version, kind), message);
                    }
                }
                (Some("message"), Some(name)) => {
                    table
                        .messages
                        .insert(name, words.filter_map(field).collect());
                }
                _ => {}
            }
        }
        table
    }
}

fn field(word: &'static str) -> Option<(u64, Field)> {
    let (name, rest) = word.split_once('=')?;
    let (number, shape) = rest.split_once(':')?;
    let shape = Shape::parse(shape);
    Some((number.parse().ok()?, Field { name, shape }))
}

impl Shape {
    fn parse(text: &'static str) -> Self {
        let (optional, text) = match text.strip_prefix('*') {
            Some(text) => (true, text),
            None => (false, text),
        };
        let (each, text) = if let Some(text) = text.strip_prefix("[]") {
            (Each::List, text)
        } else if let Some(text) = text.strip_prefix("{}") {
            (Each::Map, text)
        } else {
            (Each::One, text)
        };
        let of = match text {
            "s" => Of::Text,
            "b" => Of::Flag,
            "i" => Of::Integer,
            "y" => Of::Bytes,
            "Quantity" => Of::Quantity,
            "IntOrString" => Of::IntOrString,
            "Time" => Of::Time,
            "Json" => Of::Json,
            "Strings" => Of::Strings,
            message => Of::Message(message),
        };
        Self { of, optional, each }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_complete_and_nothing_in_it_is_passed_over() {
        let table = table();
        let written = TEXT.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(table.messages.len() + table.kinds.len(), written);
        for line in TEXT.lines().filter(|line| line.starts_with("message ")) {
            let fields = line.split(' ').skip(2).count();
            let name = line.split(' ').nth(1).unwrap();
            assert_eq!(table.message(name).unwrap().len(), fields, "{name}");
        }
        for (name, message) in &table.messages {
            for field in message.values() {
                if let Of::Message(needed) = field.shape.of {
                    assert!(table.message(needed).is_some(), "{needed} of {name}");
                }
            }
        }
    }
}
