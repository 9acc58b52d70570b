//! One round of the edge: from a table and what is remembered to what is to be done.
//!
//! Everything that the serving loop decides is decided here, so that it can be tested without a
//! cluster, a Caddy or a clock.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    adapted::Adapted,
    caddyfile::Block,
    certificate::secret_of,
    document::{ServedRoute, proxy_routes},
    guard::{Acknowledgement, Decision, GuardInput, guard},
    remembered::Remembered,
    table::{Content, RefusalReason, RouteKey, RoutingTable},
};

/// What a block came to, on its own.
pub type Outcome = Result<Arc<Adapted>, Vec<RefusalReason>>;

/// The blocks of a table, each once, to be adapted.
pub fn blocks(table: &RoutingTable) -> Vec<Arc<Block>> {
    let mut blocks: BTreeMap<*const Block, Arc<Block>> = BTreeMap::new();
    let mut order = Vec::new();
    for route in table.routes.values() {
        if let Content::Caddyfile(block) = &route.content {
            let at = Arc::as_ptr(block);
            if blocks.insert(at, Arc::clone(block)).is_none() {
                order.push(at);
            }
        }
    }
    order
        .into_iter()
        .filter_map(|at| blocks.remove(&at))
        .collect()
}

/// The routes of a table, ready to be run. Blocks that came to nothing are taken out of the table, with
/// the reason. `outcomes` are those of [`blocks`], in its order.
pub fn served(
    table: &mut RoutingTable,
    blocks: &[Arc<Block>],
    outcomes: Vec<Outcome>,
) -> BTreeMap<RouteKey, ServedRoute> {
    let mut adapted: BTreeMap<*const Block, Arc<Adapted>> = BTreeMap::new();
    for (block, outcome) in blocks.iter().zip(outcomes) {
        match outcome {
            Ok(routes) => {
                adapted.insert(Arc::as_ptr(block), routes);
            }
            Err(reasons) => table.refuse(block, reasons),
        }
    }
    let mut served = BTreeMap::new();
    for (key, route) in &table.routes {
        let routes = match &route.content {
            Content::Caddyfile(block) => adapted.get(&Arc::as_ptr(block)).cloned(),
            Content::Proxy(proxy) => proxy_routes(proxy).map(Arc::new),
        };
        if let Some(routes) = routes {
            let ready = ServedRoute {
                object: route.source.object.clone(),
                routes,
                certificate: secret_of(route),
            };
            served.insert(key.clone(), ready);
        }
    }
    // What nobody adapted is not served, and nobody may think it is.
    table.routes.retain(|key, _| served.contains_key(key));
    served
}

/// What a round is decided on.
#[derive(Clone, Copy, Debug)]
pub struct RoundInput<'a> {
    /// What is kept from the last round.
    pub remembered: &'a Remembered,
    /// What is to be served.
    pub table: &'a RoutingTable,
    /// Its routes, of [`served`].
    pub served: &'a BTreeMap<RouteKey, ServedRoute>,
    /// What an operator has consented to.
    pub acknowledged: Option<&'a Acknowledgement>,
    /// The time.
    pub now: u64,
    /// How many seconds a loss waits for its replacement.
    pub tombstone: u64,
    /// Whether it is to be published even if nothing changed: Caddy runs something else.
    pub anew: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// What is published is what is to be.
    Nothing,
    /// Nothing may be published, see the decision.
    Hold,
    /// [`Round::next`] is to be published.
    Publish,
}

/// A round.
#[derive(Clone, Debug)]
pub struct Round {
    /// What may be published, and why not.
    pub decision: Decision,
    /// What is to be done.
    pub act: Act,
    /// What is to be remembered, once it is done.
    pub next: Remembered,
}

/// Decides a round.
pub fn round(input: &RoundInput<'_>) -> Round {
    let remembered = input.remembered;
    let guarded = GuardInput {
        last: &remembered.published,
        table: input.table,
        causes: &remembered.causes,
        missing_since: &remembered.missing_since,
        acknowledged: input.acknowledged,
        now: input.now,
        tombstone: input.tombstone,
    };
    let mut decision = guard(&guarded);
    let missing_since = decision.missing_since.clone();
    if !decision.publish {
        let next = Remembered {
            missing_since,
            ..remembered.clone()
        };
        return Round {
            decision,
            act: Act::Hold,
            next,
        };
    }
    // What is not there any more cannot be served on, whatever it deserves.
    decision
        .kept
        .retain(|key, _| remembered.served.contains_key(key));
    let mut routes = input.served.clone();
    for key in decision.kept.keys() {
        if let Some(kept) = remembered.served.get(key) {
            routes.insert(key.clone(), kept.clone());
        }
    }
    let mut published = decision.published(&guarded);
    let same =
        same(&routes, &remembered.served) && published.holders == remembered.published.holders;
    let act = if same && !input.anew && remembered.published.generation > 0 {
        Act::Nothing
    } else {
        published.generation += 1;
        Act::Publish
    };
    let mut next = Remembered {
        published,
        served: routes,
        missing_since,
        causes: remembered.causes.clone(),
        nonce: remembered.nonce.clone(),
    };
    forget(&mut next);
    Round {
        decision,
        act,
        next,
    }
}

fn same(left: &BTreeMap<RouteKey, ServedRoute>, right: &BTreeMap<RouteKey, ServedRoute>) -> bool {
    let equal = |left: &ServedRoute, right: &ServedRoute| {
        left.object == right.object
            && left.certificate == right.certificate
            && (Arc::ptr_eq(&left.routes, &right.routes) || left.routes == right.routes)
    };
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|((key, route), (other, was))| key == other && equal(route, was))
}

/// What was seen of objects that hold nothing any more is of no use.
fn forget(next: &mut Remembered) {
    let holders = next.published.holders.values();
    let held: std::collections::BTreeSet<&str> =
        holders.filter_map(|holder| holder.uid.as_deref()).collect();
    let causes = &mut next.causes;
    causes.deleted.retain(|uid, _| held.contains(uid.as_str()));
    causes
        .taken_down
        .retain(|uid, _| held.contains(uid.as_str()));
}
