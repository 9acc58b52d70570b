//! Where in the declared files lies what a source of Flux holds.

use std::{collections::BTreeMap, env};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use underpin_model::{Object, ObjectKey};
use underpin_refs::{is_git_source, source_of_release, url_of_source};
use underpin_source::{git, paths::tidy};

/// The declared files that were named.
pub(in super::super) struct Checkouts {
    /// The current folder.
    here: Utf8PathBuf,
    paths: Vec<NamedPath>,
}

struct NamedPath {
    path: Utf8PathBuf,
    /// The topmost folder of its working tree of git, and the repositories that this is of.
    tree: Option<(Utf8PathBuf, Vec<String>)>,
}

/// Whether a folder is of the repository that a source names.
#[derive(PartialEq, Eq)]
enum Relation {
    Same,
    NotKnown,
    Other(String),
}

impl Checkouts {
    pub(super) fn of(paths: &[Utf8PathBuf]) -> Self {
        let here = env::current_dir().ok();
        let here = here.and_then(|folder| Utf8PathBuf::from_path_buf(folder).ok());
        let mut checkouts = Self {
            here: here.unwrap_or_default(),
            paths: Vec::new(),
        };
        let named = paths.iter().map(|path| {
            let path = checkouts.absolute(path);
            NamedPath {
                tree: working_tree(&path),
                path,
            }
        });
        checkouts.paths = named.collect();
        checkouts
    }

    /// A path from the top, without `.` and `..`.
    pub(super) fn absolute(&self, path: &Utf8Path) -> Utf8PathBuf {
        tidy(&self.here.join(path))
    }

    /// A path as people write it.
    pub(super) fn shown<'p>(&self, path: &'p Utf8Path) -> &'p Utf8Path {
        let shown = path.strip_prefix(&self.here).unwrap_or(path);
        if shown.as_str().is_empty() {
            Utf8Path::new(".")
        } else {
            shown
        }
    }

    /// Whether a file is among those that were named.
    pub(super) fn hold(&self, file: &Utf8Path) -> bool {
        self.paths.iter().any(|named| file.starts_with(&named.path))
    }

    /// The folder that a release writes, in its source, which `find` finds if it was read; why there is no such
    /// one otherwise.
    pub(super) fn folder_of<'o>(
        &self,
        written: &str,
        release: &Object,
        find: impl Fn(&ObjectKey) -> Option<&'o Object>,
    ) -> Result<Utf8PathBuf, String> {
        self.folder(written, repository_url(release, find)?)
    }

    /// All folders that a release may mean by the one that it writes.
    pub(super) fn folders_of<'o>(
        &self,
        written: &str,
        release: &Object,
        find: impl Fn(&ObjectKey) -> Option<&'o Object>,
    ) -> Vec<Utf8PathBuf> {
        let Ok(url) = repository_url(release, find) else {
            return Vec::new();
        };
        let meant = self.meant(written, url).into_iter();
        let meant = meant.filter(|(_, relation)| !matches!(relation, Relation::Other(_)));
        meant.map(|(folder, _)| folder).collect()
    }

    /// The folders that are likeliest meant in a source whose repository has this URL if that is known.
    fn meant(&self, written: &str, url: Option<&str>) -> BTreeMap<Utf8PathBuf, Relation> {
        let below = tidy(Utf8Path::new(written.trim_start_matches('/')));
        let mut found: BTreeMap<Utf8PathBuf, Relation> = BTreeMap::new();
        for named in &self.paths {
            let relation = named.relation(url);
            if let Some(folder) = named.folder(&below, &relation) {
                found.insert(folder, relation);
            }
        }
        if found.values().any(|relation| *relation == Relation::Same) {
            found.retain(|_, relation| *relation == Relation::Same);
        } else if found.values().any(|one| *one == Relation::NotKnown) {
            found.retain(|_, relation| *relation == Relation::NotKnown);
        }
        found
    }

    /// The one folder that is meant.
    fn folder(&self, written: &str, url: Option<&str>) -> Result<Utf8PathBuf, String> {
        let mut folders = self.meant(written, url).into_iter();
        match (folders.next(), folders.next()) {
            (None, _) => {
                Err("no declared files hold this folder: name them with --path".to_owned())
            }
            (Some((folder, Relation::Other(repository))), None) => Err(format!(
                "{} is of the repository {repository}, and its source is {}: name a working tree of \
                 that with --path",
                self.shown(&folder),
                url.and_then(repository_of).unwrap_or_default()
            )),
            (Some((folder, _)), None) => Ok(folder),
            (Some((first, _)), Some((second, _))) => Err(format!(
                "{} and {} may both be meant: name one of them with --path",
                self.shown(&first),
                self.shown(&second)
            )),
        }
    }
}

