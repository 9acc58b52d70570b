//! What is handed to Caddy to be adapted, one block at a time, and what comes back.
//!
//! A block is adapted under a host of its own that nobody can ask for, so that it is the same
//! whatever its addresses are, and cannot touch anything but its own routes.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value};

use crate::{
    caddyfile::{Block, BlockKind, Body},
    snippets,
};

/// The host under which a block is adapted; the domain is reserved (RFC 2606).
const HOST: &str = "entry.invalid";

/// The routes of a block, as Caddy runs them. They are kept as text: most of what thousands of entries come
/// to are these, and a tree of one takes more than ten times the place.
#[derive(Clone, PartialEq, Eq)]
pub struct Adapted {
    /// What answers requests, each route in JSON.
    pub(crate) routes: Box<[Box<str>]>,
    /// What answers when that fails.
    pub(crate) errors: Box<[Box<str>]>,
}

/// Says how much there is and never shows it: the routes hold what the entry holds.
impl fmt::Debug for Adapted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adapted")
            .field("routes", &self.routes.len())
            .field("errors", &self.errors.len())
            .finish()
    }
}

/// Why what Caddy made of a block is more or less than the routes of one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdaptedError {
    /// A part of the configuration that entries cannot set, by its field.
    Beyond(String),
    /// It is not what was asked to be adapted.
    Shape(&'static str),
}

impl fmt::Display for AdaptedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beyond(field) => write!(f, "the entry sets {field}, which belongs to the edge"),
            Self::Shape(what) => write!(f, "what was adapted is not the entry: {what}"),
        }
    }
}

/// The Caddyfile to be adapted for a block: the snippets that it imports, and the block under a
/// host of its own. `pages` is the folder of the error pages.
pub fn adaptable(block: &Block, pages: &str) -> Body {
    let mut definitions: BTreeMap<String, &str> = BTreeMap::new();
    let mut errors: Option<&str> = None;
    let mut body = block.body.reveal().to_owned();
    // From the end, so that places before stay where they are.
    for import in block.imports.iter().rev() {
        let Some(snippet) = snippets::provided(import.snippet) else {
            continue;
        };
        let name = if import.in_proxy {
            format!("{}_in_proxy", snippet.name)
        } else {
            snippet.name.to_owned()
        };
        if body.get(import.span.clone()).is_some() {
            body.replace_range(import.span.clone(), &name);
        }
        definitions.insert(name, snippet.text(import.in_proxy).unwrap_or_default());
        errors = errors.or(snippet.errors);
    }
    let mut text = String::new();
    for (name, definition) in definitions {
        text.push_str(&format!("({name}) {{\n{definition}}}\n"));
    }
    let inside = match &block.kind {
        BlockKind::Site => body,
        BlockKind::Path(directive, path) => {
            // A path of an entry is written as Caddy's matcher has it.
            format!("\n{} {path} {{{body}}}\n", directive.name())
        }
    };
    let errors = errors.unwrap_or_default();
    text.push_str(&format!("http://{HOST} {{{inside}\n{errors}}}\n"));
    Body::new(snippets::with_pages(&text, pages))
}

impl Adapted {
    /// Takes the routes out of what Caddy made of [`adaptable`], and refuses everything else that it
    /// says.
    pub fn read(document: &Value) -> Result<Self, AdaptedError> {
        let root = object(document, "no document")?;
        only(root, &["apps"], "")?;
        let apps = field(root, "apps", "no apps")?;
        only(apps, &["http"], "apps.")?;
        let http = field(apps, "http", "no http app")?;
        only(http, &["servers"], "apps.http.")?;
        let servers = field(http, "servers", "no servers")?;
        let mut servers = servers.values();
        let (Some(server), None) = (servers.next(), servers.next()) else {
            return Err(AdaptedError::Shape("not one server"));
        };
        let server = object(server, "no server")?;
        // The listener is that of the host above, and set anew for the edge.
        only(server, &["listen", "routes", "errors"], "server.")?;
        if server.get("listen") != Some(&Value::from(vec![":80"])) {
            return Err(AdaptedError::Beyond("the port".to_owned()));
        }
        let errors = match server.get("errors") {
            Some(errors) => {
                let errors = object(errors, "no error routes")?;
                only(errors, &["routes"], "server.errors.")?;
                routes_of_host(errors.get("routes"))?
            }
            None => Vec::new(),
        };
        let routes = routes_of_host(server.get("routes"))?;
        Ok(Self::of(&routes, &errors))
    }

    pub(crate) fn of(routes: &[Value], errors: &[Value]) -> Self {
        let texts = |routes: &[Value]| {
            let texts = routes.iter().map(|route| route.to_string().into());
            texts.collect()
        };
        Self {
            routes: texts(routes),
            errors: texts(errors),
        }
    }

    /// How long it is.
    pub(crate) fn length(&self) -> usize {
        let texts = self.routes.iter().chain(&self.errors);
        texts.map(|text| text.len()).sum()
    }

    /// Routes that are made here and not by Caddy.
    pub(crate) fn made(routes: &[Value]) -> Self {
        Self::of(routes, &[])
    }
}

/// Routes to be looked into. What could not be read again would be no route, and refused.
pub(crate) fn values(routes: &[Box<str>]) -> Vec<Value> {
    let read = routes.iter().map(|text| serde_json::from_str(text));
    read.map(Result::unwrap_or_default).collect()
}

