//! From a step as it is written down to the request that is sent.
//!
//! `VERB target?query`: the verb is an HTTP method, or a kind of patch (`APPLY`, `MERGE`, `JSON`,
//! `STRATEGIC`). The target is a path (`/api/v1/…`), or `kind/name/subresource` with a short name
//! of the kind, in the sequence's namespace; `POST kind/name` creates. In every text, `${ns}` is
//! the namespace, `${2.metadata.uid}` what the second answer has there, and `${2.}` all of it.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::{kinds::Kind, topic::Step};

/// The default `User-Agent`, hence the default field manager.
const AGENT: &str = "conformance/1.0";

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Concrete {
    pub(crate) method: http::Method,
    pub(crate) path: String,
    /// As in a URL, without `?`.
    pub(crate) query: String,
    pub(crate) content_type: String,
    pub(crate) accept: String,
    pub(crate) agent: String,
    pub(crate) user: Option<String>,
    pub(crate) body: String,
}

/// What is known when a step is carried out.
pub(crate) struct Known<'a> {
    /// The namespace.
    pub(crate) namespace: &'a str,
    /// The answers so far.
    pub(crate) answers: &'a [Value],
}

/// A request that reads.
pub(crate) fn get(path: &str) -> Concrete {
    Concrete {
        method: http::Method::GET,
        path: path.to_owned(),
        query: String::new(),
        content_type: String::new(),
        accept: "application/json".to_owned(),
        agent: AGENT.to_owned(),
        user: None,
        body: String::new(),
    }
}

/// The request of a step.
pub(crate) fn expand(step: &Step, known: &Known<'_>) -> Result<Concrete> {
    let action = known.text(&step.action)?;
    let (verb, target) = action.split_once(' ').context("a verb and a target")?;
    let (target, query) = target.split_once('?').unwrap_or((target, ""));
    let (method, content_type) = match verb {
        "APPLY" => ("PATCH", "application/apply-patch+yaml"),
        "MERGE" => ("PATCH", "application/merge-patch+json"),
        "JSON" => ("PATCH", "application/json-patch+json"),
        "STRATEGIC" => ("PATCH", "application/strategic-merge-patch+json"),
        method => (method, "application/json"),
    };
    let (path, object) = place(verb, target, known.namespace)?;
    let body = match (&step.body, &step.text) {
        (Some(body), None) => {
            let mut body = known.value(body)?;
            let is_object = matches!(verb, "APPLY" | "POST" | "PUT");
            if let (Some((kind, name)), true, false) = (object, is_object, step.bare) {
                complete(&mut body, kind, &name)?;
            }
            body.to_string()
        }
        (None, Some(text)) => known.text(text)?,
        (None, None) => String::new(),
        (Some(_), Some(_)) => bail!("body and text"),
    };
    let mut query = query.to_owned();
    if let Some(manager) = &step.manager {
        let separator = if query.is_empty() { "" } else { "&" };
        query = format!("{query}{separator}fieldManager={manager}");
    }
    let content_type = match (&step.content, body.is_empty()) {
        (Some(content), _) => content.clone(),
        (None, true) => String::new(),
        (None, false) => content_type.to_owned(),
    };
    let or = |given: &Option<String>, default: &str| given.clone().unwrap_or(default.to_owned());
    Ok(Concrete {
        method: method.parse().context("a method")?,
        path,
        query,
        content_type,
        accept: or(&step.accept, "application/json"),
        agent: or(&step.agent, AGENT),
        user: step
            .user
            .as_deref()
            .map(|user| known.text(user))
            .transpose()?,
        body,
    })
}

/// The path, and what kind and name the object of the request has.
fn place(
    verb: &str,
    target: &str,
    namespace: &str,
) -> Result<(String, Option<(&'static Kind, String)>)> {
    if target.starts_with('/') {
        return Ok((target.to_owned(), None));
    }
    let mut parts = target.splitn(3, '/');
    let short = parts.next().unwrap_or_default();
    let kind = Kind::find(short).with_context(|| format!("no kind is called {short}"))?;
    let name = parts.next().unwrap_or_default();
    let subresource = parts.next();
    let mut path = kind.path(namespace);
    if !name.is_empty() && (verb != "POST" || subresource.is_some()) {
        path = format!("{path}/{name}");
    }
    if let Some(subresource) = subresource {
        path = format!("{path}/{subresource}");
    }
    Ok((path, Some((kind, name.to_owned()))))
}

/// Adds what every object must say of itself.
fn complete(body: &mut Value, kind: &Kind, name: &str) -> Result<()> {
    let body = body.as_object_mut().context("the body is no object")?;
    let mut add = |field: &str, value: &str| {
        body.entry(field).or_insert_with(|| value.into());
    };
    add("apiVersion", kind.version);
    add("kind", kind.name);
    if !name.is_empty() {
        let metadata = body.entry("metadata").or_insert_with(|| json!({}));
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.entry("name").or_insert_with(|| name.into());
        }
    }
    Ok(())
}

impl Known<'_> {
    /// A text with what it refers to.
    pub(crate) fn text(&self, text: &str) -> Result<String> {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (reference, after) = after.split_once('}').context("`${` without `}`")?;
            result.push_str(before);
            match self.referred(reference)? {
                Value::String(text) => result.push_str(&text),
                other => result.push_str(&other.to_string()),
            }
            rest = after;
        }
        result.push_str(rest);
        Ok(result)
    }

    /// A document with what its texts refer to. A text that is nothing but a reference becomes
    /// the value itself.
    fn value(&self, value: &Value) -> Result<Value> {
        Ok(match value {
            Value::String(text) => {
                let whole = text
                    .strip_prefix("${")
                    .and_then(|rest| rest.strip_suffix('}'));
                match whole {
                    Some(reference) if !reference.contains('}') => self.referred(reference)?,
                    _ => Value::String(self.text(text)?),
                }
            }
            Value::Array(items) => {
                let items: Result<Vec<_>> = items.iter().map(|item| self.value(item)).collect();
                Value::Array(items?)
            }
            Value::Object(fields) => {
                let mut map = Map::new();
                for (name, value) in fields {
                    map.insert(self.text(name)?, self.value(value)?);
                }
                Value::Object(map)
            }
            other => other.clone(),
        })
    }

    fn referred(&self, reference: &str) -> Result<Value> {
        if reference == "ns" {
            return Ok(self.namespace.into());
        }
        let (number, path) = reference.split_once('.').context("a step and a path")?;
        let number: usize = number.parse().context("the number of a step")?;
        let answer = number
            .checked_sub(1)
            .and_then(|index| self.answers.get(index));
        let answer = answer.with_context(|| format!("step {number} has no answer yet"))?;
        let pointer = match path {
            "" => String::new(),
            path => format!("/{}", path.replace('.', "/")),
        };
        let found = answer.pointer(&pointer);
        // One side may have refused what the other did: then they differ already.
        Ok(found.cloned().unwrap_or_else(|| "nothing".into()))
    }
}
