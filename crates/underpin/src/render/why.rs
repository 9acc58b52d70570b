//! What `why` answers, and its JSON document: the types are the schema.

use schemars::JsonSchema;
use serde::Serialize;
use underpin_model::{ObjectKey, Owner, Strength};
use underpin_plan::why::{Broken, Consumers, Edge, Effect, Need, Removal, Standing, Why};

use super::documents::{GroupDocument, PlaceDocument, ProblemDocument, text};
use crate::{
    Exit,
    worlds::{Source, WorldOrigin},
};

/// Everything that `why` found out.
pub(crate) struct Answer<'a> {
    pub(crate) source: &'a Source,
    pub(crate) why: Why,
    pub(crate) removal: Option<Removal>,
    pub(crate) consumers: Option<Consumers>,
}

impl Answer<'_> {
    /// Whether nothing that could hold a need was left unread. What a dump does not hold may be in
    /// the cluster all the same.
    pub(crate) fn is_complete(&self) -> bool {
        let is_whole = match &self.source.origin {
            WorldOrigin::Cluster | WorldOrigin::Declared(_) => true,
            WorldOrigin::Dump(dump) => dump.not_held.is_empty() && dump.only_namespace.is_none(),
        };
        is_whole && self.why.is_complete() && self.source.problems.is_empty()
    }
}

/// Which world was asked, in a few words.
pub(crate) fn place(source: &Source) -> String {
    match &source.origin {
        WorldOrigin::Cluster => {
            let cluster = &source.world.cluster;
            format!("context {}, {}", cluster.context, cluster.version)
        }
        WorldOrigin::Dump(dump) => format!("dump {}", dump.path),
        WorldOrigin::Declared(declared) => format!(
            "manifests of {}: {}",
            declared.stack,
            declared.environments.join(", ")
        ),
    }
}

/// The document.
pub(crate) fn json(answer: &Answer<'_>) -> String {
    text("why", Exit::Done, WhyDocument::of(answer))
}

/// Who needs an object.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WhyDocument {
    /// The world that was asked.
    world: WorldDocument,
    /// The object, such as `secret/wallet/db`; for a pod, the workload that makes it.
    thing: String,
    /// The object that was asked about.
    asked: String,
    /// Whether the object is there.
    standing: StandingDocument,
    /// Whose it is; null if it is not there.
    owner: Option<String>,
    /// Keys by which somebody protects it from deletion.
    protections: Vec<String>,
    /// What makes it, and would make it again.
    made_by: Vec<String>,
    /// Whether everything that could hold a need was read and understood, and no bound was met.
    complete: bool,
    /// Lists that could not be read.
    unread: Vec<String>,
    /// What could not be understood in files.
    problems: Vec<ProblemDocument>,
    /// Everything that needs the object, transitively: parents before children.
    needs: Vec<NeedDocument>,
    /// What speaks of the object without living by it.
    mentions: Vec<LinkDocument>,
    /// With `--if-removed`: what happens if the object goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    if_removed: Option<RemovalDocument>,
    /// With `--consumers`: whom to ask before.
    #[serde(skip_serializing_if = "Option::is_none")]
    consumers: Option<Vec<ConsumerDocument>>,
}

/// The world that was asked.
#[derive(Serialize, JsonSchema)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
enum WorldDocument {
    /// A live cluster.
    Cluster {
        /// The kubeconfig context.
        context: String,
        /// Uid of the namespace `kube-system`.
        uid: String,
        /// Version of the server.
        version: String,
    },
    /// A dump of one.
    Dump {
        /// The file or folder.
        path: String,
        /// Built-in kinds that may hold needs and of which the dump holds none.
        kinds_not_held: Vec<String>,
        /// The only namespace of which it holds anything.
        only_namespace: Option<String>,
    },
    /// Declared files.
    Declared {
        /// The stack.
        stack: String,
        /// The environments whose manifests were read.
        environments: Vec<String>,
    },
}

/// Whether the object is there.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum StandingDocument {
    /// It is.
    There,
    /// It is not, and something refers to it.
    Missing,
    /// Nobody could tell.
    Unknown,
}

/// An object that needs the thing.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct NeedDocument {
    /// The object.
    object: String,
    /// Whose it is; null if it is named and not there.
    owner: Option<String>,
    /// Steps between it and the thing; 1 for whoever needs the thing itself.
    depth: usize,
    /// What it needs that leads to the thing.
    via: String,
    /// How sure the weakest link of the chain is.
    strength: StrengthDocument,
    /// The fields that say so.
    because: Vec<LinkDocument>,
    /// What else it needs that leads to the thing.
    also: Vec<String>,
}

/// How sure it is that one object cannot do without another.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum StrengthDocument {
    /// It cannot.
    Required,
    /// It is written as optional.
    Optional,
    /// It is a guess from text.
    Guessed,
}

/// A field that says that one object needs another, or speaks of it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LinkDocument {
    /// Who needs.
    from: String,
    /// What is needed.
    to: String,
    /// The object that has the field.
    object: String,
    /// The field.
    path: String,
    /// Where it is written, in a file.
    place: Option<PlaceDocument>,
    /// What it says.
    note: String,
    /// How sure it is.
    strength: StrengthDocument,
    /// What happens to who needs it when it goes.
    effect: EffectDocument,
}

/// What happens to one object when another goes.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum EffectDocument {
    /// It is deleted along with it.
    Dies,
    /// It breaks at once.
    AtOnce,
    /// It breaks when one of its pods is started next.
    AtStart,
    /// It works on, and cannot be renewed or provisioned next time.
    AtRenewal,
    /// Nothing.
    Nothing,
}

