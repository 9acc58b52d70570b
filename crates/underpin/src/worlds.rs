//! The worlds that can be asked without a plan: a live cluster, a dump of one, declared files.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{ErrorKind, Read as _},
};

use camino::{Utf8Path, Utf8PathBuf};
use underpin_cluster::{Cluster, ConnectOptions, claims};
use underpin_model::{GroupKind, Object, ObjectKey, Owner, Unread, World, names};
use underpin_plan::{
    DeclaredEnvironment,
    naming::{Derivation, derive_namespace},
    why::{kinds_not_held, place_in, world_of},
};
use underpin_source::{
    Diagnostic, dump,
    manifests::{Documents, STANDARD_INPUT, Variable, read, render},
    stack::Stack,
};

use crate::{
    error::CommandError,
    setup::{declared_environments, standard_input},
};

/// What `--against` says for standard input.
const FROM_STANDARD_INPUT: &str = "-";
/// The way to a dump.
const HOW_TO_DUMP: &str =
    "write one with `kubectl get --all-namespaces --output yaml KIND,KIND… > FILE`";
/// File names that are no contexts.
const DUMP_EXTENSIONS: &[&str] = &["json", "yaml", "yml"];

/// A world, and where it comes from.
pub(crate) struct Source {
    pub(crate) world: World,
    pub(crate) origin: WorldOrigin,
    /// What could not be understood in files.
    pub(crate) problems: Vec<Diagnostic>,
}

impl Source {
    /// The world, with those of these kinds as unknown that a dump need not hold: all of a kind of which
    /// it holds none, and those outside of the one namespace that it holds.
    pub(crate) fn world_as_known(&self, kinds: &[GroupKind]) -> World {
        let mut world = self.world.clone();
        let WorldOrigin::Dump(dump) = &self.origin else {
            return world;
        };
        for kind in kinds {
            let holds_none = world.of_kind(kind).next().is_none();
            if !holds_none && dump.only_namespace.is_none() {
                continue;
            }
            // Services of its one namespace are dumped together.
            let is_held = !holds_none && kind.is("", "Service");
            let namespaces = dump.only_namespace.iter().filter(|_| is_held);
            let read = world.partly_read.entry(kind.clone()).or_default();
            read.extend(namespaces.cloned());
            world.unread.push(Unread {
                kind: Some(kind.clone()),
                group: String::new(),
                namespace: None,
                reason: format!("{} does not hold all of them", dump.path),
            });
        }
        world
    }
}

/// Whether a world tells what is ready behind Services: a dump need not hold it. What could not be read of
/// a cluster was asked for, and is unknown.
pub(crate) fn tells_endpoints(world: &World) -> bool {
    let kind = GroupKind::new("discovery.k8s.io", "EndpointSlice");
    world.of_kind(&kind).next().is_some() || world.unread(&kind, None).is_some()
}

/// Where a world comes from.
pub(crate) enum WorldOrigin {
    /// A live cluster.
    Cluster,
    /// A dump.
    Dump(Dump),
    /// Declared files.
    Declared(Declared),
}

/// A dump, and what it does not hold.
pub(crate) struct Dump {
    /// The path as it was given.
    pub(crate) path: String,
    /// Built-in kinds that may hold needs and of which it holds none.
    pub(crate) not_held: Vec<GroupKind>,
    /// The namespace in which all of its objects lie, if there is only one.
    pub(crate) only_namespace: Option<String>,
}

/// Declared files.
pub(crate) struct Declared {
    /// The stack.
    pub(crate) stack: String,
    /// The environments whose manifests were read.
    pub(crate) environments: Vec<String>,
    /// Whose each object is.
    pub(crate) owners: BTreeMap<ObjectKey, Owner>,
}

impl Declared {
    /// Whose stack file declares an object.
    pub(crate) fn owner(&self, key: &ObjectKey) -> Owner {
        self.owners.get(key).cloned().unwrap_or(Owner::Unknown)
    }
}

