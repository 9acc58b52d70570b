//! Routes and handlers, followed for one request.

use serde_json::{Map, Value};
use underpin_model::FieldPath;

use super::{Answer, MAXIMUM_BRANCHES, MAXIMUM_DEPTH, matchers::matches, request::State};

/// What comes of a list of routes, or of a handler.
pub(super) enum Flow<'a> {
    /// Nobody has answered; what follows is asked.
    Next(State<'a>),
    /// It is answered.
    Done(Done),
    /// An error is to be handled.
    Failed(Box<Failed<'a>>),
}

/// An answer, and where it is given.
pub(super) struct Done {
    pub(super) at: FieldPath,
    pub(super) answer: Answer,
    pub(super) certain: bool,
}

/// An error, and where it is raised.
pub(super) struct Failed<'a> {
    state: State<'a>,
    status: u16,
    at: FieldPath,
}

/// The way of requests through one server.
pub(super) struct Walk<'a> {
    /// Routes that are called by name.
    pub(super) named: Option<&'a Map<String, Value>>,
    pub(super) named_at: FieldPath,
    /// How much more is looked at.
    pub(super) steps: usize,
    pub(super) depth: usize,
}

impl<'a> Walk<'a> {
    /// A list of routes, one after the other, until one of them answers.
    pub(super) fn routes(
        &mut self,
        routes: Option<&'a Value>,
        at: &FieldPath,
        state: State<'a>,
    ) -> Vec<Flow<'a>> {
        let routes = routes.and_then(Value::as_array);
        let mut on = vec![state];
        let mut ended = Vec::new();
        self.depth += 1;
        for (index, route) in routes.into_iter().flatten().enumerate() {
            if self.depth > MAXIMUM_DEPTH || self.steps == 0 {
                ended.extend(on.drain(..).map(|_| too_much(at)));
                break;
            }
            self.steps = self.steps.saturating_sub(on.len());
            let mut next = Vec::new();
            for state in on.drain(..) {
                for flow in self.route(route, at, index, state) {
                    match flow {
                        Flow::Next(state) => next.push(state),
                        other => ended.push(other),
                    }
                }
            }
            if next.len() > MAXIMUM_BRANCHES {
                ended.push(too_much(at));
                next.truncate(MAXIMUM_BRANCHES);
            }
            on = next;
        }
        self.depth -= 1;
        ended.extend(on.into_iter().map(Flow::Next));
        ended
    }

    fn route(
        &mut self,
        route: &'a Value,
        at: &FieldPath,
        index: usize,
        mut state: State<'a>,
    ) -> Vec<Flow<'a>> {
        let group = route.get("group").and_then(Value::as_str);
        if group.is_some_and(|group| state.groups.contains(group)) {
            return vec![Flow::Next(state)];
        }
        let mut flows = Vec::new();
        match matches(route, &state.request) {
            Some(false) => return vec![Flow::Next(state)],
            Some(true) => {}
            None => {
                state.certain = false;
                flows.push(Flow::Next(state.clone()));
            }
        }
        state.groups.extend(group.map(str::to_owned));
        let at = at.index(index);
        let is_last = route.get("terminal").and_then(Value::as_bool) == Some(true);
        for flow in self.handlers(route.get("handle"), &at, state) {
            flows.push(match flow {
                Flow::Next(state) if is_last => Flow::Done(unanswered(&at, &state)),
                other => other,
            });
        }
        flows
    }

    fn handlers(
        &mut self,
        handlers: Option<&'a Value>,
        at: &FieldPath,
        state: State<'a>,
    ) -> Vec<Flow<'a>> {
        let handlers = handlers.and_then(Value::as_array);
        let mut on = vec![state];
        let mut ended = Vec::new();
        for (index, handler) in handlers.into_iter().flatten().enumerate() {
            let at = at.key("handle").index(index);
            let mut next = Vec::new();
            for state in on.drain(..) {
                for flow in self.handler(handler, &at, state) {
                    match flow {
                        Flow::Next(state) => next.push(state),
                        other => ended.push(other),
                    }
                }
            }
            on = next;
        }
        ended.extend(on.into_iter().map(Flow::Next));
        ended
    }

    fn handler(
        &mut self,
        handler: &'a Value,
        at: &FieldPath,
        mut state: State<'a>,
    ) -> Vec<Flow<'a>> {
        let name = handler.get("handler").and_then(Value::as_str);
        let done = |answer, state: &State<'_>| {
            vec![Flow::Done(Done {
                at: at.clone(),
                answer,
                certain: state.certain,
            })]
        };
        match name.unwrap_or_default() {
            "subroute" => self.subroute(handler, at, state),
            "invoke" => self.invoke(handler, state),
            "static_response" => done(static_response(handler, &state), &state),
            "file_server" => file_server(handler, at, state),
            "error" => {
                let status = status(handler, "status_code").unwrap_or(500);
                self.fail(state, status, at)
            }
            // Strangers have no credentials.
            "authentication" => self.fail(state, 401, at),
            "reverse_proxy" => reverse_proxy(handler, at, state),
            "metrics" => done(Answer::Success(200), &state),
            "headers" => {
                hsts(handler.get("response"), &mut state);
                vec![Flow::Next(state)]
            }
            "rewrite" => {
                rewrite(handler, &mut state);
                vec![Flow::Next(state)]
            }
            "copy_response"
            | "copy_response_headers"
            | "encode"
            | "log_append"
            | "map"
            | "push"
            | "request_body"
            | "templates"
            | "tracing"
            | "vars" => vec![Flow::Next(state)],
            // It answers what has to do with certificates, and nothing else.
            "acme_server" => vec![Flow::Next(state)],
            "intercept" => {
                state.certain = false;
                vec![Flow::Next(state)]
            }
            other => {
                state.certain = false;
                let what = if is_name(other) { other } else { "its name" };
                let what = format!("the handler {what} is not known here");
                let mut flows = done(Answer::Unknown(what), &state);
                flows.push(Flow::Next(state));
                flows
            }
        }
    }

    /// Its handling of errors stays in force for whatever is asked behind it.
    fn subroute(
        &mut self,
        handler: &'a Value,
        at: &FieldPath,
        mut state: State<'a>,
    ) -> Vec<Flow<'a>> {
        if let Some(errors) = handler.pointer("/errors/routes") {
            state
                .catchers
                .push((errors, at.key("errors").key("routes")));
        }
        self.routes(handler.get("routes"), &at.key("routes"), state)
    }

    fn invoke(&mut self, handler: &'a Value, state: State<'a>) -> Vec<Flow<'a>> {
        let name = handler.get("name").and_then(Value::as_str);
        let route = |name| self.named?.get_key_value(name);
        let Some((name, route)) = name.and_then(route) else {
            let at = self.named_at.clone();
            return self.fail(state, 500, &at);
        };
        let at = self.named_at.key(name);
        if self.depth > MAXIMUM_DEPTH {
            return vec![too_much(&at)];
        }
        self.depth += 1;
        let flows = self.handlers(route.get("handle"), &at, state);
        self.depth -= 1;
        flows
    }

    /// An error goes to the innermost subroute that handles any, else to the server.
    fn fail(&mut self, mut state: State<'a>, status: u16, at: &FieldPath) -> Vec<Flow<'a>> {
        let Some((errors, errors_at)) = state.catchers.pop() else {
            return vec![Flow::Failed(Box::new(Failed {
                state,
                status,
                at: at.clone(),
            }))];
        };
        state.error = Some(status);
        let flows = self.routes(Some(errors), &errors_at, state).into_iter();
        flows
            .map(|flow| match flow {
                Flow::Next(state) => Flow::Done(unanswered(at, &state)),
                other => other,
            })
            .collect()
    }

    /// What answers once something failed; without any, Caddy sends the status alone.
    pub(super) fn after_error(
        &mut self,
        routes: Option<&'a Value>,
        at: &FieldPath,
        failed: Failed<'a>,
    ) -> Vec<Done> {
        let Failed {
            mut state,
            status,
            at: raised,
        } = failed;
        state.error = Some(status);
        let flows = self.routes(routes, at, state).into_iter();
        flows
            .map(|flow| match flow {
                Flow::Done(done) => done,
                Flow::Next(state) => unanswered(&raised, &state),
                // An error while one is handled ends with its own status.
                Flow::Failed(again) => Done {
                    answer: Answer::of_status(again.status, again.state.hsts),
                    certain: again.state.certain,
                    at: again.at,
                },
            })
            .collect()
    }
}

