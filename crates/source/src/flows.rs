//! Recorded flows as Hubble prints them, one JSON document a line: what was seen to connect, and
//! what was seen to be refused.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read},
    net::IpAddr,
};

use camino::Utf8Path;
use serde::Deserialize;
use underpin_model::{
    BUILTIN_KINDS, Confidence, Consumer, Evidence, FieldPath, GroupKind, Need, ObjectKey, Place,
    PortRef, Protocol, Supplier,
};

use crate::{Diagnostic, manifests::start_of};

/// Longest line that is read.
const MAX_LINE_BYTES: u64 = 1 << 20;
/// Most problems that are told one by one.
const MAX_DIAGNOSTICS: usize = 100;

/// What flows tell.
#[derive(Clone, Debug, Default)]
pub struct Flows {
    /// Connections that were made, sorted, each once.
    pub needs: Vec<Need>,
    /// Connections that were tried and refused, sorted, each once.
    pub refused: Vec<Need>,
    /// Lines that could not be understood.
    pub diagnostics: Vec<Diagnostic>,
}

/// The flows of a file. Lines that cannot be understood are told, and the rest is read.
pub fn read(path: &Utf8Path) -> Flows {
    let mut reader = Reader::new(path.as_str());
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) => {
            let message = format!("cannot read: {error}");
            reader.problem(start_of(path), message);
            return reader.finish();
        }
    };
    let mut input = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut input)
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut line)
        {
            Ok(0) => break,
            Ok(_) if is_cut(&line) => {
                reader.skip(&format!("longer than {MAX_LINE_BYTES} bytes"));
                if skip_line(&mut input).is_err() {
                    break;
                }
            }
            Ok(_) => match std::str::from_utf8(&line) {
                Ok(text) => reader.line(text),
                Err(_) => reader.skip("not UTF-8 text"),
            },
            Err(error) => {
                let place = reader.place(1);
                reader.problem(place, format!("cannot read on: {error}"));
                break;
            }
        }
    }
    reader.finish()
}

fn is_cut(line: &[u8]) -> bool {
    line.len() as u64 == MAX_LINE_BYTES && !line.ends_with(b"\n")
}

/// Reads to the end of a line and keeps nothing of it.
fn skip_line(input: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(buffer.len(), |end| end + 1);
        input.consume(length);
        if end.is_some() || length == 0 {
            return Ok(());
        }
    }
}

/// [`read`] for a text that is at hand; `name` is what it is called.
pub fn parse(name: &str, text: &str) -> Flows {
    let mut reader = Reader::new(name);
    for line in text.split('\n') {
        reader.line(line);
    }
    reader.finish()
}