/// The URL of the repository of a release, if its source was read; fails where that is no repository.
fn repository_url<'o>(
    release: &Object,
    find: impl Fn(&ObjectKey) -> Option<&'o Object>,
) -> Result<Option<&'o str>, String> {
    let source = source_of_release(release);
    if let Some(other) = source.as_ref().filter(|source| !is_git_source(source)) {
        return Err(format!(
            "{other} is no repository of git, and what is in it is not looked at"
        ));
    }
    let source = source.and_then(|key| find(&key));
    Ok(source.and_then(url_of_source))
}

impl NamedPath {
    /// The folder that is meant, if this path is of its source: by the top of the working tree, or, where it
    /// is not known of which repository that is, in this path or around it.
    fn folder(&self, below: &Utf8Path, relation: &Relation) -> Option<Utf8PathBuf> {
        if below.components().next() == Some(Utf8Component::ParentDir) {
            return None;
        }
        let mut of_tree = self.tree.iter().map(|(top, _)| top.join(below));
        if *relation == Relation::Same {
            let folder = of_tree.find(|folder| folder.is_dir());
            return folder.map(|folder| tidy(&folder));
        }
        let around = self.path.ancestors().skip(1);
        let around = around
            .map(|base| base.join(below))
            .filter(|folder| !below.as_str().is_empty() && self.path.starts_with(folder));
        let itself = (self.path.ends_with(below)).then(|| self.path.clone());
        let mut all = of_tree
            .chain([self.path.join(below)])
            .chain(itself)
            .chain(around);
        all.find(|folder| folder.is_dir())
            .map(|folder| tidy(&folder))
    }

    fn relation(&self, url: Option<&str>) -> Relation {
        let remotes = self.tree.as_ref().map(|(_, remotes)| &remotes[..]);
        match (remotes, url.and_then(repository_of)) {
            (Some([first, ..]), Some(repository)) => {
                let is_same = remotes.is_some_and(|remotes| remotes.contains(&repository));
                if is_same {
                    Relation::Same
                } else {
                    Relation::Other(first.clone())
                }
            }
            _ => Relation::NotKnown,
        }
    }
}

/// The topmost folder of a working tree, as it is called from this path, and its repositories.
fn working_tree(path: &Utf8Path) -> Option<(Utf8PathBuf, Vec<String>)> {
    let folder = if path.is_dir() { path } else { path.parent()? };
    let tree = git::checkout(folder)?;
    let real = folder.canonicalize_utf8().ok()?;
    let depth = real.strip_prefix(&tree.top).ok()?.components().count();
    let top = folder.ancestors().nth(depth)?.to_owned();
    let mut repositories: Vec<String> = tree
        .remotes
        .iter()
        .filter_map(|url| repository_of(url))
        .collect();
    repositories.sort();
    repositories.dedup();
    Some((top, repositories))
}

/// Host and path of a repository, however they are written and whoever logs in; none for one on this
/// machine.
fn repository_of(url: &str) -> Option<String> {
    // A token may stand behind the path.
    let url = url.split(['?', '#']).next()?;
    let (authority, path) = match url.split_once("://") {
        Some(("file", _)) => return None,
        Some((_, rest)) => rest.split_once('/')?,
        None => url
            .split_once(':')
            .filter(|(host, _)| !host.contains('/'))?,
    };
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    (!host.is_empty()).then(|| format!("{}/{path}", host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::repository_of;

    #[test]
    fn repositories_are_compared_in_one_form() {
        for (url, expected) in [
            (
                "https://git.example.com/team/flux.git",
                Some("git.example.com/team/flux"),
            ),
            (
                "ssh://git@Git.example.com:2222/team/flux",
                Some("git.example.com/team/flux"),
            ),
            (
                "git@git.example.com:team/flux.git",
                Some("git.example.com/team/flux"),
            ),
            (
                "https://user:hunter2@git.example.com/team/flux/",
                Some("git.example.com/team/flux"),
            ),
            (
                "https://git.example.com/team/flux.git?token=hunter2#main",
                Some("git.example.com/team/flux"),
            ),
            ("file:///srv/flux", None),
            ("/srv/flux:x", None),
            ("../flux", None),
        ] {
            assert_eq!(repository_of(url).as_deref(), expected, "{url}");
        }
    }
}
