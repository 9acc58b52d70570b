//! What a run reports while it goes on.

use std::fmt;

use underpin_model::{Lock, Mask, ObjectKey, wording};

/// What became of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepResult {
    /// Done as planned.
    Done,
    /// It was done before, by an interrupted run or somebody else.
    AlreadyDone,
    /// The server accepted the deletion; something still holds the object.
    Terminating(Held),
    /// The object was left alone after all, and why.
    Kept(String),
    /// It failed, and why.
    Failed(String),
    /// It was not tried, and why.
    Skipped(String),
}

impl StepResult {
    /// The same without values that the mask knows: servers quote what they refuse.
    #[must_use]
    pub fn masked(self, mask: &Mask) -> Self {
        match self {
            Self::Done | Self::AlreadyDone => self,
            Self::Terminating(held) => Self::Terminating(held.masked(mask)),
            Self::Kept(why) => Self::Kept(mask.apply(&why)),
            Self::Failed(why) => Self::Failed(mask.apply(&why)),
            Self::Skipped(why) => Self::Skipped(mask.apply(&why)),
        }
    }
}

/// What keeps an object whose deletion was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// These finalizers, which whoever set them takes away when all is done that they stand for.
    By(Vec<String>),
    /// What is still in the namespace.
    ByContents,
}

impl Held {
    /// Whether only finalizers of others than Kubernetes itself hold it: then nothing of the cluster
    /// is left half done by removing them.
    pub fn by_others(&self) -> bool {
        let of_others = |name: &String| {
            name.split_once('/').is_some_and(|(domain, _)| {
                // What attaches volumes is named after the driver, and takes them off the node.
                !domain.ends_with("k8s.io")
                    && !domain.ends_with("kubernetes.io")
                    && domain != "external-attacher"
            })
        };
        matches!(self, Self::By(names) if !names.is_empty() && names.iter().all(of_others))
    }

    fn masked(self, mask: &Mask) -> Self {
        match self {
            Self::By(names) => Self::By(names.iter().map(|name| mask.apply(name)).collect()),
            Self::ByContents => self,
        }
    }
}

/// `finalizer example.com/backup`.
impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::By(names) => match names.as_slice() {
                [] => f.write_str("nothing that it names"),
                [only] => write!(f, "finalizer {only}"),
                names => write!(f, "finalizers {}", wording::list(names)),
            },
            Self::ByContents => f.write_str("its contents"),
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The world is being read.
    Reading,
    /// The server is asked what so many applies would do.
    DryRuns(usize),
    /// The lock is held by another run; waiting for it.
    LockHeld(Lock),
    /// A wave begins: its number from 1, of how many, and how many steps it has.
    Wave {
        /// From 1.
        number: usize,
        /// Of how many.
        of: usize,
        /// Steps in it.
        steps: usize,
    },
    /// A step ended.
    Step {
        /// `create`, `update`, …
        action: &'static str,
        /// The object.
        key: ObjectKey,
        /// How it ended.
        result: StepResult,
    },
    /// Waiting for objects to go.
    Waiting(String),
    /// How far the objects are that are waited for; told when it changes.
    Readiness(Readiness),
    /// An object that was waited for is ready.
    Ready(ObjectKey),
    /// An object is waited for no longer: it has failed, or its time is over.
    NotReady {
        /// The object.
        key: ObjectKey,
        /// The cause.
        why: String,
    },
    /// Waiting has ended.
    Waited,
    /// Worth saying, in one line.
    Note(String),
}

/// How far the objects are that are waited for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Waves with objects that were not ready at once, in order.
    pub waves: Vec<WaveReadiness>,
    /// What is not ready yet, by key.
    pub pending: Vec<Pending>,
}

/// How far the objects of a wave are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaveReadiness {
    /// From 1; 0 for what was there unchanged.
    pub number: usize,
    /// How many have become ready.
    pub ready: usize,
    /// Of how many that were not at once.
    pub of: usize,
}

/// An object that is not ready yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The object.
    pub key: ObjectKey,
    /// Why, as far as that is known.
    pub why: String,
    /// Whether it takes longer than things usually do.
    pub late: bool,
}

/// Takes events as they happen; called from several tasks.
pub trait Observer: Send + Sync {
    /// Takes one event.
    fn event(&self, event: Event);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_of_others_may_be_taken_away_by_hand() {
        for (names, expect) in [
            (&["example.com/backup"][..], true),
            (&[], false),
            (&["orphan"], false),
            (&["kubernetes.io/pvc-protection"], false),
            (&["service.kubernetes.io/load-balancer-cleanup"], false),
            (&["external-attacher/ebs-csi-aws-com"], false),
            (&["snapshot.storage.k8s.io/volumesnapshot-bound"], false),
            (&["gateway.networking.x-k8s.io/lease"], false),
            (
                &["example.com/backup", "kubernetes.io/pv-protection"],
                false,
            ),
        ] {
            let held = Held::By(names.iter().map(|name| (*name).to_owned()).collect());
            assert_eq!(held.by_others(), expect, "{names:?}");
        }
        assert!(!Held::ByContents.by_others());
    }

    #[test]
    fn what_servers_quote_is_masked() {
        let mask = Mask::new(["hunter2".to_owned()]);
        let quoted = || "spec.password: Invalid value: \"hunter2\"".to_owned();
        for result in [
            StepResult::Terminating(Held::By(vec![quoted()])),
            StepResult::Kept(quoted()),
            StepResult::Failed(quoted()),
            StepResult::Skipped(quoted()),
        ] {
            let told = format!("{:?}", result.masked(&mask));
            assert!(
                told.contains("spec.password") && !told.contains("hunter2"),
                "{told}"
            );
        }
    }
}
