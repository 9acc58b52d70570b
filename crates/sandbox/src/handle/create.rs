//! The verb create.

use serde_json::Value;

use super::{
    body,
    options::{self, Asks},
    render::Form,
    route::Target,
    write::{Fields, Write},
};
use crate::{Failure, Reply, Request, State, access};

/// Creates an object in a collection, or answers a review.
pub(super) fn handle(
    state: &mut State,
    request: &Request,
    target: &Target,
) -> Result<Reply, Failure> {
    let form = Form::of(request)?;
    let options = options::write_options(request, Asks::Create)?;
    let object = body::object(state, request, &target.kind)?;
    let mut write = Write {
        request,
        target,
        options,
        form,
        warnings: Vec::new(),
    };
    let object = write.decode(&object)?;
    if target.kind.is_review {
        let mut object = write.track(state, None, object)?;
        disown_what_is_always_there(&mut object);
        return review(state, &write, &object);
    }
    let dry_run = write.options.dry_run;
    state.persisting(dry_run, |state| {
        let stored = write.create(state, object, Fields::Untracked)?;
        write.reply(state, 201, stored)
    })
}

/// A question's author owns what was asked, but neither its frame nor the answer.
fn disown_what_is_always_there(object: &mut Value) {
    let Some(fields) = object.pointer_mut("/metadata/managedFields/0/fieldsV1") else {
        return;
    };
    if let Some(fields) = fields.as_object_mut() {
        fields.remove("f:status");
    }
    if let Some(Value::Object(spec)) = fields.get_mut("f:spec") {
        spec.remove(".");
    }
}

fn review(state: &State, write: &Write<'_>, object: &Value) -> Result<Reply, Failure> {
    let answer = access::review(
        state,
        &write.request.user,
        write.kind(),
        &write.target.namespace,
        object,
    )?;
    Ok(write.warned(write.form.document(201, answer)))
}
