//! The verbs that only look: get, list, watch.

use crate::{Failure, Reply, Request, State};

use super::{list, options, render::Form, route::Target, watch as watches};

/// One object.
pub(super) fn get(state: &State, request: &Request, target: &Target) -> Result<Reply, Failure> {
    let form = Form::of(request)?;
    list::check_revision(state, request)?;
    let found = state.get(&target.kind.kind, &target.namespace, &target.name);
    let found = found.ok_or_else(|| Failure::not_found(&target.kind, &target.name))?;
    form.object(state, &target.kind, 200, found.clone())
}

/// A collection: a list of it, or a watch.
pub(super) fn list(
    state: &mut State,
    request: &Request,
    target: &Target,
) -> Result<Reply, Failure> {
    if request.parameter("watch").is_some_and(options::is_true) {
        return watch(state, request, target);
    }
    let form = Form::of(request)?;
    let page = list::page(state, request, target)?;
    form.list(state, &target.kind, &page.items, &page.meta)
}

/// A watch of a collection, or of one object of it.
pub(super) fn watch(state: &State, request: &Request, target: &Target) -> Result<Reply, Failure> {
    let namespace = Some(target.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    if target.name.is_empty() {
        return watches::start(state, &target.kind, namespace, request);
    }
    let mut request = request.clone();
    let selector = format!("metadata.name={}", target.name);
    request.query.retain(|(name, _)| name != "fieldSelector");
    request.query.push(("fieldSelector".to_owned(), selector));
    watches::start(state, &target.kind, namespace, &request)
}
