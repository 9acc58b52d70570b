//! What Kubernetes objects say of each other.
//!
//! Pure functions from an object to its references, its owner, its protection, its presence and
//! what controllers make from it. One module per API group in `kinds`, all listed in one table.
//!
//! Invariants: nothing else in the program knows a kind's fields; no I/O, no clock; the contents
//! of a Secret are looked at by `needs` for hosts and ports and by `images` for names of images alone,
//! and otherwise only encoded; malformed fields are skipped, never a panic.

mod binding;
mod collector;
mod configuration;
mod defined;
mod effect;
mod endpoints;
mod entrance;
mod entry;
mod field;
mod generated;
mod git_source;
mod host;
mod images;
mod index;
mod ingress;
mod kinds;
mod leaving;
mod needs;
mod operators;
mod owner;
mod pod_selection;
mod pods;
mod presence;
mod protection;
mod references;
mod secret;
mod served;

pub use binding::rebound;
pub use defined::{defined, defined_kind, is_established};
pub use effect::{Effect, effect};
pub use endpoints::{Endpoints, ServicePorts, endpoints, service_ports};
pub use entrance::{Backend, BackendPort, entrance_backends};
pub use entry::{ENTRY_ANNOTATIONS, entry_upstreams};
pub use generated::generated;
pub use git_source::{GitPlace, GitSource, git_source};
pub use host::{HostForm, ServiceHost, service_hosts};
pub use images::{
    ImageMention, ImageName, ImageReplacement, ImageRole, ImageSources, KustomizationFile,
    PutImage, ReadYaml, ReleaseChart, ReleaseImages, TagOrder, TagSelection, Variables,
    chart_of_release, folder_of_kustomization, images, images_in_text, images_in_values,
    images_of_file, images_of_kustomization, images_of_release, is_git_source, is_helm_release,
    is_release, is_suspended, kustomization_file, merged_values, opened_name, patch_may_set_images,
    put_image, release_kinds, source_of_release, takes_from_objects, target_namespace,
    unknown_of_kustomization, url_of_source, variables,
};
pub use index::ReferenceIndex;
pub use ingress::{
    BackendError, IngressBackend, IngressPath, IngressRule, IngressRules, ingress_rules,
};
pub use leaving::{Neighbours, goes_by_itself};
pub use needs::{NeedOptions, NeedProblem, Needs, ProblemKind, SuppressedNeed, needs, read_needs};
pub use operators::{OperatorService, operator_services};
pub use owner::{is_deployer_manager, tool_owner};
pub use pod_selection::{PodSelection, pod_selection, selects_pods};
pub use pods::{bears_pods, container_path, namespace_of, pod_labels, pod_template, workload_of};
pub use presence::{Presence, presence};
pub use protection::{Protection, protection_from_key, protections};
pub use references::{references, referring_kinds};
pub use secret::store_string_data;
pub use served::served_hosts;
