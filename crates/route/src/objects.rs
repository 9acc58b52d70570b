//! What of the objects of a cluster the edge is decided on: of thousands of Services the objects themselves
//! take many times as much memory.

use std::{collections::BTreeMap, sync::Arc};

use underpin_model::{GroupKind, Object, ObjectKey, Stamp, UnknownParts, World};
use underpin_refs::{
    Endpoints, IngressRules, ServicePorts, endpoints, ingress_rules, service_ports,
};

use crate::{
    candidates::{Settings, is_ingress, may_ask},
    endpoints::{ReadyEndpoints, endpoint_slices},
    entries::{Entry, entries_of},
};

/// Annotation on the Service of the edge: the loss that an operator consents to, as the edge names
/// it.
pub const ACCEPT_LOSS_ANNOTATION: &str = "underpin.dev/accept-loss";

/// What of one object counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeObject {
    pub(crate) key: Arc<ObjectKey>,
    pub(crate) uid: Option<Arc<str>>,
    pub(crate) created: Option<Arc<str>>,
    pub(crate) is_terminating: bool,
    pub(crate) stamp: Option<Box<Stamp>>,
    pub(crate) entries: Box<[Entry]>,
    /// What of the annotations that may hold entries is not known.
    pub(crate) unknown_entries: Box<[String]>,
    accepted_loss: Option<Box<str>>,
    pub(crate) says: Says,
    pub(crate) unknown: UnknownParts,
}

/// What an object of a kind says. Nothing where only its metadata was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// Nothing that counts.
    Nothing,
    /// The ports of a Service.
    Ports(ServicePorts),
    /// The rules of an Ingress, where any are served.
    Rules(Box<IngressRules>),
    /// What an EndpointSlice says is ready.
    Endpoints(Endpoints),
}

impl EdgeObject {
    /// What counts of an object.
    pub fn of(object: &Object, settings: &Settings) -> Self {
        let asks = may_ask(&object.key.kind);
        let annotations: &[String] = if asks { &settings.annotations } else { &[] };
        let (entries, unknown_entries) = entries_of(object, annotations);
        let accepted = object.annotation(ACCEPT_LOSS_ANNOTATION);
        Self {
            key: Arc::new(object.key.clone()),
            uid: object.uid().map(Arc::from),
            created: object.created().map(Arc::from),
            is_terminating: object.is_terminating(),
            stamp: object.stamp().filter(|_| asks).map(Box::new),
            entries,
            unknown_entries,
            accepted_loss: accepted.filter(|_| asks).map(Box::from),
            says: Says::of(object, settings),
            unknown: object.unknown.clone(),
        }
    }

    /// Which object it is.
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// Its identity; absent for what is only declared.
    pub fn uid(&self) -> Option<&str> {
        self.uid.as_deref()
    }

    /// The loss that an operator consents to on it.
    pub fn accepted_loss(&self) -> Option<&str> {
        self.accepted_loss.as_deref()
    }
}

impl Says {
    fn of(object: &Object, settings: &Settings) -> Self {
        let kind = &object.key.kind;
        let said = if is_ingress(kind) {
            let is_asked = settings.ingress_class.is_some();
            let rules = ingress_rules(object).filter(|_| is_asked);
            rules.map(|rules| Self::Rules(Box::new(rules)))
        } else if *kind == endpoint_slices() {
            endpoints(object).map(Self::Endpoints)
        } else {
            service_ports(object).map(Self::Ports)
        };
        said.unwrap_or(Self::Nothing)
    }
}

/// What of all objects counts.
#[derive(Clone, Debug, Default)]
pub struct EdgeObjects {
    /// All but EndpointSlices, sorted.
    objects: BTreeMap<Arc<ObjectKey>, Box<EdgeObject>>,
    /// What EndpointSlices say.
    pub(crate) ready: ReadyEndpoints,
}

impl EdgeObjects {
    /// What counts of the objects of a world.
    pub fn of(world: &World, settings: &Settings) -> Self {
        let mut found = Self::default();
        let counts = |kind: &GroupKind| {
            may_ask(kind) || kind.is("", "Namespace") || *kind == endpoint_slices()
        };
        for object in world.objects().filter(|object| counts(&object.key.kind)) {
            found.set(EdgeObject::of(object, settings));
        }
        found
    }

    /// Takes in an object as it is now. Whether anything that counts is new.
    pub fn set(&mut self, object: EdgeObject) -> bool {
        if object.key.kind == endpoint_slices() {
            return self.ready.set(&object);
        }
        if self
            .objects
            .get(&object.key)
            .is_some_and(|before| **before == object)
        {
            return false;
        }
        self.objects.insert(object.key.clone(), Box::new(object));
        true
    }

    /// An object is gone. Whether anything of it counted.
    pub fn remove(&mut self, key: &ObjectKey) -> bool {
        if key.kind == endpoint_slices() {
            return self.ready.remove(key);
        }
        self.objects.remove(key).is_some()
    }

    /// Takes in every object of a kind that there is.
    pub fn set_all(&mut self, kind: &GroupKind, objects: Vec<EdgeObject>) {
        if *kind == endpoint_slices() {
            self.ready = ReadyEndpoints::default();
        } else {
            self.objects.retain(|key, _| key.kind != *kind);
        }
        for object in objects {
            self.set(object);
        }
    }

    /// One object.
    pub fn get(&self, key: &ObjectKey) -> Option<&EdgeObject> {
        self.objects.get(key).map(|object| &**object)
    }

    /// All objects but EndpointSlices, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &EdgeObject> {
        self.objects.values().map(|object| &**object)
    }
}
