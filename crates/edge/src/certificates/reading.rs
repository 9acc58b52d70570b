//! Secrets that are read while rounds go on, each by its name, and again after a while.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    task::{Id, JoinError, JoinSet},
    time::{Instant, timeout_at},
};
use underpin_model::ObjectKey;

/// After this time a Secret is read again: certificates are renewed.
const AGAIN: Duration = Duration::from_mins(1);
/// After this time it is seen whether one has been read that was not waited for.
const SOON: Duration = Duration::from_secs(1);
/// How many Secrets are read at once.
const AT_ONCE: usize = 8;

/// What is being read, and when what was.
#[derive(Debug)]
pub(super) struct Reading<T> {
    /// When each was last read.
    ended: BTreeMap<ObjectKey, Instant>,
    tasks: JoinSet<T>,
    underway: BTreeMap<Id, ObjectKey>,
    places: Arc<Semaphore>,
}

impl<T: Send + 'static> Reading<T> {
    pub(super) fn new() -> Self {
        Self {
            ended: BTreeMap::new(),
            tasks: JoinSet::new(),
            underway: BTreeMap::new(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Begins to read what of these is due.
    pub(super) fn begin<'a, F>(
        &mut self,
        wanted: impl IntoIterator<Item = &'a ObjectKey>,
        read: impl Fn(ObjectKey) -> F,
    ) where
        F: Future<Output = T> + Send + 'static,
    {
        let underway: BTreeSet<ObjectKey> = self.underway.values().cloned().collect();
        for secret in wanted {
            let ended = self.ended.get(secret);
            let is_fresh = ended.is_some_and(|at| at.elapsed() < AGAIN);
            if is_fresh || underway.contains(secret) {
                continue;
            }
            let (read, places) = (read(secret.clone()), Arc::clone(&self.places));
            let task = self.tasks.spawn(async move {
                // Nobody closes it.
                let _place = places.acquire().await;
                read.await
            });
            self.underway.insert(task.id(), secret.clone());
        }
    }

    /// What has been read; until then it is waited for those that are awaited. Of one whose reading broke
    /// off there is nothing.
    pub(super) async fn collect(
        &mut self,
        is_awaited: impl Fn(&ObjectKey) -> bool,
        end: Instant,
    ) -> Vec<(ObjectKey, Option<T>)> {
        let mut found = Vec::new();
        loop {
            while let Some(done) = self.tasks.try_join_next_with_id() {
                found.extend(self.take(done));
            }
            if !self.underway.values().any(&is_awaited) {
                return found;
            }
            match timeout_at(end, self.tasks.join_next_with_id()).await {
                Ok(Some(done)) => found.extend(self.take(done)),
                Ok(None) | Err(_) => return found,
            }
        }
    }

    fn take(&mut self, done: Result<(Id, T), JoinError>) -> Option<(ObjectKey, Option<T>)> {
        let (id, read) = match done {
            Ok((id, read)) => (id, Some(read)),
            Err(error) => (error.id(), None),
        };
        let secret = self.underway.remove(&id)?;
        self.ended.insert(secret.clone(), Instant::now());
        Some((secret, read))
    }

    /// When there is something to be read or taken, if at all; never before now for what is underway.
    pub(super) fn due(&self) -> Option<Instant> {
        let underway: BTreeSet<&ObjectKey> = self.underway.values().collect();
        let soon = (!underway.is_empty()).then(|| Instant::now() + SOON);
        let ended = self
            .ended
            .iter()
            .filter(|(secret, _)| !underway.contains(secret));
        let again = ended.map(|(_, at)| *at + AGAIN).min();
        soon.into_iter().chain(again).min()
    }

    /// Forgets when what nobody asks for was read.
    pub(super) fn retain(&mut self, is_wanted: impl Fn(&ObjectKey) -> bool) {
        self.ended.retain(|secret, _| is_wanted(secret));
    }

    /// Everything is to be read anew.
    pub(super) fn anew(&mut self) {
        self.ended.clear();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;
    use underpin_model::GroupKind;

    use super::*;

    const LONG: Duration = Duration::from_mins(10);

    fn secret(name: &str) -> ObjectKey {
        ObjectKey::namespaced(GroupKind::core("Secret"), "shop", name)
    }

    /// Reads `slow` in so long, `bad` not at all, and all others at once.
    fn begin(reading: &mut Reading<String>, names: &[&str], slow: Duration) {
        let secrets: Vec<ObjectKey> = names.iter().map(|name| secret(name)).collect();
        reading.begin(&secrets, |secret| async move {
            match secret.name.as_str() {
                "slow" => sleep(slow).await,
                "bad" => panic!("it broke off"),
                _ => {}
            }
            secret.name
        });
    }

    async fn collected(
        reading: &mut Reading<String>,
        awaited: &str,
        wait: u64,
    ) -> Vec<(String, Option<String>)> {
        let end = Instant::now() + Duration::from_secs(wait);
        let found = reading.collect(|secret| secret.name == awaited, end);
        let found = found.await.into_iter();
        let mut found: Vec<_> = found.map(|(secret, read)| (secret.name, read)).collect();
        found.sort();
        found
    }

    fn whole(name: &str) -> (String, Option<String>) {
        (name.to_owned(), Some(name.to_owned()))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_awaited_is_not_waited_for() {
        let mut reading = Reading::new();
        let begun = Instant::now();
        begin(&mut reading, &["slow", "a"], Duration::from_secs(30));
        assert_eq!(collected(&mut reading, "a", 2).await, [whole("a")]);
        assert_eq!(collected(&mut reading, "none", 2).await, []);
        assert!(begun.elapsed() < Duration::from_millis(100));
        assert_eq!(collected(&mut reading, "slow", 2).await, []);
        assert_eq!(begun.elapsed().as_secs(), 2);
        assert_eq!(collected(&mut reading, "slow", 60).await, [whole("slow")]);
        assert_eq!(begun.elapsed().as_secs(), 30);
    }

    /// One that takes longer than the time after which it is read again is not asked for twice, and has
    /// nobody ask for it without a pause.
    #[tokio::test(start_paused = true)]
    async fn what_is_underway_is_due_in_a_while() {
        let mut reading = Reading::new();
        begin(&mut reading, &["slow"], Duration::ZERO);
        assert_eq!(collected(&mut reading, "slow", 2).await, [whole("slow")]);
        assert_eq!(reading.due(), Some(Instant::now() + AGAIN));
        sleep(AGAIN).await;
        for _ in 0..3 {
            begin(&mut reading, &["slow"], LONG);
            assert_eq!(reading.due(), Some(Instant::now() + SOON));
            sleep(AGAIN).await;
        }
        sleep(LONG).await;
        assert_eq!(collected(&mut reading, "none", 0).await, [whole("slow")]);
        assert_eq!(reading.due(), Some(Instant::now() + AGAIN));
        reading.retain(|_| false);
        assert_eq!(reading.due(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_broke_off_is_told_and_read_again() {
        let mut reading = Reading::new();
        for _ in 0..2 {
            begin(&mut reading, &["bad"], LONG);
            let found = collected(&mut reading, "bad", 2).await;
            assert_eq!(found, [("bad".to_owned(), None)]);
            assert_eq!(reading.due(), Some(Instant::now() + AGAIN));
            begin(&mut reading, &["bad"], LONG);
            assert_eq!(collected(&mut reading, "bad", 2).await, [], "too early");
            sleep(AGAIN).await;
        }
        reading.anew();
        begin(&mut reading, &["bad"], LONG);
        assert_eq!(collected(&mut reading, "bad", 2).await.len(), 1);
    }
}
