//! Requests: from path and verb to what is done and answered.
//!
//! ```text
//! route ─▶ access ─▶ verb: read · create · update · patch · delete · subresource
//!                              │        └───────┴──▶ write (strategy, validation, store)
//!                              └──▶ render (the form that the client asks for)
//! ```

mod body;
mod create;
mod delete;
pub(crate) mod discovery;
mod former;
mod json_patch;
pub(crate) mod list;
mod merge_patch;
pub(crate) mod openapi;
mod options;
mod patch;
mod read;
mod render;
pub(crate) mod route;
mod scale;
pub(crate) mod selector;
mod strategic_patch;
mod subresource;
pub(crate) mod table;
mod update;
pub(crate) mod watch;
mod write;

pub(crate) use body::{BODY_LIMIT, go_error, go_name};

use http::Method;

use crate::{
    Failure, Reply, Request, State,
    access::{self, Attributes},
};
use route::{Target, Unrouted};

impl State {
    /// Carries out one request at the state's own time. A dry run changes nothing.
    pub fn handle(&mut self, request: &Request) -> Reply {
        if let Err(failure) = body::check_size(request) {
            return failure.into();
        }
        if self.config.rbac
            && let Err(failure) = access::authorize(self, &request.user, &Attributes::of(request))
        {
            return failure.into();
        }
        if let Some(reply) = discovery::handle(self, request) {
            return reply;
        }
        if let Some(translated) = former::translated(request) {
            return former::answered(self.answer(&translated));
        }
        self.answer(request)
    }

    /// Answers a request that is allowed, about an object in its stored version.
    fn answer(&mut self, request: &Request) -> Reply {
        let target = match route::target(self, &request.path) {
            Ok(target) => target,
            Err(Unrouted::Status(failure)) => return Reply::from(*failure),
            Err(Unrouted::Text) if request.path.starts_with("/api") => {
                return discovery::not_found();
            }
            Err(Unrouted::Text) => return discovery::not_there(self),
        };
        dispatch(self, request, &target).unwrap_or_else(Reply::from)
    }

    /// Does something on a fork if it is not to be persisted, else on this state itself.
    fn persisting<T>(&mut self, dry_run: bool, act: impl FnOnce(&mut Self) -> T) -> T {
        if dry_run {
            act(&mut self.rehearsal())
        } else {
            act(self)
        }
    }
}

fn dispatch(state: &mut State, request: &Request, target: &Target) -> Result<Reply, Failure> {
    if !target.subresource.is_empty() {
        return subresource::handle(state, request, target);
    }
    check_segment(&target.name)?;
    let is_collection = target.name.is_empty();
    // A namespaced kind without a namespace can only be listed.
    let is_writable = !target.kind.namespaced || !target.namespace.is_empty();
    let is_stored = !target.kind.is_review;
    match request.method {
        // A question has an answer, and no name to ask for it again.
        _ if target.kind.is_review && !is_collection => Err(Failure::not_served()),
        Method::GET if target.is_watch && is_stored => read::watch(state, request, target),
        Method::GET if is_collection && is_stored => read::list(state, request, target),
        Method::GET if is_stored => read::get(state, request, target),
        Method::POST if is_collection && is_writable => create::handle(state, request, target),
        Method::PUT if !is_collection && is_stored => update::handle(state, request, target),
        Method::PATCH if !is_collection && is_stored => patch::handle(state, request, target),
        Method::DELETE if !is_collection && is_stored => delete::one(state, request, target),
        Method::DELETE
            if is_collection && is_writable && target.kind.is_deleted_by_collection() =>
        {
            delete::collection(state, request, target)
        }
        _ => Err(unsupported(request, target)),
    }
}

/// Refuses names that could not stand in a path.
fn check_segment(name: &str) -> Result<(), Failure> {
    let why = match name {
        "." => "may not be '.'",
        ".." => "may not be '..'",
        name if name.contains('/') => "may not contain '/'",
        name if name.contains('%') => "may not contain '%'",
        _ => return Ok(()),
    };
    Err(Failure::bad_request(format!(
        "Name parameter invalid: {name:?}: {why}"
    )))
}

/// A method that means nothing here.
fn unsupported(request: &Request, target: &Target) -> Failure {
    if target.kind.definition.is_none() {
        return Failure::method_not_allowed();
    }
    let attributes = Attributes::of(request);
    let message = format!(
        "{} is not supported on resources of kind {:?}",
        attributes.verb,
        target.kind.resource()
    );
    let details = serde_json::json!({"group": target.kind.kind.group, "kind": target.kind.plural});
    Failure {
        details: Some(Box::new(details)),
        ..Failure::new(405, "MethodNotAllowed", message)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::Value;

    use crate::{Request, User};

    /// A request by the administrator; a null body is none.
    pub(crate) fn request(method: &str, path: &str, body: &Value) -> Request {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let body = match body {
            Value::Null => bytes::Bytes::new(),
            body => body.to_string().into(),
        };
        Request {
            method: method.parse().unwrap(),
            path: path.to_owned(),
            query: super::route::query(query),
            accept: "application/json".to_owned(),
            content_type: "application/json".to_owned(),
            user_agent: "tester/1".to_owned(),
            body,
            user: User::admin(),
        }
    }
}
