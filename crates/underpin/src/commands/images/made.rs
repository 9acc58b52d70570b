//! A plan for a registry, made of everything as it is now.

use jiff::Timestamp;
use underpin_cluster::{Host as _, SystemHost};
use underpin_image::{
    Missing, Plan, PlanInput, Registry, Root, RunRecord, Target, plan as make_plan,
};
use underpin_model::Mask;
use underpin_registry::Counts;

use super::{
    registry::{self, ReadRegistry},
    roots::{Collected, Fleet, Gathered},
    setting::{RegistrySetting, Setting},
    sources::{self, Read},
    state::State,
};
use crate::error::CommandError;

/// A plan, and all that it was made of.
pub(super) struct Made {
    pub(super) plan: Plan,
    pub(super) registry: Registry,
    pub(super) gathered: Gathered,
    /// What reading the registry took.
    pub(super) counts: Counts,
    reads: Vec<Read>,
    /// What earlier runs left.
    records: Vec<RunRecord>,
    now: Timestamp,
}

impl Made {
    /// Reads all sources and the registry, and plans. Changes nothing.
    pub(super) async fn new(setting: &Setting, state: &State) -> Result<Self, CommandError> {
        let record = state.record()?;
        let before = &setting.registry.names;
        let mut all = sources::read(setting, |read| Collected::of(read, before)).await?;
        let fleet = Fleet::of(&mut all, setting, before);
        let reads = all.into_iter().map(|one| one.read).collect();
        let known = registry::known(&setting.registry, fleet.certain(), record.as_ref());
        let read = registry::read(&setting.registry, state, known).await?;
        let ReadRegistry { registry, counts } = read;
        let gathered = fleet.gathered(&registry);
        let records: Vec<RunRecord> = record.into_iter().collect();
        let now = SystemHost.now();
        let mut plan = make_plan(&PlanInput {
            registry: &registry,
            sources: &gathered.sources,
            roots: &gathered.roots,
            records: &records,
            settings: &setting.settings,
            now,
        });
        plan.missing
            .retain(|missing| is_looked_at(missing, &gathered.roots, &setting.registry));
        Ok(Self {
            plan,
            registry,
            gathered,
            counts,
            reads,
            records,
            now,
        })
    }

    /// What the plan was made of.
    pub(super) fn input<'m>(&'m self, setting: &'m Setting) -> PlanInput<'m> {
        PlanInput {
            registry: &self.registry,
            sources: &self.gathered.sources,
            roots: &self.gathered.roots,
            records: &self.records,
            settings: &setting.settings,
            now: self.now,
        }
    }

    /// When it was made.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// The record that the plan was made from.
    pub(super) fn record(&self) -> Option<&RunRecord> {
        self.records.first()
    }

    /// What is good to know of sources.
    pub(super) fn notes(&self) -> Vec<String> {
        let notes = self.reads.iter().flat_map(|read| &read.notes);
        notes.cloned().collect()
    }

    /// What hides the values that must not be shown.
    pub(super) fn masks(&self) -> Vec<Mask> {
        let masks = self.reads.iter().flat_map(Read::masks);
        masks.cloned().collect()
    }

    /// A text without values that must not be shown.
    pub(super) fn masked(&self, text: String) -> String {
        self.reads.iter().fold(text, |text, read| read.masked(text))
    }
}

/// Of repositories that are not looked at, nobody knows what is in them.
fn is_looked_at(missing: &Missing, roots: &[Root], registry: &RegistrySetting) -> bool {
    let root = roots.get(missing.root);
    match root.map(|root| &root.target) {
        Some(Target::Image(reference)) => registry.manages(&reference.location.repository),
        Some(Target::Policy(location, _)) => registry.manages(&location.repository),
        _ => true,
    }
}
