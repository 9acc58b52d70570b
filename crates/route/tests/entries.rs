//! The reader of entries on arbitrary text: it never panics, its places are in the text, and what it
//! says never quotes it (R3.6).

#![allow(clippy::unwrap_used, reason = "tests: what is wrong here fails them")]

use proptest::prelude::*;
use underpin_route::{DefectKind, Item, adaptable, parse_entry};

/// Pieces of which entries, good and bad, are made.
const PIECES: &[&str] = &[
    "http://a.example",
    "https://b.example:443",
    "http://*.c.example,",
    "hunter2",
    "\"hunter2\"",
    "`hunter2\nhunter2`",
    "{",
    "}",
    "{}",
    "\"}\"",
    "import",
    "gzip",
    "handle_server_error",
    "lb_retries_2",
    "reverse_proxy",
    "http://web.ns.svc:80",
    "handle_path",
    "/shop*",
    "handle",
    "/*",
    "# hunter2 }",
    "\\",
    "\\\n",
    "\"",
    "`",
    "{$HUNTER2}",
    "{env.hunter2}",
    "<<HUNTER2",
    "(hunter2)",
    "&(x)",
    "@m",
    "\u{a0}",
    "\u{200b}",
    "\r",
    "\r\n",
    "\u{430}",
    ",",
    "root",
    "*",
];
const SPACES: &[&str] = &[" ", "\n", "\n  ", ""];

fn texts() -> impl Strategy<Value = String> {
    let piece = (
        proptest::sample::select(PIECES),
        proptest::sample::select(SPACES),
    );
    let pieces = proptest::collection::vec(piece, 0..24);
    pieces.prop_map(|pieces| {
        pieces
            .into_iter()
            .flat_map(|(piece, space)| [piece, space])
            .collect()
    })
}

/// A well-formed entry of some sites with blocks in blocks.
fn good() -> impl Strategy<Value = (String, usize)> {
    let line = proptest::sample::select(vec![
        "  respond \"{ in quotes }\" 200\n",
        "  header X-A {http.request.host}\n",
        "  # a comment with } in it\n",
        "  reverse_proxy http://web.ns.svc:80 {\n    import lb_retries_2\n    @x status 404\n    \
         handle_response @x {\n      respond gone\n    }\n  }\n",
        "  import gzip\n",
        "  @a path /a \\\n    /b\n",
        "\n",
    ]);
    let block = proptest::collection::vec(line, 0..5).prop_map(|lines| lines.concat());
    proptest::collection::vec(block, 1..4).prop_map(|blocks| {
        let number = blocks.len();
        let texts = blocks
            .iter()
            .enumerate()
            .map(|(n, block)| format!("http://h{n}.example,\nh{n}.example {{\n{block}}}\n"));
        (texts.collect(), number)
    })
}

fn check_items(text: &str, items: &[Item]) {
    for item in items {
        let block = &item.block;
        assert_eq!(text.get(block.span.clone()), Some(block.body.reveal()));
        for import in &block.imports {
            let name = block.body.reveal().get(import.span.clone());
            assert_eq!(name, Some(import.snippet));
        }
        // It can be handed on, with every import defined.
        let adaptable = adaptable(block, "/pages");
        for import in &block.imports {
            let name = if import.in_proxy {
                format!("({}_in_proxy) {{", import.snippet)
            } else {
                format!("({}) {{", import.snippet)
            };
            assert!(adaptable.reveal().contains(&name), "{name}");
        }
    }
    assert!(!format!("{items:?}").contains("hunter2"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn r3_6_entries_are_read_or_refused_by_place(text in texts()) {
        let lines = text.matches('\n').count() + 1;
        let defects = match parse_entry(&text) {
            Ok((items, refused)) => {
                check_items(&text, &items);
                let has_variable = text.contains("{$");
                prop_assert!(!has_variable);
                refused
            }
            Err(defects) => {
                prop_assert!(!defects.is_empty());
                defects
            }
        };
        for defect in &defects {
            prop_assert!(defect.at.line >= 1 && defect.at.column >= 1);
            prop_assert!(defect.at.line as usize <= lines);
            let said = format!("{defect} {defect:?}").to_lowercase();
            prop_assert!(!said.contains("hunter2"), "{}", said);
        }
    }

    #[test]
    fn what_is_well_formed_is_read((text, number) in good()) {
        let (items, refused) = parse_entry(&text).unwrap();
        prop_assert_eq!(items.len(), number);
        prop_assert!(refused.is_empty());
        prop_assert!(items.iter().all(|item| item.addresses.len() == 2));
        check_items(&text, &items);
    }

    #[test]
    fn nothing_panics(text in any::<String>()) {
        let _ = parse_entry(&text);
    }
}

#[test]
fn a_megabyte_is_refused() {
    let text = format!(
        "http://a.example {{\n{}}}\n",
        "  respond x\n".repeat(100_000)
    );
    let defects = parse_entry(&text).unwrap_err();
    assert_eq!(defects[0].kind, DefectKind::TooLong);
}

#[test]
fn blocks_in_blocks_have_a_bound() {
    let text = format!(
        "http://a.example {{\n{}{}}}\n",
        "x {\n".repeat(40),
        "}\n".repeat(40)
    );
    let defects = parse_entry(&text).unwrap_err();
    assert_eq!(defects[0].kind, DefectKind::TooDeep);
}
