//! Watches.
//!
//! Source: Kubernetes API concepts, "Efficient detection of changes" and "Streaming lists"; option
//! checks as apimachinery's `ValidateListOptions`.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    render::{Form, Shape},
    selector::Selector,
    table::{self, Include},
};
use crate::{
    Failure, Kind, Reply, ReplyBody, Request, State,
    object::{self, text},
    state::Change,
};

/// How long a watch lives that does not say how long; the real server draws 30 to 60 minutes.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(45);
/// Longest that is granted.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(24 * 7);
/// How often a watch that wants bookmarks gets one.
const BOOKMARK_PERIOD: Duration = Duration::from_mins(1);

/// What a watch is about and how far it has come.
#[derive(Debug)]
pub struct Watch {
    kind: Arc<Kind>,
    namespace: Option<String>,
    selector: Selector,
    carried: Carried,
    /// The last revision that was looked at.
    revision: u64,
    /// What is there already is sent first.
    initial: bool,
    /// A bookmark tells the end of what was there already.
    marks_end: bool,
    /// When the next bookmark is due, of a watch that wants them.
    bookmark_at: Option<Timestamp>,
    ends_at: Timestamp,
    over: bool,
    /// Makes objects into what the client asked for.
    translate: Option<fn(&mut Value)>,
}

/// What events carry.
#[derive(Clone, Copy, Debug)]
enum Carried {
    Object,
    Metadata,
    /// The first one carries the columns.
    Table {
        include: Include,
        columns: bool,
    },
}

/// Begins a watch on the objects of a kind, in one namespace or in all.
///
/// A revision that is not kept any more is answered by an `ERROR` event, as the real server does.
pub(crate) fn start(
    state: &State,
    kind: &Arc<Kind>,
    namespace: Option<&str>,
    request: &Request,
) -> Result<Reply, Failure> {
    let sends_initial = check_options(request)?;
    let selector = Selector::of(kind, request)?;
    let since = request.parameter("resourceVersion").unwrap_or_default();
    let since = match since {
        "" | "0" => None,
        text => Some(text.parse::<u64>().map_err(|_| bad_version(text))?),
    };
    let wants_bookmarks = flag(request, "allowWatchBookmarks");
    let end = state.now().saturating_add(timeout(request)?);
    let initial = sends_initial.unwrap_or(since.is_none());
    let watch = Watch {
        kind: kind.clone(),
        namespace: namespace.map(str::to_owned),
        selector,
        carried: carried(request)?,
        revision: since.unwrap_or_else(|| state.revision()),
        initial,
        marks_end: sends_initial == Some(true) && wants_bookmarks,
        bookmark_at: wants_bookmarks.then(|| later(state.now(), BOOKMARK_PERIOD)),
        ends_at: end.unwrap_or(Timestamp::MAX),
        over: false,
        translate: None,
    };
    Ok(Reply {
        code: 200,
        headers: Vec::new(),
        content_type: "application/json",
        body: ReplyBody::Watch(watch),
    })
}

fn later(time: Timestamp, pause: Duration) -> Timestamp {
    time.saturating_add(pause).unwrap_or(Timestamp::MAX)
}

fn flag(request: &Request, name: &str) -> bool {
    matches!(request.parameter(name), Some("true" | "1"))
}

fn timeout(request: &Request) -> Result<Duration, Failure> {
    let asked = match request.parameter("timeoutSeconds") {
        None | Some("" | "0") => return Ok(DEFAULT_TIMEOUT),
        Some(text) => text.parse::<i64>().map_err(|_| {
            Failure::bad_request(format!(
                "strconv.ParseInt: parsing \"{text}\": invalid syntax"
            ))
        })?,
    };
    let asked = Duration::from_secs(u64::try_from(asked).unwrap_or(0));
    Ok(asked.min(LONGEST_TIMEOUT))
}

fn carried(request: &Request) -> Result<Carried, Failure> {
    Ok(match Form::of(request)?.shape {
        Shape::Whole => Carried::Object,
        Shape::Metadata | Shape::MetadataList => Carried::Metadata,
        Shape::Table(include) => Carried::Table {
            include,
            columns: true,
        },
    })
}

/// Whether `sendInitialEvents` is asked for, refused, or not spoken of.
fn check_options(request: &Request) -> Result<Option<bool>, Failure> {
    let sends_initial = request
        .parameter("sendInitialEvents")
        .filter(|value| !value.is_empty())
        .map(|value| matches!(value, "true" | "1"));
    let matching = request
        .parameter("resourceVersionMatch")
        .unwrap_or_default();
    let refused = if sends_initial.is_some() && matching != "NotOlderThan" {
        "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch \
         to NotOlderThan"
    } else if sends_initial.is_none() && !matching.is_empty() {
        "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless \
         sendInitialEvents is provided"
    } else {
        return Ok(sends_initial);
    };
    let (field, why) = refused.split_once(": ").unwrap_or_default();
    let mut failure = Failure::new(
        422,
        "Invalid",
        format!("ListOptions.meta.k8s.io \"\" is invalid: {refused}"),
    );
    failure.details = Some(Box::new(json!({
        "group": "meta.k8s.io", "kind": "ListOptions",
        "causes": [{"reason": "FieldValueForbidden", "message": why, "field": field}],
    })));
    Err(failure)
}

fn bad_version(text: &str) -> Failure {
    Failure::bad_request(format!(
        "resourceVersion: Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": \
         invalid syntax"
    ))
}

