//! Everybody to everybody.
//!
//! Per destination, the sources are cut into parts that its policies cannot tell apart, and one of
//! each part is asked. So the work grows with the rules that are about a destination, and not with
//! the pairs.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
};

use underpin_model::ObjectKey;

use crate::{
    addresses::AddressRange,
    bits::Bits,
    engine::Engine,
    evaluate::{Applicable, Outcome},
    index::LabelIndex,
    labels::{Selector, Tri},
    networks::{Membership, Way},
    party::{Party, Pod},
    policy::{Direction, NamedPorts, Namespaces, Peer, PeerId, PortEntry, Rule},
    ports::Connections,
    profile::Profile,
};

/// One end of the connections in a [`Matrix`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Member {
    /// A workload, or a pod without one.
    Workload(ObjectKey),
    /// Addresses outside of the cluster that no policy tells apart.
    Outside(AddressRange),
}

/// What is allowed from everybody to everybody, computed as it is asked for.
#[derive(Debug)]
pub struct Matrix<'e> {
    engine: &'e Engine,
    members: Vec<Member>,
    /// The columns of each member: its pods, or its addresses.
    columns: Vec<Vec<usize>>,
    parties: Vec<Party>,
    by_namespace: BTreeMap<&'e str, LabelIndex>,
    /// The parties that each peer means, certainly and perhaps.
    peers: HashMap<PeerId, Rc<[Bits; 2]>>,
    partitions: HashMap<PartitionKey, Rc<Partition>>,
    /// Sources that policies limit, with the partition of their destinations.
    limited: Vec<(usize, Rc<Partition>)>,
    outcomes: Outcomes,
}

/// What a partition depends on.
#[derive(Debug, PartialEq, Eq, Hash)]
struct PartitionKey {
    direction: Direction,
    group: u32,
    /// The ports that the pod names, where a rule asks for names.
    ports: NamedPorts,
    /// A pod for all that are on the same network, where that is not the cluster's default one.
    network: Option<NetworkKey>,
}

/// What decides of a pod on a network of its own which other ends reach it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct NetworkKey {
    network: Membership,
    namespace: Option<String>,
    host_network: Tri,
    opens_ports: bool,
}

/// The other ends, in parts that fare alike.
#[derive(Debug)]
struct Partition {
    parts: Vec<(Bits, u32)>,
}

/// Every outcome once.
#[derive(Debug, Default)]
struct Outcomes {
    list: Vec<Outcome>,
    ids: HashMap<Outcome, u32>,
    both: HashMap<(u32, u32), u32>,
}

impl Outcomes {
    fn intern(&mut self, outcome: Outcome) -> u32 {
        if let Some(id) = self.ids.get(&outcome) {
            return *id;
        }
        let id = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(outcome.clone());
        self.ids.insert(outcome, id);
        id
    }

    fn and(&mut self, a: u32, b: u32) -> u32 {
        if a == b {
            return a;
        }
        if let Some(id) = self.both.get(&(a, b)) {
            return *id;
        }
        let outcome = self.list[a as usize].and(&self.list[b as usize]);
        let id = self.intern(outcome);
        self.both.insert((a, b), id);
        id
    }

    fn either(&mut self, a: u32, b: u32) -> u32 {
        if a == b {
            return a;
        }
        let outcome = self.list[a as usize].either(&self.list[b as usize]);
        self.intern(outcome)
    }
}

impl Partition {
    fn of(&self, column: usize) -> u32 {
        let part = self.parts.iter().find(|(bits, _)| bits.contains(column));
        part.map_or(0, |(_, outcome)| *outcome)
    }
}

impl Engine {
    /// Everybody to everybody: all workloads, and the addresses outside in as many ranges as the
    /// policies tell apart; cut also where one of `cuts` begins or ends, for comparison with
    /// another world.
    pub fn matrix(&self, cuts: &[AddressRange]) -> Matrix<'_> {
        let mut parties: Vec<Party> = Vec::new();
        parties.extend(self.inventory.pods.iter().cloned().map(Party::Pod));
        let (mut members, mut columns) = (Vec::new(), Vec::new());
        for (key, ids) in &self.inventory.workloads {
            members.push(Member::Workload(ObjectKey::clone(key)));
            columns.push(ids.iter().map(|id| *id as usize).collect());
        }
        for range in self.outside(cuts) {
            members.push(Member::Outside(range));
            columns.push(vec![parties.len()]);
            parties.push(Party::Range(range));
        }
        let mut matrix = Matrix {
            engine: self,
            members,
            columns,
            parties,
            by_namespace: self.pods_by_namespace(),
            peers: HashMap::new(),
            partitions: HashMap::new(),
            limited: Vec::new(),
            outcomes: Outcomes::default(),
        };
        // The outcome that is there before any is asked for: nothing is allowed.
        matrix.outcomes.intern(Outcome::default());
        for id in (0_u32..).take(self.inventory.pods.len()) {
            if !self.group(id, Direction::Egress).is_empty() || self.pod(id).network.is_special() {
                let partition = matrix.partition(id, Direction::Egress);
                matrix.limited.push((id as usize, partition));
            }
        }
        matrix
    }
}

