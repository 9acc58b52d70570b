//! The options of requests: `CreateOptions`, `UpdateOptions`, `PatchOptions`, `DeleteOptions`.
//!
//! Source: Kubernetes API reference, `meta/v1`; wording as the real server's.

use serde_json::{Map, Value};

use super::body;
use crate::{
    Cause, Failure, Request,
    admission::FieldValidation,
    lifecycle::{DeleteOptions, Propagation},
};

/// Longest name of a field manager, in bytes.
const FIELD_MANAGER_LIMIT: usize = 128;
/// API group of the options, as messages name it.
const META_GROUP: &str = "meta.k8s.io";

/// How a write is to be carried out.
#[derive(Clone, Debug)]
pub(crate) struct WriteOptions {
    /// The field manager: as asked for, or the beginning of `User-Agent`.
    pub(crate) manager: String,
    /// Whether an apply takes fields from other managers.
    pub(crate) force: bool,
    pub(crate) validation: FieldValidation,
    pub(crate) dry_run: bool,
}

/// Which options a request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    Create,
    Update,
    Patch,
    Apply,
}

/// Reads and checks the options of a write.
pub(crate) fn write_options(request: &Request, asks: Asks) -> Result<WriteOptions, Failure> {
    let mut causes = Vec::new();
    let manager = request.parameter("fieldManager").unwrap_or_default();
    let force = request.parameter("force").map(is_true);
    if asks == Asks::Patch && force.is_some() {
        causes.push(Cause {
            reason: "FieldValueForbidden".to_owned(),
            message: "Forbidden: may not be specified for non-apply patch".to_owned(),
            field: "force".to_owned(),
        });
    }
    if asks == Asks::Apply && manager.is_empty() {
        causes.push(Cause {
            reason: "FieldValueRequired".to_owned(),
            message: "Required value: is required for apply patch".to_owned(),
            field: "fieldManager".to_owned(),
        });
    }
    causes.extend(manager_causes(manager));
    let dry_runs: Vec<&str> = parameters(request, "dryRun").collect();
    causes.extend(dry_run_causes(&dry_runs));
    let validation = match request.parameter("fieldValidation").unwrap_or_default() {
        "" | "Warn" => FieldValidation::Warn,
        "Ignore" => FieldValidation::Ignore,
        "Strict" => FieldValidation::Strict,
        other => {
            causes.push(not_supported(
                "fieldValidation",
                &format!("{other:?}"),
                &["", "Ignore", "Strict", "Warn"],
            ));
            FieldValidation::Warn
        }
    };
    if !causes.is_empty() {
        let kind = match asks {
            Asks::Create => "CreateOptions",
            Asks::Update => "UpdateOptions",
            Asks::Patch | Asks::Apply => "PatchOptions",
        };
        return Err(Failure::invalid_of(META_GROUP, kind, "", &causes));
    }
    let manager = if manager.is_empty() {
        manager_of_user_agent(&request.user_agent)
    } else {
        manager.to_owned()
    };
    Ok(WriteOptions {
        manager,
        force: force.unwrap_or(false),
        validation,
        dry_run: !dry_runs.is_empty(),
    })
}

/// Reads and checks the options of a deletion: the body's, or the query's if there is no body.
/// Says also whether it is a dry run.
pub(crate) fn delete_options(request: &Request) -> Result<(DeleteOptions, bool), Failure> {
    let given = if request.body.is_empty() {
        options_of_query(request)?
    } else {
        options_of_body(request)?
    };
    let mut causes = Vec::new();
    let policy = given.get("propagationPolicy").and_then(Value::as_str);
    let orphan = given.get("orphanDependents").and_then(Value::as_bool);
    if let (Some(policy), Some(_)) = (policy, orphan) {
        causes.push(Cause {
            reason: "FieldValueInvalid".to_owned(),
            message: format!(
                "Invalid value: {policy:?}: orphanDependents and deletionPropagation cannot be \
                 both set"
            ),
            field: "propagationPolicy".to_owned(),
        });
    }
    let propagation = match (policy, orphan) {
        (Some("Foreground"), _) => Some(Propagation::Foreground),
        (Some("Background"), _) => Some(Propagation::Background),
        (Some("Orphan"), _) | (None, Some(true)) => Some(Propagation::Orphan),
        (None, Some(false)) => Some(Propagation::Background),
        (None, None) => None,
        (Some(other), _) => {
            causes.push(not_supported(
                "propagationPolicy",
                &format!("{other:?}"),
                &["Foreground", "Background", "Orphan", "nil"],
            ));
            None
        }
    };
    let dry_runs = strings(given.get("dryRun"));
    causes.extend(dry_run_causes(&dry_runs));
    if !causes.is_empty() {
        return Err(Failure::invalid_of(
            META_GROUP,
            "DeleteOptions",
            "",
            &causes,
        ));
    }
    let precondition = |name: &str| {
        let value = given.get("preconditions")?.get(name)?.as_str()?;
        Some(value.to_owned())
    };
    let options = DeleteOptions {
        uid: precondition("uid"),
        resource_version: precondition("resourceVersion"),
        propagation,
        grace_period_seconds: given.get("gracePeriodSeconds").and_then(Value::as_i64),
    };
    Ok((options, !dry_runs.is_empty()))
}

