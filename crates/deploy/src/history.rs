//! `history` and `diff`: what was done to an environment, and what two revisions applied.

use underpin_cluster::claims::{ClaimStore, RevisionError};
use underpin_model::{Claim, ClusterIdentity, HistoryRecord, RevisionContent};
use underpin_plan::{RevisionDiff, revision_diff};

use crate::{DeployError, Deployment};

/// What is recorded of an environment.
#[derive(Debug)]
pub struct History {
    /// The cluster.
    pub cluster: ClusterIdentity,
    /// Its claim; `None` when nothing is recorded.
    pub claim: Option<Claim>,
}

/// Two revisions and the difference between what they applied.
#[derive(Debug)]
pub struct RevisionComparison {
    /// The older, or the one that was named first.
    pub from: HistoryRecord,
    /// The other.
    pub to: HistoryRecord,
    /// What differs.
    pub diff: RevisionDiff,
    /// Whether the fingerprints of secrets are made with one key: else all differ.
    pub secrets_comparable: bool,
}

/// Why two revisions cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// There is no run of that number in the history.
    #[error("there is no revision {number} of {environment}; {known}")]
    Unknown {
        /// `stack/environment`.
        environment: String,
        /// The number asked for.
        number: u64,
        /// Which there are.
        known: String,
    },
    /// What the revision applied was not kept.
    #[error("what revision {number} ({command}) applied was not kept: {why}")]
    NotKept {
        /// The number.
        number: u64,
        /// Its command.
        command: String,
        /// Why.
        why: String,
    },
    /// There are no two to compare.
    #[error(
        "{environment} has no two revisions that applied something different and are still kept; {known}"
    )]
    TooFew {
        /// `stack/environment`.
        environment: String,
        /// Which there are.
        known: String,
    },
    /// What a revision applied cannot be read.
    #[error("what revision {number} applied cannot be read: {source}")]
    Unreadable {
        /// The number.
        number: u64,
        /// Why.
        source: RevisionError,
    },
}

/// Reads what is recorded of the environment: its claim and the cluster's identity, nothing else.
pub async fn history(deployment: &Deployment) -> Result<History, DeployError> {
    let name = deployment.claim_name()?;
    let (cluster, claim) =
        tokio::try_join!(deployment.cluster.identity(), deployment.store.load(&name))?;
    let environment = &deployment.environment;
    let recorded = claim.as_ref().map(|claim| claim.cluster_uid.clone());
    for uid in deployment.pinned_cluster.iter().chain(&recorded) {
        if *uid != cluster.uid {
            return Err(DeployError::WrongCluster {
                environment: environment.display_name(),
                recorded: uid.clone(),
                context: cluster.context,
                found: cluster.uid,
            });
        }
    }
    if let Some(claim) = &claim
        && (claim.stack != environment.stack || claim.environment != environment.name)
    {
        return Err(DeployError::ClaimNameTaken {
            name,
            other: claim.display_name(),
            environment: environment.display_name(),
        });
    }
    Ok(History { cluster, claim })
}

/// Compares what two revisions applied: those of these numbers, one with the newest, or the two
/// newest that differ.
pub async fn compare_revisions(
    deployment: &Deployment,
    from: Option<u64>,
    to: Option<u64>,
) -> Result<RevisionComparison, DeployError> {
    let environment = deployment.environment.display_name();
    let Some(claim) = history(deployment).await?.claim else {
        return Err(DeployError::NoHistory(environment));
    };
    let (from, to) = choose(&environment, &claim.history, from, to)?;
    let (before, after) =
        tokio::try_join!(load(&deployment.store, &from), load(&deployment.store, &to))?;
    Ok(RevisionComparison {
        diff: revision_diff(&before.objects, &after.objects),
        secrets_comparable: before.fingerprint_key == after.fingerprint_key,
        from,
        to,
    })
}

async fn load(
    store: &ClaimStore,
    record: &HistoryRecord,
) -> Result<underpin_cluster::claims::StoredRevision, HistoryError> {
    let number = record.revision.unwrap_or_default();
    let name = stored(record)?;
    let loaded = store.load_revision(name).await;
    loaded.map_err(|source| HistoryError::Unreadable { number, source })
}

