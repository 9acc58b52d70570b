//! Documents compared as JSON, whatever the order of their fields and the space between them: both are large,
//! and a tree of one would take more than ten times as much memory as its text.

use std::{collections::BTreeMap, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use sha2::{Digest, Sha256};

/// The digest of a value: the same of values that are the same.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Print([u8; 32]);

/// Whether two texts are JSON of one value.
pub(crate) fn alike(one: &[u8], other: &[u8]) -> bool {
    let print = |text: &[u8]| serde_json::from_slice::<Print>(text).ok();
    print(one).is_some_and(|one| print(other) == Some(one))
}

impl Print {
    /// Of a value without others in it.
    fn of(kind: u8, value: &[u8]) -> Self {
        Self(
            Sha256::new()
                .chain_update([kind])
                .chain_update(value)
                .finalize()
                .into(),
        )
    }
}

impl<'de> Deserialize<'de> for Print {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

/// Reads a value and keeps its digest alone.
struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Print;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Print, E> {
        Ok(Print::of(b'n', &[]))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Print, E> {
        Ok(Print::of(b'b', &[value.into()]))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Print, E> {
        Ok(Print::of(b'u', &value.to_be_bytes()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Print, E> {
        Ok(Print::of(b'i', &value.to_be_bytes()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Print, E> {
        Ok(Print::of(b'f', &value.to_be_bytes()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Print, E> {
        Ok(Print::of(b's', value.as_bytes()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Print, A::Error> {
        let mut digest = Sha256::new().chain_update(b"l");
        while let Some(Print(item)) = items.next_element()? {
            digest.update(item);
        }
        Ok(Print(digest.finalize().into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Print, A::Error> {
        let mut found: BTreeMap<String, Print> = BTreeMap::new();
        while let Some((name, value)) = fields.next_entry()? {
            // Of a field that is there twice, the last counts.
            found.insert(name, value);
        }
        let mut digest = Sha256::new().chain_update(b"m");
        for (name, Print(value)) in found {
            digest.update(Sha256::digest(&name));
            digest.update(value);
        }
        Ok(Print(digest.finalize().into()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// As trees of them are, of all of which each differs from each other.
    #[test]
    fn what_is_alike_is_so_as_a_tree() {
        let texts = [
            "null",
            "true",
            "false",
            "0",
            "1",
            "-1",
            "1.0",
            "1e300",
            "\"\"",
            "\"a\"",
            "\"1\"",
            "[]",
            "[1]",
            "[1,2]",
            "[2,1]",
            "[[1],2]",
            "[[1,2]]",
            "{}",
            "{\"a\":1}",
            "{\"a\":[1]}",
            "{\"a\":1,\"b\":2}",
            "{\"b\":1,\"a\":2}",
            "{\"ab\":1}",
            "{\"a\":{\"b\":1}}",
            "[\"a\",\"b\"]",
            "[\"ab\"]",
            "[{\"a\":1}]",
            "18446744073709551615",
        ];
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        for one in texts {
            for other in texts {
                let is_same = value(one) == value(other);
                assert_eq!(
                    alike(one.as_bytes(), other.as_bytes()),
                    is_same,
                    "{one} {other}"
                );
                assert_eq!(is_same, one == other, "{one} {other}");
            }
        }
    }

    #[test]
    fn order_space_and_escapes_do_not_count() {
        for (one, other, expect) in [
            ("{\"a\":1,\"b\":{}}", "{ \"b\" : { }, \"a\" : 1 }\n", true),
            ("\"\\u0061<\"", "\"a\\u003c\"", true),
            ("{\"a\":1,\"a\":2}", "{\"a\":2}", true),
            ("{\"a\":1,\"a\":2}", "{\"a\":1}", false),
            // What is no JSON is like nothing.
            ("{", "{", false),
            ("{} {}", "{}", false),
            ("", "", false),
        ] {
            assert_eq!(
                alike(one.as_bytes(), other.as_bytes()),
                expect,
                "{one} {other}"
            );
        }
    }
}