fn options_of_body(request: &Request) -> Result<Map<String, Value>, Failure> {
    body::check_content_type(request)?;
    let value = body::parse(request)
        .map_err(|reason| Failure::unexpected(format!("couldn't get version/kind; {reason}")))?;
    let options = match value {
        Value::Object(options) => options,
        Value::Null => Map::new(),
        other => {
            let found = body::go_name(&other);
            return Err(Failure::unexpected(format!(
                "couldn't get version/kind; {}",
                body::not_a_kind(found)
            )));
        }
    };
    let kind = options.get("kind").and_then(Value::as_str);
    let kind = kind.unwrap_or_default();
    if !kind.is_empty() && kind != "DeleteOptions" {
        let version = options.get("apiVersion").and_then(Value::as_str);
        let version = version.unwrap_or("meta.k8s.io/v1");
        return Err(Failure::unexpected(format!(
            "no kind {kind:?} is registered for version {version:?} in scheme \
             \"k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27\""
        )));
    }
    check_option_types(&options)?;
    Ok(options)
}

/// Refuses options of a wrong type: read as missing, a precondition would be lost.
fn check_option_types(options: &Map<String, Value>) -> Result<(), Failure> {
    let preconditions = options.get("preconditions");
    let precondition = |name: &str| preconditions.and_then(|all| all.get(name));
    let fits = |value: Option<&Value>, is: fn(&Value) -> bool| {
        value.is_none_or(|value| value.is_null() || is(value))
    };
    let fields = [
        (
            "PropagationPolicy",
            fits(options.get("propagationPolicy"), Value::is_string),
        ),
        (
            "OrphanDependents",
            fits(options.get("orphanDependents"), Value::is_boolean),
        ),
        (
            "GracePeriodSeconds",
            fits(options.get("gracePeriodSeconds"), Value::is_i64),
        ),
        ("DryRun", fits(options.get("dryRun"), Value::is_array)),
        ("Preconditions", fits(preconditions, Value::is_object)),
        (
            "Preconditions.UID",
            fits(precondition("uid"), Value::is_string),
        ),
        (
            "Preconditions.ResourceVersion",
            fits(precondition("resourceVersion"), Value::is_string),
        ),
    ];
    match fields.iter().find(|(_, fits)| !fits) {
        None => Ok(()),
        Some((field, _)) => Err(Failure::unexpected(format!(
            "v1.DeleteOptions.{field}: a value of another type was expected"
        ))),
    }
}

fn options_of_query(request: &Request) -> Result<Map<String, Value>, Failure> {
    let mut options = Map::new();
    if let Some(policy) = request.parameter("propagationPolicy") {
        options.insert("propagationPolicy".to_owned(), policy.into());
    }
    if let Some(orphan) = request.parameter("orphanDependents") {
        options.insert("orphanDependents".to_owned(), is_true(orphan).into());
    }
    if let Some(seconds) = request.parameter("gracePeriodSeconds") {
        options.insert("gracePeriodSeconds".to_owned(), integer(seconds)?.into());
    }
    let dry_runs: Vec<Value> = parameters(request, "dryRun").map(Value::from).collect();
    options.insert("dryRun".to_owned(), dry_runs.into());
    Ok(options)
}

/// An integer parameter.
pub(crate) fn integer(text: &str) -> Result<i64, Failure> {
    text.parse().map_err(|_| {
        Failure::bad_request(format!(
            "strconv.ParseInt: parsing {text:?}: invalid syntax"
        ))
    })
}

/// A boolean parameter: everything but `false` and `0` is true, as the server's conversion has it.
pub(crate) fn is_true(text: &str) -> bool {
    !matches!(text.to_ascii_lowercase().as_str(), "false" | "0")
}

fn parameters<'r>(request: &'r Request, name: &'r str) -> impl Iterator<Item = &'r str> {
    let all = request.query.iter().filter(move |(key, _)| key == name);
    all.map(|(_, value)| value.as_str())
}

fn strings(value: Option<&Value>) -> Vec<&str> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    // Anything else among them is no value that is allowed, and is refused as such.
    items
        .map(|item| item.as_str().unwrap_or_default())
        .collect()
}