/// What happens if the object goes.
#[derive(Serialize, JsonSchema)]
struct RemovalDocument {
    /// What is deleted along with it, by owner.
    dies: Vec<GroupDocument>,
    /// What controllers made from these, or from the object itself, and is deleted as well.
    derived: Vec<String>,
    /// What breaks: sure things first, then by time.
    breaks: Vec<BrokenDocument>,
}

/// An object that breaks.
#[derive(Serialize, JsonSchema)]
struct BrokenDocument {
    /// The object.
    object: String,
    /// Whose it is; null if it is named and not there.
    owner: Option<String>,
    /// When it shows.
    when: EffectDocument,
    /// Whether it is sure; else a guess from text stands between.
    certain: bool,
    /// What it lacks: something that goes, or something else that breaks.
    lacks: String,
    /// The field that says that it needs it.
    because: LinkDocument,
}

/// An item of the checklist.
#[derive(Serialize, JsonSchema)]
struct ConsumerDocument {
    /// The object.
    object: String,
    /// Whose it is; null if it is named and not there.
    owner: Option<String>,
    /// The host names that it serves.
    hosts: Vec<String>,
    /// Whether it is sure that it needs the thing.
    certain: bool,
    /// The field that leads to the thing.
    because: LinkDocument,
}

impl WhyDocument {
    fn of(answer: &Answer<'_>) -> Self {
        let why = &answer.why;
        let consumers = answer.consumers.as_ref().map(|consumers| {
            let items = consumers.items.iter();
            items
                .map(|item| ConsumerDocument {
                    object: item.key.to_string(),
                    owner: owner(item.owner.as_ref()),
                    hosts: item.hosts.clone(),
                    certain: item.is_certain,
                    because: link(&item.because),
                })
                .collect()
        });
        Self {
            world: world(answer.source),
            thing: why.thing.to_string(),
            asked: why.asked.to_string(),
            standing: match why.standing {
                Standing::There => StandingDocument::There,
                Standing::Missing => StandingDocument::Missing,
                Standing::Unknown(_) => StandingDocument::Unknown,
            },
            owner: owner(why.owner.as_ref()),
            protections: why.protections.clone(),
            made_by: keys(&why.made_by),
            complete: answer.is_complete(),
            unread: why.unread.iter().map(ToString::to_string).collect(),
            problems: answer.source.problems.iter().map(Into::into).collect(),
            needs: why.needs.iter().map(need).collect(),
            mentions: why.mentions.iter().map(link).collect(),
            if_removed: answer.removal.as_ref().map(removal),
            consumers,
        }
    }
}

fn world(source: &Source) -> WorldDocument {
    match &source.origin {
        WorldOrigin::Cluster => WorldDocument::Cluster {
            context: source.world.cluster.context.clone(),
            uid: source.world.cluster.uid.clone(),
            version: source.world.cluster.version.clone(),
        },
        WorldOrigin::Dump(dump) => WorldDocument::Dump {
            path: dump.path.clone(),
            kinds_not_held: dump.not_held.iter().map(ToString::to_string).collect(),
            only_namespace: dump.only_namespace.clone(),
        },
        WorldOrigin::Declared(declared) => WorldDocument::Declared {
            stack: declared.stack.clone(),
            environments: declared.environments.clone(),
        },
    }
}

fn need(need: &Need) -> NeedDocument {
    NeedDocument {
        object: need.key.to_string(),
        owner: owner(need.owner.as_ref()),
        depth: need.depth,
        via: need.via.to_string(),
        strength: strength(need.strength),
        because: need.links.iter().map(link).collect(),
        also: keys(&need.also),
    }
}

fn removal(removal: &Removal) -> RemovalDocument {
    RemovalDocument {
        dies: removal.dies.iter().map(Into::into).collect(),
        derived: keys(&removal.derived),
        breaks: removal.broken.iter().map(broken).collect(),
    }
}

fn broken(broken: &Broken) -> BrokenDocument {
    BrokenDocument {
        object: broken.key.to_string(),
        owner: owner(broken.owner.as_ref()),
        when: effect(broken.when),
        certain: broken.is_certain,
        lacks: broken.lacks.to_string(),
        because: link(&broken.because),
    }
}

fn link(edge: &Edge) -> LinkDocument {
    let evidence = &edge.evidence;
    LinkDocument {
        from: edge.consumer.to_string(),
        to: edge.provider.to_string(),
        object: evidence.object.to_string(),
        path: evidence.path.as_str().to_owned(),
        place: evidence.place.as_ref().map(Into::into),
        note: evidence.note.clone(),
        strength: strength(edge.strength),
        effect: effect(edge.effect),
    }
}

fn strength(strength: Strength) -> StrengthDocument {
    match strength {
        Strength::Required => StrengthDocument::Required,
        Strength::Optional => StrengthDocument::Optional,
        Strength::Guessed => StrengthDocument::Guessed,
    }
}

fn effect(effect: Effect) -> EffectDocument {
    match effect {
        Effect::Dies => EffectDocument::Dies,
        Effect::AtOnce => EffectDocument::AtOnce,
        Effect::AtStart => EffectDocument::AtStart,
        Effect::AtRenewal => EffectDocument::AtRenewal,
        Effect::Nothing => EffectDocument::Nothing,
    }
}

fn owner(owner: Option<&Owner>) -> Option<String> {
    owner.map(ToString::to_string)
}

fn keys(keys: &[ObjectKey]) -> Vec<String> {
    keys.iter().map(ToString::to_string).collect()
}
