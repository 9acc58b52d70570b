//! Exact positions: every finding names file, line and column.

use std::collections::BTreeMap;

use proptest::prelude::*;
use underpin_source::yaml;

/// Checks the whole index of the only document: `path line:column` per field.
#[track_caller]
fn check(text: &str, expect: &str) {
    let (documents, diagnostics) = yaml::parse("a.yaml", text);
    assert_eq!(diagnostics, []);
    let document = &documents[0];
    let lines: Vec<String> = document
        .spans
        .iter()
        .map(|(path, (line, column))| format!("{path} {line}:{column}"))
        .collect();
    let expect: Vec<&str> = expect
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    assert_eq!(lines[1..], expect, "{text}");
    assert!(
        lines[0].starts_with(' '),
        "the root comes first: {}",
        lines[0]
    );
    let root = document.spans.values().next().expect("the root's position");
    assert_eq!((document.place.line, document.place.column), *root);
}

#[test]
fn fields_are_placed_at_their_keys_and_items_at_their_content() {
    check(
        "a:\n  - name: x\n    ports:\n    - 80\n    - {p: 81, q: [1, 2]}\n  -\n  - !!str\n    5\nb:\n",
        "a 1:1
         a[0] 2:5
         a[0].name 2:5
         a[0].ports 3:5
         a[0].ports[0] 4:7
         a[0].ports[1] 5:7
         a[0].ports[1].p 5:8
         a[0].ports[1].q 5:15
         a[0].ports[1].q[0] 5:19
         a[0].ports[1].q[1] 5:22
         a[1] 6:4
         a[2] 8:5
         b 9:1",
    );
}

#[test]
fn columns_count_characters_and_keys_are_quoted_in_paths() {
    check(
        "é: {\"日本\": 1, a.b/c: [x]}\n",
        "[\"é\"] 1:1
         [\"é\"][\"a.b/c\"] 1:14
         [\"é\"][\"a.b/c\"][0] 1:22
         [\"é\"][\"日本\"] 1:5",
    );
}

#[test]
fn block_scalars_and_what_follows_them() {
    check(
        "a: |\n  x\n\n  ---\n  y\nb: >-\n  folded\n  text\nc:\n  - |\n    item\n  - z\n",
        "a 1:1
         b 6:1
         c 9:1
         c[0] 11:5
         c[1] 12:5",
    );
}

#[test]
fn carriage_returns_and_a_byte_order_mark_do_not_shift() {
    let expect = "a 1:1
                  b 2:1
                  b[0] 3:5
                  c 4:1";
    for text in [
        "a: 1\nb:\n  - x\nc: 2\n",
        "a: 1\r\nb:\r\n  - x\r\nc: 2\r\n",
        "a: 1\rb:\r  - x\rc: 2\r",
        "\u{feff}a: 1\nb:\n  - x\nc: 2",
    ] {
        check(text, expect);
    }
}

#[test]
fn an_alias_is_placed_at_its_use_and_its_fields_at_the_definition() {
    check(
        "base: &base\n  x: 1\n  w: [2]\nuse: *base\nlist:\n  - *base\nmore:\n  <<: *base\n  z: 3\n  x: 4\n",
        "base 1:1
         base.w 3:3
         base.w[0] 3:7
         base.x 2:3
         list 5:1
         list[0] 6:5
         list[0].w 3:3
         list[0].w[0] 3:7
         list[0].x 2:3
         more 7:1
         more.w 3:3
         more.w[0] 3:7
         more.x 10:3
         more.z 9:3
         use 4:1
         use.w 3:3
         use.w[0] 3:7
         use.x 2:3",
    );
}

#[test]
fn later_documents_count_from_the_start_of_the_file() {
    let text = "# first\na: 1\n---\r\n\n---\n# c\n%x: 1\n...\n---\n  b:\n    - 2\n--- {c: 1}\n";
    let (documents, diagnostics) = yaml::parse("a.yaml", text);
    let places: Vec<String> = documents.iter().map(|d| d.place.to_string()).collect();
    assert_eq!(places, ["a.yaml:2:1", "a.yaml:10:3", "a.yaml:12:5"]);
    let problems: Vec<String> = diagnostics.iter().map(|d| d.place.to_string()).collect();
    assert_eq!(problems, ["a.yaml:7:1"]);
}

#[test]
fn json_with_tabs_is_placed_too() {
    check(
        "{\n\t\"a\": {\"b\": [1,\n\t\t2]},\n\t\"c\":\tnull}\n",
        "a 2:2
         a.b 2:8
         a.b[0] 2:14
         a.b[1] 3:3
         c 4:2",
    );
}

#[test]
fn comments_keep_their_place_and_belong_to_a_document() {
    let text =
        "# above\n---\na: 1 # underpin: allow UP402 -- reason\n# below\n---\n# only\n---\nb: 2\n";
    let (documents, _) = yaml::parse("a.yaml", text);
    let comments: Vec<Vec<String>> = documents
        .iter()
        .map(|d| {
            d.comments
                .iter()
                .map(|c| format!("{} {}", c.place, c.text.trim()))
                .collect()
        })
        .collect();
    assert_eq!(
        comments,
        [
            vec![
                "a.yaml:1:1 above",
                "a.yaml:3:6 underpin: allow UP402 -- reason",
                "a.yaml:4:1 below",
            ],
            vec!["a.yaml:6:1 only"],
        ]
    );
}

/// A tree to write as YAML in a known layout.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(String),
    List(Vec<Tree>),
    Map(BTreeMap<String, Tree>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = "[a-zé日]{1,4}".prop_map(Tree::Leaf);
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Tree::List),
            prop::collection::btree_map("k[a-zé]{0,3}", inner, 1..4).prop_map(Tree::Map),
        ]
    })
}