fn manager_causes(manager: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    if manager.len() > FIELD_MANAGER_LIMIT {
        causes.push(Cause {
            reason: "FieldValueTooLong".to_owned(),
            message: format!("Too long: must have at most {FIELD_MANAGER_LIMIT} bytes"),
            field: "fieldManager".to_owned(),
        });
    }
    let hidden = manager.char_indices().filter(|(_, c)| !is_printable(*c));
    causes.extend(hidden.map(|(position, c)| Cause {
        reason: "FieldValueInvalid".to_owned(),
        message: format!(
            "Invalid value: {}: invalid character U+{:04X} (at position {position})",
            body::go_quoted(manager),
            u32::from(c)
        ),
        field: "fieldManager".to_owned(),
    }));
    causes
}

fn dry_run_causes(values: &[&str]) -> Option<Cause> {
    let known = values.iter().all(|value| *value == "All");
    (!known).then(|| {
        let given: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
        let given = format!("[]string{{{}}}", given.join(", "));
        not_supported("dryRun", &given, &["All"])
    })
}

fn not_supported(field: &str, given: &str, supported: &[&str]) -> Cause {
    let supported: Vec<String> = supported.iter().map(|value| format!("{value:?}")).collect();
    Cause {
        reason: "FieldValueNotSupported".to_owned(),
        message: format!(
            "Unsupported value: {given}: supported values: {}",
            supported.join(", ")
        ),
        field: field.to_owned(),
    }
}

/// What goes before the first slash, as far as it can be printed and is not too long.
fn manager_of_user_agent(user_agent: &str) -> String {
    let name = user_agent.split('/').next().unwrap_or_default();
    let mut manager = String::new();
    for c in name.chars().filter(|c| is_printable(*c)) {
        if manager.len() + c.len_utf8() > FIELD_MANAGER_LIMIT {
            break;
        }
        manager.push(c);
    }
    manager
}

/// Letters, marks, numbers, punctuation, symbols and the ASCII space, nearly: Rust's standard
/// library knows control characters and white space, and that decides all real cases.
fn is_printable(c: char) -> bool {
    c == ' ' || !(c.is_control() || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::handle::{route, tests::request};

    #[track_caller]
    fn check(asks: Asks, query: &str, expect: &str) {
        let mut request = request("POST", "/", &json!({}));
        request.query = route::query(query);
        request.user_agent = "kubectl\u{7}/v1.32 (linux)".to_owned();
        let found = match write_options(&request, asks) {
            Ok(options) => format!(
                "{} {} {:?} {}",
                options.manager, options.force, options.validation, options.dry_run
            ),
            Err(failure) => failure.message,
        };
        assert_eq!(found, expect);
    }

    #[test]
    fn options_of_writes_are_read_and_checked() {
        check(Asks::Create, "", "kubectl false Warn false");
        check(
            Asks::Apply,
            "fieldManager=f&force=true&dryRun=All&fieldValidation=Strict",
            "f true Strict true",
        );
        check(
            Asks::Apply,
            "",
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required \
             for apply patch",
        );
        check(
            Asks::Patch,
            "force=true",
            "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for \
             non-apply patch",
        );
        check(
            Asks::Create,
            "dryRun=Foo",
            "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: \
             []string{\"Foo\"}: supported values: \"All\"",
        );
        check(
            Asks::Update,
            "fieldManager=a%01b",
            "UpdateOptions.meta.k8s.io \"\" is invalid: fieldManager: Invalid value: \"a\\x01b\": \
             invalid character U+0001 (at position 1)",
        );
        check(
            Asks::Create,
            &format!("fieldManager={}", "x".repeat(129)),
            "CreateOptions.meta.k8s.io \"\" is invalid: fieldManager: Too long: must have at most \
             128 bytes",
        );
    }

    #[track_caller]
    fn check_delete(body: &Value, expect: &str) {
        let found = match delete_options(&request("DELETE", "/", body)) {
            Ok((options, dry_run)) => format!("{:?} {dry_run}", options.propagation),
            Err(failure) => format!("{} {}", failure.code, failure.message),
        };
        assert_eq!(found, expect);
    }

    #[test]
    fn options_of_deletions_are_read_and_checked() {
        check_delete(&json!({}), "None false");
        check_delete(
            &json!({"propagationPolicy": "Orphan", "dryRun": ["All"]}),
            "Some(Orphan) true",
        );
        check_delete(
            &json!({"orphanDependents": false}),
            "Some(Background) false",
        );
        check_delete(
            &json!({"propagationPolicy": "Foo"}),
            "422 DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \
             \"Foo\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
        );
        check_delete(
            &json!({"kind": "Foo", "apiVersion": "v1"}),
            "500 no kind \"Foo\" is registered for version \"v1\" in scheme \
             \"k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27\"",
        );
        check_delete(
            &json!({"preconditions": {"uid": 5}}),
            "500 v1.DeleteOptions.Preconditions.UID: a value of another type was expected",
        );
    }
}
