//! What an entry may do, judged on the routes that Caddy made of it.
//!
//! In Caddy's own form nothing is hidden by quotes, imports or abbreviations, so a list of what is
//! allowed is complete where a look at the text never is.

mod placeholder;
mod schema;
mod upstream;

use std::{collections::BTreeSet, fmt};

use serde_json::{Map, Value};

pub use upstream::UpstreamError;

use crate::{Adapted, adapted::values};
use schema::{HANDLERS, MATCHERS, ROUTE, Row, Shape};

/// How deep values may stand in one another; Caddy's own routes stay far below.
const MAXIMUM_DEPTH: usize = 128;
/// The shortest time, in nanoseconds, after which an entry may have something done again and again: a proxy
/// that asks without a pause takes the machine from all others.
const LEAST_INTERVAL: u64 = 1_000_000_000;
/// How much is told of one entry.
const MAXIMUM_TOLD: usize = 20;

/// What of the edge entries must not reach, and what they may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The folder of the error pages, the only one that may be served.
    pub pages: String,
    /// Names and addresses of the edge itself, in lower case, as `edge.proxy.svc.cluster.local`.
    pub edge: BTreeSet<String>,
    /// The port of the proxy's admin endpoint on its own machine; none if that is a socket. Nobody is sent
    /// to it: any name may lead to that machine.
    pub admin_port: Option<u16>,
}

impl Default for Limits {
    /// With the admin endpoint where Caddy has it unless told otherwise.
    fn default() -> Self {
        Self {
            pages: String::new(),
            edge: BTreeSet::new(),
            admin_port: Some(2019),
        }
    }
}

/// Something that an entry may not use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Forbidden {
    /// Where in the routes, by Caddy's fields.
    pub at: String,
    /// What.
    pub what: ForbiddenWhat,
}

/// What an entry may not use. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ForbiddenWhat {
    /// A handler, as it is told.
    Handler(String),
    /// A matcher, as it is told.
    Matcher(String),
    /// A field of something that is allowed without it, as it is told.
    Field(String),
    /// A field without which something reaches further than is allowed.
    Missing(&'static str),
    /// A placeholder, by its family.
    Placeholder(&'static str),
    /// A folder other than that of the error pages.
    Folder,
    /// A value other than the only one allowed.
    Value(&'static str),
    /// An upstream.
    Upstream(UpstreamError),
    /// Something that is done more often than once a second.
    Interval,
    /// Something of another form than Caddy writes.
    Form,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.at)?;
        match &self.what {
            ForbiddenWhat::Handler(name) => write!(f, "entries may not use {name}"),
            ForbiddenWhat::Matcher(name) => write!(f, "entries may not use {name}"),
            ForbiddenWhat::Field(name) => write!(f, "entries may not set {name} here"),
            ForbiddenWhat::Missing(name) => write!(f, "entries must set {name} here"),
            ForbiddenWhat::Placeholder("other") => {
                f.write_str("placeholders of this kind are not allowed")
            }
            ForbiddenWhat::Placeholder(family) => {
                write!(f, "placeholders {{{family}.…}} are not allowed")
            }
            ForbiddenWhat::Folder => {
                f.write_str("only the folder of the error pages may be served")
            }
            ForbiddenWhat::Value(only) => write!(f, "only {only} is allowed here"),
            ForbiddenWhat::Upstream(error) => error.fmt(f),
            ForbiddenWhat::Interval => {
                f.write_str("once a second is the most that is allowed here")
            }
            ForbiddenWhat::Form => f.write_str("this is not of the form that Caddy writes"),
        }
    }
}

/// Everything in the routes that entries may not use, sorted; nothing when they are allowed.
pub fn forbidden(adapted: &Adapted, limits: &Limits) -> Vec<Forbidden> {
    let mut judge = Judge {
        limits,
        found: BTreeSet::new(),
        depth: 0,
    };
    judge.routes(&values(&adapted.routes), "routes");
    judge.routes(&values(&adapted.errors), "errors");
    judge.found.into_iter().take(MAXIMUM_TOLD).collect()
}

struct Judge<'a> {
    limits: &'a Limits,
    found: BTreeSet<Forbidden>,
    depth: usize,
}

