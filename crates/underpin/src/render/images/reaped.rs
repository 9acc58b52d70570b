//! A frozen plan that was carried out: what is gone, what was kept and why, and the way back; and what was found
//! of an earlier run that was cut.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use underpin_image::{Digest, FrozenGroup, FrozenPlan, Host, RepositoryPath, Tag};
use underpin_model::{
    Finding,
    wording::{count, list},
};
use underpin_registry::{Cut, Earlier, Reaped, Restored};

use super::{
    restored::{RestoredDocument, outcome},
    text::together,
};
use crate::{
    Exit,
    render::{
        documents::{self, FindingDocument},
        style::{self, BOLD, DIM, paint},
        text as plain,
    },
};

/// What became of a plan.
pub(crate) struct ShownReaped<'a> {
    pub(crate) registry: &'a Host,
    /// The plan, with the file that it stands in; none where only an earlier run was looked at.
    pub(crate) plan: Option<(&'a str, &'a FrozenPlan)>,
    pub(crate) reaped: &'a Reaped,
    pub(crate) findings: &'a [Finding],
    /// The way out of what stopped it, where one is known.
    pub(crate) way_out: Option<&'a str>,
    /// What puts it back, and the command that does.
    pub(crate) journal: Option<&'a str>,
    pub(crate) restore: Option<&'a str>,
}

impl ShownReaped<'_> {
    /// How many manifests were neither deleted nor kept.
    fn untouched(&self) -> usize {
        let (deleted, kept) = (self.reaped.deleted.len(), self.reaped.kept.len());
        let number = self.plan.map_or(0, |(_, plan)| plan.number());
        number.saturating_sub(deleted + kept)
    }
}

/// What would be deleted, before it is agreed to.
pub(crate) fn proposal(plan: &FrozenPlan) -> String {
    let mut text = format!(
        "{}: {} would be deleted, by a plan of {:.0}\n\n",
        paint(BOLD, plan.registry.as_str()),
        count(plan.number(), "manifest"),
        plan.at,
    );
    for (repository, groups) in by_repository(plan) {
        text.push_str(&format!("{}\n", paint(BOLD, repository.as_str())));
        for group in groups {
            let members = members(group, |_| true);
            text.push_str(&format!(
                "  {} {}: nothing has needed it since {:.0}\n",
                style::removed(),
                together(&members, false),
                group.candidate_since
            ));
        }
        text.push('\n');
    }
    text
}

fn by_repository(plan: &FrozenPlan) -> BTreeMap<&RepositoryPath, Vec<&FrozenGroup>> {
    let mut groups: BTreeMap<&RepositoryPath, Vec<&FrozenGroup>> = BTreeMap::new();
    for group in &plan.groups {
        groups.entry(&group.repository).or_default().push(group);
    }
    groups
}

fn members(group: &FrozenGroup, which: impl Fn(&Digest) -> bool) -> Vec<(&Digest, &[Tag])> {
    let manifests = group.manifests.iter().filter(|one| which(&one.digest));
    manifests.map(|one| (&one.digest, &*one.tags)).collect()
}

/// For people.
pub(crate) fn text(shown: &ShownReaped<'_>) -> String {
    let reaped = shown.reaped;
    let registry = paint(BOLD, shown.registry.as_str());
    let mut text = match (shown.plan, &reaped.earlier) {
        (Some(_), _) => format!(
            "{registry}: {} deleted, {} kept\n\n",
            count(reaped.deleted.len(), "manifest"),
            reaped.kept.len()
        ),
        (None, earlier) if earlier.is_some() || reaped.stopped.is_some() => {
            format!("{registry}: nothing deleted\n\n")
        }
        (None, _) => format!("{registry}: no earlier run has left anything to look at\n"),
    };
    text.push_str(&lost(&reaped.restored));
    text.extend(reaped.earlier.as_ref().map(earlier));
    for (repository, groups) in shown.plan.iter().flat_map(|(_, plan)| by_repository(plan)) {
        text.push_str(&of_repository(repository, &groups, reaped));
    }
    text.push_str(&plain::findings::findings(shown.findings));
    let put_back = outcome(&reaped.restored);
    if !put_back.is_empty() {
        text.push_str(&format!(
            "put back, for it was lost or must stay:\n{put_back}\n"
        ));
    }
    if let Some(reason) = &reaped.stopped {
        text.push_str(&format!("{}: {reason}\n", style::error("stopped")));
        if let Some(way_out) = shown.way_out {
            text.push_str(&format!("    {} {way_out}\n", paint(BOLD, "help:")));
        }
    }
    text.push_str(&ending(shown));
    text
}