/// What Caddy sends where nothing has answered and nothing more is asked.
fn unanswered(at: &FieldPath, state: &State<'_>) -> Done {
    Done {
        at: at.clone(),
        answer: match state.error {
            Some(status) => Answer::of_status(status, state.hsts),
            None => Answer::Nothing,
        },
        certain: state.certain,
    }
}

fn too_much<'a>(at: &FieldPath) -> Flow<'a> {
    Flow::Done(Done {
        at: at.clone(),
        answer: Answer::Unknown("there is more here than is followed".to_owned()),
        certain: false,
    })
}

/// A status, as a number or a text; none where it is filled in at the time of the request.
fn status(handler: &Value, field: &str) -> Option<u16> {
    match handler.get(field)? {
        Value::Number(number) => number.as_u64()?.try_into().ok(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The status that a handler answers with where it names none, or one of the error's.
fn status_or(handler: &Value, state: &State<'_>) -> Option<u16> {
    if handler.get("status_code").is_none() {
        return state.error;
    }
    let of_error = ["{http.error.status_code}", "{err.status_code}"];
    let text = handler.get("status_code").and_then(Value::as_str);
    if text.is_some_and(|text| of_error.contains(&text)) {
        return state.error;
    }
    status(handler, "status_code")
}

fn static_response(handler: &Value, state: &State<'_>) -> Answer {
    if handler.get("abort").and_then(Value::as_bool) == Some(true) {
        return Answer::Closed;
    }
    let has_status = handler.get("status_code").is_some();
    let status = match status_or(handler, state) {
        Some(status) => status,
        None if has_status => return Answer::Unknown("the status is a placeholder".to_owned()),
        None => 200,
    };
    let headers = handler.get("headers").and_then(Value::as_object);
    let sent = headers.is_some_and(|headers| headers.keys().any(|name| is_hsts(name)));
    Answer::of_status(status, state.hsts || sent)
}

fn file_server<'a>(handler: &Value, at: &FieldPath, mut state: State<'a>) -> Vec<Flow<'a>> {
    let answer = match status_or(handler, &state) {
        Some(status) => Answer::of_status(status, state.hsts),
        None => Answer::Files,
    };
    let passes = handler.get("pass_thru").and_then(Value::as_bool) == Some(true);
    if passes {
        state.certain = false;
    }
    let done = Done {
        at: at.clone(),
        answer,
        certain: state.certain,
    };
    let mut flows = vec![Flow::Done(done)];
    if passes {
        flows.push(Flow::Next(state));
    }
    flows
}

/// What an upstream says, unless responses are handled here.
fn reverse_proxy<'a>(handler: &Value, at: &FieldPath, mut state: State<'a>) -> Vec<Flow<'a>> {
    let handles = handler.get("handle_response").is_some();
    if handles {
        state.certain = false;
    }
    let done = Done {
        at: at.clone(),
        answer: Answer::Upstream,
        certain: state.certain,
    };
    let mut flows = vec![Flow::Done(done)];
    if handles {
        flows.push(Flow::Next(state));
    }
    flows
}

