#![doc = include_str!("../docs/UP203.md")]

mod files;

use std::collections::BTreeMap;

use underpin_model::{
    Code, FieldPath, Finding, GroupKind, ObjectKey, PortRef, Relation, Severity, World,
};
use underpin_route::{Backend, BackendState, RouteKey, RoutingTable, StaleUpstream};

use crate::{
    Context,
    dangling::{Fate, fate, is_declared, named},
    edge::Tables,
    rules::{Rule, up103::root_of, up108},
    wording::{accept, list},
};

/// The rule's code.
pub const CODE: Code = Code(203);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "route-backend-missing",
    summary: "the Service behind a route is not there, lacks the port, or has nothing ready",
    documentation: include_str!("../docs/UP203.md"),
    check: Some(check),
    survey: Some(files::survey),
};

/// A Service behind routes of one field of an object.
struct Behind<'t> {
    object: &'t ObjectKey,
    path: &'t FieldPath,
    backend: &'t Backend,
    keys: Vec<&'t RouteKey>,
}

impl Behind<'_> {
    fn service(&self) -> ObjectKey {
        service(self.backend)
    }
}

fn service(backend: &Backend) -> ObjectKey {
    let kind = GroupKind::core("Service");
    ObjectKey::namespaced(kind, &backend.namespace, &backend.service)
}

/// Every Service behind the routes of a table, once per field that sends to it.
fn behind(table: &RoutingTable) -> Vec<Behind<'_>> {
    let mut found: BTreeMap<(&ObjectKey, &FieldPath, &Backend), Vec<&RouteKey>> = BTreeMap::new();
    for (key, route) in &table.routes {
        for backend in &route.backends {
            let of_field = found.entry((&*route.source.object, &route.path, backend));
            of_field.or_default().push(key);
        }
    }
    let found = found.into_iter();
    found
        .map(|((object, path, backend), keys)| Behind {
            object,
            path,
            backend,
            keys,
        })
        .collect()
}

/// How Services stood behind the routes of objects in the table before.
struct Former<'t>(BTreeMap<(&'t ObjectKey, Upstream<'t>), &'t BackendState>);

/// Namespace, name and port.
type Upstream<'t> = (&'t str, &'t str, Option<&'t PortRef>);

fn upstream(backend: &Backend) -> Upstream<'_> {
    (&backend.namespace, &backend.service, backend.port.as_ref())
}

impl<'t> Former<'t> {
    fn of(routes: &'t Tables) -> Self {
        let before = routes.before.iter().flat_map(|table| table.routes.values());
        let states = before.flat_map(|route| {
            let object = &*route.source.object;
            let backends = route.backends.iter();
            backends.map(move |backend| ((object, upstream(backend)), &backend.state))
        });
        Self(states.collect())
    }

    /// Whether it stood otherwise, or did not stand behind the object's routes at all.
    fn differs(&self, behind: &Behind<'_>) -> bool {
        let was = self.0.get(&(behind.object, upstream(behind.backend)));
        was.is_none_or(|was| **was != behind.backend.state)
    }
}

fn check(context: &Context<'_>) -> Vec<Finding> {
    let Some(routes) = context.routes() else {
        return Vec::new();
    };
    let former = Former::of(routes);
    let mut findings: Vec<Finding> = behind(&routes.after)
        .iter()
        .filter_map(|behind| judge(context, &former, behind))
        .collect();
    let world = &context.simulation.after;
    let stale = routes.after.stale.iter().filter(|stale| {
        is_declared(context, &stale.object)
            && !told_as_stale(context, &stale.object, &service(&stale.upstream))
    });
    findings.extend(stale.filter_map(|stale| of_namesake(world, stale)));
    findings
}

/// Whether UP108 tells that an entry names the wrong namespace.
fn told_as_stale(context: &Context<'_>, object: &ObjectKey, service: &ObjectKey) -> bool {
    let mut references = context.references_after.from(object);
    references.any(|reference| {
        reference.relation == Relation::Upstream
            && named(reference) == Some(service)
            && up108::stale(context, reference).is_some()
    })
}