impl Watch {
    /// The events since the last look, oldest first. Afterwards [`Self::is_over`] may be true.
    pub(crate) fn poll(&mut self, state: &State) -> Vec<Value> {
        if self.over {
            return Vec::new();
        }
        let mut events = Vec::new();
        if self.initial {
            self.initial = false;
            self.send_initial(state, &mut events);
        }
        self.send_changes(state, &mut events);
        if !self.over && state.now() >= self.ends_at {
            self.over = true;
            if self.bookmark_at.is_some() {
                events.push(self.bookmark(false));
            }
        } else if !self.over && self.bookmark_at.is_some_and(|at| at <= state.now()) {
            self.bookmark_at = Some(later(state.now(), BOOKMARK_PERIOD));
            events.push(self.bookmark(false));
        }
        if let Some(translate) = self.translate {
            for event in &mut events {
                translate(&mut event["object"]);
            }
        }
        events
    }

    /// Has every object made into another form before it is sent.
    pub(crate) fn translate(&mut self, translate: fn(&mut Value)) {
        self.translate = Some(translate);
    }

    /// Whether the stream ends after what was polled.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// When the watch has to be polled even if nothing changes, by the state's clock.
    pub(crate) fn wake_at(&self) -> Timestamp {
        self.bookmark_at
            .map_or(self.ends_at, |at| at.min(self.ends_at))
    }

    fn send_initial(&mut self, state: &State, events: &mut Vec<Value>) {
        let objects = state.objects(&self.kind.kind);
        let first = (self.namespace.clone().unwrap_or_default(), String::new());
        for ((namespace, _), object) in objects.range(first..) {
            if self
                .namespace
                .as_ref()
                .is_some_and(|only| only != namespace)
            {
                break;
            }
            if self.selector.matches(object) {
                events.push(self.event("ADDED", object, state.now()));
            }
        }
        self.revision = self.revision.max(state.revision());
        if self.marks_end {
            events.push(self.bookmark(true));
        }
    }

    fn send_changes(&mut self, state: &State, events: &mut Vec<Value>) {
        // A kind that is not served any more has nobody left to tell of it.
        let served = state
            .kinds
            .find(&self.kind.kind.group, &self.kind.version, &self.kind.plural);
        self.over |= served.is_none();
        let Some(changes) = state.changes_after(self.revision) else {
            self.over = true;
            let message = format!(
                "too old resource version: {} ({})",
                self.revision,
                state.revision()
            );
            let failure = Failure::new(410, "Expired", message);
            events.push(json!({"type": "ERROR", "object": failure.to_value()}));
            return;
        };
        let mut revision = self.revision;
        for change in changes {
            revision = change.revision;
            if let Some((name, object)) = self.seen(change) {
                events.push(self.event(name, &object, state.now()));
            }
        }
        // A revision from the future stays: what comes until then was known to the client.
        self.revision = self.revision.max(revision);
    }

    /// What a change is to this watch: leaving the selection is a deletion, entering a creation.
    fn seen(&self, change: &Change) -> Option<(&'static str, Arc<Value>)> {
        let here = |object: &Value| {
            let namespace = object::namespace(object);
            self.namespace.as_ref().is_none_or(|only| only == namespace)
                && self.selector.matches(object)
        };
        if change.kind != self.kind.kind {
            return None;
        }
        let was = change.before.as_deref().is_some_and(here);
        let is = !change.deleted && here(&change.object);
        match (was, is) {
            (false, false) => None,
            (false, true) => Some(("ADDED", change.object.clone())),
            (true, true) => Some(("MODIFIED", change.object.clone())),
            (true, false) if change.deleted => Some(("DELETED", change.object.clone())),
            (true, false) => {
                // The last state that was selected, at the revision at which it ceased to be.
                let mut last = change.before.as_deref()?.clone();
                last["metadata"]["resourceVersion"] = json!(change.revision.to_string());
                Some(("DELETED", Arc::new(last)))
            }
        }
    }

    fn event(&mut self, name: &str, object: &Arc<Value>, now: Timestamp) -> Value {
        let object = match &mut self.carried {
            Carried::Object => object.as_ref().clone(),
            Carried::Metadata => table::metadata_only(object),
            Carried::Table { include, columns } => {
                let items = std::slice::from_ref(object);
                let mut made = table::table_with(&self.kind, items, now, *include);
                made["metadata"]["resourceVersion"] =
                    json!(text(object, "/metadata/resourceVersion"));
                if !std::mem::take(columns) {
                    made["columnDefinitions"] = Value::Null;
                }
                made
            }
        };
        json!({"type": name, "object": object})
    }

    fn bookmark(&self, ends_initial: bool) -> Value {
        let mut metadata = json!({"resourceVersion": self.revision.to_string()});
        if ends_initial {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let (kind, api_version) = match self.carried {
            Carried::Object => (self.kind.kind.kind.clone(), self.kind.api_version()),
            Carried::Metadata => (
                "PartialObjectMetadata".to_owned(),
                "meta.k8s.io/v1".to_owned(),
            ),
            Carried::Table { .. } => ("Table".to_owned(), "meta.k8s.io/v1".to_owned()),
        };
        json!({"type": "BOOKMARK", "object": {
            "kind": kind, "apiVersion": api_version, "metadata": metadata,
        }})
    }
}

#[cfg(test)]
mod tests;