impl Judge<'_> {
    fn tell(&mut self, at: &str, what: ForbiddenWhat) {
        let at = at.to_owned();
        self.found.insert(Forbidden { at, what });
    }

    fn routes(&mut self, routes: &[Value], at: &str) {
        for (index, route) in routes.iter().enumerate() {
            let at = format!("{at}[{index}]");
            self.shape(route, ROUTE, &at);
        }
    }

    fn handler(&mut self, handler: &Value, at: &str) {
        let name = handler.get("handler").and_then(Value::as_str);
        let (Some(name), Some(fields)) = (name, handler.as_object()) else {
            return self.tell(at, ForbiddenWhat::Form);
        };
        let Some(row) = HANDLERS.iter().find(|row| row.name == name) else {
            return self.tell(at, ForbiddenWhat::Handler(told("handler", name)));
        };
        self.row(row, fields, Some("handler"), at);
    }

    fn row(&mut self, row: &Row, fields: &Map<String, Value>, tag: Option<&str>, at: &str) {
        if let Some(required) = row
            .required
            .filter(|required| !fields.contains_key(*required))
        {
            self.tell(at, ForbiddenWhat::Missing(required));
        }
        if let Shape::Fields(known) = row.shape {
            self.fields(fields, known, tag, at);
        }
    }

    fn fields(
        &mut self,
        fields: &Map<String, Value>,
        known: &[(&str, Shape)],
        tag: Option<&str>,
        at: &str,
    ) {
        for (key, value) in fields {
            if tag == Some(key.as_str()) {
                continue;
            }
            match known.iter().find(|(name, _)| name == key) {
                Some((name, shape)) => self.shape(value, *shape, &format!("{at}.{name}")),
                None => self.tell(at, ForbiddenWhat::Field(told("field", key))),
            }
        }
    }

    fn shape(&mut self, value: &Value, shape: Shape, at: &str) {
        self.depth += 1;
        if self.depth > MAXIMUM_DEPTH {
            self.tell(at, ForbiddenWhat::Form);
        } else {
            self.shape_within(value, shape, at);
        }
        self.depth -= 1;
    }

    fn shape_within(&mut self, value: &Value, shape: Shape, at: &str) {
        match (shape, value) {
            (Shape::Plain, _) => self.plain(value, at),
            (Shape::Fields(known), Value::Object(fields)) => self.fields(fields, known, None, at),
            (Shape::Each(shape), Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.shape(item, *shape, &format!("{at}[{index}]"));
                }
            }
            (Shape::Routes, Value::Array(routes)) => self.routes(routes, at),
            (Shape::Handlers, Value::Array(handlers)) => {
                for (index, handler) in handlers.iter().enumerate() {
                    self.handler(handler, &format!("{at}[{index}]"));
                }
            }
            (Shape::Matchers, Value::Array(sets)) => {
                for (index, set) in sets.iter().enumerate() {
                    self.matchers(set, &format!("{at}[{index}]"));
                }
            }
            (Shape::Dial, Value::String(dial)) => {
                if let Err(error) = upstream::check(dial, self.limits) {
                    self.tell(at, ForbiddenWhat::Upstream(error));
                }
            }
            (Shape::Port, Value::Number(port)) => {
                if port.as_u64() == self.limits.admin_port.map(u64::from) {
                    self.tell(at, ForbiddenWhat::Upstream(UpstreamError::AdminPort));
                }
            }
            (Shape::Interval, Value::Number(time)) => {
                if time.as_u64().is_none_or(|time| time < LEAST_INTERVAL) {
                    self.tell(at, ForbiddenWhat::Interval);
                }
            }
            (Shape::Pages, Value::String(folder)) => {
                if *folder != self.limits.pages {
                    self.tell(at, ForbiddenWhat::Folder);
                }
            }
            (Shape::Text(only), Value::String(text)) => {
                if text != only {
                    self.tell(at, ForbiddenWhat::Value(only));
                }
            }
            _ => self.tell(at, ForbiddenWhat::Form),
        }
    }

    fn matchers(&mut self, set: &Value, at: &str) {
        let Some(set) = set.as_object() else {
            return self.tell(at, ForbiddenWhat::Form);
        };
        for (name, value) in set {
            let Some(row) = MATCHERS.iter().find(|row| row.name == name) else {
                self.tell(at, ForbiddenWhat::Matcher(told("matcher", name)));
                continue;
            };
            let at = format!("{at}.{}", row.name);
            match (row.shape, value) {
                (Shape::Fields(_), Value::Object(fields)) => self.row(row, fields, None, &at),
                (shape, value) => self.shape(value, shape, &at),
            }
        }
    }

    /// Texts, and names of fields, which Caddy fills in alike.
    fn plain(&mut self, value: &Value, at: &str) {
        match value {
            Value::String(text) => {
                if let Some(family) = placeholder::forbidden(text) {
                    self.tell(at, ForbiddenWhat::Placeholder(family));
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.shape(item, Shape::Plain, at);
                }
            }
            Value::Object(fields) => {
                for (key, value) in fields {
                    if let Some(family) = placeholder::forbidden(key) {
                        self.tell(at, ForbiddenWhat::Placeholder(family));
                    }
                    self.shape(value, Shape::Plain, at);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// A name of Caddy's own, to be told with what it is. What is not written as those are is not told.
fn told(what: &str, name: &str) -> String {
    const LONGEST: usize = 40;
    let is_own = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.len() <= LONGEST && name.chars().all(is_own) {
        format!("the {what} {name}")
    } else {
        format!("a {what} with an unusual name")
    }
}
