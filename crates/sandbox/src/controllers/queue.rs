//! Work that falls due.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use crate::lifecycle::Key;

/// Who does a piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Controller {
    Autoscaler,
    ClaimBinder,
    ClaimProtection,
    DaemonSet,
    DefinitionEstablisher,
    DefinitionFinalizer,
    DefinitionNames,
    Deployment,
    Disruption,
    Endpoints,
    EndpointSlices,
    GarbageCollector,
    Job,
    Kubelet,
    Namespace,
    Orphaner,
    Provisioner,
    Reclaimer,
    ReplicaSet,
    RoleAggregation,
    RootCertificates,
    Scheduler,
    ServiceAccounts,
    StatefulSet,
    VolumeBinder,
    VolumeProtection,
}

/// A piece of work: a controller has a look at an object, and does what is to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Task {
    pub(crate) controller: Controller,
    pub(crate) key: Key,
}

/// Due time, and the order in which the work was asked for.
type Due = (Timestamp, u64);

/// Work by the time when it falls due. Each task is in it at most once. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    inner: Arc<Inner>,
}

#[derive(Clone, Debug, Default)]
struct Inner {
    by_due: BTreeMap<Due, Task>,
    by_task: BTreeMap<Task, Due>,
    asked: u64,
}

impl Queue {
    /// When the next work falls due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let first = self.inner.by_due.first_key_value();
        first.map(|((time, _), _)| *time)
    }

    /// Asks for work at a time. A task that waits already is done at the earlier of both times.
    pub(crate) fn add(&mut self, task: Task, time: Timestamp) {
        let waiting = self.inner.by_task.get(&task).copied();
        if waiting.is_some_and(|(earlier, _)| earlier <= time) {
            return;
        }
        let inner = Arc::make_mut(&mut self.inner);
        if let Some(waiting) = waiting {
            inner.by_due.remove(&waiting);
        }
        inner.asked += 1;
        let due = (time, inner.asked);
        inner.by_task.insert(task.clone(), due);
        inner.by_due.insert(due, task);
    }

    /// Takes out the next task if it falls due until a time.
    pub(crate) fn pop(&mut self, until: Timestamp) -> Option<(Timestamp, Task)> {
        if self.next_due()? > until {
            return None;
        }
        let inner = Arc::make_mut(&mut self.inner);
        let ((time, _), task) = inner.by_due.pop_first()?;
        inner.by_task.remove(&task);
        Some((time, task))
    }
}

#[cfg(test)]
mod tests {
    use underpin_model::GroupKind;

    use super::*;

    fn task(name: &str) -> Task {
        Task {
            controller: Controller::Deployment,
            key: Key::new(GroupKind::core("ConfigMap"), "a", name),
        }
    }

    #[test]
    fn work_is_done_in_order_and_once() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut queue = Queue::default();
        queue.add(task("late"), at(9));
        queue.add(task("b"), at(5));
        queue.add(task("a"), at(5));
        queue.add(task("b"), at(7));
        queue.add(task("late"), at(6));
        assert_eq!(queue.next_due(), Some(at(5)));
        let mut done = Vec::new();
        while let Some((time, task)) = queue.pop(at(8)) {
            done.push((time.as_second(), task.key.name));
        }
        let expect = [(5, "b"), (5, "a"), (6, "late")];
        assert_eq!(done, expect.map(|(time, name)| (time, name.to_owned())));
        assert_eq!(queue.next_due(), None);
    }
}
