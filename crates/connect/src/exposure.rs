//! What reaches a workload beyond what the world holds, and what it may reach there.
//!
//! Policies speak of pods by labels, and pods with these labels may come at any time. So for each
//! peer that the policies about a workload name, one pod is made up that is just so, and asked.
//! The policies about that pod itself are not known and not counted.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::Arc,
};

use underpin_model::{ObjectKey, Requirement};

use crate::{
    addresses::AddressRange,
    engine::Engine,
    evaluate::Outcome,
    labels::{Labels, Selector, Tri},
    matrix::peers,
    networks::{Membership, Way},
    party::{Addresses, Party, Pod},
    policy::{Direction, NamedPorts, Namespaces, Peer, PeerId},
    ports::Connections,
};

/// The name of a namespace that no world holds: none may be called so.
const UNSEEN_NAMESPACE: &str = "?";
/// The value of a label of which a selector asks only that it is there.
const ANY_VALUE: &str = "?";

/// How far one workload is open beyond the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// The workload.
    pub workload: ObjectKey,
    /// Who may connect to it: the widest first.
    pub ingress: Vec<Exposed>,
    /// To whom it may connect: the widest first.
    pub egress: Vec<Exposed>,
}

/// One opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// To whom.
    pub to: Stranger,
    /// On which ports.
    pub outcome: Outcome,
}

/// A pod made up for each peer, once: many policies name the same, and all pods of the world are asked
/// whether they are such.
type Strangers = HashMap<PeerId, Option<(Stranger, Party)>>;

/// Somebody whom the world does not hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stranger {
    /// Any pod of any namespace, whatever its labels.
    AnyPod,
    /// Any pod on the network that is the workload's own, whatever its labels.
    OnNetwork(ObjectKey),
    /// Addresses outside of the cluster.
    Outside(AddressRange),
    /// Pods that a policy's peer means.
    Pods {
        /// The namespaces: `any`, `namespace NAME`, or a selector of labels.
        namespaces: String,
        /// The pods: a selector of labels; empty for all of them.
        pods: String,
        /// Whether a pod of the world is among them.
        has_some: bool,
    },
}

impl Stranger {
    /// Whether somebody who is there is among these.
    pub fn is_present(&self) -> bool {
        match self {
            Self::AnyPod | Self::OnNetwork(_) | Self::Outside(_) => true,
            Self::Pods { has_some, .. } => *has_some,
        }
    }
}

/// `any pod of any namespace`, `pods with app=web of namespaces with team=a`, or a range.
impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyPod => f.write_str("any pod of any namespace"),
            Self::OnNetwork(network) => write!(f, "any pod on {network}"),
            Self::Outside(range) => write!(f, "{range}"),
            Self::Pods {
                namespaces, pods, ..
            } if pods.is_empty() => write!(f, "any pod of {namespaces}"),
            Self::Pods {
                namespaces, pods, ..
            } => write!(f, "pods with {pods} of {namespaces}"),
        }
    }
}

impl Engine {
    /// How far each workload is open beyond the world, sorted by workload. Those are left out that
    /// are not at all.
    pub fn exposure(&self) -> Vec<Exposure> {
        let outside = self.outside(&[]);
        let mut known: HashMap<u32, [Vec<Exposed>; 2]> = HashMap::new();
        let mut strangers = Strangers::new();
        let mut found = Vec::new();
        for (workload, ids) in &self.inventory.workloads {
            let [mut ingress, mut egress] = [Vec::new(), Vec::new()];
            for id in ids {
                let both = known.entry(*id).or_insert_with(|| {
                    [Direction::Ingress, Direction::Egress]
                        .map(|direction| self.exposed(*id, direction, &outside, &mut strangers))
                });
                for (all, own) in [&mut ingress, &mut egress].into_iter().zip(both.iter()) {
                    for exposed in own {
                        if !all.contains(exposed) {
                            all.push(exposed.clone());
                        }
                    }
                }
            }
            if !ingress.is_empty() || !egress.is_empty() {
                ingress.sort_by(|a, b| a.to.cmp(&b.to));
                egress.sort_by(|a, b| a.to.cmp(&b.to));
                found.push(Exposure {
                    workload: ObjectKey::clone(workload),
                    ingress,
                    egress,
                });
            }
        }
        found
    }

