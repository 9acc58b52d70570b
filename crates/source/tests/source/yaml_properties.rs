//! Properties over arbitrary input.

use proptest::prelude::*;
use serde_json::{Number, Value};
use underpin_source::yaml;

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Whole floats become integers; here only others are of interest.
        any::<f64>()
            .prop_filter_map("a float with a fraction", |f| {
                (f.fract() != 0.0).then(|| Number::from_f64(f)).flatten()
            })
            .prop_map(Value::Number),
        any::<String>().prop_map(Value::String),
        "[\u{7f}-\u{a0}\u{feff}\u{fff0}-\u{ffff}\u{f0000}a]{0,6}".prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Text that looks like YAML more often than chance allows.
const YAML_SOUP: &str = "([a-c]: |- |\n|\r\n|  |\t|[\\[\\]{},'\"|>&*!#%@`?:~<-]|&a|\\*a|<<: |---|\\.\\.\\.|!!int |0x|1|\\$\\{a\\}|é|\u{feff}|\u{0}){0,60}";

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        yaml::parse("a.yaml", &text);
    }

    #[test]
    fn what_looks_like_yaml_never_panics_and_every_place_lies_in_the_text(text in YAML_SOUP) {
        let (documents, diagnostics) = yaml::parse("a.yaml", &text);
        let breaks = text.chars().filter(|c| matches!(c, '\n' | '\r')).count();
        let longest = text.chars().count();
        let places = documents
            .iter()
            .flat_map(|d| d.spans.values().copied())
            .chain(diagnostics.iter().map(|d| (d.place.line, d.place.column)));
        for (line, column) in places {
            prop_assert!(line >= 1 && line as usize <= breaks + 1, "{line} in {text:?}");
            prop_assert!(column >= 1 && column as usize <= longest + 1, "{column} in {text:?}");
        }
    }

    #[test]
    fn json_reads_as_json(value in json(), pretty in any::<bool>()) {
        let text = if pretty {
            serde_json::to_string_pretty(&value)
        } else {
            serde_json::to_string(&value)
        };
        let text = text.expect("a value prints");
        let (documents, diagnostics) = yaml::parse("a.json", &text);
        prop_assert_eq!(diagnostics, [], "{}", text);
        let got = documents.into_iter().next().map_or(Value::Null, |d| d.value);
        prop_assert_eq!(got, value, "{}", text);
    }

    #[test]
    fn one_broken_document_leaves_all_others(count in 1_usize..8, broken in 0_usize..8, kind in 0_usize..4) {
        let broken = broken % count;
        let break_it = ["a: b: c\n", "a: \"open\n", "a: [1\n", "\ta: {\n"][kind];
        let text: String = (0..count)
            .map(|index| {
                let body = if index == broken { break_it.to_owned() } else { format!("index: {index}\n") };
                format!("---\n{body}")
            })
            .collect();
        let (documents, diagnostics) = yaml::parse("a.yaml", &text);
        prop_assert_eq!(diagnostics.len(), 1);
        let first_line = u32::try_from(2 * broken).expect("small") + 1;
        let line = diagnostics[0].place.line;
        prop_assert!((first_line..=first_line + 2).contains(&line), "{line}");
        let got: Vec<u64> = documents.iter().filter_map(|d| d.value["index"].as_u64()).collect();
        let expect: Vec<u64> = (0..count as u64).filter(|index| *index != broken as u64).collect();
        prop_assert_eq!(got, expect);
    }
}
