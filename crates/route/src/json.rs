//! JSON that is written once and never copied: what is text already stays where it is. With thousands of
//! sites a document is the largest thing that the edge has, and a tree of it is many times as large.

use serde_json::Value;

/// What is written.
#[derive(Clone, Debug)]
pub(crate) enum Json<'a> {
    /// A value.
    Own(Value),
    /// JSON as it is written.
    Written(&'a str),
    /// A list.
    List(Vec<Json<'a>>),
    /// An object; its fields are sorted, as those of a [`Value`] and as Caddy writes them.
    Fields(Vec<(&'static str, Json<'a>)>),
}

impl Json<'_> {
    /// The whole as text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Own(value) => out.push_str(&value.to_string()),
            Self::Written(text) => out.push_str(text),
            Self::List(items) => {
                out.push('[');
                for (number, item) in items.iter().enumerate() {
                    if number > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Fields(fields) => {
                out.push('{');
                for (number, (name, value)) in fields.iter().enumerate() {
                    if number > 0 {
                        out.push(',');
                    }
                    // Names are ours, and need no escape.
                    out.push_str(&format!("\"{name}\":"));
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

impl<T: Into<Value>> From<T> for Json<'_> {
    fn from(value: T) -> Self {
        Self::Own(value.into())
    }
}

impl<'a> FromIterator<Json<'a>> for Json<'a> {
    fn from_iter<I: IntoIterator<Item = Json<'a>>>(items: I) -> Self {
        Self::List(items.into_iter().collect())
    }
}

/// Texts of JSON, as they are.
pub(crate) fn written(texts: &[Box<str>]) -> impl Iterator<Item = Json<'_>> {
    texts.iter().map(|text| Json::Written(text))
}

/// An object.
pub(crate) fn fields<'a>(fields: impl IntoIterator<Item = (&'static str, Json<'a>)>) -> Json<'a> {
    let mut fields: Vec<_> = fields.into_iter().collect();
    fields.sort_by_key(|(name, _)| *name);
    Json::Fields(fields)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_written_as_a_value_is() {
        let own = json!({"z": ["\"\n", 1], "a": null});
        let texts = [own.to_string().into_boxed_str(), "true".into()];
        let made = fields([
            ("routes", written(&texts).collect()),
            ("handle", Json::List(Vec::new())),
            ("group", "a \"b\"".into()),
            ("own", own.clone().into()),
            ("none", fields([])),
        ]);
        let expect = json!({"handle": [], "routes": [own, true], "group": "a \"b\"", "own": own,
            "none": {}});
        assert_eq!(made.text(), expect.to_string());
    }
}
