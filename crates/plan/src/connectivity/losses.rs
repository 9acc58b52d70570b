//! What a policy let pass in one world, and nothing does in another.

use underpin_connect::{Allowance, Connections, Direction, Endpoint, Outcome};

/// Losses that are named; that there are more changes nothing.
pub(crate) const SHOWN_LIMIT: usize = 3;

/// Who loses a connection to or from whom, for the peers that are meant; `reach` tells what was allowed
/// and what is. One more is looked for than is shown.
pub(crate) fn losses(
    allowance: &Allowance,
    is_meant: impl Fn(&Endpoint) -> bool,
    reach: impl Fn(&Endpoint, &Endpoint) -> Option<[Outcome; 2]>,
) -> Vec<String> {
    let mut lost = Vec::new();
    for peer in allowance.peers.iter().filter(|peer| is_meant(peer)) {
        for subject in &allowance.subjects {
            let subject = Endpoint::Workload(subject.clone());
            let (from, to) = match allowance.direction {
                Direction::Ingress => (peer, &subject),
                Direction::Egress => (&subject, peer),
            };
            let Some([was, is]) = reach(from, to) else {
                continue;
            };
            let gone = was.allowed.without(&is.allowed).without(&is.unknown);
            if !gone.is_empty() {
                lost.push(told(from, to, &gone));
            }
            if lost.len() > SHOWN_LIMIT {
                return lost;
            }
        }
    }
    lost
}

/// What two ends lose, as findings name it.
pub(crate) fn told(from: &Endpoint, to: &Endpoint, gone: &Connections) -> String {
    format!("{from} → {to} ({gone})")
}

/// The first losses, as findings name them.
pub(crate) fn shown(lost: &[String]) -> (&[String], &'static str) {
    let shown = &lost[..lost.len().min(SHOWN_LIMIT)];
    let more = if lost.len() > shown.len() {
        ", and there are more"
    } else {
        ""
    };
    (shown, more)
}