/// The routes below those of the host that was adapted. Several stand there for several handlings of
/// errors, none for a block that does nothing.
fn routes_of_host(routes: Option<&Value>) -> Result<Vec<Value>, AdaptedError> {
    let routes = routes.and_then(Value::as_array);
    let mut found = Vec::new();
    for route in routes.into_iter().flatten() {
        let route = object(route, "a route is no object")?;
        only(route, &["match", "handle", "terminal"], "route.")?;
        let host = serde_json::json!([{"host": [HOST]}]);
        if route.get("match") != Some(&host) {
            return Err(AdaptedError::Beyond("routes of another host".to_owned()));
        }
        let handle = route.get("handle").and_then(Value::as_array);
        for handler in handle.into_iter().flatten() {
            let handler = object(handler, "a handler is no object")?;
            if handler.get("handler") != Some(&Value::from("subroute")) {
                return Err(AdaptedError::Shape("a site that is no subroute"));
            }
            only(handler, &["handler", "routes"], "subroute.")?;
            let below = handler.get("routes").and_then(Value::as_array);
            found.extend(below.into_iter().flatten().cloned());
        }
    }
    Ok(found)
}

fn object<'a>(
    value: &'a Value,
    what: &'static str,
) -> Result<&'a Map<String, Value>, AdaptedError> {
    value.as_object().ok_or(AdaptedError::Shape(what))
}

fn field<'a>(
    map: &'a Map<String, Value>,
    key: &str,
    what: &'static str,
) -> Result<&'a Map<String, Value>, AdaptedError> {
    object(map.get(key).unwrap_or(&Value::Null), what)
}

/// Refuses fields beyond those that a site alone sets.
fn only(map: &Map<String, Value>, known: &[&str], at: &str) -> Result<(), AdaptedError> {
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(AdaptedError::Beyond(format!("{at}{key}"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::parse_entry;

    fn block(text: &str) -> Block {
        parse_entry(text).unwrap().0.remove(0).block
    }

    /// R3.5: each place of an import has its own text, and errors are handled by the site.
    #[test]
    fn imports_are_made_for_their_place() {
        let block = block(
            "http://a.example, http://b.example {\n  reverse_proxy http://web.wallet.svc:80 {\n    \
             import handle_bucket_error\n    import lb_retries_2\n  }\n  import gzip\n}\n",
        );
        insta::assert_snapshot!(adaptable(&block, "/pages").reveal(), @r"
        (gzip) {
        encode gzip
        }
        (handle_bucket_error_in_proxy) {
        @bucket_error status 404 500 502
        handle_response @bucket_error {
        	header Cache-Control no-store
        	method GET
        	rewrite * /{rp.status_code}.html
        	file_server {
        		root /pages
        		status {rp.status_code}
        	}
        }
        }
        (lb_retries_2_in_proxy) {
        lb_retries 2
        }
        http://entry.invalid {
          reverse_proxy http://web.wallet.svc:80 {
            import handle_bucket_error_in_proxy
            import lb_retries_2_in_proxy
          }
          import gzip

        handle_errors {
        	header Cache-Control no-store
        	method GET
        	rewrite * /{err.status_code}.html
        	file_server {
        		root /pages
        		status {err.status_code}
        	}
        }
        }
        ");
    }

    #[test]
    fn paths_stand_below_the_host() {
        let block = block("handle_path /shop* {\n  reverse_proxy http://web.wallet.svc:80\n}\n");
        insta::assert_snapshot!(adaptable(&block, "/pages").reveal(), @r"
        http://entry.invalid {
        handle_path /shop* {
          reverse_proxy http://web.wallet.svc:80
        }

        }
        ");
    }

    fn document(server: &Value) -> Value {
        json!({"apps": {"http": {"servers": {"srv0": server}}}})
    }

    #[test]
    fn only_the_routes_of_the_site_are_taken() {
        let site = |routes: Value| {
            json!([{"match": [{"host": [HOST]}], "terminal": true,
                "handle": [{"handler": "subroute", "routes": routes}]}])
        };
        let answer = json!([{"handle": [{"handler": "static_response"}]}]);
        let good = json!({"listen": [":80"], "routes": site(answer.clone()),
            "errors": {"routes": site(json!([]))}});
        let read = Adapted::read(&document(&good)).unwrap();
        assert_eq!(Value::from(values(&read.routes)), answer);
        assert!(read.errors.is_empty());
        for (key, value, expect) in [
            (
                "logs",
                json!({}),
                "the entry sets server.logs, which belongs to the edge",
            ),
            (
                "listen",
                json!([":81"]),
                "the entry sets the port, which belongs to the edge",
            ),
            (
                "routes",
                json!([{"match": [{"host": ["victim.example"]}], "handle": []}]),
                "the entry sets routes of another host, which belongs to the edge",
            ),
            (
                "routes",
                json!([{"match": [{"host": [HOST]}], "handle": [{"handler": "static_response"}]}]),
                "what was adapted is not the entry: a site that is no subroute",
            ),
        ] {
            let mut server = good.clone();
            server[key] = value;
            let error = Adapted::read(&document(&server)).unwrap_err();
            assert_eq!(error.to_string(), expect);
        }
        for document in [
            json!(null),
            json!({"apps": {"tls": {}, "http": {"servers": {"a": good}}}}),
            json!({"logging": {}, "apps": {"http": {"servers": {"a": good}}}}),
            json!({"apps": {"http": {"servers": {"a": good, "b": good}}}}),
        ] {
            assert!(Adapted::read(&document).is_err());
        }
    }
}
