//! The verb patch: merge patch, JSON patch, strategic merge patch, and apply.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use underpin_fieldset::{ApplyError, ApplyRequest, Conflict, ManagedFieldsError, managers};

use super::{
    body, json_patch, merge_patch,
    options::{self, Asks},
    render::Form,
    route::Target,
    strategic_patch, update,
    write::{self, Fields, Write},
};
use crate::{Cause, Failure, Kind, Reply, Request, State, object};

/// How a patch is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mechanism {
    Json,
    Merge,
    Strategic,
    Apply,
}

/// Patches an object, its status, or with an apply creates it.
pub(super) fn handle(
    state: &mut State,
    request: &Request,
    target: &Target,
) -> Result<Reply, Failure> {
    let mechanism = mechanism(request, &target.kind)?;
    let form = Form::of(request)?;
    let asks = match mechanism {
        Mechanism::Apply => Asks::Apply,
        _ => Asks::Patch,
    };
    let options = options::write_options(request, asks)?;
    let mut write = Write {
        request,
        target,
        options,
        form,
        warnings: Vec::new(),
    };
    let live = state.get(&target.kind.kind, &target.namespace, &target.name);
    let live = live.cloned();
    let (new, fields) = match (mechanism, &live) {
        (Mechanism::Apply, live) => (applied(state, &mut write, live.as_ref())?, Fields::Applied),
        (_, None) => return Err(Failure::not_found(&target.kind, &target.name)),
        (mechanism, Some(live)) => (
            patched(state, &mut write, mechanism, live)?,
            Fields::Untracked,
        ),
    };
    let dry_run = write.options.dry_run;
    match live {
        Some(live) => {
            write::check_name(target, &new)?;
            state.persisting(dry_run, |state| {
                let stored = write.update(state, &live, new, fields)?;
                write.reply(state, 200, stored)
            })
        }
        None if !target.subresource.is_empty() => {
            Err(Failure::not_found(&target.kind, &target.name))
        }
        None => {
            let uid = object::uid(&new);
            if !uid.is_empty() {
                let why = format!(
                    "uid mismatch: the provided object specified uid {uid}, and no existing \
                     object was found"
                );
                return Err(Failure::conflict(&target.kind, &target.name, &why));
            }
            write::check_name(target, &new)?;
            update::confirm_create(state, request)?;
            state.persisting(dry_run, |state| {
                let stored = write.create(state, new, fields)?;
                write.reply(state, 201, stored)
            })
        }
    }
}

fn mechanism(request: &Request, kind: &Kind) -> Result<Mechanism, Failure> {
    match body::media_type(request) {
        "application/json-patch+json" => Ok(Mechanism::Json),
        "application/merge-patch+json" => Ok(Mechanism::Merge),
        "application/apply-patch+yaml" => Ok(Mechanism::Apply),
        "application/strategic-merge-patch+json" if kind.definition.is_none() => {
            Ok(Mechanism::Strategic)
        }
        "application/strategic-merge-patch+json" => Err(Failure::new(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: \
             application/json-patch+json, application/merge-patch+json, \
             application/apply-patch+yaml",
        )),
        _ => Err(Failure::general(
            415,
            "UnsupportedMediaType",
            "415: Unsupported Media Type",
        )),
    }
}

/// The live object with a patch other than an apply.
fn patched(
    state: &State,
    write: &mut Write<'_>,
    mechanism: Mechanism,
    live: &Arc<Value>,
) -> Result<Value, Failure> {
    let kind = write.kind().clone();
    let bytes = &write.request.body;
    let mut value = live.as_ref().clone();
    match mechanism {
        Mechanism::Json => json_patch::apply(&mut value, bytes)?,
        Mechanism::Merge => match serde_json::from_slice(bytes) {
            Ok(patch @ (Value::Object(_) | Value::Array(_))) => {
                merge_patch::merge(&mut value, patch);
            }
            _ => return Err(Failure::unexpected("Invalid JSON Patch")),
        },
        Mechanism::Strategic | Mechanism::Apply => {
            let patch: Map<String, Value> = serde_json::from_slice(bytes)
                .map_err(|error| Failure::bad_request(body::go_error(&error, bytes)))?;
            strategic_patch::merge(&mut value, &patch, &kind.schema)?;
        }
    }
    if !value.is_object() {
        let why = body::not_a_kind(body::go_name(&value));
        let why = format!("couldn't get version/kind; {why}");
        return Err(invalid_patch(&value, &why));
    }
    check_own_kind(&kind, live, &value)?;
    let decoded = body::check_kind(state, &kind, &value).and_then(|()| write.decode(&value));
    let mut decoded = decoded.map_err(|failure| match failure.reason {
        // Unknown fields, where those are refused, are a matter of the request, not of the patch.
        "BadRequest" if !failure.message.contains("strict decoding error") => {
            let marker = " cannot be handled as a ";
            let why = failure.message.split_once(marker);
            let why = why.and_then(|(_, rest)| rest.split_once(": "));
            invalid_patch(&value, why.map_or(failure.message.as_str(), |(_, why)| why))
        }
        _ => failure,
    })?;
    decoded["apiVersion"] = kind.api_version().into();
    decoded["kind"] = kind.kind.kind.clone().into();
    Ok(decoded)
}

