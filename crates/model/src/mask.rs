//! Hides the values of secrets that stand in foreign texts: logs, events, messages.

use std::{collections::BTreeSet, fmt};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

/// What stands in place of a value.
const MASKED: &str = "•••";
/// Shorter values are hidden where they stand as a whole word only: as part of others they would
/// make every text unreadable, and tell themselves by that.
const SHORT: usize = 4;

/// Values that must not be shown.
#[derive(Clone, Default)]
pub struct Mask {
    /// The longest first, so that a value within another leaves nothing of it.
    long: Vec<String>,
    /// Those of `long` that are whole values, none of their lines.
    whole: Vec<String>,
    short: BTreeSet<String>,
}

/// Tells how many there are, nothing of them.
impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.long.len() + self.short.len();
        f.debug_struct("Mask")
            .field("values", &count)
            .finish_non_exhaustive()
    }
}

impl Mask {
    /// A mask for these values, in the forms in which programs write them: base64,
    /// percent-encoded, within JSON; of one with several lines, each line by itself too.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let (mut whole_values, mut lines_of_them) = (BTreeSet::new(), BTreeSet::new());
        let mut short = BTreeSet::new();
        for value in values {
            let whole = value.trim();
            if whole.is_empty() {
                continue;
            }
            if whole.len() < SHORT && whole.chars().all(char::is_alphanumeric) {
                short.insert(whole.to_owned());
                continue;
            }
            whole_values.extend(encoded(value.as_bytes()));
            whole_values.extend(encoded(whole.as_bytes()));
            whole_values.extend(written(whole));
            let lines = whole.lines().map(str::trim);
            lines_of_them.extend(lines.filter(|line| line.len() >= SHORT).flat_map(written));
        }
        let mut long: Vec<String> = whole_values.union(&lines_of_them).cloned().collect();
        long.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        Self {
            long,
            whole: whole_values.into_iter().collect(),
            short,
        }
    }

    /// Whether a text holds one of them as a whole.
    pub fn hides(&self, text: &str) -> bool {
        self.whole.iter().any(|value| text.contains(value.as_str()))
            || words(text).any(|word| self.short.contains(word))
    }

    /// The text with every value replaced.
    pub fn apply(&self, text: &str) -> String {
        let mut out = text.to_owned();
        for value in &self.long {
            if out.contains(value.as_str()) {
                out = out.replace(value.as_str(), MASKED);
            }
        }
        if self.short.is_empty() {
            return out;
        }
        self.whole_words(&out)
    }

    fn whole_words(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut word = String::new();
        let end = |word: &mut String, out: &mut String| {
            out.push_str(if self.short.contains(word.as_str()) {
                MASKED
            } else {
                word.as_str()
            });
            word.clear();
        };
        for character in text.chars() {
            if character.is_alphanumeric() {
                word.push(character);
            } else {
                end(&mut word, &mut out);
                out.push(character);
            }
        }
        end(&mut word, &mut out);
        out
    }
}

/// A text, and how JSON and addresses write it. Some writers of JSON escape what HTML knows, some of
/// addresses use small letters.
fn written(text: &str) -> [String; 5] {
    let quoted = serde_json::Value::from(text).to_string();
    // Without the two quotes around it, and not those that it ends with itself.
    let within = quoted
        .get(1..quoted.len() - 1)
        .unwrap_or_default()
        .to_owned();
    let for_html = within
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026");
    let percent = |hexadecimal: fn(u8) -> String| -> String {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
        let written = text.bytes().map(|byte| match byte {
            byte if plain(&byte) => char::from(byte).to_string(),
            byte => hexadecimal(byte),
        });
        written.collect()
    };
    [
        text.to_owned(),
        within,
        for_html,
        percent(|byte| format!("%{byte:02X}")),
        percent(|byte| format!("%{byte:02x}")),
    ]
}

