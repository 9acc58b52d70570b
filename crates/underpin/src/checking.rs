//! What `check` reads and asks: trees of files, what they are compared with, and the rules.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::Arc,
};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use underpin_model::{Evidence, FieldPath, Finding, GroupKind, Mask, Object, Place, World};
use underpin_plan::{
    EdgeOptions, Network, Survey, WaitingError, applied, rules::up604, secret_values,
    sort_findings, suppression::Texts, survey, waiting,
};
use underpin_refs::{NeedOptions, NeedProblem, ProblemKind};
use underpin_source::{Diagnostic, git, terraform, yaml::Comment};

use crate::{
    error::CommandError,
    given::Given,
    lines,
    render::check::Excerpts,
    trees::{DeclaredTree, DeclaredWorld, call_files},
    worlds::Source,
};

/// What is to be examined, and what is known besides.
pub(crate) struct Question<'a> {
    pub(crate) paths: &'a [Utf8PathBuf],
    pub(crate) variable_files: &'a [Utf8PathBuf],
    /// Needs that the files do not show.
    pub(crate) given: &'a Given,
    pub(crate) options: NeedOptions,
    pub(crate) since: Option<&'a str>,
    pub(crate) live: Option<&'a Source>,
    /// What is asked of the edge.
    pub(crate) edge: EdgeOptions,
}

impl Question<'_> {
    /// The live world, where it is to be judged itself and no files beside it.
    fn judged_live(&self) -> Option<&Source> {
        self.live.filter(|_| self.paths.is_empty())
    }
}

/// What was found.
pub(crate) struct Examined {
    pub(crate) tree: DeclaredTree,
    /// What the files declare, per cluster.
    pub(crate) worlds: Vec<World>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) change: Option<Change>,
    /// The live world: a dump has Secrets as well.
    live: Option<World>,
    /// What was asked of the edge.
    edge: EdgeOptions,
}

/// What a change did.
pub(crate) struct Change {
    /// The commit before it.
    pub(crate) commit: String,
    /// What was found before.
    former: BTreeSet<Sameness>,
    /// The lines that it touched, per file; of files that are not named, all.
    touched: BTreeMap<Arc<str>, BTreeSet<u32>>,
}

/// What makes two findings the same, wherever they stand by now.
type Sameness = (String, String, Vec<String>);

/// The files before a change.
struct Former {
    commit: String,
    tree: DeclaredTree,
    texts: BTreeMap<Utf8PathBuf, String>,
    /// Where they were written to; they are called by what comes after that.
    root: Utf8PathBuf,
    revision: String,
}

/// Reads the files, compares them with what they are to be compared with, and asks every rule.
pub(crate) fn examine(question: &Question<'_>) -> Result<Examined, CommandError> {
    let terraform = terraform::Options {
        variable_files: question.variable_files.to_vec(),
        ..terraform::Options::default()
    };
    let tree = DeclaredTree::read(question.paths, &terraform)?;
    let former = match question.since {
        Some(revision) => Some(before(question.paths, revision, &terraform)?),
        None => None,
    };
    let mut examined = Examined {
        diagnostics: [&tree.diagnostics[..], &question.given.problems].concat(),
        tree,
        worlds: Vec::new(),
        findings: Vec::new(),
        change: None,
        live: question.live.map(|live| live.world.clone()),
        edge: question.edge.clone(),
    };
    let mut old_findings = Vec::new();
    for cluster in examined.tree.clusters() {
        let declared = match question.judged_live() {
            Some(live) => DeclaredWorld {
                world: live_world(live, &question.edge),
                diagnostics: Vec::new(),
            },
            None => examined.tree.world(cluster.as_deref())?,
        };
        let old = match &former {
            Some(former) => Some(former.world(cluster.as_deref())?),
            None => None,
        };
        let asked = ask(question, &examined.tree, &declared, old.as_ref());
        examined.findings.extend(asked.now);
        old_findings.extend(asked.then);
        examined.diagnostics.extend(asked.problems);
        examined.diagnostics.extend(declared.diagnostics);
        let objects = declared.world.objects();
        examined.diagnostics.extend(objects.flat_map(unfollowable));
        examined.worlds.push(declared.world);
    }
    sort_findings(&mut examined.findings);
    examined.findings.dedup();
    examined.change = former.map(|former| former.change(&examined, &old_findings));
    Ok(examined)
}

