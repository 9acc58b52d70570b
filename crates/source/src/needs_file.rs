//! The needs file: connections that somebody declares, because what makes them lives elsewhere.

use camino::Utf8Path;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use underpin_model::{
    Confidence, Consumer, Evidence, FieldPath, Need, ObjectKey, Place, PortRef, Protocol,
    SpanIndex, Supplier,
};

use crate::{
    Diagnostic,
    manifests::{read_text, start_of},
    schema::{self, published},
    yaml::{self, NodeDocument, place_of},
};

/// Longest DNS label, which names of namespaces and Services are.
const MAXIMUM_LABEL: usize = 63;

/// Connections that somebody declares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NeedsFile {
    /// The connections.
    pub needs: Vec<DeclaredNeed>,
}

/// One connection that somebody needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeclaredNeed {
    /// Who connects: a namespace, or `namespace/workload`.
    #[schemars(length(min = 1))]
    pub from: String,
    /// To what: `namespace/service`, a host name or an address.
    #[schemars(length(min = 1))]
    pub to: String,
    /// The port of the Service or host; without it, each that the Service has.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// The protocol, `TCP` if none is named.
    pub protocol: Option<DeclaredProtocol>,
    /// Why, for whoever meets it.
    pub reason: Option<String>,
}

/// Protocols of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum DeclaredProtocol {
    /// SCTP.
    Sctp,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl From<DeclaredProtocol> for Protocol {
    fn from(declared: DeclaredProtocol) -> Self {
        match declared {
            DeclaredProtocol::Sctp => Self::Sctp,
            DeclaredProtocol::Tcp => Self::Tcp,
            DeclaredProtocol::Udp => Self::Udp,
        }
    }
}

/// The JSON Schema of the needs file, for editors.
pub fn json_schema() -> Value {
    published::<NeedsFile>("needs.v1.json", "Underpin needs file")
}

/// The needs of a file, in its order, and every problem with its place; what could be understood is
/// returned all the same.
pub fn read(path: &Utf8Path) -> (Vec<Need>, Vec<Diagnostic>) {
    match read_text(path) {
        Ok(text) => parse(path.as_str(), &text),
        Err(message) => (Vec::new(), vec![Diagnostic::new(start_of(path), message)]),
    }
}

/// [`read`] for a text that is at hand; `name` is what it is called.
pub fn parse(name: &str, text: &str) -> (Vec<Need>, Vec<Diagnostic>) {
    let (documents, mut diagnostics) = yaml::parse_nodes(name, text);
    let mut needs = Vec::new();
    if documents.is_empty() && diagnostics.is_empty() {
        let empty = Diagnostic::new(start_of(Utf8Path::new(name)), "the needs file is empty");
        diagnostics
            .push(empty.with_help("a needs file holds a list `needs:`, each with `from` and `to`"));
    }
    for document in documents {
        needs.extend(of_document(document, &mut diagnostics));
    }
    diagnostics.sort_by(|a, b| (&a.place, &a.message).cmp(&(&b.place, &b.message)));
    (needs, diagnostics)
}

fn of_document(document: NodeDocument, diagnostics: &mut Vec<Diagnostic>) -> Vec<Need> {
    let place = document.place(document.root.at);
    let (value, spans) = yaml::to_value_and_spans(document.root);
    let problems = schema::check(&json_schema(), "the needs file", &value);
    let list = FieldPath::new("needs");
    let is_wrong = |path: &FieldPath| {
        let within = |at: &str| {
            let rest = at.strip_prefix(path.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        problems.iter().any(|problem| within(problem.path.as_str()))
    };
    let entries = value.get("needs").and_then(Value::as_array);
    let mut needs = Vec::new();
    for (index, entry) in entries.into_iter().flatten().enumerate() {
        let path = list.index(index);
        if is_wrong(&path) {
            continue;
        }
        let entry: DeclaredNeed = match serde_json::from_value(entry.clone()) {
            Ok(entry) => entry,
            Err(error) => {
                let at = place_of(&place, &spans, &path);
                diagnostics.push(Diagnostic::new(at, error.to_string()));
                continue;
            }
        };
        match need(&entry, &path, (&place, &spans)) {
            Ok(need) => needs.push(need),
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    diagnostics.extend(problems.into_iter().map(|problem| Diagnostic {
        place: place_of(&place, &spans, &problem.path),
        message: problem.message,
        help: problem.help,
    }));
    needs
}

fn need(
    entry: &DeclaredNeed,
    path: &FieldPath,
    (place, spans): (&Place, &SpanIndex),
) -> Result<Need, Diagnostic> {
    let at = |field: &str| place_of(place, spans, &path.key(field));
    let from = consumer(&entry.from).ok_or_else(|| {
        let message = format!(
            "`{}` is neither a namespace nor namespace/workload",
            entry.from
        );
        Diagnostic::new(at("from"), message)
            .with_help("write who connects as `shop`, or as `shop/web` for one workload")
    })?;
    let to = supplier(&entry.to).ok_or_else(|| {
        let message = format!(
            "`{}` is neither namespace/service, nor a host name, nor an address",
            entry.to
        );
        Diagnostic::new(at("to"), message).with_help(
            "write a Service with its namespace, as `db/postgres`; the port goes into `port`",
        )
    })?;
    let (Consumer::Named { namespace, .. } | Consumer::Namespace(namespace)) = &from else {
        return Err(Diagnostic::new(at("from"), "nobody is named"));
    };
    let evidence = Evidence {
        object: ObjectKey::of_namespace(namespace.clone()),
        path: FieldPath::root(),
        place: Some(place_of(place, spans, path)),
        note: format!("{} is declared to need {}", entry.from, entry.to),
    };
    Ok(Need {
        from,
        to,
        protocol: entry.protocol.map_or(Protocol::Tcp, Protocol::from),
        port: entry.port.map(PortRef::Number),
        confidence: Confidence::Certain,
        evidence: vec![evidence],
        reason: entry.reason.clone(),
    })
}

fn consumer(text: &str) -> Option<Consumer> {
    match text.split_once('/') {
        None => is_name(text).then(|| Consumer::Namespace(text.to_owned())),
        Some((namespace, name)) => {
            let is_workload = !name.is_empty() && name.split('.').all(is_name);
            (is_name(namespace) && is_workload).then(|| Consumer::Named {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            })
        }
    }
}

fn supplier(text: &str) -> Option<Supplier> {
    if let Ok(address) = text.parse() {
        return Some(Supplier::Address(address));
    }
    match text.split_once('/') {
        Some((namespace, name)) => {
            (is_name(namespace) && is_name(name)).then(|| Supplier::Service {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            })
        }
        None => {
            let host = text.trim_end_matches('.').to_ascii_lowercase();
            let is_host = host.contains('.') && host.split('.').all(is_name);
            is_host.then(|| Supplier::Host(host))
        }
    }
}

/// A name as namespaces and Services have them.
fn is_name(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty()
        && text.len() <= MAXIMUM_LABEL
        && text.bytes().all(is_inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}
