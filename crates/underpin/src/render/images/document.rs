use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use underpin_image::{Deletion, Digest, Group, ManifestPlan, Reason, RepositoryPath, Root, Tag};

use super::{ShownImages, help, reasons};
use crate::render::documents::{EvidenceDocument, FindingDocument};

/// A plan for a registry.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImagesPlanDocument<'a> {
    /// The registry.
    registry: &'a str,
    /// What deleting takes away there.
    deletion: DeletionDocument,
    /// When the plan was made.
    at: String,
    /// Why nothing may be deleted; empty where something may.
    stops: Vec<StopDocument>,
    /// What the rules found.
    findings: Vec<FindingDocument>,
    /// Where needs were looked for.
    sources: Vec<SourceDocument<'a>>,
    /// Every need; reasons name them by their place in this list.
    roots: Vec<RootDocument<'a>>,
    /// What roots name and is not there.
    missing: Vec<MissingDocument<'a>>,
    /// Every manifest of every repository.
    repositories: Vec<RepositoryDocument<'a>>,
    /// What may go, in the order in which it goes.
    deletions: Vec<GroupDocument<'a>>,
    /// How many bytes that frees at least, once the registry collects what nothing holds.
    freed_bytes: u64,
    /// What is good to know of sources.
    notes: &'a [String],
    /// How many requests reading the registry took.
    requests: u64,
    /// How many of these were for manifests, which no earlier run had read.
    manifests_read: u64,
    /// For how many milliseconds at least one request was under way.
    registry_milliseconds: u64,
    /// How many milliseconds were waited because the registry asked for it or did not answer.
    waited_milliseconds: u64,
    /// The file that the plan was frozen into; null unless it was.
    frozen: Option<FrozenImagesDocument<'a>>,
}

/// What deleting takes away in a registry.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum DeletionDocument {
    /// A tag alone, if that is asked for.
    TagsAlone,
    /// A manifest with all its tags.
    DigestsWithTags,
}

/// Something that stops the run.
#[derive(Serialize, JsonSchema)]
struct StopDocument {
    /// What.
    what: String,
    /// The way out.
    help: String,
}

/// Something that needs were read from.
#[derive(Serialize, JsonSchema)]
struct SourceDocument<'a> {
    /// Its name.
    name: &'a str,
    /// What of it could not be read; empty where all was.
    unread: Vec<&'a str>,
}

/// A need.
#[derive(Serialize, JsonSchema)]
struct RootDocument<'a> {
    /// The source.
    source: &'a str,
    /// Who says so, and where.
    evidence: EvidenceDocument,
    /// What kind of need it is.
    why: &'static str,
    /// What is needed; `*` stands for anything.
    image: String,
    /// Whether the need lasts only as long as something runs.
    live: bool,
}

/// Something that a need names and is not there.
#[derive(Serialize, JsonSchema)]
struct MissingDocument<'a> {
    /// The need, by its place among the roots.
    root: usize,
    /// What is not there.
    what: &'a str,
}

/// A repository.
#[derive(Serialize, JsonSchema)]
struct RepositoryDocument<'a> {
    /// Its path.
    name: &'a str,
    /// Its manifests, by digest.
    manifests: Vec<ManifestDocument<'a>>,
}

/// A manifest.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ManifestDocument<'a> {
    /// Its digest.
    digest: &'a str,
    /// Its tags.
    tags: Vec<&'a str>,
    /// When a run saw it first.
    since: String,
    /// Whether it may go.
    goes: bool,
    /// Why it stays; empty where it may go.
    reasons: Vec<ReasonDocument>,
}

/// Why a manifest stays.
#[derive(Serialize, JsonSchema)]
struct ReasonDocument {
    /// In a sentence.
    says: String,
    /// The need, by its place among the roots; null where it is another reason.
    root: Option<usize>,
}

/// Manifests that go together.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct GroupDocument<'a> {
    /// The repository.
    repository: &'a str,
    /// Since when nothing has needed them.
    candidate_since: String,
    /// Their digests, in the order in which they go.
    digests: Vec<&'a str>,
}

