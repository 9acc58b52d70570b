//! JSON that is written once and never copied: what is text already stays where it is. With thousands of
//! sites a document is the largest thing that the edge has, and a tree of it is many times as large.

use serde_json::Value;

/// What is written.
pub(crate) enum Json<'a> {
    /// A value.
    Own(Value),
    /// JSON as it is written.
    Written(&'a str),
    /// A list.
    List(Vec<Json<'a>>),
    /// A list of which each item is made when it is written, and is gone then.
    Each(Box<dyn Iterator<Item = Json<'a>> + 'a>),
    /// An object; its fields are sorted, as those of a [`Value`] and as Caddy writes them.
    Fields(Vec<(&'static str, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// A list of which each item is made when it is written.
    pub(crate) fn each(items: impl Iterator<Item = Json<'a>> + 'a) -> Self {
        Self::Each(Box::new(items))
    }

    /// The whole as text, of about this length.
    pub(crate) fn text(self, about: usize) -> String {
        let mut text = String::with_capacity(about);
        self.write(&mut text);
        text.shrink_to_fit();
        text
    }

    fn write(self, out: &mut String) {
        match self {
            Self::Own(value) => out.push_str(&value.to_string()),
            Self::Written(text) => out.push_str(text),
            Self::List(items) => write_each(items, out),
            Self::Each(items) => write_each(items, out),
            Self::Fields(fields) => {
                out.push('{');
                for (number, (name, value)) in fields.into_iter().enumerate() {
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

fn write_each<'a>(items: impl IntoIterator<Item = Json<'a>>, out: &mut String) {
    out.push('[');
    for (number, item) in items.into_iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        item.write(out);
    }
    out.push(']');
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
            ("each", Json::each((1..3).map(Json::from))),
        ]);
        let expect = json!({"handle": [], "routes": [own, true], "group": "a \"b\"", "own": own,
            "none": {}, "each": [1, 2]});
        assert_eq!(made.text(0), expect.to_string());
    }
}