/// What the rules say of one cluster's world, now and before the change.
struct Asked {
    now: Vec<Finding>,
    then: Vec<Finding>,
    /// Annotations of ours and policies that cannot be understood.
    problems: Vec<Diagnostic>,
}

fn ask(
    question: &Question<'_>,
    tree: &DeclaredTree,
    declared: &DeclaredWorld,
    old: Option<&World>,
) -> Asked {
    let beside = question.live.filter(|_| question.judged_live().is_none());
    let live = beside.map(|live| live_world(live, &question.edge));
    let over = |files: &World| match &live {
        Some(live) => applied(live, files, old),
        None => files.clone(),
    };
    let (after, before) = (over(&declared.world), old.map(over));
    let network = |world| Network::new(world, &question.given.needs, &question.options);
    let environments = tree.environments();
    let mut now = Survey::new(&declared.world, network(&after));
    now.before = before.as_ref().map(network);
    now.live = live.as_ref().map(network);
    now.environments = &environments;
    now.is_opaque = !tree.files.opaque.is_empty();
    now.edge = question.edge.clone();
    now.edge.is_whole = question.judged_live().is_some();
    let then = old.zip(before.as_ref()).map(|(old, before)| {
        let mut then = Survey::new(old, network(before));
        then.live = live.as_ref().map(network);
        then.is_opaque = now.is_opaque;
        then.edge = now.edge.clone();
        survey(&then)
    });
    Asked {
        problems: if question.edge.alone {
            Vec::new()
        } else {
            problems(&now.after)
        },
        now: survey(&now),
        then: then.unwrap_or_default(),
    }
}

/// What is written in files about needs and in policies that cannot be understood.
fn problems(network: &Network<'_>) -> Vec<Diagnostic> {
    let annotations = network.problems().iter().filter_map(malformed);
    let defects = network.engine().defects().iter().map(|one| &one.evidence);
    let policies = defects.filter_map(
        |Evidence {
             object,
             path,
             place,
             note,
         }| {
            // The server has accepted what is live.
            Some(Diagnostic::new(
                place.clone()?,
                format!("{object} {path}: {note}"),
            ))
        },
    );
    annotations.chain(policies).collect()
}

/// An annotation of ours in the files that cannot be understood.
fn malformed(problem: &NeedProblem) -> Option<Diagnostic> {
    let is_malformed = problem.kind == ProblemKind::Malformed;
    let place = problem.evidence.place.clone().filter(|_| is_malformed)?;
    Some(Diagnostic::new(place, problem.evidence.note.clone()))
}

/// The live world, with what a dump need not hold as unknown.
fn live_world(source: &Source, edge: &EdgeOptions) -> World {
    let mut kinds = vec![
        GroupKind::core("Namespace"),
        GroupKind::new("networking.k8s.io", "NetworkPolicy"),
    ];
    if edge.alone {
        kinds.push(GroupKind::core("Service"));
    }
    source.world_as_known(&kinds)
}

/// Annotations about waiting that cannot be followed.
fn unfollowable(object: &Object) -> Vec<Diagnostic> {
    let (_, errors) = waiting(object);
    let diagnostic = |error: WaitingError| {
        Some(Diagnostic::new(error.place?, error.message).with_help(error.help))
    };
    errors.into_iter().filter_map(diagnostic).collect()
}

