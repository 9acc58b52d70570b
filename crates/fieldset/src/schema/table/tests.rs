//! Text to table and back.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::super::{Field, ListRelation, ListType, MapType, Scalar, Schema, Type};
use super::{KindName, Problem, Source, Table, TableError};

/// Parses one type in a line of package `a.b`, and expects its text back.
#[track_caller]
fn check_type(text: &str, expect: &Type) {
    let lines = format!("type a.b.T {text}\ntype a.b.U s\ntype c.d.V s\ntype U s\n");
    let table = Table::parse(&lines).unwrap();
    assert_eq!(table.schema.get("a.b.T"), Some(expect));
    let written = table.to_string();
    assert!(
        written.contains(&format!("type a.b.T {text}\n")),
        "{written}"
    );
}

fn named(name: &str) -> Type {
    Type::Named(name.into())
}

fn list(relation: ListRelation, element: Type) -> Type {
    Type::List(ListType {
        element: Box::new(element),
        relation,
    })
}

fn map(fields: &[(&str, Type, Option<Value>)], element: Option<Type>, atomic: bool) -> Type {
    let fields = fields.iter().cloned().map(|(name, value, default)| {
        let field = Field { value, default };
        (Arc::from(name), field)
    });
    Type::Map(MapType {
        fields: fields.collect(),
        element: element.map(Box::new),
        atomic,
    })
}

const STRING: Type = Type::Scalar(Scalar::String);
const NUMBER: Type = Type::Scalar(Scalar::Number);

#[test]
fn each_form_has_one_text() {
    check_type("s", &STRING);
    check_type("n", &NUMBER);
    check_type("b", &Type::Scalar(Scalar::Boolean));
    check_type("x", &Type::Scalar(Scalar::Any));
    check_type("?", &Type::Deduced);
    check_type(".U", &named("a.b.U"));
    check_type("c.d.V", &named("c.d.V"));
    check_type("\"U\"", &named("U"));
    check_type("[]s", &list(ListRelation::Atomic, STRING));
    check_type("[=]n", &list(ListRelation::Set, NUMBER));
    let keys = ListRelation::Map(vec!["port".into(), "=".into()]);
    check_type("[port,\"=\"].U", &list(keys, named("a.b.U")));
    check_type("()", &map(&[], None, false));
    check_type("!{}s", &map(&[], Some(STRING), true));
    check_type(
        "{}[]s",
        &map(&[], Some(list(ListRelation::Atomic, STRING)), false),
    );
    let fields = [
        (" *:", STRING, None),
        ("$ref", STRING, Some("a) b".into())),
        ("port", NUMBER, Some(80.into())),
        ("z", map(&[], None, true), None),
    ];
    check_type(
        "(\" *:\":s $ref:s=\"a) b\" port:n=80 z:!() *:?)",
        &map(&fields, Some(Type::Deduced), false),
    );
}

#[track_caller]
fn check_error(text: &str, line: usize, column: usize, problem: Problem) {
    let expect = TableError {
        line,
        column,
        problem,
    };
    assert_eq!(Table::parse(text), Err(expect));
}

#[test]
fn errors_name_their_place() {
    let expected = |name| Problem::Expected(name);
    check_error(
        "nonsense",
        1,
        9,
        expected("source, kind, type or a comment"),
    );
    check_error("# c\n\n", 2, 1, expected("source, kind, type or a comment"));
    check_error("source a", 1, 9, expected("a space"));
    check_error("type a.T", 1, 9, expected("a space"));
    check_error("type a.T q", 1, 11, expected("a type"));
    check_error("type a.T (a:s", 1, 14, expected("a space or )"));
    check_error("type a.T (a:s=)", 1, 15, expected("JSON"));
    check_error("type a.T (*:s a:s)", 1, 15, expected(") after *"));
    check_error("type a.T s s", 1, 11, expected("the end of the line"));
    check_error("type a.T [a s", 1, 12, expected("] or a comma"));
    check_error(
        "type a.T s\ntype a.T n",
        2,
        11,
        Problem::Twice("a.T".into()),
    );
    check_error("type a.T (a:s a:n)", 1, 16, Problem::Twice("a".into()));
    check_error("kind v1 A a.T", 1, 1, Problem::Unknown("a.T".into()));
    check_error("type a.T (a:[]{}.U)", 1, 1, Problem::Unknown("a.U".into()));
    let deep = format!("type a.T {}s", "[]".repeat(1000));
    check_error(&deep, 1, 140, Problem::TooDeep);
}

#[test]
fn kinds_and_sources_are_kept() {
    let text = "source p 1.2-3\nkind v1 Pod a.T\nkind apps/v1 Pod a.T\ntype a.T ()\n";
    let table = Table::parse(text).unwrap();
    assert_eq!(table.sources.len(), 1);
    assert!(table.kind("", "v1", "Pod").is_some());
    assert!(table.kind("apps", "v1", "Pod").is_some());
    assert!(table.kind("apps", "v2", "Pod").is_none());
    let (head, rest) = table.to_string().split_once('\n').map(own).unwrap();
    assert!(head.starts_with('#'), "{head}");
    assert_eq!(rest, text);
}

