//! R6.2: killed after any of its writes, the next run, unattended, comes to the same end.

mod state;

use std::collections::BTreeMap;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;
use underpin_tests::{Action, Kubectl, Output, Proxy, SHORT_LEASE, Stack, shared};

/// Writes of each run that are died at, as far as there are so many.
const POINTS: u64 = 40;
/// On a real control plane one point in so many is tried; no divisor of [`BEFORE_EVERY`], so that
/// both kinds of death are among them.
const SPARSE: u64 = 3;
/// Stacks that die at the same time, each in a namespace of its own. Most of their time they wait
/// for the leases of the dead.
const STACKS: usize = 20;
/// At each so-many-th point the run dies before its write has an effect, else right after.
const BEFORE_EVERY: u64 = 8;

/// Writes that only the first run in a cluster makes, for the place of claims and its key, and
/// renewals of the lock, which come with time.
const ONCE: u64 = 4;
/// Writes that a run may need beyond those of the run that was counted.
const SURPLUS: u64 = 2;

const BEFORE: &str = include_str!("before.yaml");
const AFTER: &str = include_str!("after.yaml");

type State = BTreeMap<String, Value>;

/// What uninterrupted runs lead to.
struct Reference {
    first: State,
    updated: State,
    claimed_first: Vec<String>,
    claimed_updated: Vec<String>,
    /// Writes of the first `up`, of the update, and of `down`.
    writes: [u64; 3],
}

/// One stack, its own way to the cluster, and an independent look at it.
struct Subject {
    name: String,
    proxy: Proxy,
    project: Stack,
    kubectl: Kubectl,
}

impl Subject {
    fn new(name: &str) -> Result<Self> {
        let cluster = shared()?;
        let proxy = Proxy::start(cluster)?;
        let project = Stack::single(name, &proxy.kubeconfig(), &manifest(BEFORE, name))?;
        Ok(Self {
            name: name.to_owned(),
            proxy,
            project,
            kubectl: Kubectl::new(cluster),
        })
    }

    fn declare(&self, text: &str) -> Result<()> {
        self.project.declare(&manifest(text, &self.name))
    }

    fn state(&self) -> Result<State> {
        state::of_stack(&self.kubectl, &self.name)
    }

    /// Runs to the end and counts the writes.
    fn uninterrupted(&self, command: &str) -> Result<u64> {
        self.proxy.clear();
        self.project.expect(0, command)?;
        Ok(self.proxy.mutations().len() as u64)
    }

    /// Dies at the `n`-th write, and runs again. Whether there were so many writes, and what the
    /// second run said.
    fn killed_and_run_again(&self, command: &str, n: u64) -> Result<(bool, Output)> {
        let kill = if n.is_multiple_of(BEFORE_EVERY) {
            Action::KillBefore
        } else {
            Action::KillAfter
        };
        self.proxy.clear();
        self.proxy.at_mutation(n, kill);
        let running = self
            .project
            .spawn(&format!("{command} --lease {SHORT_LEASE}"))?;
        self.proxy.victim(running.id()?);
        let output = running.wait()?;
        let died = self.proxy.has_killed();
        ensure!(
            died == output.code.is_none(),
            "at {n}: {}",
            output.transcript()
        );
        ensure!(
            died || output.code == Some(0),
            "at {n}: {}",
            output.transcript()
        );
        self.proxy.policy(|_| Action::Pass);
        let again = self
            .project
            .expect(0, command)
            .with_context(|| format!("after the kill at {n}"))?;
        Ok((died, again))
    }

    fn check(&self, after: &str, state: &State, claimed: &[String]) -> Result<()> {
        let context = || after.to_owned();
        compare(&self.state()?, state).with_context(context)?;
        let found = state::settled_claim(&self.kubectl, &self.name).with_context(context)?;
        ensure!(
            found == claimed,
            "{}: the claim records {found:?}",
            context()
        );
        Ok(())
    }

    fn check_gone(&self, after: &str) -> Result<()> {
        let left = self.state()?;
        ensure!(left.is_empty(), "{after}: left {:?}", left.keys());
        let claim = state::claim(&self.kubectl, &self.name)?;
        ensure!(claim.is_none(), "{after}: left the claim {claim:?}");
        Ok(())
    }
}

