//! The verbs delete and deletecollection.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{list, options, render::Form, route::Target};
use crate::{Failure, Kind, Reply, Request, State, access, lifecycle, object};

/// Deletes one object, or marks it as being deleted.
pub(super) fn one(state: &mut State, request: &Request, target: &Target) -> Result<Reply, Failure> {
    let form = Form::of(request)?;
    let (options, dry_run) = options::delete_options(request)?;
    let kind = &target.kind;
    state.persisting(dry_run, |state| {
        let before = state
            .get(&kind.kind, &target.namespace, &target.name)
            .cloned();
        if let Some(found) = &before {
            admit(state, kind, found, dry_run)?;
        }
        let deleted = lifecycle::delete(state, kind, &target.namespace, &target.name, &options)?;
        if kind.is_returned_when_deleted() || !deleted.gone {
            let object = match &before {
                Some(before) if dry_run => with_version_of(before, &deleted.object),
                _ => deleted.object,
            };
            form.object(state, kind, 200, object)
        } else {
            Ok(form.document(200, success(kind, &deleted.object)))
        }
    })
}

/// An object with the version of another: a dry run stores none, so there is no new one.
fn with_version_of(before: &Value, object: &Arc<Value>) -> Arc<Value> {
    let mut answer = object.as_ref().clone();
    let version = object::resource_version(before);
    object::child_of(&mut answer, "metadata").insert("resourceVersion".to_owned(), version.into());
    Arc::new(answer)
}

/// Deletes all selected objects of a collection; answers with them as they were.
pub(super) fn collection(
    state: &mut State,
    request: &Request,
    target: &Target,
) -> Result<Reply, Failure> {
    let form = Form::of(request)?;
    let page = list::page(state, request, target)?;
    let (options, dry_run) = options::delete_options(request)?;
    let kind = &target.kind;
    state.persisting(dry_run, |state| {
        for item in &page.items {
            let name = object::name(item);
            admit(state, kind, item, dry_run)?;
            match lifecycle::delete(state, kind, object::namespace(item), name, &options) {
                Err(failure) if failure.reason != "NotFound" => return Err(failure),
                _ => {}
            }
        }
        form.list(state, kind, &page.items, &page.meta)
    })
}

fn admit(state: &State, kind: &Kind, found: &Value, dry_run: bool) -> Result<(), Failure> {
    let admission = access::Admission {
        kind,
        subresource: "",
        operation: access::Operation::Delete,
        namespace: object::namespace(found),
        object: None,
        old: Some(found),
        dry_run,
    };
    access::webhooks(state, access::Phase::Mutating, &admission)?;
    access::webhooks(state, access::Phase::Validating, &admission)
}

/// The Status of a deletion. Its kind is the plural, in the API's own confusion.
fn success(kind: &Kind, last: &Value) -> Value {
    let mut details = json!({
        "name": object::name(last), "kind": kind.plural, "uid": object::uid(last),
    });
    if !kind.kind.group.is_empty() {
        details["group"] = json!(kind.kind.group);
    }
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": details,
    })
}