/// What `--against` means.
pub(crate) enum Against {
    /// A dump.
    Dump(Utf8PathBuf),
    /// A context of the kubeconfig.
    Context(String),
}

/// A file or folder that is there is a dump, and so is what is called like one; else it is a
/// context.
pub(crate) fn against(text: &str) -> Result<Against, CommandError> {
    let path = Utf8PathBuf::from(text);
    if text == FROM_STANDARD_INPUT || path.exists() {
        return Ok(Against::Dump(path));
    }
    let extension = path.extension().unwrap_or_default();
    if DUMP_EXTENSIONS.contains(&extension) || text.starts_with('.') || text.starts_with('/') {
        return Err(CommandError::usage(
            format!("there is no file or folder {text}"),
            HOW_TO_DUMP,
        ));
    }
    Ok(Against::Context(text.to_owned()))
}

/// Reads a live cluster; of Secrets the metadata alone.
pub(crate) async fn live(
    options: &ConnectOptions,
    claims_namespace: Option<&str>,
    namespaces: &[String],
) -> Result<Source, CommandError> {
    let cluster = Cluster::connect(options).await?;
    let claims_namespace = claims_namespace.unwrap_or(names::CLAIMS_NAMESPACE);
    let world = underpin_deploy::read_world(&cluster, claims_namespace, namespaces, &[]).await?;
    Ok(of_cluster(world))
}

/// Reads a live cluster with what is ready behind Services.
pub(crate) async fn live_with_endpoints(options: &ConnectOptions) -> Result<Source, CommandError> {
    let cluster = Cluster::connect(options).await?;
    let namespace = names::CLAIMS_NAMESPACE;
    let world = underpin_deploy::read_world_with_endpoints(&cluster, namespace).await?;
    Ok(of_cluster(world))
}

fn of_cluster(world: World) -> Source {
    Source {
        world,
        origin: WorldOrigin::Cluster,
        problems: Vec::new(),
    }
}

/// Reads a dump. One bad document leaves the others; a dump without any object is an error.
pub(crate) fn dumped(
    path: &Utf8Path,
    claims_namespace: Option<&str>,
) -> Result<Source, CommandError> {
    let (name, (objects, problems)) = if path == FROM_STANDARD_INPUT {
        let text = standard_input_text()?;
        (STANDARD_INPUT, dump::read_text(STANDARD_INPUT, &text))
    } else {
        (path.as_str(), dump::read(&[path.to_owned()]))
    };
    match (objects.is_empty(), problems.is_empty()) {
        (false, _) => {}
        (true, true) => {
            return Err(CommandError::usage(
                format!("{name} holds no Kubernetes object"),
                HOW_TO_DUMP,
            ));
        }
        (true, false) => {
            return Err(CommandError::Declared {
                summary: format!("{name} holds no Kubernetes object that could be read"),
                diagnostics: problems,
            });
        }
    }
    let mut world = world_of(objects);
    let claims_namespace = claims_namespace.unwrap_or(names::CLAIMS_NAMESPACE);
    let (found, unread) = claims::parse(claims_namespace, world.objects());
    world.claims = found;
    world.unread.extend(unread);
    let namespaces: BTreeSet<&String> = world
        .objects()
        .filter_map(|object| object.key.namespace.as_ref())
        .collect();
    let only_namespace = match namespaces.first() {
        Some(only) if namespaces.len() == 1 => Some((*only).clone()),
        _ => None,
    };
    Ok(Source {
        origin: WorldOrigin::Dump(Dump {
            path: name.to_owned(),
            not_held: kinds_not_held(&world),
            only_namespace,
        }),
        world,
        problems,
    })
}

pub(crate) fn standard_input_text() -> Result<String, CommandError> {
    let mut text = String::new();
    match std::io::stdin().read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(CommandError::usage(
            "the dump on standard input is not UTF-8 text",
            "convert it to UTF-8",
        )),
        Err(source) => Err(CommandError::Io {
            what: "cannot read the dump from standard input".to_owned(),
            source,
        }),
    }
}