fn judge(context: &Context<'_>, former: &Former<'_>, behind: &Behind<'_>) -> Option<Finding> {
    let service = behind.service();
    let own = is_declared(context, behind.object);
    let dies = fate(context, &service) == Fate::Dies;
    let is_new = former.differs(behind);
    let world = &context.simulation.after;
    let (severity, what) = match &behind.backend.state {
        BackendState::Missing if told_as_stale(context, behind.object, &service) => return None,
        BackendState::Missing if dies => (Severity::Block, "is taken away by this plan"),
        BackendState::Missing if own => (blocks_if(is_new), "is not there"),
        // Who changes the Service's ports takes them away from whoever sends to them.
        BackendState::NoPort if own || (is_new && is_declared(context, &service)) => {
            (blocks_if(is_new), "has no such port")
        }
        BackendState::Unknown(_) if own && is_new && is_unread(world, &service) => {
            (Severity::Warn, "could not be read")
        }
        _ => return None,
    };
    let mut finding = finding(world, behind, severity, what);
    finding.unknown = matches!(behind.backend.state, BackendState::Unknown(_));
    if dies {
        finding.step = Some(root_of(context, &service));
        finding.help = vec![format!(
            "keep declaring {service}, or change the entry first and delete it in a later run"
        )];
    }
    if severity == Severity::Block {
        finding.help.push(accept(CODE, &behind.object.subject()));
    }
    Some(finding)
}

fn blocks_if(is_new: bool) -> Severity {
    if is_new {
        Severity::Block
    } else {
        Severity::Warn
    }
}

fn is_unread(world: &World, service: &ObjectKey) -> bool {
    let namespace = service.namespace.as_deref();
    world.get(service).is_none() && world.unread(&service.kind, namespace).is_some()
}

/// `service/wallet/web` with its port, as an entry names it.
fn shown(backend: &Backend) -> String {
    let service = service(backend);
    match &backend.port {
        Some(port) => format!("{service} port {port}"),
        None => service.to_string(),
    }
}

fn finding(world: &World, behind: &Behind<'_>, severity: Severity, what: &str) -> Finding {
    let upstream = shown(behind.backend);
    let addresses = list(&behind.keys);
    let object = behind.object;
    let message = format!("{object} sends {addresses} to {upstream}, which {what}");
    let mut finding = Finding::new(CODE, severity, object.subject(), message);
    if let Some(object) = world.get(object) {
        let note = format!("sends {addresses} to {upstream}");
        finding.evidence = vec![object.evidence(behind.path.clone(), note)];
    }
    let service = behind.service();
    if let Some(there) = world.get(&service).filter(|_| service != *object) {
        let at = FieldPath::new("spec.ports");
        finding.evidence.push(there.evidence(at, "has other ports"));
        finding
            .evidence
            .retain(|one| one.object != service || behind.backend.state == BackendState::NoPort);
    }
    finding.place = finding.evidence.iter().find_map(|one| one.place.clone());
    finding.step = Some(object.clone());
    finding.help = vec![match behind.backend.state {
        BackendState::NoPort => {
            format!("name a port that {service} has, or give it this one")
        }
        BackendState::NotReady | BackendState::Terminating => {
            format!("see what keeps it: `underpin why {service}`, `kubectl describe {service}`")
        }
        BackendState::Unknown(_) => format!("run with the right to list {}", service.kind),
        _ => format!("correct the name at the place shown, or have {service} made first"),
    }];
    finding
}

/// An entry that sends to the namesake of its own Service in another namespace, where both are there.
fn of_namesake(world: &World, stale: &StaleUpstream) -> Option<Finding> {
    let upstream = service(&stale.upstream);
    if stale.rewritten || world.get(&upstream).is_none() {
        return None;
    }
    let object = &stale.object;
    let own = object.namespace.as_deref().unwrap_or_default();
    let message = format!(
        "{object} sends to {upstream}, its namesake in another namespace, and not to itself in {own}"
    );
    let mut finding = Finding::new(CODE, Severity::Warn, object.subject(), message);
    if let Some(object) = world.get(object) {
        let note = format!("sends to {upstream}");
        finding.evidence = vec![object.evidence(stale.path.clone(), note)];
    }
    finding.place = finding.evidence.iter().find_map(|one| one.place.clone());
    finding.step = Some(object.clone());
    finding.help = vec![format!(
        "write {own} for the namespace in the entry, or let the edge do so: annotation {}: follow",
        underpin_model::names::ROUTE_UPSTREAMS_ANNOTATION
    )];
    Some(finding)
}
