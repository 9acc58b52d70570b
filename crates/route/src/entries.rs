//! What the entries of an object ask for, as far as the object alone says it.

use std::{fmt, sync::Arc};

use underpin_model::{FieldPath, Object, ObjectKey, names};
use underpin_refs::{ServiceHost, entry_upstreams, namespace_of};

use crate::{
    caddyfile::{Block, BlockKind, Defect, Item, parse_entry},
    table::RouteKey,
};

/// The entry in one annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The field that holds it.
    pub(crate) path: FieldPath,
    /// What of it is refused.
    pub(crate) refused: Box<[Defect]>,
    /// The upstreams that name its own Service in another namespace, sorted.
    pub(crate) stale: Box<[Upstream]>,
    /// Whether these are sent to where the Service lives.
    pub(crate) rewritten: bool,
    /// What is to be served.
    pub(crate) blocks: Box<[EntryBlock]>,
}

/// A block of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntryBlock {
    /// What it asks for.
    pub(crate) keys: Box<[RouteKey]>,
    /// The block.
    pub(crate) block: Arc<Block>,
    /// The Services that it sends to, sorted, each once.
    pub(crate) upstreams: Box<[Upstream]>,
}

/// A Service as an entry names it, in lower case. Sorted as the Services behind a route are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Upstream {
    /// Its namespace.
    pub(crate) namespace: Box<str>,
    /// Its name.
    pub(crate) service: Box<str>,
    /// The number of its port, where one is named.
    pub(crate) port: Option<u16>,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.service)
    }
}

impl Upstream {
    fn of(host: &ServiceHost<'_>) -> Self {
        Self {
            namespace: host
                .namespace
                .unwrap_or_default()
                .to_ascii_lowercase()
                .into(),
            service: host.name.to_ascii_lowercase().into(),
            port: host.port,
        }
    }

    /// Sorted, each once.
    fn each<'a>(hosts: impl Iterator<Item = &'a ServiceHost<'a>>) -> Box<[Self]> {
        let mut upstreams: Vec<Self> = hosts.map(Self::of).collect();
        upstreams.sort();
        upstreams.dedup();
        upstreams.into()
    }
}

/// The path of an annotation.
fn annotation_path(name: &str) -> FieldPath {
    FieldPath::new("metadata").key("annotations").key(name)
}

/// The entries of an object, in the order of the annotations that may hold one; and what of these
/// annotations is not known.
pub(crate) fn entries_of(object: &Object, annotations: &[String]) -> (Box<[Entry]>, Box<[String]>) {
    let mut seen: Vec<&str> = Vec::new();
    let (mut entries, mut unknown) = (Vec::new(), Vec::new());
    for name in annotations {
        let path = annotation_path(name);
        let Some(text) = object.annotation(name) else {
            if let Some(part) = object.unknown.around(&path) {
                let key = &object.key;
                unknown.push(format!("{path} of {key} is not known: {}", part.reason));
            }
            continue;
        };
        // While one name of the annotation replaces the other, objects have both.
        if !seen.contains(&text) {
            seen.push(text);
            entries.push(read(object, path, text));
        }
    }
    (entries.into(), unknown.into())
}

fn read(object: &Object, path: FieldPath, text: &str) -> Entry {
    let follow = object.annotation(names::ROUTE_UPSTREAMS_ANNOTATION) == Some("follow");
    let upstreams = entry_upstreams(text);
    let stale: Vec<&ServiceHost<'_>> = upstreams
        .iter()
        .filter(|host| is_stale(host, &object.key))
        .collect();
    let rewritten = (follow && !stale.is_empty()).then(|| {
        let mut rewritten = text.to_owned();
        for host in stale.iter().rev() {
            let start = host.offset + host.name.len() + 1;
            let end = start + host.namespace.unwrap_or_default().len();
            if rewritten.get(start..end).is_some() {
                rewritten.replace_range(start..end, namespace_of(&object.key));
            }
        }
        rewritten
    });
    let served = rewritten.as_deref().unwrap_or(text);
    let (items, refused) = match parse_entry(served) {
        Ok(read) => read,
        Err(defects) => (Vec::new(), defects),
    };
    // Of an entry that is refused as a whole, nothing else is told.
    let stale = stale.into_iter().filter(|_| !items.is_empty());
    let stale = Upstream::each(stale);
    let upstreams = entry_upstreams(served);
    let blocks = items.into_iter().map(|item| {
        let span = item.block.span.clone();
        let within = upstreams.iter().filter(|host| span.contains(&host.offset));
        EntryBlock {
            keys: keys(&item),
            upstreams: Upstream::each(within),
            block: Arc::new(item.block),
        }
    });
    Entry {
        path,
        refused: refused.into(),
        stale,
        rewritten: follow,
        blocks: blocks.collect(),
    }
}

/// An upstream of an entry that names the entry's own Service in another namespace.
fn is_stale(host: &ServiceHost<'_>, own: &ObjectKey) -> bool {
    own.kind.is("", "Service")
        && host.name.eq_ignore_ascii_case(&own.name)
        && host
            .namespace
            .is_some_and(|namespace| !namespace.eq_ignore_ascii_case(namespace_of(own)))
}

fn keys(item: &Item) -> Box<[RouteKey]> {
    match &item.block.kind {
        BlockKind::Site => item.addresses.iter().cloned().map(RouteKey::site).collect(),
        BlockKind::Path(_, path) => Box::new([RouteKey {
            site: None,
            path: path.clone(),
        }]),
    }
}
