//! Everybody who asks for a route: entries in annotations, and Ingresses.

use underpin_model::{ClaimIndex, FieldPath, GroupKind, ObjectKey, Owner, World, canonical_group};
use underpin_refs::{ENTRY_ANNOTATIONS, namespace_of};

use crate::{
    entries::{Entry, Upstream},
    ingress,
    objects::{EdgeObject, EdgeObjects},
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

pub(crate) fn find(world: &World, objects: &EdgeObjects, settings: &Settings) -> Found {
    let reader = Reader {
        world,
        settings,
        services: Services::of(world, objects, settings.endpoints),
        claims: ClaimIndex::of(&world.claims),
    };
    let mut found = Found::default();
    for object in objects.iter() {
        let is_ingress = is_ingress(&object.key.kind);
        if may_ask(&object.key.kind) {
            let place = Place::of(&reader, object);
            let before = found.candidates.len();
            let refused = found.refused.len();
            for one in &object.entries {
                entry(&reader, &place, one, &mut found);
            }
            found.unknown.extend(object.unknown_entries.iter().cloned());
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
    pub(crate) object: &'a EdgeObject,
    pub(crate) namespace: &'a str,
    source: Source,
    out: Option<LossReason>,
}

impl<'a> Place<'a> {
    fn of(reader: &Reader<'a>, object: &'a EdgeObject) -> Self {
        let namespace = namespace_of(&object.key);
        let (uid, stamp) = (object.uid(), object.stamp.as_deref());
        let claims = &reader.world.claims;
        let mut owners = reader.claims.owners_of(claims, &object.key, uid, stamp);
        let owner = owners.next();
        let out = if object.is_terminating {
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
                uid: object.uid.clone(),
                created: object.created.clone(),
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
            object: (*self.object.key).clone(),
            uid: self.source.uid.clone(),
            path,
            reason,
        }
    }
}

fn entry(reader: &Reader<'_>, place: &Place<'_>, entry: &Entry, found: &mut Found) {
    let Entry { path, .. } = entry;
    found.refused.extend(entry.refused.iter().map(|defect| {
        let reason = RefusalReason::Defect(defect.clone());
        place.refusal(path.clone(), reason)
    }));
    found
        .stale
        .extend(entry.stale.iter().map(|upstream| StaleUpstream {
            object: (*place.object.key).clone(),
            path: path.clone(),
            upstream: backend(reader, upstream),
            rewritten: entry.rewritten,
        }));
    for asked in &entry.blocks {
        let backends = asked.upstreams.iter();
        let backends: Vec<Backend> = backends.map(|it| backend(reader, it)).collect();
        found.candidates.extend(asked.keys.iter().map(|key| {
            let content = Content::Caddyfile(asked.block.clone());
            place.candidate(key.clone(), path, content, backends.clone(), None)
        }));
    }
}

fn backend(reader: &Reader<'_>, upstream: &Upstream) -> Backend {
    let port = upstream.port.map(underpin_model::PortRef::Number);
    reader
        .services
        .backend(&upstream.namespace, &upstream.service, port)
}

/// Whether two keys name the same object, whatever version of its group each was read in.
pub(crate) fn same_object(left: &ObjectKey, right: &ObjectKey) -> bool {
    left.namespace == right.namespace
        && left.name == right.name
        && left.kind.kind == right.kind.kind
        && canonical_group(&left.kind.group, &left.kind.kind)
            == canonical_group(&right.kind.group, &right.kind.kind)
}