    fn exposed(
        &self,
        id: u32,
        direction: Direction,
        outside: &[AddressRange],
        strangers: &mut Strangers,
    ) -> Vec<Exposed> {
        let judged = |other: &Party| {
            self.judge(
                (self.pod(id), self.group(id, direction)),
                direction,
                (other, Way::Straight),
                Connections::all(),
                &mut |_| {},
            )
        };
        let is_open =
            |outcome: &Outcome| !outcome.allowed.is_empty() || !outcome.unknown.is_empty();
        let mut found = Vec::new();
        let anybody = judged(&Party::Pod(stranger(
            None,
            &Labels::default(),
            Labels::default(),
            Membership::ClusterDefault,
        )));
        if is_open(&anybody) {
            found.push(Exposed {
                to: Stranger::AnyPod,
                outcome: anybody.clone(),
            });
        }
        if let Some(network) = self.inventory.primary.get(&self.pod(id).network) {
            let own = self.pod(id).network.clone();
            let (none, labels) = (Labels::default(), Labels::default());
            let outcome = judged(&Party::Pod(stranger(None, &none, labels, own)));
            if is_open(&outcome) {
                let to = Stranger::OnNetwork(network.object.key.clone());
                found.push(Exposed { to, outcome });
            }
        }
        for one in ranges(outside, |range| judged(&Party::Range(*range))) {
            if is_open(&one.outcome) {
                found.push(one);
            }
        }
        let named: BTreeSet<_> = peers(self, self.group(id, direction), direction);
        for peer in named {
            let known = strangers
                .entry(peer)
                .or_insert_with(|| self.representative(self.peers.get(peer)));
            let Some((whom, party)) = known else {
                continue;
            };
            let outcome = judged(party);
            if is_open(&outcome) && outcome != anybody {
                let to = whom.clone();
                found.push(Exposed { to, outcome });
            }
        }
        found.sort_by(|a, b| a.to.cmp(&b.to));
        found.dedup();
        found
    }

    /// A pod that is just what a peer means. None for a peer that means no pods, or that no pod can
    /// be.
    fn representative(&self, peer: &Peer) -> Option<(Stranger, Party)> {
        let Peer::Pods {
            namespaces, pods, ..
        } = peer
        else {
            return None;
        };
        let (name, labels, words) = match namespaces {
            Namespaces::Named(name) => {
                let labels = self.inventory.namespace_labels(name);
                (Some(name), labels, format!("namespace {name}"))
            }
            Namespaces::Unknown(_) => return None,
            Namespaces::Selected(selector) => {
                let words = match text(selector)?.as_str() {
                    "" => "any namespace".to_owned(),
                    text => format!("namespaces with {text}"),
                };
                (None, Arc::new(just(selector)?), words)
            }
        };
        let own = just(pods)?;
        let name = name.map(String::as_str);
        let membership = self
            .inventory
            .primary
            .of(name.or(Some(UNSEEN_NAMESPACE)), &labels);
        let party = Party::Pod(stranger(name, &labels, own, membership));
        let is_meant = |party: &Party| self.matcher().matches(peer, party);
        if is_meant(&party) == Tri::No {
            return None;
        }
        let has_some = self
            .inventory
            .pods
            .iter()
            .any(|pod| is_meant(&Party::Pod(pod.clone())) == Tri::Yes);
        let whom = Stranger::Pods {
            namespaces: words,
            pods: text(pods)?,
            has_some,
        };
        Some((whom, party))
    }
}

/// A pod that the world does not hold; without a namespace, of one that it does not hold either.
fn stranger(namespace: Option<&str>, of: &Labels, labels: Labels, network: Membership) -> Arc<Pod> {
    Arc::new(Pod {
        namespace: Some(namespace.unwrap_or(UNSEEN_NAMESPACE).to_owned()),
        namespace_labels: Arc::new(of.clone()),
        labels,
        ports: NamedPorts {
            known: Vec::new(),
            open: true,
        },
        host_network: Tri::No,
        addresses: Addresses::Unknown,
        node: None,
        network,
        opens_ports: false,
    })
}

/// Neighbouring ranges that fare alike are one.
fn ranges(outside: &[AddressRange], judged: impl Fn(&AddressRange) -> Outcome) -> Vec<Exposed> {
    let mut found: Vec<Exposed> = Vec::new();
    for range in outside {
        let outcome = judged(range);
        match found.last_mut() {
            Some(Exposed {
                to: Stranger::Outside(last),
                outcome: known,
            }) if *known == outcome && last.touches(range) => *last = last.joined(range),
            _ => found.push(Exposed {
                to: Stranger::Outside(*range),
                outcome,
            }),
        }
    }
    found
}

/// Labels that satisfy a selector and are no more than it asks for. None if nothing can.
fn just(selector: &Selector) -> Option<Labels> {
    let readable = selector.readable()?;
    let mut known = BTreeMap::new();
    for requirement in &readable.0 {
        match requirement {
            Requirement::In(key, values) => {
                known.insert(key.clone(), values.first()?.clone());
            }
            Requirement::Exists(key) => {
                known
                    .entry(key.clone())
                    .or_insert_with(|| ANY_VALUE.to_owned());
            }
            Requirement::NotIn(..) | Requirement::DoesNotExist(_) => {}
        }
    }
    let labels = Labels {
        known,
        ..Labels::default()
    };
    (selector.matches(&labels) == Tri::Yes).then_some(labels)
}

fn text(selector: &Selector) -> Option<String> {
    selector.readable().map(ToString::to_string)
}
