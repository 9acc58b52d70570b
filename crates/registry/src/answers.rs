//! What answers of registries mean.

use ::http::{StatusCode, header};
use serde::Deserialize;

use crate::http::Answer;

/// The code with which a registry says that there is no such repository.
pub(crate) const NAME_UNKNOWN: &str = "NAME_UNKNOWN";
/// Codes with which a registry says that something is not there.
const ABSENT: &[&str] = &[
    "BLOB_UNKNOWN",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_UNKNOWN",
    NAME_UNKNOWN,
    "NOT_FOUND",
];
/// The header by which registries are known.
const API: &str = "docker-distribution-api-version";
/// Longest code that is shown.
const CODE_LENGTH: usize = 40;

#[derive(Deserialize)]
struct Errors {
    errors: Vec<OneError>,
}

#[derive(Deserialize)]
struct OneError {
    code: String,
}

/// The codes of the errors in an answer.
pub(crate) fn codes(answer: &Answer) -> Vec<String> {
    let errors = serde_json::from_slice::<Errors>(&answer.body).map(|it| it.errors);
    let codes = errors.unwrap_or_default().into_iter().map(|one| one.code);
    codes.collect()
}

/// Whether an answer says that what was asked for is not there. That something on the way does not
/// know the address says nothing of it.
pub(crate) fn is_absent(answer: &Answer) -> bool {
    if answer.status != StatusCode::NOT_FOUND {
        return false;
    }
    if answer.body.is_empty() {
        return answer.headers.contains_key(API);
    }
    let codes = codes(answer);
    !codes.is_empty() && codes.iter().all(|code| ABSENT.contains(&&**code))
}

/// Whether an answer says that there is no such part of the API: 404 of a registry, in whatever words,
/// and not the page of a proxy.
pub(crate) fn is_unsupported(answer: &Answer) -> bool {
    let content = answer.header(header::CONTENT_TYPE.as_str()).unwrap_or("");
    answer.status == StatusCode::NOT_FOUND && !content.contains("html")
}

/// What an answer says that is not one to the question.
pub(crate) fn unexpected(answer: &Answer) -> String {
    let status = answer.status.as_u16();
    let is_code = |code: &String| {
        let is_part = |byte: u8| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit();
        code.len() <= CODE_LENGTH && code.bytes().all(is_part)
    };
    let codes: Vec<String> = codes(answer).into_iter().filter(is_code).take(3).collect();
    let said = match (status, codes.is_empty()) {
        (_, false) => format!(": {}", codes.join(", ")),
        (403, true) => ": not allowed".to_owned(),
        (404, true) => ", and not by the registry itself".to_owned(),
        _ => String::new(),
    };
    format!("it answers with status {status}{said}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &'static str) -> Answer {
        let pairs = headers.iter();
        let headers = pairs.map(|(key, value)| (key.parse().unwrap(), value.parse().unwrap()));
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.collect(),
            body: bytes::Bytes::from_static(body.as_bytes()),
        }
    }

    /// R4.3: a 404 says that something is not there only if the registry says it.
    #[test]
    fn r4_3_a_404_of_a_proxy_says_nothing_of_an_image() {
        let unknown = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"x"}]}"#;
        assert!(is_absent(&answer(404, &[], unknown)));
        assert!(is_absent(&answer(404, &[(API, "registry/2.0")], "")));
        assert!(!is_absent(&answer(404, &[], "")));
        assert!(!is_absent(&answer(404, &[(API, "registry/2.0")], "<html>")));
        assert!(!is_absent(&answer(404, &[], r#"{"errors":[]}"#)));
        assert!(!is_absent(&answer(
            404,
            &[],
            r#"{"errors":[{"code":"DENIED"}]}"#
        )));
        assert!(!is_absent(&answer(500, &[], unknown)));
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_codes_alone() {
        let denied = r#"{"errors":[{"code":"DENIED","message":"hunter2"},{"code":"hunter2"}]}"#;
        let told = unexpected(&answer(403, &[], denied));
        assert_eq!(told, "it answers with status 403: DENIED");
        assert_eq!(
            unexpected(&answer(500, &[], "x")),
            "it answers with status 500"
        );
    }
}