fn manifest(text: &str, stack: &str) -> String {
    text.replace("SUFFIX", stack)
}

const UP: &str = "up --yes --wait=false";
const DOWN: &str = "down --yes";

fn compare(found: &State, expect: &State) -> Result<()> {
    let keys = |state: &State| state.keys().cloned().collect::<Vec<_>>();
    ensure!(
        keys(found) == keys(expect),
        "other objects: {:?}\nnot {:?}",
        keys(found),
        keys(expect)
    );
    for (key, object) in expect {
        ensure!(
            found[key] == *object,
            "{key} differs:\n{}\nnot\n{object}",
            found[key]
        );
    }
    Ok(())
}

fn reference() -> Result<Reference> {
    let subject = Subject::new("kill-never")?;
    let name = subject.name.as_str();
    let first_writes = subject.uninterrupted(UP)?;
    let first = subject.state()?;
    let claimed_first = state::settled_claim(&subject.kubectl, name)?;
    subject.declare(AFTER)?;
    let update_writes = subject.uninterrupted(UP)?;
    let updated = subject.state()?;
    let claimed_updated = state::settled_claim(&subject.kubectl, name)?;
    // R6.1: the second run writes nothing.
    ensure!(
        subject.uninterrupted(UP)? == 0,
        "the second run changes something"
    );
    let down_writes = subject.uninterrupted(DOWN)?;
    subject.check_gone("an uninterrupted down")?;
    let writes = [first_writes, update_writes, down_writes];
    Ok(Reference {
        first,
        updated,
        claimed_first,
        claimed_updated,
        writes,
    })
}

/// The writes that runs die at.
fn points() -> Result<Vec<u64>> {
    let every = shared()?.every(SPARSE);
    Ok((1..=POINTS).filter(|n| n.is_multiple_of(every)).collect())
}

/// Lives and dies through every point that is this stack's.
fn through_points(stack: usize, reference: &Reference) -> Result<[usize; 3]> {
    let subject = Subject::new(&format!("kill-{stack}"))?;
    let mut died = [0; 3];
    for n in points()?.into_iter().skip(stack).step_by(STACKS) {
        let phases = [
            (
                "first up",
                BEFORE,
                UP,
                Some((&reference.first, &reference.claimed_first)),
            ),
            (
                "update",
                AFTER,
                UP,
                Some((&reference.updated, &reference.claimed_updated)),
            ),
            ("down", AFTER, DOWN, None),
        ];
        for (phase, (what, text, command, expect)) in phases.into_iter().enumerate() {
            subject.declare(text)?;
            // A renewal of the lock may come on top of what was counted.
            if n > reference.writes[phase] + SURPLUS {
                subject.uninterrupted(command)?;
                continue;
            }
            let (so_many, again) = subject.killed_and_run_again(command, n)?;
            died[phase] += usize::from(so_many);
            let after = format!("{what}, killed at write {n}, then\n{}", again.transcript());
            match expect {
                Some((state, claimed)) => subject.check(&after, state, claimed)?,
                None => subject.check_gone(&after)?,
            }
        }
    }
    Ok(died)
}

/// R6.2, R6.1: at each of the first 40 writes of a first `up`, of one that updates, prunes and
/// replaces, and of a `down`; on a real control plane at some of them.
#[test]
fn killed_at_any_write_the_next_run_comes_to_the_same_end() -> Result<()> {
    let reference = reference()?;
    let died = thread::scope(|scope| {
        let stacks: Vec<_> = (0..STACKS)
            .map(|stack| {
                scope.spawn({
                    let reference = &reference;
                    move || through_points(stack, reference)
                })
            })
            .collect();
        let joined = stacks
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("panic"))?);
        joined.collect::<Result<Vec<_>>>()
    })?;
    let points = points()?;
    for (phase, writes) in reference.writes.into_iter().enumerate() {
        let deaths: usize = died.iter().map(|died| died[phase]).sum();
        let expect = points.iter().filter(|n| **n + ONCE <= writes).count();
        assert!(deaths >= expect, "{deaths} deaths in phase {phase}");
    }
    Ok(())
}