/// A frozen plan.
#[derive(Serialize, JsonSchema)]
struct FrozenImagesDocument<'a> {
    /// The file.
    file: &'a str,
    /// The hash that seals it.
    hash: &'a str,
}

impl<'a> From<&'a ShownImages<'a>> for ImagesPlanDocument<'a> {
    fn from(shown: &'a ShownImages<'a>) -> Self {
        let (plan, input) = (shown.plan, shown.input);
        let repositories = plan.repositories.iter().map(|(path, repository)| {
            let manifests = repository.manifests.iter();
            let manifests = manifests.filter(|(digest, one)| shown.is_asked(path, digest, one));
            let manifests = manifests.map(|(digest, one)| manifest(digest, one, shown));
            of_repository(path, manifests.collect())
        });
        Self {
            registry: input.registry.host.as_str(),
            deletion: match input.registry.deletion {
                Deletion::TagsAlone => DeletionDocument::TagsAlone,
                Deletion::DigestsWithTags => DeletionDocument::DigestsWithTags,
            },
            at: input.now.to_string(),
            stops: plan
                .stops
                .iter()
                .map(|stop| StopDocument {
                    what: reasons::stop(stop, input),
                    help: help(stop),
                })
                .collect(),
            findings: shown.findings.iter().map(Into::into).collect(),
            sources: input
                .sources
                .iter()
                .map(|source| SourceDocument {
                    name: &source.name,
                    unread: source.unread.iter().map(|one| one.what.as_str()).collect(),
                })
                .collect(),
            roots: input.roots.iter().map(root).collect(),
            missing: plan
                .missing
                .iter()
                .map(|missing| MissingDocument {
                    root: missing.root,
                    what: &missing.what,
                })
                .collect(),
            repositories: repositories
                .filter(|one| shown.asked.why.is_empty() || !one.manifests.is_empty())
                .collect(),
            deletions: plan.deletions.iter().map(group).collect(),
            freed_bytes: plan.freed(input.registry).bytes,
            notes: &shown.notes,
            requests: shown.counts.reads(),
            manifests_read: shown.counts.manifests,
            registry_milliseconds: milliseconds(shown.counts.under_way),
            waited_milliseconds: milliseconds(shown.counts.waited),
            frozen: shown.frozen.map(|(file, frozen)| FrozenImagesDocument {
                file,
                hash: &frozen.hash,
            }),
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn root(root: &Root) -> RootDocument<'_> {
    RootDocument {
        source: &root.source,
        evidence: (&root.evidence).into(),
        why: root.kind.phrase(),
        image: root.target.to_string(),
        live: root.kind.is_live(),
    }
}

fn of_repository<'a>(
    path: &'a RepositoryPath,
    manifests: Vec<ManifestDocument<'a>>,
) -> RepositoryDocument<'a> {
    RepositoryDocument {
        name: path.as_str(),
        manifests,
    }
}

fn manifest<'a>(
    digest: &'a Digest,
    manifest: &'a ManifestPlan,
    shown: &ShownImages<'_>,
) -> ManifestDocument<'a> {
    let is_stopped = !shown.plan.stops.is_empty();
    let reasons = manifest.reasons.iter().map(|reason| ReasonDocument {
        says: reasons::reason(reason, is_stopped, shown.input),
        root: match reason {
            Reason::Needed(root, _) => Some(*root),
            _ => None,
        },
    });
    ManifestDocument {
        digest: digest.as_str(),
        tags: manifest.tags.iter().map(Tag::as_str).collect(),
        since: manifest.since.to_string(),
        goes: manifest.reasons.is_empty(),
        reasons: reasons.collect(),
    }
}

fn group(group: &Group) -> GroupDocument<'_> {
    let manifests = group.manifests.iter();
    GroupDocument {
        repository: group.repository.as_str(),
        candidate_since: group.candidate_since.to_string(),
        digests: manifests.map(|doomed| doomed.digest.as_str()).collect(),
    }
}
