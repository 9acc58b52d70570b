//! Lists, page by page, each list as of one revision.
//!
//! Source: Kubernetes API concepts, "Retrieving large results sets in chunks" and "Resource
//! versions".

use std::{collections::BTreeMap, ops::Bound, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::{options, render::ListMeta, route::Target, selector::Selector};
use crate::{
    Cause, Failure, Kind, Request, State, object,
    state::{Name, Objects},
};

/// How long a list that is being paged can be continued.
const PAGE_LIFE: Duration = Duration::from_mins(5);
/// Lists that are being paged at the same time; the oldest makes room.
const PAGED_LIMIT: usize = 1_000;
/// Stands for "whatever is there now" in a continue token.
const ANY_REVISION: i64 = -1;

/// Lists that are being paged, as they were when their first page was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pages {
    /// By revision and kind.
    pinned: BTreeMap<(u64, GroupKind), Pinned>,
}

#[derive(Clone, Debug)]
struct Pinned {
    objects: Objects,
    until: Timestamp,
}

/// One page.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) items: Vec<Arc<Value>>,
    pub(super) meta: ListMeta,
}

/// What a continue token says.
struct Token {
    revision: i64,
    /// Namespace and name of the last object before the page.
    after: Name,
}

impl Pages {
    fn pin(&mut self, revision: u64, kind: &GroupKind, objects: &Objects, now: Timestamp) {
        self.pinned.retain(|_, pinned| pinned.until > now);
        while self.pinned.len() >= PAGED_LIMIT {
            self.pinned.pop_first();
        }
        let until = now.saturating_add(PAGE_LIFE).unwrap_or(Timestamp::MAX);
        let objects = objects.clone();
        let pinned = self.pinned.entry((revision, kind.clone()));
        pinned.or_insert(Pinned { objects, until });
    }

    fn find(&self, revision: u64, kind: &GroupKind, now: Timestamp) -> Option<Objects> {
        let pinned = self.pinned.get(&(revision, kind.clone()))?;
        (pinned.until > now).then(|| pinned.objects.clone())
    }
}

/// Reads a page of the list that a request asks for.
pub(super) fn page(state: &mut State, request: &Request, target: &Target) -> Result<Page, Failure> {
    let limit = match request.parameter("limit").unwrap_or_default() {
        "" => 0,
        text => options::integer(text)?,
    };
    let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0);
    if let Some(seconds) = request
        .parameter("timeoutSeconds")
        .filter(|text| !text.is_empty())
    {
        options::integer(seconds)?;
    }
    check_match(request)?;
    let selector = Selector::of(&target.kind, request)?;
    let token = match request.parameter("continue").unwrap_or_default() {
        "" => None,
        text => Some(Token::parse(text, &target.namespace)?),
    };
    let revision = request.parameter("resourceVersion").unwrap_or_default();
    if token.is_some() && !matches!(revision, "" | "0") {
        return Err(Failure::bad_request(
            "specifying resource version is not allowed when using continue",
        ));
    }
    let (revision, objects) = match &token {
        Some(token) => continued(state, target, token)?,
        None => begun(state, request, &target.kind, limit.is_some())?,
    };
    let after = token.as_ref().map(|token| &token.after);
    let (items, rest) = select(&objects, target, &selector, after, limit);
    let mut meta = ListMeta {
        resource_version: revision.to_string(),
        ..ListMeta::default()
    };
    if rest > 0 {
        let last = items.last().map(|item| {
            let name = object::name(item).to_owned();
            (object::namespace(item).to_owned(), name)
        });
        let next = Token {
            revision: i64::try_from(revision).unwrap_or(i64::MAX),
            after: last.unwrap_or_default(),
        };
        meta.continue_token = Some(next.to_text(&target.namespace));
        meta.remaining = selector.is_empty().then_some(rest);
        let now = state.now;
        state.pages.pin(revision, &target.kind.kind, &objects, now);
    }
    Ok(Page { items, meta })
}

/// The objects that a list without a token is about, and their revision.
fn begun(
    state: &State,
    request: &Request,
    kind: &Kind,
    is_paged: bool,
) -> Result<(u64, Objects), Failure> {
    let current = (state.revision(), state.objects(&kind.kind));
    let Some(asked) = check_revision(state, request)? else {
        return Ok(current);
    };
    let is_exact = match request
        .parameter("resourceVersionMatch")
        .unwrap_or_default()
    {
        "Exact" => true,
        "" => is_paged,
        _ => false,
    };
    if !is_exact || asked == current.0 {
        return Ok(current);
    }
    let objects = objects_at(state, &kind.kind, asked).ok_or_else(|| {
        let message = "The resourceVersion for the provided list is too old.";
        Failure::new(410, "Expired", message)
    })?;
    Ok((asked, objects))
}