/// The files as they were in a revision. What was broken in them is not told any more.
fn before(
    paths: &[Utf8PathBuf],
    revision: &str,
    terraform: &terraform::Options,
) -> Result<Former, CommandError> {
    let leads_out = |path: &&Utf8PathBuf| {
        let mut parts = path.components();
        path.is_absolute() || parts.any(|part| part == Utf8Component::ParentDir)
    };
    if let Some(path) = paths.iter().find(leads_out) {
        return Err(CommandError::usage(
            format!("{path} is not below the current folder, and --changed-since looks there"),
            "change to the top of the repository, and name paths below it",
        ));
    }
    let folder = tempfile::tempdir().map_err(|source| CommandError::Io {
        what: "cannot make a folder for the revision".to_owned(),
        source,
    })?;
    let root = Utf8PathBuf::from_path_buf(folder.path().to_owned()).map_err(|path| {
        CommandError::usage(
            format!(
                "the folder for temporary files, {}, is not UTF-8",
                path.display()
            ),
            "set TMPDIR to one that is",
        )
    })?;
    let here = Utf8Path::new(".");
    let exported = git::export(here, revision, &[], &root)?;
    let prefix = git::prefix(here)?;
    let root = root.join(prefix);
    let at_revision = |path: &Utf8PathBuf| root.join(path);
    // What is new was not there.
    let there: Vec<Utf8PathBuf> = paths
        .iter()
        .map(at_revision)
        .filter(|path| path.exists())
        .collect();
    let variable_files = terraform.variable_files.iter().map(at_revision);
    let options = terraform::Options {
        variable_files: variable_files.filter(|path| path.exists()).collect(),
        ..terraform.clone()
    };
    let tree = DeclaredTree::read(&there, &options)?;
    let mut texts = BTreeMap::new();
    for file in &exported.files {
        if let Ok(text) = fs::read_to_string(folder.path().join(file)) {
            let path = folder.path().join(file);
            let name = Utf8PathBuf::from_path_buf(path).ok();
            let name = name.and_then(|path| path.strip_prefix(&root).map(Utf8Path::to_owned).ok());
            texts.extend(name.map(|name| (name, text)));
        }
    }
    Ok(Former {
        commit: exported.commit,
        tree,
        texts,
        root,
        revision: revision.to_owned(),
    })
}

impl Former {
    /// What the files declared, by the names that they have in the revision.
    fn world(&self, cluster: Option<&str>) -> Result<World, CommandError> {
        let mut world = self.tree.world(cluster)?.world;
        call_files(&mut world, |file| {
            let file = Utf8Path::new(file);
            let name = file.strip_prefix(&self.root).unwrap_or(file);
            format!("{}:{name}", self.revision)
        });
        Ok(world)
    }

    fn change(self, examined: &Examined, old: &[Finding]) -> Change {
        let files = examined
            .findings
            .iter()
            .filter_map(|finding| finding.place.as_ref());
        let files: BTreeSet<&Arc<str>> = files.map(|place| &place.file).collect();
        let touched = files.into_iter().filter_map(|file| {
            let old = self.texts.get(Utf8Path::new(&**file))?;
            let new = fs::read_to_string(&**file).ok()?;
            Some((file.clone(), lines::changed(old, &new)))
        });
        Change {
            touched: touched.collect(),
            former: old.iter().map(sameness).collect(),
            commit: self.commit,
        }
    }
}

impl Change {
    /// Whether the change made what was found, or touched its line.
    pub(crate) fn made(&self, finding: &Finding) -> bool {
        let is_touched = |place: &Place| {
            let lines = self.touched.get(&place.file);
            lines.is_none_or(|lines| lines.contains(&place.line))
        };
        // What comments suppressed before is not kept: one of no use is told where it was touched.
        let is_new = finding.code != up604::CODE && !self.former.contains(&sameness(finding));
        is_new || finding.place.as_ref().is_some_and(is_touched)
    }
}