fn is_hsts(name: &str) -> bool {
    name.eq_ignore_ascii_case("Strict-Transport-Security")
}

fn hsts(response: Option<&Value>, state: &mut State<'_>) {
    let names = |operation: &str| {
        let headers = response.and_then(|response| response.get(operation));
        headers.and_then(Value::as_object)
    };
    let set = ["add", "set"].into_iter().filter_map(names);
    if set.flatten().any(|(name, _)| is_hsts(name)) {
        state.hsts = true;
    }
    let deleted = response.and_then(|response| response.get("delete"));
    let deleted = deleted.and_then(Value::as_array).into_iter().flatten();
    if deleted.filter_map(Value::as_str).any(is_hsts) {
        state.hsts = false;
    }
}

/// Paths are not followed through what changes them.
fn rewrite(handler: &Value, state: &mut State<'_>) {
    let changes = [
        "path_regexp",
        "strip_path_prefix",
        "strip_path_suffix",
        "uri",
        "uri_substring",
    ];
    if changes.iter().any(|field| handler.get(field).is_some()) {
        state.request.path = None;
    }
    match handler.get("method").and_then(Value::as_str) {
        None => {}
        Some("GET") => state.request.method = "GET",
        Some(_) => state.certain = false,
    }
}

/// A name as Caddy's own are written, which may be told.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    !text.is_empty() && text.len() <= 40 && text.chars().all(plain)
}