/// The objects that a token goes on with, and their revision.
fn continued(state: &State, target: &Target, token: &Token) -> Result<(u64, Objects), Failure> {
    let kind = &target.kind.kind;
    if token.revision == ANY_REVISION {
        return Ok((state.revision(), state.objects(kind)));
    }
    let revision = u64::try_from(token.revision)
        .ok()
        .filter(|revision| *revision > 0);
    let revision = revision.ok_or_else(|| {
        invalid_token("continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
    })?;
    if revision > state.revision() {
        return Err(too_large(state, revision));
    }
    match state.pages.find(revision, kind, state.now) {
        Some(objects) => Ok((revision, objects)),
        None => Err(expired(token, &target.namespace)),
    }
}

/// The revision that a request demands, if any: not yet reached is a failure.
pub(super) fn check_revision(state: &State, request: &Request) -> Result<Option<u64>, Failure> {
    let text = request.parameter("resourceVersion").unwrap_or_default();
    if matches!(text, "" | "0") {
        return Ok(None);
    }
    let revision: u64 = text.parse().map_err(|_| {
        Failure::unexpected(format!(
            "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: \
             invalid syntax"
        ))
    })?;
    if revision > state.revision() {
        return Err(too_large(state, revision));
    }
    Ok(Some(revision))
}

fn too_large(state: &State, revision: u64) -> Failure {
    let current = state.revision();
    let message = format!("Timeout: Too large resource version: {revision}, current: {current}");
    let causes = json!([{
        "reason": "ResourceVersionTooLarge", "message": "Too large resource version",
    }]);
    Failure {
        details: Some(Box::new(json!({"causes": causes}))),
        retry_after: Some(1),
        ..Failure::new(504, "Timeout", message)
    }
}

fn check_match(request: &Request) -> Result<(), Failure> {
    let wanted = request
        .parameter("resourceVersionMatch")
        .unwrap_or_default();
    if wanted.is_empty() {
        return Ok(());
    }
    let given = |name: &str| request.parameter(name).unwrap_or_default();
    let forbidden = |why: &str| Cause {
        reason: "FieldValueForbidden".to_owned(),
        message: format!("Forbidden: {why}"),
        field: "resourceVersionMatch".to_owned(),
    };
    let mut causes = Vec::new();
    if given("resourceVersion").is_empty() {
        causes.push(forbidden(
            "resourceVersionMatch is forbidden unless resourceVersion is provided",
        ));
    }
    if !given("continue").is_empty() {
        causes.push(forbidden(
            "resourceVersionMatch is forbidden when continue is provided",
        ));
    }
    if !matches!(wanted, "Exact" | "NotOlderThan") {
        causes.push(Cause {
            reason: "FieldValueNotSupported".to_owned(),
            message: format!(
                "Unsupported value: {wanted:?}: supported values: \"Exact\", \"NotOlderThan\", \"\""
            ),
            field: "resourceVersionMatch".to_owned(),
        });
    }
    if wanted == "Exact" && given("resourceVersion") == "0" {
        causes.push(forbidden(
            "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
        ));
    }
    if causes.is_empty() {
        return Ok(());
    }
    Err(Failure::invalid_of(
        "meta.k8s.io",
        "ListOptions",
        "",
        &causes,
    ))
}

/// The objects of a kind as they were at a revision, while its changes are kept.
fn objects_at(state: &State, kind: &GroupKind, revision: u64) -> Option<Objects> {
    let mut objects = state.objects(kind);
    let changes: Vec<_> = state.changes_after(revision)?.collect();
    for change in changes
        .into_iter()
        .rev()
        .filter(|change| change.kind == *kind)
    {
        let object = &change.object;
        let name = (
            object::namespace(object).to_owned(),
            object::name(object).to_owned(),
        );
        let objects = Arc::make_mut(&mut objects);
        match &change.before {
            Some(before) => objects.insert(name, before.clone()),
            None => objects.remove(&name),
        };
    }
    Some(objects)
}

/// The selected objects after a name, up to a limit, and how many are left.
fn select(
    objects: &Objects,
    target: &Target,
    selector: &Selector,
    after: Option<&Name>,
    limit: Option<usize>,
) -> (Vec<Arc<Value>>, usize) {
    let (mut items, mut rest) = (Vec::new(), 0);
    for namespace in namespaces(objects, target) {
        let begin = match after {
            Some(after) if key_of(&namespace) < key_of(&after.0) => continue,
            Some(after) if namespace == after.0 => Bound::Excluded(after.clone()),
            _ => Bound::Included((namespace.clone(), String::new())),
        };
        if let (Some(name), true) = (selector.name(), limit.is_none() && after.is_none()) {
            let found = objects.get(&(namespace, name.to_owned()));
            items.extend(found.filter(|item| selector.matches(item)).cloned());
            continue;
        }
        let of_namespace = objects
            .range((begin, Bound::Unbounded))
            .take_while(|((at, _), _)| *at == namespace);
        for (_, item) in of_namespace.filter(|(_, item)| selector.matches(item)) {
            if limit.is_some_and(|limit| items.len() >= limit) {
                rest += 1;
            } else {
                items.push(item.clone());
            }
        }
    }
    (items, rest)
}

/// The namespaces that a list is about, in the order of the server's keys: there a slash follows
/// the name, which sorts after the hyphen and the dot.
fn namespaces(objects: &Objects, target: &Target) -> Vec<String> {
    if !target.kind.namespaced || !target.namespace.is_empty() {
        return vec![target.namespace.clone()];
    }
    let mut namespaces = Vec::new();
    let mut next = objects.first_key_value();
    while let Some(((namespace, _), _)) = next {
        namespaces.push(namespace.clone());
        // The smallest name that is greater than all others of that namespace.
        let beyond = (format!("{namespace}\0"), String::new());
        next = objects.range(beyond..).next();
    }
    namespaces.sort_by_key(|namespace| key_of(namespace));
    namespaces
}

fn key_of(namespace: &str) -> String {
    format!("{namespace}/")
}

impl Token {
    /// Reads a token: base64 of a JSON document, relative to the namespace listed.
    fn parse(text: &str, namespace: &str) -> Result<Self, Failure> {
        let bytes = URL_SAFE_NO_PAD
            .decode(text.trim_end_matches('='))
            .map_err(|_| invalid_token("continue key is not valid: illegal base64 data"))?;
        let token: Value = serde_json::from_slice(&bytes).map_err(|error| {
            let why = super::body::go_error(&error, &bytes);
            invalid_token(&format!("continue key is not valid: {why}"))
        })?;
        if token.get("v").and_then(Value::as_str) != Some("meta.k8s.io/v1") {
            return Err(invalid_token(
                "continue key is not valid: server does not recognize this encoded version",
            ));
        }
        let start = token
            .get("start")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if start.is_empty() {
            return Err(invalid_token(
                "continue key is not valid: encoded start key empty (version meta.k8s.io/v1)",
            ));
        }
        let start = start.strip_suffix('\0').unwrap_or(start);
        let after = match start.split_once('/') {
            Some((namespace, name)) => (namespace.to_owned(), name.to_owned()),
            None => (namespace.to_owned(), start.to_owned()),
        };
        Ok(Self {
            revision: token.get("rv").and_then(Value::as_i64).unwrap_or_default(),
            after,
        })
    }

    fn to_text(&self, namespace: &str) -> String {
        let (of, name) = &self.after;
        let start = if of == namespace {
            format!("{name}\0")
        } else {
            format!("{of}/{name}\0")
        };
        let token = json!({"v": "meta.k8s.io/v1", "rv": self.revision, "start": start});
        URL_SAFE_NO_PAD.encode(token.to_string())
    }
}

fn invalid_token(why: &str) -> Failure {
    Failure::bad_request(format!("invalid continue token: {why}"))
}

fn expired(token: &Token, namespace: &str) -> Failure {
    let inconsistent = Token {
        revision: ANY_REVISION,
        after: token.after.clone(),
    };
    let message = "The provided continue parameter is too old to display a consistent list \
                   result. You can start a new list without the continue parameter, or use the \
                   continue token in this response to retrieve the remainder of the results. \
                   Continuing with the provided token results in an inconsistent list - objects \
                   that were created, modified, or deleted between the time the first chunk was \
                   returned and now may show up in the list.";
    Failure {
        continue_token: Some(inconsistent.to_text(namespace)),
        ..Failure::new(410, "Expired", message)
    }
}