fn own((head, rest): (&str, &str)) -> (String, String) {
    (head.to_owned(), rest.to_owned())
}

/// Names that a table can hold in any place.
fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,4}",
        "[a-z.$_-]{1,6}",
        "[ -~]{1,6}",
        "\\PC{1,4}",
        Just("*".to_owned()),
        Just("s".to_owned()),
    ]
}

fn any_default() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
        proptest::collection::btree_map("[ -~]{0,3}", any::<i8>(), 0..3)
            .prop_map(|map| map.into_iter().map(|(k, v)| (k, Value::from(v))).collect()),
    ]
}

fn any_type(names: Vec<String>) -> impl Strategy<Value = Type> {
    let scalar = prop_oneof![
        Just(Scalar::String),
        Just(Scalar::Number),
        Just(Scalar::Boolean),
        Just(Scalar::Any)
    ];
    let leaf = prop_oneof![
        scalar.prop_map(Type::Scalar),
        Just(Type::Deduced),
        proptest::sample::select(names).prop_map(|name| named(&name)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let keys = proptest::collection::vec(any_name(), 1..3);
        let relation = prop_oneof![
            Just(ListRelation::Atomic),
            Just(ListRelation::Set),
            keys.prop_map(|keys| ListRelation::Map(keys.into_iter().map(Arc::from).collect())),
        ];
        let field = (inner.clone(), proptest::option::of(any_default()))
            .prop_map(|(value, default)| Field { value, default });
        let fields = proptest::collection::btree_map(any_name().prop_map(Arc::from), field, 0..4);
        let element = proptest::option::of(inner.clone().prop_map(Box::new));
        prop_oneof![
            (relation, inner).prop_map(|(relation, element)| list(relation, element)),
            (fields, element, any::<bool>()).prop_map(|(fields, element, atomic)| {
                Type::Map(MapType {
                    fields,
                    element,
                    atomic,
                })
            }),
        ]
    })
}

fn any_table() -> impl Strategy<Value = Table> {
    let names = proptest::collection::btree_set(
        prop_oneof!["[a-c]\\.[a-c]\\.[A-C]{1,2}", any_name()],
        1..5,
    );
    names.prop_flat_map(|names| {
        let names: Vec<String> = names.into_iter().collect();
        let types = proptest::collection::vec(any_type(names.clone()), names.len());
        let root = proptest::sample::select(names.clone());
        let kinds = proptest::collection::btree_map(
            ("[a-z]{0,3}", "v[1-9]", "[A-Z][a-z]{0,3}").prop_map(|(group, version, kind)| {
                KindName {
                    group: group.into(),
                    version: version.into(),
                    kind: kind.into(),
                }
            }),
            root.prop_map(Arc::from),
            0..4,
        );
        let source =
            ("[a-z-]{1,5}", "[0-9.+~-]{1,5}").prop_map(|(name, version)| Source { name, version });
        let sources = proptest::collection::vec(source, 0..3);
        (Just(names), types, kinds, sources).prop_map(|(names, types, kinds, sources)| {
            let mut schema = Schema::new();
            for (name, value) in names.into_iter().zip(types) {
                schema.insert(name, value);
            }
            Table {
                sources,
                kinds,
                schema: Arc::new(schema),
            }
        })
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(table in any_table()) {
        let text = table.to_string();
        let read = Table::parse(&text);
        prop_assert_eq!(read, Ok(table), "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused_with_a_place(text in "((type|kind|source|#)? ?[\\[\\](){}!=?*:., \"a-z$\n-]{0,20}){0,4}") {
        match Table::parse(&text) {
            Ok(table) => {
                let again = Table::parse(&table.to_string());
                prop_assert_eq!(again, Ok(table));
            }
            Err(error) => {
                prop_assert!(error.line <= text.lines().count().max(1));
                prop_assert!(error.column >= 1);
            }
        }
    }

    /// A committed line with one character changed is another table or an error, never a panic.
    #[test]
    fn a_damaged_line_is_read_or_refused(at in 0_usize..200, damage in "\\PC") {
        let line = "type a.T (a:[k,\"l m\"](k:s=\"\" n:n=1 *:?) b:!{}[=]x c:.T d:a.T)";
        let text: String = line
            .chars()
            .enumerate()
            .map(|(index, old)| if index == at % line.len() { damage.clone() } else { old.to_string() })
            .collect();
        if let Ok(table) = Table::parse(&text) {
            prop_assert_eq!(Table::parse(&table.to_string()), Ok(table));
        }
    }
}
