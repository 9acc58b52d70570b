//! What a plan for a registry is made from: the images file, and arguments beside it or instead.

use std::{collections::BTreeSet, time::Duration};

use camino::Utf8PathBuf;
use clap::Args;
use jiff::SignedDuration;
use underpin_image::{
    Consents, Deletion, Glob, Host, PinSettings, ReferenceError, Registry, RepositoryPath, Settings,
};
use underpin_registry::Address;
use underpin_source::images_file::{
    self, ConsentsEntry, ImagesFile, LimitsEntry, RegistryEntry, RegistryType, SourcesEntry,
    TagsEntry, seconds,
};

use crate::{cli::given, error::CommandError, render::shell::quoted};

/// How long is waited after each deletion, and how many manifests go before everything is read anew,
/// where the images file does not say.
const PAUSE: Duration = Duration::from_secs(1);
const BATCH: usize = 20;

/// Which registry is meant.
#[derive(Debug, Args)]
pub(crate) struct ImagesRegistryArgs {
    /// The images file: registry, sources, limits. All of it can be given by options instead.
    #[arg(long, value_name = "FILE")]
    config: Option<Utf8PathBuf>,
    /// The host of the registry, with its port where that is not 443.
    #[arg(long, value_name = "HOST", value_parser = given, required_unless_present = "config")]
    registry: Option<String>,
    /// Ask the registry without TLS.
    #[arg(long)]
    insecure: bool,
    /// A file whose first line is USER:PASSWORD [default: what docker and podman keep].
    #[arg(long, value_name = "FILE", env = "UNDERPIN_REGISTRY_CREDENTIALS")]
    credentials: Option<Utf8PathBuf>,
    /// The folder in which runs remember what they saw and did [default: one per registry in the state
    /// folder of the user].
    #[arg(long, value_name = "DIR")]
    state: Option<Utf8PathBuf>,
}

/// What of a registry is looked at.
#[derive(Debug, Default, Args)]
struct ScopeArgs {
    /// Another name of the same registry; may be repeated.
    #[arg(long = "alias", value_name = "HOST", value_parser = given)]
    aliases: Vec<String>,
    /// Of a Gitea or Forgejo: whose packages are looked at; the first is meant by pins that name no
    /// owner. May be repeated.
    #[arg(long = "owner", value_name = "NAME", value_parser = given)]
    owners: Vec<String>,
    /// A repository that is looked at, instead of all; may be repeated.
    #[arg(long = "repository", value_name = "PATH", value_parser = given)]
    repositories: Vec<String>,
    /// A folder of repositories that are looked at: `team` holds team/web and not teamster/web; may be
    /// repeated.
    #[arg(long = "prefix", value_name = "PATH", value_parser = given, conflicts_with = "repositories")]
    prefixes: Vec<String>,
}

/// Which registry is meant, and who may need its images.
#[derive(Debug, Args)]
pub(crate) struct ImagesSourceArgs {
    #[command(flatten)]
    pub(super) registry: ImagesRegistryArgs,
    #[command(flatten)]
    scope: ScopeArgs,
    /// A cluster whose objects may need images, by its context; may be repeated.
    #[arg(long = "context", value_name = "NAME", value_parser = given)]
    contexts: Vec<String>,
    /// A dump of a cluster: a file or folder of YAML or JSON as `kubectl get -A -o yaml` prints it; may
    /// be repeated.
    #[arg(long = "against", value_name = "FILE|DIR")]
    dumps: Vec<Utf8PathBuf>,
    /// A git revision of which the declared files are read as well; may be repeated.
    #[arg(long = "revision", value_name = "REV", value_parser = given)]
    revisions: Vec<String>,
    /// A file of values for Terraform's variables; later ones win.
    #[arg(long, value_name = "FILE")]
    var_file: Vec<Utf8PathBuf>,
    /// A pins file: type/name==version, a line each; may be repeated.
    #[arg(long, value_name = "FILE")]
    pins: Vec<Utf8PathBuf>,
    /// The kubeconfig file, instead of KUBECONFIG and the home directory's.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<Utf8PathBuf>,
    /// Time limit of each request to an API server, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=300))]
    request_timeout: u64,
}

/// Everything that a plan for a registry is made from.
pub(super) struct Setting {
    pub(super) registry: RegistrySetting,
    pub(super) contexts: Vec<String>,
    pub(super) dumps: Vec<Utf8PathBuf>,
    pub(super) paths: Vec<Utf8PathBuf>,
    pub(super) revisions: Vec<String>,
    pub(super) variable_files: Vec<Utf8PathBuf>,
    pub(super) pins: Vec<Utf8PathBuf>,
    pub(super) state: Utf8PathBuf,
    pub(super) settings: Settings,
    pub(super) pace: Pace,
    /// Needs that cannot be told and mean nothing of this registry, each with its source before it.
    pub(super) foreign_needs: BTreeSet<String>,
    pub(super) kubeconfig: Option<Utf8PathBuf>,
    pub(super) request_timeout: u64,
}

