//! What Underpin knows, and nothing it does.
//!
//! Every other crate speaks in these types: objects with their origin, the references between
//! them, the steps of a plan, the findings of the rules and the claim that records ownership.
//!
//! Invariant: nothing here does I/O, reads a clock or knows a kind's fields.

mod claim;
mod claim_index;
mod connection;
mod evidence;
mod field_expression;
mod finding;
mod hexadecimal;
mod key;
mod kinds;
mod mask;
mod need;
mod object;
mod origin;
mod owner;
mod parallel;
mod path;
mod reference;
mod selector;
mod step;
mod suggest;
mod unknown;
pub mod wording;
mod world;

pub use claim::{
    AcceptedFinding, Claim, ClaimId, Entry, EntryState, HistoryRecord, Lock, NamespaceProvenance,
    Placement, Retirement, RevisionContent, Stamp, StampError,
};
pub use claim_index::ClaimIndex;
pub use connection::{PortRef, Protocol};
pub use evidence::Evidence;
pub use field_expression::{FieldExpression, FieldExpressionError};
pub use finding::{CascadeGroup, Code, Finding, ParseCodeError, Severity};
pub use hexadecimal::hexadecimal;
pub use key::{GroupKind, LogicalKey, ObjectKey, ParseKeyError};
pub use kinds::{BUILTIN_KINDS, BuiltinKind, builtin_kind, canonical_group};
pub use mask::Mask;
pub use need::{Confidence, Connection, Consumer, Need, Supplier};
pub use object::{Depth, Object, OwnerReference};
pub use origin::{Origin, Place, SpanIndex};
pub use owner::Owner;
pub use parallel::in_parallel;
pub use path::FieldPath;
pub use reference::{Reference, Relation, Strength, Target};
pub use selector::{LabelSelector, Requirement};
pub use step::{Action, FieldChange, KeepReason, Step, Unvalidated};
pub use suggest::{listed, nearest};
pub use unknown::{UnknownPart, UnknownParts};
pub use world::{ClusterIdentity, ResourceKind, Unread, World};

/// The field manager of everything Underpin applies, and the prefix of its own keys.
pub mod names {
    /// Field manager used in server-side apply.
    pub const FIELD_MANAGER: &str = "underpin";
    /// Annotation on members: `<claim id>/<nonce>`, see [`crate::Stamp`].
    pub const STAMP_ANNOTATION: &str = "underpin.dev/claim";
    /// Annotation on members: `<stack>/<environment>`, so that people and a lost claim's rebuild
    /// can tell whose an object is.
    pub const ENVIRONMENT_ANNOTATION: &str = "underpin.dev/environment";
    /// Annotation on a Namespace that every `up` changes, so that a concurrent `down` fails.
    pub const LAST_UP_ANNOTATION: &str = "underpin.dev/last-up";
    /// Our own protection key: `keep` protects the object from deletion and replacement.
    pub const PROTECT_ANNOTATION: &str = "underpin.dev/protect";
    /// Our own opt-in, per object: `recreate` permits delete-and-create on an immutable change.
    pub const ON_IMMUTABLE_ANNOTATION: &str = "underpin.dev/on-immutable";
    /// Comma-separated field paths that are applied at creation and then left as they are live.
    pub const IGNORE_FIELDS_ANNOTATION: &str = "underpin.dev/ignore-fields";
    /// On an object: `false` not to wait for it, `complete` to wait for a Job's end.
    pub const WAIT_ANNOTATION: &str = "underpin.dev/wait";
    /// On an object: how long to wait for it, such as `10m`, instead of what the run says.
    pub const WAIT_TIMEOUT_ANNOTATION: &str = "underpin.dev/wait-timeout";
    /// On a Service with an entry for the edge: `follow` to have upstreams that name the Service in
    /// another namespace sent to where it lives.
    pub const ROUTE_UPSTREAMS_ANNOTATION: &str = "underpin.dev/route-upstreams";
    /// On a workload, its pods or their Service: what they connect to that nothing else tells, as
    /// `namespace/service:port`, between commas or on lines of their own.
    pub const NEEDS_ANNOTATION: &str = "underpin.dev/needs";
    /// On a workload, its pods or their Service: what looks like a need of theirs and is none, as
    /// `namespace/service` or a host name, then ` -- ` and the reason.
    pub const NO_NEEDS_ANNOTATION: &str = "underpin.dev/no-needs";
    /// What client-side apply keeps on an object: the whole manifest, Secret data included.
    pub const LAST_APPLIED_ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";
    /// Label on everything that stores a claim; the value is the claim's name.
    pub const CLAIM_LABEL: &str = "underpin.dev/claim-of";
    /// Label on what stores the content of a revision; the value is the claim's name. No part of a
    /// claim carries it.
    pub const REVISION_LABEL: &str = "underpin.dev/revision-of";
    /// Default namespace of the claims.
    pub const CLAIMS_NAMESPACE: &str = "underpin-system";
}