fn sameness(finding: &Finding) -> Sameness {
    let notes = finding.evidence.iter().map(|one| one.note.clone());
    (
        finding.code.to_string(),
        finding.subject.clone(),
        notes.collect(),
    )
}

impl Examined {
    /// Whether a path holds anything that is looked at.
    pub(crate) fn holds_any(&self, path: &Utf8Path) -> bool {
        self.tree.holds_any(path)
    }

    /// How many objects the files declare.
    pub(crate) fn objects(&self) -> usize {
        let objects = self.worlds.iter().flat_map(World::objects);
        let declared = objects.filter_map(|object| object.origin.place_of(&FieldPath::root()));
        declared.collect::<BTreeSet<Place>>().len()
    }

    /// Every comment in the files.
    pub(crate) fn comments(&self) -> impl Iterator<Item = &Comment> {
        self.tree.comments()
    }

    /// What of the files is not known, or was not looked into.
    pub(crate) fn not_known(&self) -> Vec<(Place, String)> {
        self.tree.not_known()
    }

    /// Hides in a finding what must not be shown.
    pub(crate) fn mask(&self, finding: &mut Finding) {
        let masked = |text: &mut String| *text = self.tree.files.masked(text);
        masked(&mut finding.message);
        finding.help.iter_mut().for_each(masked);
        for Evidence { note, .. } in &mut finding.evidence {
            masked(note);
        }
    }

    /// The texts of the files that places name, as far as they can be read.
    pub(crate) fn texts<'p>(places: impl Iterator<Item = &'p Place>) -> Texts {
        let files: BTreeSet<&Arc<str>> = places.map(|place| &place.file).collect();
        let read = files.into_iter().filter_map(|file| {
            let text = fs::read_to_string(&**file).ok()?;
            Some((file.clone(), text))
        });
        read.collect()
    }

    /// The lines to be shown, without those of Secrets and without values that must not be shown.
    pub(crate) fn excerpts(&self, texts: Texts) -> Excerpts {
        let mut excerpts = Excerpts::new(texts);
        let mut begins: BTreeMap<Arc<str>, BTreeMap<u32, bool>> = BTreeMap::new();
        let mut values = Vec::new();
        for object in self
            .worlds
            .iter()
            .chain(&self.live)
            .flat_map(World::objects)
        {
            let is_secret = object.key.kind.is("", "Secret");
            values.extend(secret_values(object));
            // Entries for the edge may hold credentials.
            for name in &self.edge.settings.annotations {
                let path = FieldPath::new("metadata.annotations").key(name);
                let place = object.origin.place_of(&path);
                if let Some(place) = place.filter(|_| object.annotation(name).is_some()) {
                    excerpts.cover(place, name);
                }
            }
            if let Some(place) = object.origin.place_of(&FieldPath::root()) {
                let at = begins.entry(place.file).or_default();
                *at.entry(place.line).or_default() |= is_secret;
            }
        }
        // A resource that is not looked into may be one.
        let opaque = self.tree.files.opaque.iter();
        for opaque in opaque.filter(|opaque| opaque.is_resource) {
            let at = begins.entry(opaque.place.file.clone()).or_default();
            at.insert(opaque.place.line, true);
        }
        for (file, lines) in begins {
            let ends = lines.keys().skip(1).map(|line| line - 1);
            let ends: Vec<u32> = ends.chain([u32::MAX]).collect();
            for ((first, is_secret), last) in lines.into_iter().zip(ends) {
                if is_secret {
                    excerpts.hide_lines(file.clone(), first, last);
                }
            }
        }
        for configuration in &self.edge.configurations {
            excerpts.hide_lines(configuration.file.clone(), 1, u32::MAX);
        }
        excerpts.hide_values(Mask::new(values));
        self.tree
            .files
            .masks()
            .iter()
            .for_each(|mask| excerpts.hide_values(mask.clone()));
        excerpts
    }
}