/// How fast images are deleted.
pub(super) struct Pace {
    /// How long is waited after each deletion.
    pub(super) pause: Duration,
    /// How many manifests go before everything is read anew.
    pub(super) batch: usize,
}

/// The registry.
pub(super) struct RegistrySetting {
    pub(super) address: Address,
    /// The registry before it was read: by it, it is known what is named, and no more.
    pub(super) names: Registry,
    pub(super) kind: Option<RegistryType>,
    pub(super) owners: Vec<String>,
    /// Which repositories are looked at; all where both are empty.
    pub(super) repositories: BTreeSet<RepositoryPath>,
    pub(super) prefixes: Vec<String>,
    pub(super) certificates: Option<Utf8PathBuf>,
    pub(super) credentials: Option<Utf8PathBuf>,
}

impl RegistrySetting {
    /// What names in pins files are read against.
    pub(super) fn pin_settings(&self) -> PinSettings<'_> {
        PinSettings {
            host: &self.names.host,
            aliases: &self.names.aliases,
            owner: self.owners.first().map(String::as_str),
        }
    }

    /// Whether a repository is looked at.
    pub(super) fn manages(&self, path: &RepositoryPath) -> bool {
        let is_limited = !self.repositories.is_empty() || !self.prefixes.is_empty();
        let mut prefixes = self.prefixes.iter();
        !is_limited
            || self.repositories.contains(path)
            || prefixes.any(|prefix| path.is_below(prefix))
    }
}

impl Setting {
    /// What the images file says, and the arguments beside it.
    pub(super) fn new(
        args: ImagesSourceArgs,
        declared: Vec<Utf8PathBuf>,
    ) -> Result<Self, CommandError> {
        let file = args.registry.file()?;
        let ImagesFile {
            registry,
            sources,
            pins,
            state,
            limits,
            tags,
            consents,
        } = file;
        let SourcesEntry {
            contexts,
            dumps,
            paths,
            revisions,
            variable_files,
        } = sources.unwrap_or_default();
        let consents = consents.unwrap_or_default();
        let foreign_needs = consents.foreign_needs.iter().flatten().cloned();
        let foreign_needs = foreign_needs.collect();
        let registry = registry_setting(&args.registry, args.scope, registry)?;
        let state = state_folder(args.registry.state, state, &registry.names.host)?;
        let limits = limits.unwrap_or_default();
        let setting = Self {
            contexts: both(contexts, args.contexts),
            dumps: both(as_paths(dumps), args.dumps),
            paths: both(as_paths(paths), declared),
            revisions: both(revisions, args.revisions),
            variable_files: both(as_paths(variable_files), args.var_file),
            pins: both(as_paths(pins), args.pins),
            state,
            pace: pace(&limits),
            settings: settings(limits, tags.unwrap_or_default(), consents),
            foreign_needs,
            kubeconfig: args.kubeconfig,
            request_timeout: args.request_timeout,
            registry,
        };
        if setting.contexts.is_empty() && setting.dumps.is_empty() && setting.paths.is_empty() {
            return Err(CommandError::usage(
                "nobody is named who may need images of this registry",
                "name clusters with --context or --against, or declared files",
            ));
        }
        setting.refuse_state_as_source()?;
        Ok(setting)
    }
}

impl Setting {
    /// The state folder is left out where declared files are read: as one of them, all of them would be.
    fn refuse_state_as_source(&self) -> Result<(), CommandError> {
        let Ok(state) = self.state.canonicalize() else {
            return Ok(());
        };
        let is_state = |path: &&Utf8PathBuf| path.canonicalize().is_ok_and(|path| path == state);
        match self.paths.iter().find(is_state) {
            Some(path) => Err(CommandError::usage(
                format!("{path} is to be read, and is the state folder of the runs"),
                "name another folder with --state: one of its own",
            )),
            None => Ok(()),
        }
    }
}

impl ImagesRegistryArgs {
    fn file(&self) -> Result<ImagesFile, CommandError> {
        let Some(path) = &self.config else {
            return Ok(ImagesFile::default());
        };
        images_file::read(path).map_err(|diagnostics| CommandError::Declared {
            summary: format!("{path} cannot be used"),
            diagnostics,
        })
    }

    /// The registry and its state folder, for what needs no sources.
    pub(super) fn registry_alone(self) -> Result<(RegistrySetting, Utf8PathBuf), CommandError> {
        let file = self.file()?;
        let registry = registry_setting(&self, ScopeArgs::default(), file.registry)?;
        let state = state_folder(self.state, file.state, &registry.names.host)?;
        Ok((registry, state))
    }

    /// These arguments, as a shell takes them.
    pub(super) fn again(&self) -> String {
        let path = |path: &Option<Utf8PathBuf>| path.as_ref().map(ToString::to_string);
        let with_values = [
            ("--config", path(&self.config)),
            ("--registry", self.registry.clone()),
            ("--credentials", path(&self.credentials)),
            ("--state", path(&self.state)),
        ];
        let with_values = with_values.into_iter();
        let mut again: Vec<String> = with_values
            .filter_map(|(name, value)| Some(format!("{name} {}", quoted(&value?))))
            .collect();
        if self.insecure {
            again.push("--insecure".to_owned());
        }
        again.join(" ")
    }
}

