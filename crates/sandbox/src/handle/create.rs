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
        let object = write.track(state, None, object)?;
        return review(state, &write, &object);
    }
    let dry_run = write.options.dry_run;
    state.persisting(dry_run, |state| {
        let stored = write.create(state, object, Fields::Untracked)?;
        write.reply(state, 201, stored)
    })
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
