//! A plan for a registry: what stays and what goes, with the reasons.

mod document;
mod golive;
mod reaped;
mod reasons;
mod restored;
mod text;

use underpin_image::{Digest, FrozenPlan, ManifestPlan, Plan, PlanInput, RepositoryPath, Stop};
use underpin_model::Finding;
use underpin_registry::Counts;

pub(crate) use document::ImagesPlanDocument;
pub(crate) use golive::{
    Checked, ImagesGoliveDocument, ReadIn, ReleaseVerdict, ShownGolive, json as golive_json,
    text as golive_text,
};
pub(crate) use reaped::{
    ImagesReapDocument, ShownReaped, json as reaped_json, proposal as reap_proposal,
    text as reaped_text,
};
pub(crate) use restored::{
    ImagesRestoreDocument, ShownRestored, json as restored_json, proposal as restore_proposal,
    text as restored_text,
};
pub(crate) use text::text;

use super::documents;
use crate::Exit;

/// A plan, and what is told of it.
pub(crate) struct ShownImages<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) input: &'a PlanInput<'a>,
    pub(crate) findings: &'a [Finding],
    /// What is good to know of sources.
    pub(crate) notes: Vec<String>,
    /// What reading the registry took.
    pub(crate) counts: Counts,
    /// The file that the plan was frozen into.
    pub(crate) frozen: Option<(&'a str, &'a FrozenPlan)>,
    pub(crate) asked: Asked,
}

/// How much is shown.
pub(crate) struct Asked {
    /// Everything.
    pub(crate) all: bool,
    /// These images alone, where there are any.
    pub(crate) why: Vec<String>,
}

/// As JSON.
pub(crate) fn json(command: &str, exit: Exit, shown: &ShownImages<'_>) -> String {
    documents::text(command, exit, ImagesPlanDocument::from(shown))
}

impl ShownImages<'_> {
    /// Whether an image is to be shown.
    fn is_asked(&self, path: &RepositoryPath, digest: &Digest, manifest: &ManifestPlan) -> bool {
        let asked = &self.asked.why;
        asked.is_empty()
            || asked
                .iter()
                .any(|name| self.names(name, path, digest, manifest))
    }

    /// What was asked about and is not among what was read.
    fn unknown(&self) -> Vec<&str> {
        let is_there = |name: &str| {
            let mut repositories = self.plan.repositories.iter();
            repositories.any(|(path, repository)| {
                let mut manifests = repository.manifests.iter();
                manifests.any(|(digest, one)| self.names(name, path, digest, one))
            })
        };
        let asked = self.asked.why.iter().map(String::as_str);
        asked.filter(|name| !is_there(name)).collect()
    }

    /// Whether `name` is the repository, or a tag or digest in it; with or without the registry.
    fn names(
        &self,
        name: &str,
        path: &RepositoryPath,
        digest: &Digest,
        manifest: &ManifestPlan,
    ) -> bool {
        let mut hosts = self.input.registry.hosts();
        let name = hosts
            .find_map(|host| name.strip_prefix(host.as_str())?.strip_prefix('/'))
            .unwrap_or(name);
        if let Some((repository, beginning)) = name.split_once('@') {
            return repository == path.as_str() && digest.as_str().starts_with(beginning);
        }
        match name.split_once(':') {
            Some((repository, tag)) => {
                let mut tags = manifest.tags.iter();
                repository == path.as_str() && tags.any(|one| one.as_str() == tag)
            }
            None => name == path.as_str(),
        }
    }
}

/// What stops a run, and the way out.
pub(crate) fn stop(stop: &Stop, input: &PlanInput<'_>) -> (String, String) {
    (reasons::stop(stop, input), help(stop))
}

/// What has moved since a plan was frozen: what needs an image now by what it is.
pub(crate) fn moved(message: &str, input: &PlanInput<'_>) -> String {
    reasons::with_roots(message, input)
}

/// How it is said that a need which cannot be told means nothing of a registry.
pub(crate) fn consent(text: &str) -> String {
    // As YAML takes it.
    let text = text.replace('\'', "''");
    format!(
        "if nothing of this registry is needed there, write this line under `consents.foreignNeeds` of the \
         images file: - '{text}'"
    )
}

/// The way out of what stops a run.
fn help(stop: &Stop) -> String {
    match stop {
        Stop::NoRoots => {
            "name the clusters and files that need images of this registry; is its name the one that \
             they use? other names of it go behind --alias"
                .to_owned()
        }
        Stop::FewerRoots { now, .. } => format!(
            "see that every source is whole; if so, write `fewestRoots: {now}` under `consents` of the \
             images file"
        ),
        Stop::SourceUnread { consent: None, .. } => {
            "have it read, and run again".to_owned()
        }
        Stop::SourceUnread {
            consent: Some(text),
            ..
        } => format!("have it read, and run again; {}", consent(text)),
        Stop::SourceGone { source } => format!(
            "name it again; if it is gone for good, write `{source}` under `consents.sourcesGone` of the \
             images file"
        ),
        Stop::RegistryUnread { .. } => "run again once the registry answers".to_owned(),
        Stop::Unreadable { .. } => {
            "mend it; if it means nothing of this registry, write the text under \
             `consents.foreignTexts` of the images file"
                .to_owned()
        }
        Stop::Clock { .. } => {
            "set the clock of this machine, or remove the record in the state folder to begin anew"
                .to_owned()
        }
    }
}
