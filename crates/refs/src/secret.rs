//! A Secret as the server keeps it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use underpin_model::GroupKind;

/// Writes a Secret's `stringData` into `data`, as the server does when it stores one (API reference,
/// Secret v1: write-only, overwrites existing keys). A server-side apply of `stringData` owns no
/// field of what is stored: it overwrites another manager's keys without a conflict, and leaves a
/// key behind that is no longer declared. Anything malformed stays for the server to refuse.
pub fn store_string_data(kind: &GroupKind, value: &mut Value) {
    let Some(secret) = value.as_object_mut().filter(|_| kind.is("", "Secret")) else {
        return;
    };
    let Some(Value::Object(plain)) = secret.get("stringData") else {
        return;
    };
    let encoded: Option<Map<String, Value>> = plain
        .iter()
        .map(|(key, text)| Some((key.clone(), STANDARD.encode(text.as_str()?).into())))
        .collect();
    let data = secret.get("data");
    if data.is_some_and(|data| !data.is_object() && !data.is_null()) {
        return;
    }
    let Some(encoded) = encoded else { return };
    secret.remove("stringData");
    if encoded.is_empty() {
        return;
    }
    match secret.get_mut("data") {
        Some(Value::Object(data)) => data.extend(encoded),
        _ => {
            secret.insert("data".to_owned(), Value::Object(encoded));
        }
    }
}

/// A value of a Secret's `data` as text; `None` where it is none.
pub(crate) fn plain_text(encoded: &str) -> Option<String> {
    let bytes = STANDARD.decode(encoded.trim()).ok()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(kind: &str, value: Value, expect: &Value) {
        let mut stored = value;
        store_string_data(&GroupKind::core(kind), &mut stored);
        assert_eq!(stored, *expect);
    }

    #[test]
    fn string_data_is_stored_as_data() {
        let a = json!({"data": {"a": "b25l"}});
        check("Secret", json!({"stringData": {"a": "one"}}), &a);
        check(
            "Secret",
            json!({"stringData": {"a": "one"}, "data": null}),
            &a,
        );
        let both = json!({"stringData": {"a": "one"}, "data": {"a": "dHdv", "b": "dHdv"}});
        let merged = json!({"data": {"a": "b25l", "b": "dHdv"}});
        check("Secret", both, &merged);
        check("Secret", json!({"stringData": {}}), &json!({}));
    }

    #[test]
    fn what_is_malformed_or_no_secret_stays() {
        for (kind, value) in [
            ("Secret", json!({"stringData": {"a": 1}})),
            ("Secret", json!({"stringData": "a"})),
            ("Secret", json!({"stringData": {"a": "one"}, "data": []})),
            ("ConfigMap", json!({"stringData": {"a": "one"}})),
            ("Secret", json!("a")),
        ] {
            check(kind, value.clone(), &value);
        }
    }
}