/// Bytes in base64, with and without padding, and as addresses write it; and what of it stays the
/// same whatever stands before and after them.
fn encoded(bytes: &[u8]) -> Vec<String> {
    let whole = [
        STANDARD.encode(bytes),
        STANDARD_NO_PAD.encode(bytes),
        URL_SAFE_NO_PAD.encode(bytes),
    ];
    // Three bytes make four letters, counted from wherever the text begins.
    let sure = (0..3).filter_map(|skipped| bytes.get(skipped..));
    let sure = sure.map(|rest| STANDARD.encode(&rest[..rest.len() - rest.len() % 3]));
    whole
        .into_iter()
        .chain(sure.filter(|sure| sure.len() >= 2 * SHORT))
        .collect()
}

/// Runs of letters and digits.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(values: &[&str], text: &str, expect: &str) {
        let mask = Mask::new(values.iter().map(|value| (*value).to_owned()));
        assert_eq!(mask.apply(text), expect);
    }

    #[test]
    fn values_are_hidden_in_every_form() {
        check(&["hunter2"], "password=hunter2;", "password=•••;");
        check(&["hunter2"], "aHVudGVyMg== aHVudGVyMg", "••• •••");
        check(
            &["p@ss/word"],
            "db://u:p%40ss%2Fword@h p@ss/word",
            "db://u:•••@h •••",
        );
        check(&["p@ss/word"], "p%40ss%2fword", "•••");
        check(&["a&b<c1"], r#"{"p":"a\u0026b\u003cc1"}"#, r#"{"p":"•••"}"#);
        let basic = STANDARD.encode("admin:correct horse battery");
        let mask = Mask::new(["correct horse battery".to_owned()]);
        assert!(mask.hides(&basic));
        check(&["a\"b\\c"], r#"{"p":"a\"b\\c"}"#, r#"{"p":"•••"}"#);
        check(&["hunter2\n"], "got hunter2", "got •••");
    }

    #[test]
    fn what_it_would_change_it_hides() {
        let mask = Mask::new(["hunter2", "12", "a-b"].map(str::to_owned));
        let longer = STANDARD.encode("hunter2 and more");
        for text in ["x hunter2", "aHVudGVyMg==", "pin 12", "xa-by", &longer] {
            assert!(mask.hides(text) && mask.apply(text) != text, "{text}");
        }
        for text in ["hunter", "", "123", "a b"] {
            assert!(!mask.hides(text) && mask.apply(text) == text, "{text}");
        }
    }

    #[test]
    fn each_line_of_a_value_is_one() {
        let key = "-----BEGIN KEY-----\nAAAABBBB\nCCCCDDDD\n";
        check(&[key], "x\nAAAABBBB\ny CCCCDDDD", "x\n•••\ny •••");
        check(&["one two\nab\n"], "ab one two", "ab •••");
    }

    #[test]
    fn the_longer_of_two_goes_first() {
        check(
            &["secret", "secret-longer"],
            "secret-longer secret",
            "••• •••",
        );
    }

    #[test]
    fn short_values_are_hidden_as_words_only() {
        check(&["a-b"], "xa-by", "x•••y");
        check(&["12"], "pin 12, 123 and 12", "pin •••, 123 and •••");
        check(&["", " "], "nothing here", "nothing here");
    }

    proptest! {
        /// Wherever values stand, and however they overlap, none is left.
        #[test]
        fn no_value_is_left(
            values in prop::collection::vec("[ab/=\\n ]{4,12}", 0..6),
            between in prop::collection::vec("[abc/\\n ]{0,6}", 6),
        ) {
            let text: String = between
                .iter()
                .zip(values.iter().map(String::as_str).chain(std::iter::repeat("")))
                .flat_map(|(before, value)| [before.as_str(), value])
                .collect();
            let masked = Mask::new(values.clone()).apply(&text);
            for value in values.iter().map(|value| value.trim()).filter(|value| !value.is_empty()) {
                let is_short = value.len() < SHORT && value.chars().all(char::is_alphanumeric);
                prop_assert!(is_short || !masked.contains(value), "{value:?} in {masked:?}");
            }
        }
    }

    #[test]
    fn its_debug_form_tells_no_value() {
        let mask = Mask::new(["hunter2".to_owned()]);
        assert!(!format!("{mask:?}").contains("hunter2"));
    }
}
