//! Which images are needed, and what of a registry may go.
//!
//! ```text
//! roots (who, where, why) ──┐
//! pins, image policies ─────┼──▶ plan ──▶ stays, with every reason
//! the registry, as read ────┤         └─▶ goes ──▶ frozen plan ──▶ (reap) ──▶ undo journal
//! records of earlier runs ──┘
//! ```
//!
//! What is needed is a matter of digests: a tag protects what it points to, an index its children, an
//! image what says something of it, and the other way round (R4.2). Nothing goes that only one run
//! has found not to be needed, and nothing at all where a source or a page of the registry could not
//! be read (R4.3).
//!
//! Invariants: pure, without I/O, clock or randomness; times are given. Unknown is not absent: of
//! what could not be read it is held that it may need everything. No recursion, so that no
//! document can overflow the stack; everything is linear in what was read, up to a logarithm.

mod collector;
mod digest;
mod findings;
mod frozen;
mod glob;
mod graph;
mod journal;
mod manifest;
mod natural;
mod needs;
mod pin;
mod plan;
mod policy;
mod record;
mod reference;
mod registry;
mod release;
mod resume;
mod root;
mod roots;
mod settings;
mod unkept;
mod version;
mod writers;

pub use collector::Collector;
pub use digest::{Digest, DigestError};
pub use findings::{
    FLOATING_TAG_UNPROTECTED, GOLIVE_IMAGE_MISSING, IMAGE_NEEDED, PIN_UNRESOLVED,
    floating_tags_unprotected, images_needed, pins_unresolved,
};
pub use frozen::{
    FrozenDeletion, FrozenGroup, FrozenManifest, FrozenPlan, FrozenPlanError, Movement, lost,
};
pub use glob::Glob;
pub use journal::{
    JournalEntry, JournalError, Left, Put, Restoration, TagPut, read_journal, restoration,
};
pub use manifest::{
    Descriptor, MANIFEST_LIMIT, Manifest, ManifestError, ManifestKind, manifest_types,
};
pub use needs::{By, Missing, RootNumber};
pub use pin::{PACKAGE_TYPES, Pin, PinError, PinSettings, PinTarget, read_pins};
pub use plan::{
    Doomed, Freed, Group, ManifestPlan, Plan, PlanInput, Reason, RepositoryPlan, Stop, plan,
};
pub use policy::{ImagePolicy, Order, Selection};
pub use record::{ManifestRecord, RepositoryRecord, RootsSeen, RunRecord};
pub use reference::{Host, ImageId, Location, Reference, ReferenceError, RepositoryPath, Tag};
pub use registry::{Deletion, Package, Reading, Registry, Repository, UnreadPart, subject_of_tag};
pub use release::{ReleaseNeeds, release_needs, replace_images, without_secrets};
pub use resume::{ResumeInput, RunningPins, resume_blobs, resume_findings};
pub use root::{NotRead, Root, RootKind, Source, Target};
pub use roots::{HAVE_READ, RootSettings, UnknownNeed, file_roots, object_roots, text_roots};
pub use settings::{Consents, Settings};
pub use unkept::unkept_pins;
pub use version::{RangeError, Version, VersionRange};
pub use writers::{SourcePolicies, add_policies, marked_policy, unknown_policies};

/// How many characters of a text that cannot be read are shown.
const EXCERPT: usize = 80;

/// The beginning of a text that is shown in a message, without what would disturb a terminal.
fn excerpt(text: &str) -> String {
    let mut chars = text.chars();
    let mut shown: String = chars
        .by_ref()
        .take(EXCERPT)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}