/// Custom resources are told apart by their own two fields, which no patch may change.
fn check_own_kind(kind: &Kind, live: &Value, patched: &Value) -> Result<(), Failure> {
    let expected = [
        ("kind", kind.kind.kind.clone()),
        ("apiVersion", kind.api_version()),
    ];
    let wrong = expected.into_iter().filter_map(|(field, expected)| {
        let given = patched.get(field).and_then(Value::as_str)?;
        (given != expected).then(|| Cause {
            reason: "FieldValueInvalid".to_owned(),
            message: format!(
                "Invalid value: {}: must be {expected}",
                body::go_quoted(given)
            ),
            field: field.to_owned(),
        })
    });
    let causes: Vec<Cause> = wrong.collect();
    if kind.definition.is_none() || causes.is_empty() {
        return Ok(());
    }
    Err(Failure::invalid(kind, object::name(live), &causes))
}

/// 422: the patch leads to nothing that could be the kind.
fn invalid_patch(value: &Value, why: &str) -> Failure {
    let cause = Cause {
        reason: "FieldValueInvalid".to_owned(),
        message: format!(
            "Invalid value: {}: {why}",
            body::go_quoted(&value.to_string())
        ),
        field: "patch".to_owned(),
    };
    Failure::invalid_of("", "", "", &[cause])
}

/// The live object, or a new one, with a configuration applied.
fn applied(
    state: &State,
    write: &mut Write<'_>,
    live: Option<&Arc<Value>>,
) -> Result<Value, Failure> {
    let kind = write.kind().clone();
    let config = configuration(write.request, &kind)?;
    let apply = ApplyRequest {
        config: &config,
        manager: &write.options.manager,
        force: write.options.force,
        subresource: &write.target.subresource,
        now: &Write::now(state),
    };
    let live = live.map(Arc::as_ref);
    let merged = managers::apply_resetting(live, apply, &kind.schema, &write.reset());
    let merged = merged.map_err(refused)?;
    write
        .decode(&merged)
        .map_err(|failure| unconvertible(&kind, failure))
}

/// What the schema lets pass and the kind does not hold is no fault of the request's form, says the
/// server: a quantity that is none, a number with a fraction.
fn unconvertible(kind: &Kind, failure: Failure) -> Failure {
    let marker = format!(" cannot be handled as a {}: ", kind.kind.kind);
    match failure.message.split_once(&marker) {
        Some((_, why)) if !why.starts_with("strict decoding error") => {
            Failure::unexpected(format!(
                "failed to convert new object to proper version: unable to convert unstructured \
             object to {}/{}, Kind={}: {why}",
                kind.kind.group, kind.version, kind.kind.kind
            ))
        }
        _ => failure,
    }
}

/// The body of an apply: an object of the kind and version of the path.
fn configuration(request: &Request, kind: &Kind) -> Result<Value, Failure> {
    let not_yaml = |why: &str| Failure::bad_request(format!("error decoding YAML: {why}"));
    let config = if request.body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&request.body).map_err(|error| {
            let why = body::go_error(&error, &request.body);
            not_yaml(&format!("error converting YAML to JSON: yaml: {why}"))
        })?
    };
    let config = match config {
        config @ Value::Object(_) => config,
        Value::Null => json!({}),
        other => {
            return Err(not_yaml(&format!(
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go \
                 value of type map[string]interface {{}}",
                body::go_name(&other)
            )));
        }
    };
    let (version, name) = (
        object::text(&config, "/apiVersion"),
        object::text(&config, "/kind"),
    );
    let expected = kind.api_version();
    if version != expected {
        return Err(Failure::bad_request(format!(
            "Incorrect version specified in apply patch. Specified patch version: {version}, \
             expected: {expected}"
        )));
    }
    if name != kind.kind.kind {
        return Err(Failure::unexpected(format!(
            "failed to create typed patch object: no corresponding type for {}/{}, Kind={name}",
            kind.kind.group, kind.version
        )));
    }
    Ok(config)
}

fn refused(error: ApplyError) -> Failure {
    match error {
        ApplyError::Conflicts(conflicts) => {
            let causes: Vec<Value> = conflicts.iter().map(cause_of).collect();
            let error = ApplyError::Conflicts(conflicts);
            Failure {
                details: Some(Box::new(json!({"causes": causes}))),
                ..Failure::new(409, "Conflict", error.to_string())
            }
        }
        ApplyError::Type(_) => {
            Failure::unexpected(format!("failed to create typed patch object: {error}"))
        }
        ApplyError::ManagedFields(ManagedFieldsError::InConfiguration) => {
            Failure::bad_request(error.to_string())
        }
        ApplyError::ManagedFields(_) => Failure::unexpected(error.to_string()),
    }
}

fn cause_of(conflict: &Conflict) -> Value {
    json!({
        "reason": managers::CONFLICT_REASON,
        "message": conflict.message(),
        "field": conflict.field.to_string(),
    })
}