/// Writes the tree and notes where it puts each key and item.
struct Writer {
    text: String,
    line: u32,
    places: BTreeMap<underpin_model::FieldPath, (u32, u32)>,
    line_break: &'static str,
}

impl Writer {
    fn column(&self) -> u32 {
        let last = self.text.rsplit('\n').next().unwrap_or_default();
        u32::try_from(last.chars().count()).expect("a short line") + 1
    }

    fn new_line(&mut self, indent: usize) {
        self.text.push_str(self.line_break);
        self.line += 1;
        self.text.push_str(&" ".repeat(indent));
    }

    fn write(&mut self, tree: &Tree, path: &underpin_model::FieldPath, indent: usize, flow: bool) {
        match tree {
            Tree::Leaf(text) => self.text.push_str(&format!("'{text}'")),
            Tree::List(items) => {
                self.text.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.text.push_str(", ");
                    }
                    let path = path.index(index);
                    self.places.insert(path.clone(), (self.line, self.column()));
                    self.write(item, &path, indent, true);
                }
                self.text.push(']');
            }
            Tree::Map(fields) if flow => {
                self.text.push('{');
                for (key, value) in fields {
                    let path = path.key(key);
                    self.places.insert(path.clone(), (self.line, self.column()));
                    self.text.push_str(&format!("{key}: "));
                    self.write(value, &path, indent, true);
                    self.text.push_str(", ");
                }
                self.text.push('}');
            }
            Tree::Map(fields) => {
                for (key, value) in fields {
                    self.new_line(indent);
                    let path = path.key(key);
                    self.places.insert(path.clone(), (self.line, self.column()));
                    self.text.push_str(&format!("{key}: "));
                    self.write(value, &path, indent + 2, false);
                }
            }
        }
    }
}

proptest! {
    /// The writer is the oracle: it knows where it put every key and item.
    #[test]
    fn positions_are_where_the_text_was_written(
        trees in prop::collection::vec(tree(), 1..4),
        crlf in any::<bool>(),
    ) {
        let mut writer = Writer {
            text: "#".into(),
            line: 1,
            places: BTreeMap::new(),
            line_break: if crlf { "\r\n" } else { "\n" },
        };
        let mut expect = Vec::new();
        for tree in &trees {
            writer.new_line(0);
            writer.text.push_str("---");
            writer.new_line(0);
            writer.write(tree, &underpin_model::FieldPath::root(), 0, false);
            expect.push(std::mem::take(&mut writer.places));
        }
        let (documents, diagnostics) = yaml::parse("a.yaml", &writer.text);
        prop_assert_eq!(diagnostics, []);
        let got: Vec<BTreeMap<_, _>> = documents
            .into_iter()
            .map(|d| d.spans.into_iter().filter(|(path, _)| !path.as_str().is_empty()).collect())
            .collect();
        prop_assert_eq!(got, expect, "{}", writer.text);
    }
}
