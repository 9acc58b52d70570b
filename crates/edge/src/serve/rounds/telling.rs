//! Numbers, lines and Events: what a round is told as.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::sync::mpsc;
use underpin_cluster::{Cluster, Report};
use underpin_model::wording::count;
use underpin_route::{
    ACCEPT_LOSS_ANNOTATION, Decision, EdgeObject, Kept, Remembered, RouteKey, unserved,
};

use super::Rounds;
use crate::{
    Decided,
    remarks::{Remark, remarks},
    serve::COMPONENT,
};

impl Rounds<'_> {
    /// Numbers, lines and Events of what was decided.
    pub(super) fn describe(&mut self, decided: &Decided) {
        let decision = &decided.round.decision;
        let published = self.remembered.published.holders.len();
        let held = of_kind(decision, |kept| matches!(kept, Kept::Held));
        let unexplained = of_kind(decision, |kept| {
            matches!(kept, Kept::Held | Kept::WaitingUnexplained(_))
        });
        let mut holds: Vec<String> = decision.holds.iter().map(ToString::to_string).collect();
        if let (Some(loss), Some((namespace, name))) = (&decided.loss, &self.edge.options().service)
        {
            holds.push(format!(
                "to consent to it: kubectl annotate --overwrite service {name} --namespace \
                 {namespace} {ACCEPT_LOSS_ANNOTATION}={loss}"
            ));
        }
        let unserved = self.unserved(decided);
        let served = &decided.round.next.served;
        {
            let writes = self.is_ours();
            let mut status = self.status();
            status.desired = decided.table.routes.len();
            status.held = held;
            status.waiting = of_kind(decision, |kept| {
                matches!(kept, Kept::Waiting(..) | Kept::WaitingUnexplained(_))
            });
            status.conflicted = decided.table.conflicts.len();
            status.refused = decided.table.refused.len();
            status.unread = decided.table.incomplete.len();
            status.unserved = unserved.len();
            status.astray = self.edge.astray().count();
            status.vanish_ratio = ratio(unexplained, published);
            status.holds.clone_from(&holds);
            status.loss.clone_from(&decided.loss);
            status.writes = writes;
        }
        let mut lines: BTreeSet<String> = holds.into_iter().collect();
        let mut reports = BTreeSet::new();
        for (object, remarks) in remarks(&decided.table, &unserved, served, &self.edge) {
            let live = self.seen.object(&object);
            let uid = live.and_then(EdgeObject::uid).map(str::to_owned);
            for Remark { reason, text } in remarks {
                lines.insert(format!("{object}: {text}"));
                if let Some(uid) = &uid {
                    reports.insert(Report {
                        about: object.clone(),
                        uid: uid.clone(),
                        reason: reason.to_owned(),
                        message: text,
                        component: COMPONENT.to_owned(),
                    });
                }
            }
        }
        for line in lines.difference(&self.told) {
            (self.tell)(line);
        }
        self.told = lines;
        if let Some(events) = &self.events {
            for report in reports.difference(&self.reported) {
                // Where too many wait, the log has said it.
                let _ = events.try_send(report.clone());
            }
        }
        self.reported = reports;
    }

    /// Sites over TLS that are not served, and why.
    fn unserved(&self, decided: &Decided) -> BTreeMap<RouteKey, String> {
        let served = &decided.round.next.served;
        let without_port = unserved(served, self.edge.options().https_port).into_iter();
        let no_port = "the edge has no port for TLS (--https-port)";
        let mut told: BTreeMap<RouteKey, String> =
            without_port.map(|key| (key, no_port.to_owned())).collect();
        let uncertified = self
            .uncertified
            .iter()
            .filter(|key| served.contains_key(key));
        let no_certificate = "Caddy has no certificate for it";
        told.extend(uncertified.map(|key| (key.clone(), no_certificate.to_owned())));
        told
    }

    pub(super) fn tell_change(&self, next: &Remembered, took: Duration) {
        let before = &self.remembered.served;
        let added = next.served.keys().filter(|key| !before.contains_key(key));
        let gone = before.keys().filter(|key| !next.served.contains_key(key));
        (self.tell)(&format!(
            "published generation {}: {}, {} new, {} gone; Caddy took {} ms",
            next.published.generation,
            count(next.served.len(), "route"),
            added.count(),
            gone.count(),
            took.as_millis(),
        ));
    }
}

fn of_kind(decision: &Decision, is: impl Fn(&Kept) -> bool) -> usize {
    decision.kept.values().filter(|kept| is(kept)).count()
}

/// Counts of routes are far below what a float tells apart.
#[allow(clippy::cast_precision_loss, reason = "counts of routes are small")]
fn ratio(part: usize, of: usize) -> f64 {
    if of == 0 {
        0.0
    } else {
        part as f64 / of as f64
    }
}

/// Sends Events one after the other. That they cannot be sent changes nothing: the log has them too.
pub(super) async fn send_events(cluster: Cluster, mut reports: mpsc::Receiver<Report>) {
    while let Some(report) = reports.recv().await {
        let version = match report.about.kind.group.as_str() {
            "" => "v1".to_owned(),
            group => format!("{group}/v1"),
        };
        let _ = cluster.report(&version, &report).await;
    }
}
