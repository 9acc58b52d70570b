//! Many ends in few words: whole namespaces and all addresses are named as such.

use underpin_connect::{AddressRange, Member};

use super::listing::{Grouped, name};

/// Ends of one namespace that are named one by one.
const NAMED: usize = 20;

/// Workloads and addresses as a list of words.
pub(crate) fn in_few_words(members: &[Member], grouped: &Grouped, chosen: &[bool]) -> Vec<String> {
    let mut words = Vec::new();
    let all: usize = grouped.namespaces.values().map(Vec::len).sum();
    let is_chosen = |at: &&usize| chosen[**at];
    let count: usize = grouped
        .namespaces
        .values()
        .map(|own| own.iter().filter(is_chosen).count())
        .sum();
    if count == all && all > 1 {
        words.push("every workload".to_owned());
    } else {
        for (namespace, own) in &grouped.namespaces {
            let here: Vec<&usize> = own.iter().filter(is_chosen).collect();
            if here.len() == own.len() && here.len() > 1 {
                words.push(format!("all {} of namespace/{namespace}", here.len()));
                continue;
            }
            let shown = here.iter().take(NAMED);
            words.extend(shown.map(|at| name(&members[**at])));
            if here.len() > NAMED {
                let more = here.len() - NAMED;
                words.push(format!(
                    "… {more} more of namespace/{namespace} (--output json shows all)"
                ));
            }
        }
    }
    words.extend(outside(members, grouped, chosen));
    words
}

fn outside(members: &[Member], grouped: &Grouped, chosen: &[bool]) -> Vec<String> {
    let ranges: Vec<AddressRange> = grouped
        .outside
        .iter()
        .filter(|at| chosen[**at])
        .filter_map(|at| match &members[*at] {
            Member::Outside(range) => Some(*range),
            Member::Workload(_) => None,
        })
        .collect();
    if ranges.len() == grouped.outside.len() && !ranges.is_empty() {
        return vec!["any address outside of the cluster".to_owned()];
    }
    let mut joined: Vec<AddressRange> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if last.touches(&range) => *last = last.joined(&range),
            _ => joined.push(range),
        }
    }
    joined.iter().map(ToString::to_string).collect()
}
