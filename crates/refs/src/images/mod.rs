//! Which images an object names: in pod templates, statuses, Flux's and Argo's objects, by the
//! conventions of other custom kinds, and in any text that holds the host of a registry.
//!
//! What is named is told as it is written. What it means, and whether it is a reference at all, is
//! for whoever asks to say.

mod argo;
mod convention;
mod flux;
mod kustomize;
mod open;
mod patch;
mod pods;
mod release;
mod replacement;
mod sweep;
mod unknown;
mod values;

use serde_json::Value;
use underpin_model::{Evidence, FieldPath, Object, World};

pub use kustomize::{
    KustomizationFile, Variables, folder_of_kustomization, is_git_source, kustomization_file,
    source_of_release, takes_from_objects, target_namespace, url_of_source, variables,
};
pub use open::opened_name;
pub use patch::patch_may_set_images;
pub use release::{
    ReleaseChart, ReleaseImages, chart_of_release, images_of_release, is_helm_release, is_release,
    is_suspended, merged_values, release_kinds, unknown_of_kustomization,
};
pub use replacement::{ImageReplacement, PutImage, images_of_kustomization, put_image};
pub use sweep::{images_in_text, images_of_file};
pub use values::images_in_values;

use crate::field::Field;

/// An object names an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageMention {
    /// The field.
    pub evidence: Evidence,
    /// What the object is to the image.
    pub role: ImageRole,
    /// What is named.
    pub name: ImageName,
}

/// What an object is to the image that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImageRole {
    /// A pod.
    Pod,
    /// What makes pods.
    Workload,
    /// A former revision of what makes pods, kept to roll back to.
    Rollback,
    /// A Job or CronJob.
    Job,
    /// A HelmRelease, suspended or not.
    HelmRelease {
        /// Whether it is.
        suspended: bool,
    },
    /// A Kustomization, suspended or not.
    Kustomization {
        /// Whether it is.
        suspended: bool,
    },
    /// An ImagePolicy that selects it.
    Policy,
    /// An ImagePolicy whose status says that it selected it.
    PolicyStatus,
    /// Any other custom kind.
    Custom,
    /// A Secret that holds the name of it.
    Secret,
    /// Any object with a text that holds the name of it.
    Text,
}

/// How an image is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageName {
    /// In a field that means nothing else.
    Reference(String),
    /// In a field or text that may mean something else.
    Likely(String),
    /// As a node tells what it runs: a reference, or a digest alone.
    Id(String),
    /// A name with `*` for each part that nobody knows, such as a variable.
    Open(String),
    /// A tag alone: which repository it is of, somebody else says.
    Tag(String),
    /// Whatever a policy selects of the tags of a repository.
    Selected {
        /// The repository, as a reference without a tag.
        image: String,
        /// How.
        by: TagSelection,
    },
    /// Something that cannot be told, and why, in a sentence without a full stop.
    Unknown(String),
}

/// How a tag is selected, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagSelection {
    /// What sorts the tags.
    pub order: TagOrder,
    /// An expression that tags match.
    pub pattern: Option<String>,
    /// What of a tag is sorted.
    pub extract: Option<String>,
    /// Expressions of tags that are left out; `None` where nothing is said.
    pub exclusions: Option<Vec<String>>,
}

/// What sorts tags, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagOrder {
    /// Versions in a range.
    Semver(String),
    /// The alphabet, `asc` or `desc`.
    Alphabetical(String),
    /// Numbers, `asc` or `desc`.
    Numerical(String),
    /// Nothing that is known.
    Missing,
}

/// Reads a text of YAML, such as the values of a chart; otherwise says why it cannot be read, without
/// repeating it.
pub type ReadYaml<'a> = &'a dyn Fn(&str) -> Result<Value, String>;

/// Where images are looked up that an object names only by way of others.
#[derive(Clone, Copy)]
pub struct ImageSources<'a> {
    /// The objects that objects refer to.
    pub world: &'a World,
    /// What reads texts.
    pub read_yaml: ReadYaml<'a>,
}

/// Everything that an object says of images by its fields, in their order.
pub fn images(object: &Object, sources: ImageSources<'_>) -> Vec<ImageMention> {
    let mut collector = Images {
        object,
        sources,
        found: Vec::new(),
    };
    pods::collect(&mut collector);
    flux::collect(&mut collector);
    argo::collect(&mut collector);
    convention::collect(&mut collector);
    unknown::collect(&mut collector);
    collector.found
}

/// What is found of one object.
pub(crate) struct Images<'a> {
    pub(crate) object: &'a Object,
    pub(crate) sources: ImageSources<'a>,
    found: Vec<ImageMention>,
}

impl<'a> Images<'a> {
    fn add(&mut self, path: FieldPath, role: ImageRole, name: ImageName) {
        let mention = ImageMention {
            evidence: self.object.evidence(path, String::new()),
            role,
            name,
        };
        let same = |one: &ImageMention| {
            one.evidence.path == mention.evidence.path && one.name == mention.name
        };
        if !self.found.iter().any(same) {
            self.found.push(mention);
        }
    }

    /// A field that names an image and nothing else.
    fn reference(&mut self, field: Option<Field<'a>>, role: ImageRole) {
        if let Some((field, text)) = field.and_then(|field| Some((field.clone(), field.text()?))) {
            self.add(field.path, role, ImageName::Reference(text.to_owned()));
        }
    }

    /// What the values of a chart name, given as a text of YAML. What a Secret holds is not repeated.
    fn values_text(&mut self, path: &FieldPath, role: ImageRole, text: &str) {
        match (self.sources.read_yaml)(text) {
            Ok(values) => self.values(path, role, &values),
            Err(reason) => {
                let reason = format!("its values cannot be read: {reason}");
                self.add(path.clone(), role, ImageName::Unknown(reason));
            }
        }
    }

    /// What the values of a chart name.
    fn values(&mut self, path: &FieldPath, role: ImageRole, values: &Value) {
        for (path, name) in images_in_values(path, values) {
            self.add(path, role, name);
        }
    }

    fn is(&self, group: &str, kind: &str) -> bool {
        self.object.key.kind.is(group, kind)
    }
}
