//! Who may connect to whom in one world, and who needs to: found out when it is first asked for.

use std::{cell::OnceCell, collections::BTreeSet};

use underpin_connect::{Engine, Options};
use underpin_model::{Need, World};
use underpin_refs::{NeedOptions, NeedProblem, Needs, SuppressedNeed, read_needs};

use crate::connectivity::{JudgedNeed, judge_needs};

/// The connectivity of one world. Its engine is built once, and only if somebody asks.
pub struct Network<'a> {
    /// The world.
    pub world: &'a World,
    /// Needs that the world does not show: declared by hand, or seen as flows.
    given: &'a [Need],
    options: &'a NeedOptions,
    connect: Options,
    engine: OnceCell<Engine>,
    needs: OnceCell<Needs>,
    judged: OnceCell<Vec<JudgedNeed>>,
    namespaces: OnceCell<BTreeSet<&'a str>>,
}

impl<'a> Network<'a> {
    /// Of a world, with needs that somebody knows beside it.
    pub fn new(world: &'a World, given: &'a [Need], options: &'a NeedOptions) -> Self {
        Self {
            world,
            given,
            options,
            connect: Options::default(),
            engine: OnceCell::new(),
            needs: OnceCell::new(),
            judged: OnceCell::new(),
            namespaces: OnceCell::new(),
        }
    }

    /// The same with whatever its engine is told beside the world.
    #[must_use]
    pub fn with_options(self, connect: Options) -> Self {
        Self { connect, ..self }
    }

    /// Its policies and pods, ready to be asked.
    pub fn engine(&self) -> &Engine {
        self.engine
            .get_or_init(|| Engine::new(self.world, &self.connect))
    }

    /// Everything that needs a connection.
    pub fn needs(&self) -> &[Need] {
        &self.found().needs
    }

    /// What stands in the way of knowing all needs.
    pub fn problems(&self) -> &[NeedProblem] {
        &self.found().problems
    }

    /// What the world shows as needs and somebody says are none.
    pub fn suppressed(&self) -> &[SuppressedNeed] {
        &self.found().suppressed
    }

    fn found(&self) -> &Needs {
        self.needs.get_or_init(|| {
            let mut found = read_needs(self.world, self.options);
            found.needs.extend(self.given.iter().cloned());
            found
        })
    }

    /// Every need with whether a new connection is allowed.
    pub fn judged(&self) -> &[JudgedNeed] {
        self.judged
            .get_or_init(|| judge_needs(self.engine(), self.needs()))
    }

    /// The namespaces that are there, as objects or by what lies in them.
    pub fn namespaces(&self) -> &BTreeSet<&'a str> {
        self.namespaces.get_or_init(|| {
            let named = self.world.objects().filter_map(|object| {
                let name = object.key.is_namespace().then_some(&object.key.name);
                name.or(object.key.namespace.as_ref())
            });
            named.map(String::as_str).collect()
        })
    }
}
