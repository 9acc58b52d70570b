//! Everybody who asks for a route: entries in annotations, and Ingresses.

use std::sync::Arc;

use underpin_model::{
    ClaimIndex, FieldPath, GroupKind, Object, ObjectKey, Owner, World, canonical_group, names,
};
use underpin_refs::{ENTRY_ANNOTATIONS, ServiceHost, entry_upstreams, namespace_of};

use crate::{
    caddyfile::{BlockKind, Item, parse_entry},
    endpoints::ReadyEndpoints,
    ingress,
    services::Services,
    table::{
        Backend, Content, LossReason, Refusal, RefusalReason, Route, RouteKey, Source,
        StaleUpstream,
    },
};

/// What is read of a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The annotations on Services and Ingresses that hold entries.
    pub annotations: Vec<String>,
    /// The class of the Ingresses that are served; `None` for none.
    pub ingress_class: Option<String>,
    /// Whether Ingresses without a class are served too.
    pub ingresses_without_class: bool,
    /// Whether the world holds EndpointSlices, so that a Service without any has none that is ready.
    pub endpoints: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            annotations: ENTRY_ANNOTATIONS.map(str::to_owned).to_vec(),
            ingress_class: None,
            ingresses_without_class: false,
            endpoints: false,
        }
    }
}

/// One object that asks for one key.
pub(crate) struct Candidate {
    pub(crate) key: RouteKey,
    pub(crate) route: Route,
    /// Why it cannot win, whoever else asks.
    pub(crate) out: Option<LossReason>,
}

/// All candidates, in the order of objects, and what was found on the way.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) refused: Vec<Refusal>,
    pub(crate) stale: Vec<StaleUpstream>,
    /// Of the objects of which something is refused, those that may win: what they do not ask for, they may
    /// ask for in that.
    pub(crate) partly_read: Vec<Source>,
    /// What is not known of single objects.
    pub(crate) unknown: Vec<String>,
}

/// What reading takes, beside the object.
pub(crate) struct Reader<'a> {
    pub(crate) world: &'a World,
    pub(crate) settings: &'a Settings,
    pub(crate) services: Services<'a>,
    claims: ClaimIndex,
}

pub(crate) fn find(world: &World, ready: Option<&ReadyEndpoints>, settings: &Settings) -> Found {
    let reader = Reader {
        world,
        settings,
        services: Services::of(world, ready),
        claims: ClaimIndex::of(&world.claims),
    };
    let mut found = Found::default();
    for object in world.objects() {
        let is_ingress = is_ingress(&object.key.kind);
        if may_ask(&object.key.kind) {
            let place = Place::of(&reader, object);
            let before = found.candidates.len();
            let refused = found.refused.len();
            annotations(&reader, &place, &mut found);
            if is_ingress && settings.ingress_class.is_some() {
                ingress::rules(&reader, &place, &mut found);
            }
            let asks = found.candidates.len() > before;
            if let Some(why) = object.unknown.existence().filter(|_| asks) {
                let key = &object.key;
                let what = format!("whether {key} exists is not known: {why}");
                found.unknown.push(what);
            }
            if found.refused.len() > refused && place.out.is_none() {
                found.partly_read.push(place.source);
            }
        }
    }
    found
}

/// Whether objects of a kind may ask for routes.
pub fn may_ask(kind: &GroupKind) -> bool {
    kind.is("", "Service") || is_ingress(kind)
}

/// Whether a kind is that of Ingresses, in whatever group old servers have it.
pub fn is_ingress(kind: &GroupKind) -> bool {
    kind.kind == "Ingress" && canonical_group(&kind.group, &kind.kind) == "networking.k8s.io"
}

/// An object that may ask for routes.
pub(crate) struct Place<'a> {
    pub(crate) object: &'a Object,
    pub(crate) namespace: &'a str,
    source: Source,
    out: Option<LossReason>,
}

impl<'a> Place<'a> {
    fn of(reader: &Reader<'a>, object: &'a Object) -> Self {
        let namespace = namespace_of(&object.key);
        let owner = reader.claims.owners(&reader.world.claims, object).next();
        let out = if object.is_terminating() {
            Some(LossReason::Terminating)
        } else if reader.services.is_terminating(namespace) {
            Some(LossReason::NamespaceTerminating)
        } else {
            None
        };
        Self {
            object,
            namespace,
            source: Source {
                object: object.key.clone(),
                uid: object.uid().map(str::to_owned),
                created: object.created().map(str::to_owned),
                owner: owner.map(|claim| Owner::Claim {
                    stack: claim.stack.clone(),
                    environment: claim.environment.clone(),
                }),
            },
            out,
        }
    }

    /// What the object would serve on a key.
    pub(crate) fn candidate(
        &self,
        key: RouteKey,
        path: &FieldPath,
        content: Content,
        backends: Vec<Backend>,
        certificate: Option<String>,
    ) -> Candidate {
        Candidate {
            key,
            route: Route {
                source: self.source.clone(),
                path: path.clone(),
                content,
                backends,
                certificate,
            },
            out: self.out.clone(),
        }
    }

