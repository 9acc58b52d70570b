//! What the server has against an object, and where in the manifest that stands.

use serde_json::Value;
use underpin_model::FieldPath;

/// Something that the server has against an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// The field, as the server names it; empty if it is about the whole object.
    pub field: String,
    /// The server's own words.
    pub words: String,
}

impl Objection {
    /// One that names no field.
    pub fn to_all(words: impl Into<String>) -> Self {
        Self {
            field: String::new(),
            words: words.into(),
        }
    }

    /// What the server says of an object that does not fit its schema:
    /// `.spec.replica: field not declared in schema`, a line each, after a heading.
    pub fn of_schema(message: &str) -> Option<Vec<Self>> {
        let (heading, said) = message.split_once(": ")?;
        if !heading.starts_with("failed to create typed patch object") {
            return None;
        }
        let lines = said.strip_prefix("errors:").unwrap_or(said).lines();
        let lines = lines.map(str::trim).filter(|line| !line.is_empty());
        let objections = lines.map(|line| {
            let (field, words) = line.strip_prefix('.')?.split_once(": ")?;
            Some(Self {
                field: field.to_owned(),
                words: words.to_owned(),
            })
        });
        let objections: Vec<Self> = objections.collect::<Option<_>>()?;
        Some(objections).filter(|all| !all.is_empty())
    }

    /// The path of the field in a manifest's terms.
    pub fn path(&self, manifest: &Value) -> FieldPath {
        path_in(manifest, &self.field)
    }
}

/// `spec.selector: field is immutable`.
impl std::fmt::Display for Objection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.words)
    }
}

/// A field as servers name it, `spec.containers[name="web"].image` or `spec.rules[0].host`, with the
/// items of lists by their place in `value`; as far as it can be followed.
fn path_in(value: &Value, field: &str) -> FieldPath {
    let mut path = FieldPath::root();
    let mut at = Some(value);
    let mut rest = field;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let Some((content, after)) = inside.split_once(']') else {
                break;
            };
            rest = after;
            let index = content.parse().ok().or_else(|| position(at?, content));
            if let Some(index) = index {
                path = path.index(index);
                at = at.and_then(|value| value.get(index));
                continue;
            }
            if content.contains('=') {
                break;
            }
            let key = content.trim_matches('"');
            path = path.key(key);
            at = at.and_then(|value| value.get(key));
            continue;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let (key, after) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
        if key.is_empty() {
            break;
        }
        path = path.key(key);
        at = at.and_then(|value| value.get(key));
        rest = after;
    }
    path
}

/// Which item of a list is meant by `name="web"` or `containerPort=80,protocol="TCP"`. What an item
/// leaves out was defaulted.
fn position(list: &Value, keys: &str) -> Option<usize> {
    let pairs: Option<Vec<(&str, &str)>> =
        keys.split(',').map(|pair| pair.split_once('=')).collect();
    let pairs = pairs?;
    let is_meant = |item: &Value| {
        let found = pairs
            .iter()
            .filter_map(|(key, wanted)| Some((item.get(*key)?, wanted)));
        let (mut known, mut equal) = (0, 0);
        for (value, wanted) in found {
            known += 1;
            let written = value.to_string();
            equal += usize::from(written == **wanted);
        }
        known > 0 && known == equal
    };
    list.as_array()?.iter().position(is_meant)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check_path(field: &str, expect: &str) {
        let manifest = json!({
            "metadata": {"annotations": {"a.b/c": "d"}},
            "spec": {"containers": [
                {"name": "side"},
                {"name": "web", "ports": [{"containerPort": 80}, {"containerPort": 81}]},
            ]},
        });
        let objection = Objection {
            field: field.to_owned(),
            words: String::new(),
        };
        assert_eq!(objection.path(&manifest).as_str(), expect);
    }

    #[test]
    fn fields_are_found_as_the_server_names_them() {
        check_path("", "");
        check_path("spec.replica", "spec.replica");
        check_path("spec.containers[1].image", "spec.containers[1].image");
        check_path(
            r#"spec.containers[name="web"].ports[containerPort=81,protocol="TCP"].hostport"#,
            "spec.containers[1].ports[1].hostport",
        );
        check_path(
            r"metadata.annotations[a.b/c]",
            r#"metadata.annotations["a.b/c"]"#,
        );
        // As far as it goes.
        check_path(r#"spec.containers[name="none"].image"#, "spec.containers");
        check_path("spec.containers[", "spec.containers");
        check_path("spec..", "spec");
    }

    #[track_caller]
    fn check_schema(message: &str, expect: Option<&[(&str, &str)]>) {
        let found = Objection::of_schema(message);
        let expect = expect.map(|all| {
            let all = all.iter().map(|(field, words)| Objection {
                field: (*field).to_owned(),
                words: (*words).to_owned(),
            });
            all.collect()
        });
        assert_eq!(found, expect);
    }

    #[test]
    fn what_does_not_fit_the_schema_is_told_field_by_field() {
        let heading = "failed to create typed patch object";
        let unknown = "field not declared in schema";
        check_schema(
            &format!("{heading}: .spec.replica: {unknown}"),
            Some(&[("spec.replica", unknown)]),
        );
        check_schema(
            &format!(
                "{heading} (shop/web; apps/v1, Kind=Deployment): errors:\n  .a: {unknown}\n  .b[0]: {unknown}"
            ),
            Some(&[("a", unknown), ("b[0]", unknown)]),
        );
        check_schema(&format!("{heading}: no corresponding type"), None);
        check_schema("something: .spec.a: else", None);
        check_schema("", None);
    }
}
