//! What sources do not tell, as far as a release may depend on it.

use std::{collections::BTreeSet, fs};

use camino::{Utf8Path, Utf8PathBuf};
use underpin_image::UnknownNeed;
use underpin_model::{FieldPath, GroupKind};
use underpin_refs::release_kinds;

use super::{
    super::{
        marker::policy_kind,
        sources::{Part, Read},
    },
    needs::Sources,
    releases::Release,
};
use crate::render::images::consent;

/// What is not known of sources, if a release may depend on it: they may declare it again, or hold an image
/// policy that writes into it, or be among the files that it deploys. Values, charts and folders that it
/// names are missed by whoever looks for them.
pub(super) fn doubts(
    release: &Release<'_>,
    files: &BTreeSet<Utf8PathBuf>,
    sources: Sources<'_>,
) -> Vec<UnknownNeed> {
    let Some(first) = release.occurrences.first() else {
        return Vec::new();
    };
    let namespace = release.key.namespace.as_deref();
    let kinds = [
        (release.key.kind.clone(), namespace),
        (policy_kind(), None),
        (
            GroupKind::new(&policy_kind().group, "ImageRepository"),
            None,
        ),
    ];
    let name = release.key.name.to_ascii_lowercase();
    let words = [name.as_str(), "imagepolicy", "imagerepository"];
    let mut needs = Vec::new();
    for read in sources.reads.iter().filter(|read| !read.is_revision()) {
        let doubts = read.doubts.iter().filter(|doubt| {
            let is_in = |file: &Utf8Path| files.contains(&sources.checkouts.absolute(file));
            match &doubt.part {
                Part::File(file) if is_in(file) => true,
                part => may_hold(part, &kinds, &words),
            }
        });
        for told in doubts.filter_map(|doubt| read.told(doubt, sources.foreign)) {
            let evidence = first.object.evidence(FieldPath::root(), String::new());
            let reason = format!("{} could not be read completely: {}", read.name, told.what);
            let mut need = UnknownNeed::new(evidence, reason);
            need.help = match told.consent {
                Some(text) => vec!["have it read".to_owned(), consent(&text)],
                None => vec![
                    "have it read, or leave that source out if nothing of it is meant".to_owned(),
                ],
            };
            needs.push(need);
        }
    }
    needs
}

/// What of the sources is not known and may hold releases: by source, as it is told.
pub(super) fn may_hold_releases<'r>(
    reads: &'r [Read],
    foreign: &BTreeSet<String>,
) -> Vec<(&'r str, String)> {
    let kinds = release_kinds().map(|kind| (kind, None));
    // A file with one of them holds its name.
    let words = release_kinds().map(|kind| kind.kind.to_ascii_lowercase());
    let words = words.each_ref().map(String::as_str);
    let mut told = Vec::new();
    for read in reads.iter().filter(|read| !read.is_revision()) {
        let doubts = read.doubts.iter();
        let doubts = doubts.filter(|doubt| may_hold(&doubt.part, &kinds, &words));
        let doubts = doubts.filter_map(|doubt| read.told(doubt, foreign));
        told.extend(doubts.map(|one| (&*read.name, one.what)));
    }
    told
}

/// Whether something that is not known may hold objects of these kinds, in whose files one of these words
/// stands.
fn may_hold(part: &Part, kinds: &[(GroupKind, Option<&str>)], words: &[&str]) -> bool {
    match part {
        Part::Anything => true,
        Part::Objects(unread) => {
            let mut kinds = kinds.iter();
            kinds.any(|(kind, namespace)| unread.covers(kind, *namespace))
        }
        Part::File(file) => file_may_hold(file, words),
        Part::Workloads => false,
    }
}

fn file_may_hold(file: &Utf8Path, words: &[&str]) -> bool {
    if file.is_dir() {
        return true;
    }
    let name = file.file_name().unwrap_or_default();
    if [".yaml", ".yml", ".json"]
        .iter()
        .any(|ending| name.ends_with(ending))
        && !name.ends_with(".tf.json")
    {
        let text = fs::read_to_string(file);
        return text.map_or(true, |text| {
            let text = text.to_ascii_lowercase();
            words.iter().any(|word| text.contains(word))
        });
    }
    // What Terraform puts together may have any name.
    name.contains(".tf")
}
