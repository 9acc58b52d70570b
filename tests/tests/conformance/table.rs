//! The committed table of accepted differences, and what it says of a run.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::{compare::Difference, glob};

/// Differences with one reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reason {
    /// Why the sandbox is right to differ.
    why: String,
    differences: Vec<Entry>,
}

/// Differences in one place, or in places that look alike.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// `topic/sequence step path`; `*` for anything within a segment, `**` for anything.
    at: String,
    /// Patterns of the values on both sides.
    sandbox: Option<String>,
    server: Option<String>,
    /// How many differences it stands for: one more, or one less, and it is wrong.
    #[serde(default = "one")]
    count: usize,
    #[serde(skip)]
    found: usize,
}

fn one() -> usize {
    1
}

/// The reasons by name.
pub(crate) struct Table {
    reasons: BTreeMap<String, Reason>,
}

/// The table for a version such as `1.20`; empty if there is none.
pub(crate) fn read(version: &str) -> Result<Table> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/differences");
    let file = folder.join(format!("{version}.json"));
    if !file.exists() {
        return Ok(Table {
            reasons: BTreeMap::new(),
        });
    }
    let what = || format!("read {}", file.display());
    let text = fs::read_to_string(&file).with_context(what)?;
    let reasons: BTreeMap<String, Reason> = serde_json::from_str(&text).with_context(what)?;
    for (name, reason) in &reasons {
        ensure!(!reason.why.is_empty(), "{name}: no reason");
        for entry in &reason.differences {
            entry
                .check()
                .with_context(|| format!("{name}: {}", entry.at))?;
        }
    }
    Ok(Table { reasons })
}

impl Table {
    /// Takes the differences that it knows; returns the others.
    pub(crate) fn take<'d>(&mut self, differences: &'d [Difference]) -> Vec<&'d Difference> {
        let mut unexplained = Vec::new();
        for difference in differences {
            let mut entries = self
                .reasons
                .values_mut()
                .flat_map(|reason| &mut reason.differences);
            match entries.find(|entry| entry.describes(difference)) {
                Some(entry) => entry.found += 1,
                None => unexplained.push(difference),
            }
        }
        unexplained
    }

    /// Entries that do not describe as many differences as they say.
    pub(crate) fn stale(&self) -> Vec<String> {
        let mut stale = Vec::new();
        for (name, reason) in &self.reasons {
            for entry in reason
                .differences
                .iter()
                .filter(|entry| entry.found != entry.count)
            {
                stale.push(format!(
                    "{name}: {:?} stands for {} differences, {} were found",
                    entry.at, entry.count, entry.found
                ));
            }
        }
        stale
    }

    /// Reasons, and how many differences each explains.
    pub(crate) fn counts(&self) -> BTreeMap<&str, usize> {
        let count = |reason: &Reason| reason.differences.iter().map(|entry| entry.found).sum();
        self.reasons
            .iter()
            .map(|(name, reason)| (name.as_str(), count(reason)))
            .collect()
    }
}

impl Entry {
    /// Refuses what could hide anything: the place of the sequence, or the field, must be named.
    fn check(&self) -> Result<()> {
        let parts: Vec<&str> = self.at.splitn(3, ' ').collect();
        ensure!(parts.len() == 3, "`at` is not `topic/sequence step path`");
        let is_named = |text: &str| text.contains(|c: char| c.is_ascii_alphabetic());
        ensure!(
            is_named(parts[2]),
            "the field's path is nothing but a pattern"
        );
        ensure!(
            is_named(parts[0]) || self.sandbox.is_some() || self.server.is_some(),
            "a pattern for all sequences must say what the values are"
        );
        ensure!(self.count > 0, "an entry for no difference");
        Ok(())
    }

    fn describes(&self, difference: &Difference) -> bool {
        let fits = |pattern: &Option<String>, value: &str| {
            pattern
                .as_ref()
                .is_none_or(|pattern| glob::matches(pattern, value))
        };
        glob::matches(&self.at, &difference.place())
            && fits(&self.sandbox, &difference.sandbox)
            && fits(&self.server, &difference.server)
    }
}