    pub(crate) fn refusal(&self, path: FieldPath, reason: RefusalReason) -> Refusal {
        Refusal {
            object: self.object.key.clone(),
            uid: self.source.uid.clone(),
            path,
            reason,
        }
    }
}

/// The path of an annotation.
fn annotation_path(name: &str) -> FieldPath {
    FieldPath::new("metadata").key("annotations").key(name)
}

fn annotations(reader: &Reader<'_>, place: &Place<'_>, found: &mut Found) {
    let object = place.object;
    let mut seen: Vec<&str> = Vec::new();
    for name in &reader.settings.annotations {
        let path = annotation_path(name);
        let Some(text) = object.annotation(name) else {
            if let Some(part) = object.unknown.around(&path) {
                let key = &object.key;
                let what = format!("{path} of {key} is not known: {}", part.reason);
                found.unknown.push(what);
            }
            continue;
        };
        // While one name of the annotation replaces the other, objects have both.
        if seen.contains(&text) {
            continue;
        }
        seen.push(text);
        entry(reader, place, &path, text, found);
    }
}

/// An upstream of an entry that names the entry's own Service in another namespace.
fn is_stale(host: &ServiceHost<'_>, place: &Place<'_>) -> bool {
    let own = &place.object.key;
    own.kind.is("", "Service")
        && host.name.eq_ignore_ascii_case(&own.name)
        && host
            .namespace
            .is_some_and(|namespace| !namespace.eq_ignore_ascii_case(place.namespace))
}

fn entry(reader: &Reader<'_>, place: &Place<'_>, path: &FieldPath, text: &str, found: &mut Found) {
    let follow = place.object.annotation(names::ROUTE_UPSTREAMS_ANNOTATION) == Some("follow");
    let upstreams = entry_upstreams(text);
    let stale: Vec<&ServiceHost<'_>> = upstreams
        .iter()
        .filter(|host| is_stale(host, place))
        .collect();
    let rewritten = (follow && !stale.is_empty()).then(|| {
        let mut rewritten = text.to_owned();
        for host in stale.iter().rev() {
            let start = host.offset + host.name.len() + 1;
            let end = start + host.namespace.unwrap_or_default().len();
            if rewritten.get(start..end).is_some() {
                rewritten.replace_range(start..end, place.namespace);
            }
        }
        rewritten
    });
    let (items, refused) = match parse_entry(rewritten.as_deref().unwrap_or(text)) {
        Ok(read) => read,
        Err(defects) => (Vec::new(), defects),
    };
    found.refused.extend(refused.into_iter().map(|defect| {
        let reason = RefusalReason::Defect(defect);
        place.refusal(path.clone(), reason)
    }));
    if items.is_empty() {
        return;
    }
    let mut told: Vec<StaleUpstream> = stale
        .iter()
        .map(|host| StaleUpstream {
            object: place.object.key.clone(),
            path: path.clone(),
            upstream: backend(reader, host),
            rewritten: follow,
        })
        .collect();
    told.sort_by(|left, right| left.upstream.cmp(&right.upstream));
    told.dedup();
    found.stale.extend(told);
    let text = rewritten.as_deref().unwrap_or(text);
    let upstreams = entry_upstreams(text);
    for item in items {
        let within = upstreams
            .iter()
            .filter(|host| item.block.span.contains(&host.offset));
        let mut backends: Vec<Backend> = within.map(|host| backend(reader, host)).collect();
        backends.sort();
        backends.dedup();
        let keys = keys(&item);
        let block = Arc::new(item.block);
        found.candidates.extend(keys.into_iter().map(|key| {
            let content = Content::Caddyfile(block.clone());
            place.candidate(key, path, content, backends.clone(), None)
        }));
    }
}

fn keys(item: &Item) -> Vec<RouteKey> {
    match &item.block.kind {
        BlockKind::Site => item.addresses.iter().cloned().map(RouteKey::site).collect(),
        BlockKind::Path(_, path) => vec![RouteKey {
            site: None,
            path: path.clone(),
        }],
    }
}

fn backend(reader: &Reader<'_>, host: &ServiceHost<'_>) -> Backend {
    let namespace = host.namespace.unwrap_or_default().to_ascii_lowercase();
    let name = host.name.to_ascii_lowercase();
    let port = host.port.map(underpin_model::PortRef::Number);
    reader.services.backend(&namespace, &name, port)
}

/// Whether two keys name the same object, whatever version of its group each was read in.
pub(crate) fn same_object(left: &ObjectKey, right: &ObjectKey) -> bool {
    left.namespace == right.namespace
        && left.name == right.name
        && left.kind.kind == right.kind.kind
        && canonical_group(&left.kind.group, &left.kind.kind)
            == canonical_group(&right.kind.group, &right.kind.kind)
}
