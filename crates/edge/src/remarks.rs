//! What is told of objects, in the log and by Events.

use std::collections::BTreeMap;

use underpin_model::ObjectKey;
use underpin_route::{Backend, BackendState, RouteKey, RoutingTable, ServedRoute};

use crate::Edge;

/// Everything that is to be told of objects, by object and sorted. `unserved`: sites over TLS that are not
/// served, and why; `served`: what is.
pub(crate) fn remarks(
    table: &RoutingTable,
    unserved: &BTreeMap<RouteKey, String>,
    served: &BTreeMap<RouteKey, ServedRoute>,
    edge: &Edge,
) -> BTreeMap<ObjectKey, Vec<Remark>> {
    let mut found: BTreeMap<ObjectKey, Vec<Remark>> = BTreeMap::new();
    let mut tell = |object: &ObjectKey, reason, text| {
        let remarks = found.entry(object.clone()).or_default();
        remarks.push(Remark { reason, text });
    };
    for refusal in &table.refused {
        let text = format!("{} is not served: {}", refusal.path, refusal.reason);
        tell(&refusal.object, "RouteRefused", text);
    }
    for conflict in &table.conflicts {
        let by = match &conflict.winner {
            Some(winner) => format!("it is served by {winner}"),
            None => "nobody serves it".to_owned(),
        };
        let by = if table.withheld.contains(&conflict.key) {
            format!("{by}, as it was before")
        } else {
            by
        };
        let (key, reason) = (&conflict.key, &conflict.reason);
        let text = format!("{key} is not served from here: {reason}; {by}");
        tell(&conflict.loser, "RouteConflict", text);
    }
    let object_of = |key: &RouteKey| {
        let asked = table.routes.get(key).map(|route| &route.source.object);
        asked.or_else(|| served.get(key).map(|route| &route.object))
    };
    for (key, why) in unserved {
        if let Some(object) = object_of(key) {
            tell(
                object,
                "RouteUnserved",
                format!("{key} is not served: {why}"),
            );
        }
    }
    for (secret, (why, routes)) in edge.certificate_problems(served) {
        for key in routes {
            if let Some(object) = object_of(key) {
                let text = format!("{secret} is of no use for {key}: {why}");
                tell(object, "RouteCertificate", text);
            }
        }
    }
    for key in edge.astray() {
        let text = format!("{key} is published, and something else answers in its place");
        if let Some(object) = object_of(key) {
            tell(object, "RouteUnverified", text);
        }
    }
    for stale in &table.stale {
        let how = if stale.rewritten {
            "it is sent to where the Service lives"
        } else {
            "the annotation underpin.dev/route-upstreams: follow sends it to where the Service lives"
        };
        let upstream = &stale.upstream;
        let text = format!("the upstream {upstream} names another namespace; {how}");
        tell(&stale.object, "RouteUpstream", text);
    }
    for (key, route) in &table.routes {
        // That nothing is ready for a while is told by the Service's own pods.
        let is_broken = |backend: &&Backend| {
            let is_dead = backend.state.is_dead() == Some(true);
            is_dead && backend.state != BackendState::NotReady
        };
        for backend in route.backends.iter().filter(is_broken) {
            let text = format!("{key} is served, and nothing answers behind it: {backend}");
            tell(&route.source.object, "RouteBackend", text);
        }
    }
    found
}

/// Something to be told of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Remark {
    pub(crate) reason: &'static str,
    pub(crate) text: String,
}