#[derive(Debug, Deserialize)]
struct Wrapped {
    flow: Option<Flow>,
    /// What else Hubble prints between flows.
    node_status: Option<serde::de::IgnoredAny>,
    lost_events: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Flow {
    time: Option<String>,
    verdict: Option<String>,
    drop_reason_desc: Option<String>,
    #[serde(rename = "IP", alias = "ip")]
    addresses: Option<Addresses>,
    l4: Option<Layer4>,
    source: Option<End>,
    destination: Option<End>,
    destination_names: Option<Vec<String>>,
    is_reply: Option<bool>,
    reply: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Addresses {
    source: Option<String>,
    destination: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Layer4 {
    #[serde(rename = "TCP")]
    tcp: Option<Ports>,
    #[serde(rename = "UDP")]
    udp: Option<Ports>,
    #[serde(rename = "SCTP")]
    sctp: Option<Ports>,
}

#[derive(Debug, Deserialize)]
struct Ports {
    destination_port: Option<u16>,
    flags: Option<Flags>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Flags {
    #[serde(rename = "SYN")]
    syn: bool,
    #[serde(rename = "ACK")]
    ack: bool,
}

#[derive(Debug, Default, Deserialize)]
struct End {
    namespace: Option<String>,
    pod_name: Option<String>,
    labels: Option<Vec<String>>,
    workloads: Option<Vec<Workload>>,
}

#[derive(Debug, Deserialize)]
struct Workload {
    name: Option<String>,
    kind: Option<String>,
}

/// How a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Made,
    Refused,
    /// Neither: an error, or an event on the way.
    Nothing,
}

type Key = (Consumer, Supplier, Protocol, u16);

/// How often a connection was seen, and when.
#[derive(Debug)]
struct Sightings {
    object: ObjectKey,
    place: Place,
    count: u64,
    first: Option<String>,
    last: Option<String>,
    /// Why it was refused, where it was.
    reasons: Vec<String>,
}

struct Reader<'a> {
    name: &'a str,
    line: u32,
    made: BTreeMap<Key, Sightings>,
    refused: BTreeMap<Key, Sightings>,
    diagnostics: Vec<Diagnostic>,
    untold: usize,
}

impl<'a> Reader<'a> {
    fn new(name: &'a str) -> Self {
        Self {
            name,
            line: 0,
            made: BTreeMap::new(),
            refused: BTreeMap::new(),
            diagnostics: Vec::new(),
            untold: 0,
        }
    }

    fn place(&self, column: u32) -> Place {
        Place {
            file: self.name.into(),
            line: self.line.max(1),
            column,
        }
    }

    fn problem(&mut self, place: Place, message: String) {
        if self.diagnostics.len() == MAX_DIAGNOSTICS {
            self.untold += 1;
            return;
        }
        let help = "flows are read as `hubble observe --output jsonpb` prints them, one a line";
        self.diagnostics
            .push(Diagnostic::new(place, message).with_help(help));
    }

    fn skip(&mut self, message: &str) {
        self.line += 1;
        let place = self.place(1);
        self.problem(place, message.to_owned());
    }

    fn line(&mut self, text: &str) {
        self.line += 1;
        if text.trim().is_empty() {
            return;
        }
        match flow_of(text) {
            Ok(Some(flow)) => self.add(&flow),
            Ok(None) => {}
            Err((column, message)) => {
                let place = self.place(column);
                self.problem(place, message);
            }
        }
    }

    fn add(&mut self, flow: &Flow) {
        let outcome = outcome(flow);
        let Some(key) = key_of(flow).filter(|_| outcome != Outcome::Nothing) else {
            return;
        };
        // What no pod takes part in is nothing that policies of pods are about.
        let Some(object) = object_of(&key.0, &key.1) else {
            return;
        };
        let place = self.place(1);
        let seen = if outcome == Outcome::Made {
            &mut self.made
        } else {
            &mut self.refused
        };
        let seen = seen.entry(key).or_insert_with(|| Sightings {
            object,
            place,
            count: 0,
            first: None,
            last: None,
            reasons: Vec::new(),
        });
        seen.count += 1;
        if let Some(time) = &flow.time {
            let order = |time: &String| time.trim_end_matches('Z').to_owned();
            if seen
                .first
                .as_ref()
                .is_none_or(|first| order(time) < order(first))
            {
                seen.first = Some(time.clone());
            }
            if seen
                .last
                .as_ref()
                .is_none_or(|last| order(time) > order(last))
            {
                seen.last = Some(time.clone());
            }
        }
        let reason = flow.drop_reason_desc.clone();
        seen.reasons.extend(
            reason.filter(|reason| outcome == Outcome::Refused && !seen.reasons.contains(reason)),
        );
    }

    fn finish(mut self) -> Flows {
        if self.untold > 0 {
            let message = format!("{} more lines could not be understood", self.untold);
            let place = self.place(1);
            self.diagnostics.push(Diagnostic::new(place, message));
        }
        Flows {
            needs: self.made.into_iter().map(need).collect(),
            refused: self.refused.into_iter().map(need).collect(),
            diagnostics: self.diagnostics,
        }
    }
}

fn need(((from, to, protocol, port), seen): (Key, Sightings)) -> Need {
    let what = if seen.reasons.is_empty() {
        "seen".to_owned()
    } else {
        format!("seen refused ({})", seen.reasons.join(", "))
    };
    let times = if seen.count == 1 { "once" } else { "times" };
    let mut note = match seen.count {
        1 => format!("{what} {times}"),
        count => format!("{what} {count} {times}"),
    };
    if let (Some(first), Some(last)) = (&seen.first, &seen.last) {
        note = if first == last {
            format!("{note}, {first}")
        } else {
            format!("{note}, first {first}, last {last}")
        };
    }
    let evidence = Evidence {
        object: seen.object,
        path: FieldPath::root(),
        place: Some(seen.place),
        note,
    };
    Need {
        from,
        to,
        protocol,
        port: Some(PortRef::Number(port)),
        confidence: Confidence::Certain,
        evidence: vec![evidence],
        reason: None,
    }
}

/// The object that one of the ends is, or lies in; nothing where both are outside.
fn object_of(from: &Consumer, to: &Supplier) -> Option<ObjectKey> {
    match (from, to) {
        (Consumer::Workload(key), _) | (_, Supplier::Workload(key)) => Some(key.clone()),
        (Consumer::Named { namespace, .. } | Consumer::Namespace(namespace), _) => {
            Some(ObjectKey::of_namespace(namespace.clone()))
        }
        _ => None,
    }
}

/// The flow of a line; nothing where Hubble tells of something else. Wrapped or bare.
fn flow_of(text: &str) -> Result<Option<Flow>, (u32, String)> {
    let failed = |error: &serde_json::Error| {
        let column = u32::try_from(error.column()).unwrap_or(u32::MAX).max(1);
        let what = if error.is_data() {
            "not a flow"
        } else {
            "not a JSON document"
        };
        (column, what.to_owned())
    };
    let wrapped: Wrapped = serde_json::from_str(text).map_err(|error| failed(&error))?;
    if wrapped.flow.is_some() || wrapped.node_status.is_some() || wrapped.lost_events.is_some() {
        return Ok(wrapped.flow);
    }
    let flow: Flow = serde_json::from_str(text).map_err(|error| failed(&error))?;
    if flow.verdict.is_none() {
        return Err((1, "not a flow: it has no verdict".to_owned()));
    }
    Ok(Some(flow))
}

fn outcome(flow: &Flow) -> Outcome {
    if !opens(flow) {
        return Outcome::Nothing;
    }
    match flow.verdict.as_deref() {
        // What is only audited passes.
        Some("FORWARDED" | "REDIRECTED" | "AUDIT") => Outcome::Made,
        Some("DROPPED") => Outcome::Refused,
        _ => Outcome::Nothing,
    }
}

/// Whether a flow goes the way in which the connection was opened. One that does not say counts
/// only if it opens a connection by itself.
fn opens(flow: &Flow) -> bool {
    let flags = flow
        .l4
        .as_ref()
        .and_then(|l4| l4.tcp.as_ref()?.flags.as_ref());
    match (flow.is_reply, flow.reply) {
        (Some(is_reply), _) => !is_reply,
        (None, Some(reply)) => !reply,
        (None, None) => match flags {
            Some(flags) => flags.syn && !flags.ack,
            // A packet that was refused was not answered.
            None => flow.verdict.as_deref() == Some("DROPPED"),
        },
    }
}

fn key_of(flow: &Flow) -> Option<Key> {
    let l4 = flow.l4.as_ref()?;
    let (protocol, ports) = [
        (Protocol::Tcp, &l4.tcp),
        (Protocol::Udp, &l4.udp),
        (Protocol::Sctp, &l4.sctp),
    ]
    .into_iter()
    .find_map(|(protocol, ports)| Some((protocol, ports.as_ref()?)))?;
    let port = ports.destination_port.filter(|port| *port > 0)?;
    let addresses = flow.addresses.as_ref();
    let address = |text: Option<&String>| text?.parse::<IpAddr>().ok();
    let source = flow.source.as_ref();
    let destination = flow.destination.as_ref();
    let from = consumer(
        source,
        address(addresses.and_then(|both| both.source.as_ref())),
    )?;
    let to = address(addresses.and_then(|both| both.destination.as_ref()));
    let name = flow
        .destination_names
        .as_ref()
        .and_then(|names| names.first());
    Some((from, supplier(destination, to, name)?, protocol, port))
}

fn consumer(end: Option<&End>, address: Option<IpAddr>) -> Option<Consumer> {
    match reserved(end) {
        Some("health") => return None,
        Some("kube-apiserver") => return Some(Consumer::ApiServer),
        Some("ingress") => return Some(Consumer::IngressController),
        _ => {}
    }
    match workload(end) {
        Some(Ok(key)) => Some(Consumer::Workload(key)),
        Some(Err((namespace, name))) => Some(Consumer::Named { namespace, name }),
        None => match end.and_then(|end| end.namespace.clone()) {
            Some(namespace) if !namespace.is_empty() => Some(Consumer::Namespace(namespace)),
            _ => address.map(Consumer::Address),
        },
    }
}

fn supplier(end: Option<&End>, address: Option<IpAddr>, name: Option<&String>) -> Option<Supplier> {
    if reserved(end) == Some("health") {
        return None;
    }
    match (workload(end), reserved(end), name) {
        (Some(Ok(key)), _, _) => Some(Supplier::Workload(key)),
        (None, Some("world" | "world-ipv4" | "world-ipv6"), Some(name)) => {
            let host = name.trim_end_matches('.').to_ascii_lowercase();
            Some(Supplier::Host(host))
        }
        _ => address.map(Supplier::Address),
    }
}

/// What Cilium calls an end that is no pod.
fn reserved(end: Option<&End>) -> Option<&str> {
    let labels = end?.labels.iter().flatten();
    let mut names = labels.filter_map(|label| label.strip_prefix("reserved:"));
    let first = names.next()?;
    // The API server may be the host or remote, too.
    let all = std::iter::once(first).chain(names);
    let mut all = all.collect::<Vec<_>>();
    all.sort_by_key(|name| *name != "kube-apiserver");
    all.first().copied()
}

/// The workload of an end, or its pod; by namespace and name where its kind is not known.
fn workload(end: Option<&End>) -> Option<Result<ObjectKey, (String, String)>> {
    let end = end?;
    let namespace = end.namespace.clone().filter(|name| !name.is_empty())?;
    let first = end.workloads.iter().flatten().find_map(|one| {
        let name = one.name.clone().filter(|name| !name.is_empty())?;
        Some((name, one.kind.clone().unwrap_or_default()))
    });
    if let Some((name, kind)) = first {
        return Some(match workload_kind(&kind) {
            Some(kind) => Ok(ObjectKey::namespaced(kind, namespace, name)),
            None => Err((namespace, name)),
        });
    }
    let pod = end.pod_name.clone().filter(|name| !name.is_empty())?;
    Some(Ok(ObjectKey::namespaced(
        GroupKind::core("Pod"),
        namespace,
        pod,
    )))
}

/// A kind of Kubernetes' own by its name alone.
fn workload_kind(kind: &str) -> Option<GroupKind> {
    let mut rows = BUILTIN_KINDS.iter();
    let row = rows.find(|row| {
        row.kind == kind && matches!(row.group, "" | "apps" | "batch") && row.namespaced
    })?;
    Some(GroupKind::new(row.group, row.kind))
}
