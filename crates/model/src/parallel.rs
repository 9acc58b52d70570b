//! Work on many things at once.

use std::{
    panic::resume_unwind,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// Stack of a helping thread: as large as a program's first one usually is.
const STACK_BYTES: usize = 8 << 20;

/// The results of `work` on each item, in the order of the items. The calling thread and as many
/// others as the machine runs at once take one item after the other; which takes which has no
/// share in the result.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let helpers = threads.min(items.len()).saturating_sub(1);
    let next = AtomicUsize::new(0);
    let take_turns = || {
        let mut done = Vec::new();
        loop {
            let position = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(position) else {
                return done;
            };
            done.push((position, work(item)));
        }
    };
    let mut done = thread::scope(|scope| {
        let spawned = (0..helpers).map(|_| {
            let thread = thread::Builder::new().stack_size(STACK_BYTES);
            thread.spawn_scoped(scope, take_turns)
        });
        // Where no thread can be had, the others do its share.
        let spawned: Vec<_> = spawned.filter_map(Result::ok).collect();
        let mut done = take_turns();
        for helper in spawned {
            match helper.join() {
                Ok(more) => done.extend(more),
                Err(panic) => resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(position, _)| *position);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for count in [0, 1, 2, 1_000] {
            let items: Vec<usize> = (0..count).collect();
            let doubled: Vec<usize> = items.iter().map(|item| item * 2).collect();
            assert_eq!(in_parallel(&items, |item| item * 2), doubled);
        }
    }

    #[test]
    #[should_panic(expected = "seven")]
    fn a_panic_is_the_caller_s() {
        let items: Vec<usize> = (0..10).collect();
        in_parallel(&items, |item| assert_ne!(*item, 7, "seven"));
    }
}