/// What must stay and is gone: before all else.
fn lost(restored: &Restored) -> String {
    let failed = restored.failed.iter();
    let failed: Vec<String> = failed
        .map(|left| format!("{} {}", left.repository, left.what))
        .collect();
    if failed.is_empty() {
        return String::new();
    }
    format!(
        "{}: {} must stay, and could not be put back\n    {} push it again; another run, with a plan or without \
         one, tries to put it back before it does anything else\n\n",
        style::error("lost"),
        list(&failed),
        paint(BOLD, "help:"),
    )
}

/// What was found of a run that was cut.
fn earlier(earlier: &Earlier) -> String {
    let Earlier { run, number, cut } = earlier;
    let number = count(*number, "manifest");
    let mut text = format!(
        "run {run} was cut before it had verified its last {number}: they were looked at\n"
    );
    for Cut {
        repository,
        digest,
        tags,
        is_gone,
    } in cut
    {
        let what = together(&[(digest, &**tags)], false);
        let found = match is_gone {
            Ok(true) => "it is gone".to_owned(),
            Ok(false) => "it is there".to_owned(),
            Err(reason) => format!("whether it is gone is unknown: {reason}"),
        };
        text.push_str(&format!(
            "  {repository} {what}: the registry had been asked to delete it, {found}\n"
        ));
    }
    text.push('\n');
    text
}

fn of_repository(repository: &RepositoryPath, groups: &[&FrozenGroup], reaped: &Reaped) -> String {
    let deleted = reaped.deleted.iter();
    let deleted: BTreeSet<&Digest> = deleted
        .filter(|gone| gone.repository == *repository)
        .map(|gone| &gone.digest)
        .collect();
    let kept = reaped.kept.iter();
    let kept: BTreeMap<&str, &str> = kept
        .filter(|left| left.repository == *repository)
        .map(|left| (&*left.what, &*left.reason))
        .collect();
    let mut lines = String::new();
    for group in groups {
        let gone = members(group, |digest| deleted.contains(digest));
        if !gone.is_empty() {
            let together = together(&gone, false);
            lines.push_str(&format!("  {} {together}\n", style::removed()));
        }
        let stay = members(group, |digest| kept.contains_key(digest.as_str()));
        // What goes together stays for one reason.
        let reason = stay
            .first()
            .and_then(|(digest, _)| kept.get(digest.as_str()));
        if let Some(reason) = reason {
            let together = together(&stay, false);
            lines.push_str(&format!("  {} {together}: {reason}\n", paint(DIM, "=")));
        }
    }
    if lines.is_empty() {
        return lines;
    }
    format!(
        "{}: {} deleted, {} kept\n{lines}\n",
        paint(BOLD, repository.as_str()),
        deleted.len(),
        kept.len()
    )
}

/// What was not done, and the way back.
fn ending(shown: &ShownReaped<'_>) -> String {
    let mut text = String::new();
    let untouched = shown.untouched();
    if untouched > 0 {
        let number = count(untouched, "manifest");
        let is = if untouched == 1 { "is" } else { "are" };
        let why = if shown.reaped.stopped.is_some() {
            "not touched: the run did not get that far, or they were gone already"
        } else {
            "gone already"
        };
        let note = style::note("note:");
        text.push_str(&format!("{note} {number} of the plan {is} {why}\n"));
    }
    if let (Some(journal), Some(restore)) = (shown.journal, shown.restore) {
        let until = match shown.reaped.until {
            Some(until) => format!("until {until}"),
            None => "until somebody has the registry collect its garbage".to_owned(),
        };
        text.push_str(&format!(
            "what was deleted is in {journal}, and can be put back {until}:\n  {restore}\n"
        ));
    }
    text
}

/// What became of a frozen plan.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImagesReapDocument<'a> {
    /// The registry.
    registry: &'a str,
    /// The plan; null where only an earlier run was looked at.
    plan: Option<ReapedPlanDocument<'a>>,
    /// What was found of a run that was cut; null where none was.
    earlier: Option<EarlierDocument<'a>>,
    /// What was deleted, in the order in which it was; what was put back again is in `restored` besides.
    deleted: Vec<DeletedDocument<'a>>,
    /// What the plan names and was kept.
    kept: Vec<KeptDocument<'a>>,
    /// How many manifests of the plan were neither deleted nor kept: they were gone already, or the run
    /// was stopped before.
    untouched: usize,
    /// What of the plan is needed now.
    findings: Vec<FindingDocument>,
    /// What was lost with something else or must stay, and was put back.
    restored: RestoredDocument<'a>,
    /// Why the plan was not carried out to its end; null where it was.
    stopped: Option<&'a str>,
    /// The journal of what was deleted; null where nothing was.
    journal: Option<&'a str>,
    /// Until when the registry is known to keep what is needed to put it back; null where it does so until
    /// somebody has it collect its garbage.
    until: Option<String>,
    /// The command that puts it back; null where nothing was deleted.
    restore: Option<&'a str>,
}

