//! All pairs of a world, told destination by destination: there may be millions.

use std::collections::{BTreeMap, BTreeSet};

use underpin_connect::{Endpoint, Engine, Exposure, Matrix, Member, Outcome};

use crate::commands::reach::Side;

/// What is listed: all pairs, or those of some ends.
pub(crate) struct Listing<'a> {
    pub(crate) side: &'a Side,
    pub(crate) engine: &'a Engine,
    pub(crate) exposure: Option<Vec<Exposure>>,
    pub(crate) matrix: Matrix<'a>,
    /// The ends that are asked about; all without.
    pub(crate) only: Option<Vec<Endpoint>>,
    /// Which members these are.
    members: Option<BTreeSet<usize>>,
}

/// Where members lie: workloads by namespace, then what is outside of the cluster.
pub(crate) struct Grouped {
    pub(crate) namespaces: BTreeMap<String, Vec<usize>>,
    pub(crate) outside: Vec<usize>,
}

impl<'a> Listing<'a> {
    pub(crate) fn new(
        side: &'a Side,
        engine: &'a Engine,
        only: Option<Vec<Endpoint>>,
        exposure: Option<Vec<Exposure>>,
    ) -> Self {
        let matrix = engine.matrix(&[]);
        let members = only.as_ref().map(|ends| {
            let is_asked = |member: &Member| match member {
                Member::Workload(key) => ends.contains(&Endpoint::Workload(key.clone())),
                Member::Outside(_) => false,
            };
            let members = matrix.members().iter().enumerate();
            let asked = members.filter(|(_, member)| is_asked(member));
            asked.map(|(at, _)| at).collect()
        });
        Self {
            side,
            engine,
            exposure,
            matrix,
            only,
            members,
        }
    }

    /// Whether pairs with this source or destination are listed.
    pub(crate) fn is_asked(&self, member: usize) -> bool {
        let members = self.members.as_ref();
        members.is_none_or(|asked| asked.contains(&member))
    }

    /// What is allowed to one member from each, as far as it is asked about; 0 where nothing is.
    pub(crate) fn row(&mut self, to: usize) -> Vec<u32> {
        let mut row = self.matrix.row(to);
        if !self.is_asked(to) {
            for (from, outcome) in row.iter_mut().enumerate() {
                if !self.is_asked(from) {
                    *outcome = 0;
                }
            }
        }
        row
    }

    /// Tells of every pair that is listed and between which something is or may be allowed: by
    /// destination and then by source, by their numbers.
    pub(crate) fn each<E>(
        &mut self,
        mut tell: impl FnMut(usize, usize, &Outcome) -> Result<(), E>,
    ) -> Result<(), E> {
        for to in 0..self.matrix.members().len() {
            let row = self.row(to);
            for (from, id) in row.into_iter().enumerate().filter(|(_, id)| *id != 0) {
                tell(from, to, self.matrix.outcome(id))?;
            }
        }
        Ok(())
    }

    /// What each member is called.
    pub(crate) fn names(&self) -> Vec<String> {
        self.matrix.members().iter().map(name).collect()
    }

    pub(crate) fn grouped(&self) -> Grouped {
        let mut grouped = Grouped {
            namespaces: BTreeMap::new(),
            outside: Vec::new(),
        };
        for (at, member) in self.matrix.members().iter().enumerate() {
            match member {
                Member::Workload(key) => {
                    let namespace = key.namespace.clone().unwrap_or_default();
                    grouped.namespaces.entry(namespace).or_default().push(at);
                }
                Member::Outside(_) => grouped.outside.push(at),
            }
        }
        grouped
    }

    /// Ends that are asked about and are no members: an address, a namespace without workloads.
    /// For each, whom of the workloads it may reach, and who may reach it.
    pub(crate) fn beyond(&self) -> Vec<Beyond> {
        let ends = self.only.iter().flatten();
        let strangers = ends.filter(|end| match end {
            Endpoint::Workload(key) => !self
                .matrix
                .members()
                .contains(&Member::Workload(key.clone())),
            _ => true,
        });
        strangers.map(|end| self.of_stranger(end)).collect()
    }

    fn of_stranger(&self, end: &Endpoint) -> Beyond {
        let mut beyond = Beyond {
            name: end.to_string(),
            to: Vec::new(),
            from: Vec::new(),
        };
        for key in self.engine.workloads() {
            let workload = Endpoint::Workload(key.clone());
            let both = [
                (end, &workload, &mut beyond.to),
                (&workload, end, &mut beyond.from),
            ];
            for (from, to, list) in both {
                if let Ok(outcome) = self.engine.reach(from, to)
                    && !(outcome.allowed.is_empty() && outcome.unknown.is_empty())
                {
                    list.push((key.to_string(), outcome));
                }
            }
        }
        beyond
    }
}

/// An end that is no member of the world, with the workloads that it may reach or be reached by.
pub(crate) struct Beyond {
    pub(crate) name: String,
    pub(crate) to: Vec<(String, Outcome)>,
    pub(crate) from: Vec<(String, Outcome)>,
}

/// What a member is called.
pub(crate) fn name(member: &Member) -> String {
    match member {
        Member::Workload(key) => key.to_string(),
        Member::Outside(range) => range.to_string(),
    }
}
