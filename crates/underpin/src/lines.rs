//! Which lines of a text another does not have.

use std::collections::{BTreeMap, BTreeSet};

/// Lines between what is common at both ends, up to which they are compared one by one.
const COMPARED_LIMIT: usize = 4_000;

/// The lines of `new`, from 1, that were changed or added since `old`: those that are in no longest
/// common sequence of both.
pub(crate) fn changed(old: &str, new: &str) -> BTreeSet<u32> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old, rest) = (&old[start..], &new[start..]);
    let alike = old.iter().rev().zip(rest.iter().rev());
    let end = alike.take_while(|(a, b)| a == b).count();
    let (old, rest) = (&old[..old.len() - end], &rest[..rest.len() - end]);
    let kept = if old.len() > COMPARED_LIMIT || rest.len() > COMPARED_LIMIT {
        also_there(old, rest)
    } else {
        common(old, rest)
    };
    let changed = (0..rest.len()).filter(|at| !kept.contains(at));
    changed
        .filter_map(|at| u32::try_from(start + at + 1).ok())
        .collect()
}

/// The lines of `new` in a longest common sequence.
fn common(old: &[&str], new: &[&str]) -> BTreeSet<usize> {
    let width = new.len() + 1;
    let mut longest = vec![0_u16; (old.len() + 1) * width];
    for (a, old_line) in old.iter().enumerate().rev() {
        for (b, new_line) in new.iter().enumerate().rev() {
            longest[a * width + b] = if old_line == new_line {
                longest[(a + 1) * width + b + 1] + 1
            } else {
                longest[(a + 1) * width + b].max(longest[a * width + b + 1])
            };
        }
    }
    let (mut a, mut b) = (0, 0);
    let mut kept = BTreeSet::new();
    while a < old.len() && b < new.len() {
        if old[a] == new[b] {
            kept.insert(b);
            (a, b) = (a + 1, b + 1);
        } else if longest[(a + 1) * width + b] >= longest[a * width + b + 1] {
            a += 1;
        } else {
            b += 1;
        }
    }
    kept
}

/// The lines of `new` that `old` has as well, each as often as there.
fn also_there(old: &[&str], new: &[&str]) -> BTreeSet<usize> {
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for line in old {
        *left.entry(line).or_default() += 1;
    }
    let kept = new.iter().enumerate().filter(|(_, line)| {
        let left = left.get_mut(**line).filter(|left| **left > 0);
        left.map(|left| *left -= 1).is_some()
    });
    kept.map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(old: &str, new: &str, expect: &[u32]) {
        let changed: Vec<u32> = changed(old, new).into_iter().collect();
        assert_eq!(changed, expect);
    }

    #[test]
    fn lines_that_are_new_or_other_are_changed() {
        check("", "", &[]);
        check("", "a\nb", &[1, 2]);
        check("a\nb\nc", "a\nb\nc", &[]);
        check("a\nb\nc", "a\nx\nc", &[2]);
        check("a\nb\nc", "a\nc", &[]);
        check("a\n}\nb\n}", "a\n}\nx\n}\nb\n}", &[3, 4]);
        check("a\nb\nc\nd", "d\nb\na\nc", &[1, 3]);
    }

    /// Texts too long to be compared line by line are compared by what they hold.
    #[test]
    fn long_texts_are_compared_too() {
        let old: String = (0..6_000).map(|n| format!("{n}\n")).collect();
        let new = format!("x\n{old}y\n").replacen("3000\n", "z\n", 1);
        check(&old, &new, &[1, 3002, 6002]);
    }
}