/// A run that was cut, and what was found of it.
#[derive(Serialize, JsonSchema)]
struct EarlierDocument<'a> {
    /// The run, as the audit log calls it.
    run: &'a str,
    /// How many manifests it had not verified: they were looked at.
    number: usize,
    /// What it had asked the registry to delete, without seeing what became of it.
    cut: Vec<CutDocument<'a>>,
}

/// A deletion that was under way when its run was cut.
#[derive(Serialize, JsonSchema)]
struct CutDocument<'a> {
    /// The repository.
    repository: &'a str,
    /// Its digest.
    digest: &'a str,
    /// The tags that it had.
    tags: Vec<&'a str>,
    /// Whether it is gone; null where that is not known.
    gone: Option<bool>,
    /// Why that is not known.
    reason: Option<&'a str>,
}

impl<'a> From<&'a Earlier> for EarlierDocument<'a> {
    fn from(earlier: &'a Earlier) -> Self {
        let cut = earlier.cut.iter().map(|cut| CutDocument {
            repository: cut.repository.as_str(),
            digest: cut.digest.as_str(),
            tags: cut.tags.iter().map(Tag::as_str).collect(),
            gone: cut.is_gone.as_ref().ok().copied(),
            reason: cut.is_gone.as_ref().err().map(String::as_str),
        });
        Self {
            run: &earlier.run,
            number: earlier.number,
            cut: cut.collect(),
        }
    }
}

/// The plan that was carried out.
#[derive(Serialize, JsonSchema)]
struct ReapedPlanDocument<'a> {
    /// The file.
    file: &'a str,
    /// The hash that seals it.
    hash: &'a str,
    /// When it was made.
    at: String,
}

/// A manifest that was deleted.
#[derive(Serialize, JsonSchema)]
struct DeletedDocument<'a> {
    /// The repository.
    repository: &'a str,
    /// Its digest.
    digest: &'a str,
    /// The tags that it had.
    tags: Vec<&'a str>,
}

/// A manifest that was kept.
#[derive(Serialize, JsonSchema)]
struct KeptDocument<'a> {
    /// The repository.
    repository: &'a str,
    /// Its digest.
    digest: &'a str,
    /// Why.
    reason: &'a str,
}

/// As JSON.
pub(crate) fn json(command: &str, exit: Exit, shown: &ShownReaped<'_>) -> String {
    let reaped = shown.reaped;
    let deleted = reaped.deleted.iter().map(|gone| DeletedDocument {
        repository: gone.repository.as_str(),
        digest: gone.digest.as_str(),
        tags: gone.tags.iter().map(Tag::as_str).collect(),
    });
    let kept = reaped.kept.iter().map(|left| KeptDocument {
        repository: left.repository.as_str(),
        digest: &left.what,
        reason: &left.reason,
    });
    let document = ImagesReapDocument {
        registry: shown.registry.as_str(),
        plan: shown.plan.map(|(file, plan)| ReapedPlanDocument {
            file,
            hash: &plan.hash,
            at: plan.at.to_string(),
        }),
        earlier: reaped.earlier.as_ref().map(Into::into),
        deleted: deleted.collect(),
        kept: kept.collect(),
        untouched: shown.untouched(),
        findings: shown.findings.iter().map(Into::into).collect(),
        restored: (&reaped.restored).into(),
        stopped: reaped.stopped.as_deref(),
        journal: shown.journal,
        until: reaped.until.map(|until| until.to_string()),
        restore: shown.restore,
    };
    documents::text(command, exit, document)
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use underpin_image::Left;

    use super::*;

    /// R4.3: what must stay and is gone stands before all else.
    #[test]
    fn r4_3_what_is_lost_is_told_first() {
        assert_eq!(lost(&Restored::default()), "");
        let failed = ["staging", "production"].map(|tag| Left {
            repository: RepositoryPath::new("team/web").unwrap(),
            what: format!("tag {tag}"),
            reason: "it answers with status 403".to_owned(),
        });
        let restored = Restored {
            failed: failed.to_vec(),
            ..Restored::default()
        };
        assert_eq!(
            strip_str(&lost(&restored)).to_string(),
            "lost: team/web tag staging and team/web tag production must stay, and could not be put back\n    \
             help: push it again; another run, with a plan or without one, tries to put it back before it \
             does anything else\n\n"
        );
    }
}