impl Matrix<'_> {
    /// Both ends of every connection: workloads sorted by key, then addresses in order.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// What is allowed to one member from each, in the order of [`Matrix::members`]. A pod reaches
    /// itself; pods of one workload are taken for different pods. From outside to outside nothing
    /// is said, as if it were refused.
    pub fn to(&mut self, member: usize) -> Vec<&Outcome> {
        let row = self.row(member);
        row.into_iter()
            .map(|id| &self.outcomes.list[id as usize])
            .collect()
    }

    /// Tells of every pair between which something is or may be allowed, by destination and then
    /// by source, in the order of [`Matrix::members`].
    pub fn visit(&mut self, mut visit: impl FnMut(&Member, &Member, &Outcome)) {
        for to in 0..self.members.len() {
            let row = self.row(to);
            for (from, id) in row.into_iter().enumerate().filter(|(_, id)| *id != 0) {
                let outcome = &self.outcomes.list[id as usize];
                visit(&self.members[from], &self.members[to], outcome);
            }
        }
    }

    /// An outcome by the number that [`Matrix::row`] gives it.
    pub fn outcome(&self, id: u32) -> &Outcome {
        &self.outcomes.list[id as usize]
    }

    /// The outcomes of [`Matrix::to`] by number: equal outcomes have one; 0 where nothing is allowed.
    pub fn row(&mut self, member: usize) -> Vec<u32> {
        let mut all: Option<Vec<u32>> = None;
        for column in self.columns[member].clone() {
            let row = self.row_of(column);
            all = Some(match all {
                None => row,
                Some(all) => {
                    let pairs = all.into_iter().zip(row);
                    pairs.map(|(a, b)| self.outcomes.either(a, b)).collect()
                }
            });
        }
        let mut row = all.unwrap_or_default();
        if let Member::Workload(key) = &self.members[member]
            && key.kind.is("", "Pod")
        {
            row[member] = self.outcomes.intern(Outcome::all());
        }
        row
    }

    /// What is allowed to one column from each member.
    fn row_of(&mut self, column: usize) -> Vec<u32> {
        let mut by_column = vec![0_u32; self.parties.len()];
        if let Party::Pod(_) = &self.parties[column] {
            let id = u32::try_from(column).unwrap_or(u32::MAX);
            let partition = self.partition(id, Direction::Ingress);
            for (bits, outcome) in &partition.parts {
                bits.iter().for_each(|from| by_column[from] = *outcome);
            }
        } else {
            let all = self.outcomes.intern(Outcome::all());
            by_column[..self.engine.inventory.pods.len()].fill(all);
        }
        for (from, partition) in &self.limited {
            if by_column[*from] != 0 {
                by_column[*from] = self.outcomes.and(by_column[*from], partition.of(column));
            }
        }
        let mut row = Vec::with_capacity(self.columns.len());
        for columns in &self.columns {
            let mut outcomes = columns.iter().map(|column| by_column[*column]);
            let first = outcomes.next().unwrap_or_default();
            row.push(outcomes.fold(first, |all, one| self.outcomes.either(all, one)));
        }
        row
    }

    fn partition(&mut self, id: u32, direction: Direction) -> Rc<Partition> {
        let engine = self.engine;
        let applicable = engine.group(id, direction);
        let asks_names = rules(engine, applicable, direction).any(Rule::names_ports);
        let ports = match direction {
            Direction::Ingress if asks_names => engine.pod(id).ports.clone(),
            _ => NamedPorts::default(),
        };
        let key = PartitionKey {
            direction,
            group: engine.group_of[id as usize][direction as usize],
            ports,
            network: network_key(engine.pod(id)),
        };
        if let Some(known) = self.partitions.get(&key) {
            return known.clone();
        }
        let mut sets: Vec<Bits> = Vec::new();
        for peer in peers(engine, applicable, direction) {
            let meant = self.meant(peer);
            sets.extend(meant.iter().filter(|set| set.first().is_some()).cloned());
        }
        if !applicable.is_empty() {
            sets.push(self.of_host_network());
            if direction == Direction::Egress && asks_names {
                sets.extend(self.by_named_ports(applicable));
            }
        }
        if key.network.is_some() {
            sets.extend(self.by_isolation(id, direction));
        }
        let mut parts = vec![Bits::full(self.parties.len())];
        for set in &sets {
            let split = parts.iter().flat_map(|part| {
                let (inside, outside) = part.split(set);
                [inside, outside]
            });
            parts = split.filter(|part| part.first().is_some()).collect();
        }
        let pod = engine.pod(id).clone();
        let mut judged = Vec::with_capacity(parts.len());
        for part in parts {
            let Some(first) = part.first() else { continue };
            let outcome = engine.judge(
                (&pod, applicable),
                direction,
                (&self.parties[first], Way::Straight),
                Connections::all(),
                &mut |_| {},
            );
            judged.push((part, self.outcomes.intern(outcome)));
        }
        let partition = Rc::new(Partition { parts: judged });
        self.partitions.insert(key, partition.clone());
        partition
    }

    /// The parties that a peer means, certainly and perhaps.
    fn meant(&mut self, id: PeerId) -> Rc<[Bits; 2]> {
        if let Some(known) = self.peers.get(&id) {
            return known.clone();
        }
        let peer = self.engine.peers.get(id);
        let candidates = match peer {
            Peer::Pods {
                namespaces, pods, ..
            } => self.pods_meant(namespaces, pods),
            _ => (0..self.parties.len()).collect(),
        };
        let matcher = self.engine.matcher();
        let mut sets = [0, 1].map(|_| Bits::empty(self.parties.len()));
        for column in candidates {
            match matcher.matches(peer, &self.parties[column]) {
                Tri::Yes => sets[0].insert(column),
                Tri::Maybe => sets[1].insert(column),
                Tri::No => {}
            }
        }
        let sets = Rc::new(sets);
        self.peers.insert(id, sets.clone());
        sets
    }

    /// Pods among which are all that two selectors may mean.
    fn pods_meant(&self, namespaces: &Namespaces, pods: &Selector) -> Vec<usize> {
        let among = |index: &LabelIndex| -> Vec<usize> {
            let candidates = index.candidates(pods).into_iter();
            candidates.map(|id| id as usize).collect()
        };
        match namespaces {
            Namespaces::Named(name) => {
                // Those of which the namespace is not known are under no name.
                let indices = [name.as_str(), ""].map(|name| self.by_namespace.get(name));
                indices.into_iter().flatten().flat_map(among).collect()
            }
            Namespaces::Selected(_) | Namespaces::Unknown(_) => {
                let mut found = Vec::new();
                for index in self.by_namespace.values() {
                    let member = index.any().map(|id| self.engine.pod(id));
                    if member.is_some_and(|pod| namespaces.matches(pod) != Tri::No) {
                        found.extend(among(index));
                    }
                }
                found
            }
        }
    }

    /// The other ends by whether the network of a pod keeps them away.
    fn by_isolation(&self, id: u32, direction: Direction) -> Vec<Bits> {
        let pod = self.engine.pod(id);
        let mut sets = [0, 1].map(|_| Bits::empty(self.parties.len()));
        for (column, party) in self.parties.iter().enumerate() {
            let isolation = self.engine.isolation(pod, direction, party, Way::Straight);
            match isolation.certainty() {
                Tri::Yes => sets[0].insert(column),
                Tri::Maybe => sets[1].insert(column),
                Tri::No => {}
            }
        }
        sets.into()
    }

    fn of_host_network(&self) -> Bits {
        let mut bits = Bits::empty(self.parties.len());
        if self.engine.profile == Profile::NpGuard {
            return bits;
        }
        for (column, pod) in self.engine.inventory.pods.iter().enumerate() {
            if pod.host_network != Tri::No {
                bits.insert(column);
            }
        }
        bits
    }

    /// The pods by the numbers that they give to the names which rules ask for.
    fn by_named_ports(&self, applicable: &Applicable) -> Vec<Bits> {
        let mut names = BTreeSet::new();
        for rule in rules(self.engine, applicable, Direction::Egress) {
            for entry in rule.ports.iter().flatten() {
                if let PortEntry::Named(_, name) = entry {
                    names.insert(name.as_str());
                }
            }
        }
        let mut groups: BTreeMap<NamedPorts, Bits> = BTreeMap::new();
        for (column, pod) in self.engine.inventory.pods.iter().enumerate() {
            let known = pod.ports.known.iter();
            let asked = known.filter(|(name, _, _)| names.contains(name.as_str()));
            let ports = NamedPorts {
                known: asked.cloned().collect(),
                open: pod.ports.open,
            };
            let bits = groups.entry(ports);
            bits.or_insert_with(|| Bits::empty(self.parties.len()))
                .insert(column);
        }
        groups.into_values().collect()
    }
}

fn network_key(pod: &Pod) -> Option<NetworkKey> {
    pod.network.is_special().then(|| NetworkKey {
        network: pod.network.clone(),
        namespace: pod.namespace.clone(),
        host_network: pod.host_network,
        opens_ports: pod.opens_ports,
    })
}

fn rules<'e>(
    engine: &'e Engine,
    applicable: &'e Applicable,
    direction: Direction,
) -> impl Iterator<Item = &'e Rule> {
    let policies = applicable.policies.iter();
    policies
        .filter_map(move |(at, _)| engine.policies[*at as usize].rules(direction))
        .flatten()
}

pub(crate) fn peers(
    engine: &Engine,
    applicable: &Applicable,
    direction: Direction,
) -> BTreeSet<PeerId> {
    let rules = rules(engine, applicable, direction);
    let peers = rules.filter_map(|rule| rule.peers.as_deref());
    peers.flatten().copied().collect()
}
