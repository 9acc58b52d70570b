//! The verb update: PUT of a whole object.

use std::sync::Arc;

use serde_json::Value;

use super::{
    body,
    options::{self, Asks},
    render::Form,
    route::Target,
    write::{self, Fields, Write},
};
use crate::{Failure, Kind, Reply, Request, State, access, access::Attributes, object};

/// Replaces an object or its status; creates it where the kind allows that.
pub(super) fn handle(
    state: &mut State,
    request: &Request,
    target: &Target,
) -> Result<Reply, Failure> {
    let form = Form::of(request)?;
    let options = options::write_options(request, Asks::Update)?;
    let object = body::object(state, request, &target.kind)?;
    let mut write = Write {
        request,
        target,
        options,
        form,
        warnings: Vec::new(),
    };
    let object = write.decode(&object)?;
    write::check_name(target, &object)?;
    let live = state.get(&target.kind.kind, &target.namespace, &target.name);
    let live = live.cloned();
    check_uid(&target.kind, target, &object, live.as_ref())?;
    let dry_run = write.options.dry_run;
    state.persisting(dry_run, |state| match live {
        Some(live) => {
            let stored = write.update(state, &live, object, Fields::Untracked)?;
            write.reply(state, 200, stored)
        }
        None if target.kind.is_created_by_update() && target.subresource.is_empty() => {
            confirm_create(state, request)?;
            let stored = write.create(state, object, Fields::Untracked)?;
            write.reply(state, 201, stored)
        }
        None => Err(Failure::not_found(&target.kind, &target.name)),
    })
}

/// Refuses a creation by another verb to those who may not create.
pub(super) fn confirm_create(state: &State, request: &Request) -> Result<(), Failure> {
    if !state.config.rbac {
        return Ok(());
    }
    let mut attributes = Attributes::of(request);
    "create".clone_into(&mut attributes.verb);
    access::authorize_creation(state, &request.user, &attributes)
}

/// A uid in a PUT is a precondition.
fn check_uid(
    kind: &Kind,
    target: &Target,
    new: &Value,
    live: Option<&Arc<Value>>,
) -> Result<(), Failure> {
    let given = object::uid(new);
    let found = live.map_or("", |live| object::uid(live));
    if given.is_empty() || given == found {
        return Ok(());
    }
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, AdditionalErrorMsg: \
         Precondition failed: UID in precondition: {given}, UID in object meta: {found}",
        storage_key(kind, target)
    );
    Err(Failure::conflict(kind, &target.name, &why))
}

/// Where the real server keeps an object; messages show it.
fn storage_key(kind: &Kind, target: &Target) -> String {
    let place = match (kind.kind.group.as_str(), kind.kind.kind.as_str()) {
        ("", "Service") => "services/specs".to_owned(),
        ("", "Endpoints") => "services/endpoints".to_owned(),
        ("", "Node") => "minions".to_owned(),
        ("", "ReplicationController") => "controllers".to_owned(),
        ("networking.k8s.io", "Ingress") => "ingress".to_owned(),
        ("apiextensions.k8s.io" | "apiregistration.k8s.io", _) => {
            format!("{}/{}", kind.kind.group, kind.plural)
        }
        (group, _) if kind.definition.is_some() => format!("{group}/{}", kind.plural),
        _ => kind.plural.clone(),
    };
    if target.namespace.is_empty() {
        format!("/registry/{place}/{}", target.name)
    } else {
        format!("/registry/{place}/{}/{}", target.namespace, target.name)
    }
}