/// The name of what a revision applied.
fn stored(record: &HistoryRecord) -> Result<&str, HistoryError> {
    let why = match &record.content {
        Some(RevisionContent::Stored(name)) => return Ok(name),
        Some(RevisionContent::NotKept(why)) => why.clone(),
        None => "only `up` applies anything".to_owned(),
    };
    Err(HistoryError::NotKept {
        number: record.revision.unwrap_or_default(),
        command: record.command.clone(),
        why,
    })
}

/// The two records to compare.
fn choose(
    environment: &str,
    history: &[HistoryRecord],
    from: Option<u64>,
    to: Option<u64>,
) -> Result<(HistoryRecord, HistoryRecord), HistoryError> {
    let kept: Vec<&HistoryRecord> = history
        .iter()
        .filter(|record| record.revision.is_some() && stored(record).is_ok())
        .collect();
    let find = |number: u64| {
        let found = history.iter().find(|one| one.revision == Some(number));
        found.cloned().ok_or_else(|| HistoryError::Unknown {
            environment: environment.to_owned(),
            number,
            known: known(history),
        })
    };
    let too_few = || HistoryError::TooFew {
        environment: environment.to_owned(),
        known: known(history),
    };
    let newest = || {
        kept.last()
            .map(|record| (*record).clone())
            .ok_or_else(too_few)
    };
    let (from, to) = match (from, to) {
        (Some(from), Some(to)) => (find(from)?, find(to)?),
        (Some(from), None) => (find(from)?, newest()?),
        _ => {
            let newest = newest()?;
            // Several runs may have applied the same.
            let other = kept.iter().rev().find(|one| one.content != newest.content);
            (other.map(|one| (*one).clone()).ok_or_else(too_few)?, newest)
        }
    };
    stored(&from)?;
    stored(&to)?;
    Ok((from, to))
}

/// Which revisions there are, in words.
fn known(history: &[HistoryRecord]) -> String {
    let mut numbered = history.iter().filter_map(|record| record.revision);
    match (numbered.next(), numbered.next_back()) {
        (None, _) => "no run of it has a number yet".to_owned(),
        (Some(only), None) => format!("there is revision {only}"),
        (Some(first), Some(last)) => format!("there are {first} to {last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A history of these contents, numbered from 1; `-` was not kept, nothing is no `up`.
    fn history(contents: &[&str]) -> Vec<HistoryRecord> {
        let mut claim = Claim::new(underpin_model::ClaimId("c".into()), "s", "e", "u");
        for content in contents {
            claim.history.push(HistoryRecord {
                revision: Some(claim.history.len() as u64 + 1),
                content: match *content {
                    "" => None,
                    "-" => Some(RevisionContent::NotKept("too large".into())),
                    name => Some(RevisionContent::Stored(name.into())),
                },
                ..HistoryRecord::default()
            });
        }
        claim.history
    }

    #[track_caller]
    fn check(
        contents: &[&str],
        from: Option<u64>,
        to: Option<u64>,
        expect: Result<(u64, u64), &str>,
    ) {
        let chosen = choose("s/e", &history(contents), from, to);
        match (chosen, expect) {
            (Ok((from, to)), Ok(expect)) => {
                assert_eq!(
                    (from.revision, to.revision),
                    (Some(expect.0), Some(expect.1))
                );
            }
            (Err(error), Err(expect)) => {
                let error = error.to_string();
                assert!(error.contains(expect), "{error}");
            }
            (chosen, expect) => panic!("{chosen:?} and not {expect:?}"),
        }
    }

    #[test]
    fn the_two_newest_that_differ_are_compared_unless_others_are_named() {
        check(&["a", "b"], None, None, Ok((1, 2)));
        check(&["a", "b", "b"], None, None, Ok((1, 3)));
        check(&["a", "", "b", "-"], None, None, Ok((1, 3)));
        check(&["a", "b", "c"], Some(1), None, Ok((1, 3)));
        check(&["a", "b", "c"], Some(3), Some(1), Ok((3, 1)));
        check(&["a", "a"], Some(1), Some(2), Ok((1, 2)));
        check(&[], None, None, Err("no two revisions"));
        check(&["a", "a"], None, None, Err("there are 1 to 2"));
        check(&["-"], None, None, Err("there is revision 1"));
        check(&["a", "b"], Some(7), None, Err("no revision 7"));
        check(&["-", "b"], Some(1), None, Err("too large"));
        check(&["", "b"], Some(1), Some(2), Err("only `up`"));
    }
}