/// Reads the manifests of a stack: of one environment, or of all that share a cluster.
pub(crate) fn declared(
    stack: &Stack,
    environment: Option<&str>,
    context: Option<&str>,
    variables: &[(String, String)],
) -> Result<Source, CommandError> {
    let environments = chosen(stack, environment, context)?;
    let (documents, mut problems) = read(stack, standard_input(stack)?);
    let (mut objects, mut owners) = (Vec::new(), BTreeMap::new());
    for one in &environments {
        let (found, more) = declared_by(stack, one, &documents, variables)?;
        problems.extend(more);
        for object in &found {
            let owner = Owner::Claim {
                stack: one.stack.clone(),
                environment: one.name.clone(),
            };
            owners.entry(object.key.clone()).or_insert(owner);
        }
        objects.extend(found);
    }
    if !problems.is_empty() {
        problems.sort_by(|a, b| (&a.place, &a.message).cmp(&(&b.place, &b.message)));
        problems.dedup();
        return Err(CommandError::Declared {
            summary: "the declared files have errors".to_owned(),
            diagnostics: problems,
        });
    }
    Ok(Source {
        world: world_of(objects),
        origin: WorldOrigin::Declared(Declared {
            stack: stack.file.metadata.name.clone(),
            environments: environments.into_iter().map(|one| one.name).collect(),
            owners,
        }),
        problems: Vec::new(),
    })
}

/// The environment that was asked for, or all of one cluster.
fn chosen(
    stack: &Stack,
    environment: Option<&str>,
    context: Option<&str>,
) -> Result<Vec<DeclaredEnvironment>, CommandError> {
    let mut environments = declared_environments(stack);
    if environment.is_some() {
        let name = crate::setup::choose_environment(stack, environment)?;
        environments.retain(|one| one.name == name);
        return Ok(environments);
    }
    if let Some(context) = context {
        environments.retain(|one| one.context.as_deref().is_none_or(|own| own == context));
    }
    let contexts: BTreeSet<&str> = environments
        .iter()
        .filter_map(|one| one.context.as_deref())
        .collect();
    match (environments.is_empty(), contexts.len()) {
        (false, 0 | 1) => Ok(environments),
        (true, _) => Err(CommandError::usage(
            format!(
                "{} has no environment in context {}",
                stack.path,
                context.unwrap_or_default()
            ),
            "choose one with --environment, or leave --context out",
        )),
        (false, _) => Err(CommandError::usage(
            format!("the environments of {} are in several contexts", stack.path),
            format!(
                "choose one with --environment or --context: {}",
                contexts.into_iter().collect::<Vec<_>>().join(", ")
            ),
        )),
    }
}

/// The objects of one environment where its names derive it, its namespace among them.
pub(crate) fn declared_by(
    stack: &Stack,
    environment: &DeclaredEnvironment,
    documents: &Documents,
    given: &[(String, String)],
) -> Result<(Vec<Object>, Vec<Diagnostic>), CommandError> {
    let home = derived(environment)?;
    // No value of a Secret matters to who needs what.
    let mut variables = stack.variables_without_secrets(&environment.name, &home);
    for (name, value) in given {
        variables.insert(name, Variable::text(value));
    }
    let (objects, problems) = render(documents, &variables);
    Ok((place_in(objects, &home, &environment.place), problems))
}

/// The namespace that the names of an environment derive.
pub(crate) fn home(stack: &Stack, environment: &str) -> Result<String, CommandError> {
    let environments = declared_environments(stack);
    match environments.iter().find(|one| one.name == environment) {
        Some(one) => derived(one),
        None => Err(CommandError::usage(
            format!("{} has no environment {environment}", stack.path),
            "choose one with --environment",
        )),
    }
}

fn derived(environment: &DeclaredEnvironment) -> Result<String, CommandError> {
    derive_namespace(&Derivation {
        stack: &environment.stack,
        environment: &environment.name,
        parent: environment.parent.as_deref(),
        namespace: environment.namespace.as_deref(),
        shared: environment.shared,
    })
    .map_err(|error| CommandError::usage(error.to_string(), "give the stack another name"))
}