fn state_folder(
    argument: Option<Utf8PathBuf>,
    file: Option<String>,
    host: &Host,
) -> Result<Utf8PathBuf, CommandError> {
    match argument.or(file.map(Utf8PathBuf::from)) {
        Some(folder) => Ok(folder),
        None => default_state(host),
    }
}

fn as_paths(texts: Option<Vec<String>>) -> Option<Vec<Utf8PathBuf>> {
    texts.map(|texts| texts.into_iter().map(Utf8PathBuf::from).collect())
}

fn both<T: PartialEq>(file: Option<Vec<T>>, arguments: Vec<T>) -> Vec<T> {
    let mut all: Vec<T> = Vec::new();
    for one in file.into_iter().flatten().chain(arguments) {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

fn registry_setting(
    args: &ImagesRegistryArgs,
    scope: ScopeArgs,
    file: RegistryEntry,
) -> Result<RegistrySetting, CommandError> {
    let written = args.registry.clone().unwrap_or(file.host);
    let insecure = args.insecure || file.insecure == Some(true);
    let address = address(&written, insecure)?;
    let mut names = Registry::new(address.host().clone(), Deletion::DigestsWithTags);
    let aliases = both(file.aliases, scope.aliases);
    let aliases = aliases.iter().map(|alias| host(alias));
    names.aliases = aliases.collect::<Result<Vec<Host>, _>>()?;
    let repositories = both(file.repositories, scope.repositories);
    let paths = repositories.iter().map(|path| {
        RepositoryPath::new(path).map_err(|error| {
            CommandError::usage(
                format!("`{path}` is no repository: {error}"),
                "write it without the registry, as `team/web`",
            )
        })
    });
    Ok(RegistrySetting {
        names,
        address,
        kind: file.kind,
        owners: both(file.owners, scope.owners),
        repositories: paths.collect::<Result<_, _>>()?,
        prefixes: both(file.prefixes, scope.prefixes),
        certificates: file.certificates.map(Utf8PathBuf::from),
        credentials: args
            .credentials
            .clone()
            .or(file.credentials.map(Utf8PathBuf::from)),
    })
}

/// Without TLS where that was asked for.
fn address(written: &str, insecure: bool) -> Result<Address, CommandError> {
    let plain = insecure && !written.contains("://");
    let text = if plain {
        format!("http://{written}")
    } else {
        written.to_owned()
    };
    Address::new(&text, insecure).map_err(|error| {
        CommandError::usage(
            error.to_string(),
            "write the host of the registry, and --insecure where it speaks no TLS",
        )
    })
}

fn host(text: &str) -> Result<Host, CommandError> {
    Host::new(text).map_err(|error: ReferenceError| {
        CommandError::usage(
            format!("`{text}` is no registry: {error}"),
            "write its host, and its port where that is not 443: `registry.example.com:5000`",
        )
    })
}

fn pace(limits: &LimitsEntry) -> Pace {
    // A time that is none was refused with the file.
    let pause = limits.pause.as_deref().and_then(|text| seconds(text).ok());
    let pause = pause.and_then(|seconds| u64::try_from(seconds).ok());
    Pace {
        pause: pause.map_or(PAUSE, Duration::from_secs),
        batch: limits.batch.unwrap_or(BATCH),
    }
}

fn settings(limits: LimitsEntry, tags: TagsEntry, consents: ConsentsEntry) -> Settings {
    let default = Settings::default();
    // Times that are none were refused with the file.
    let time = |text: Option<String>| {
        let seconds = seconds(&text?).ok()?;
        Some(SignedDuration::from_secs(seconds))
    };
    let globs = |list: Option<Vec<String>>| {
        let texts = list.into_iter().flatten();
        texts.map(Glob::new).collect()
    };
    Settings {
        minimum_age: time(limits.minimum_age).unwrap_or(default.minimum_age),
        minimum_kept: limits.minimum_kept.unwrap_or(default.minimum_kept),
        maximum_share: limits.maximum_share.unwrap_or(default.maximum_share),
        maximum_number: limits.maximum_number.unwrap_or(default.maximum_number),
        apart: time(limits.apart).unwrap_or(default.apart),
        immutable_tags: globs(tags.immutable),
        mutable_tags: globs(tags.mutable),
        consents: Consents {
            fewest_roots: consents.fewest_roots,
            sources_gone: consents.sources_gone.into_iter().flatten().collect(),
            foreign_texts: consents.foreign_texts.into_iter().flatten().collect(),
        },
    }
}

/// One folder per registry, where the user keeps state.
fn default_state(host: &Host) -> Result<Utf8PathBuf, CommandError> {
    let set = |name: &str| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty());
        value.map(Utf8PathBuf::from)
    };
    let base = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")));
    let base = base.ok_or_else(|| {
        CommandError::usage(
            "there is no folder to remember in what this run saw: HOME is not set",
            "name one with --state",
        )
    })?;
    // A colon is no part of a file's name everywhere.
    let name = host.as_str().replace(':', "_");
    Ok(base.join("underpin/images").join(name))
}
