//! Which address the edge serves from where, and the document that says so to Caddy.
//!
//! ```text
//! World ──▶ candidates ──▶ resolve ──▶ RoutingTable ──▶ guard ──▶ what may be published
//!            entries,       one winner                                 │
//!            Ingresses      per key                                    ▼
//!            block ──▶ adaptable ──▶ (Caddy) ──▶ Adapted ──▶ allow ──▶ document
//! ```
//!
//! [`round`](fn@round) puts these together: what is remembered and a table in, what is to be done and remembered
//! out. [`probes`] are the questions to a Caddy that runs the document.
//!
//! An entry is a piece of Caddyfile in an annotation, and may hold credentials. Its text goes to
//! Caddy and nowhere else: errors tell places, and debug forms how long it is (R3.6).
//!
//! Invariants: pure, without I/O, clock or randomness; what could not be read makes a table
//! incomplete, and an incomplete table is never published (R3.2); addresses are compared in one
//! form each; what an entry does is judged on what Caddy made of it, by a list of what is allowed.

mod adapted;
mod address;
mod allow;
mod caddyfile;
mod candidates;
mod catch_all;
mod certificate;
mod document;
mod endpoints;
mod entries;
mod guard;
mod ingress;
mod json;
mod objects;
mod page;
mod path;
mod probe;
mod published;
mod remembered;
mod resolve;
mod round;
mod services;
mod snippets;
mod table;

pub use adapted::{Adapted, AdaptedError, adaptable};
pub use address::{AddressError, Scheme, SiteAddress};
pub use allow::{Forbidden, ForbiddenWhat, Limits, UpstreamError, forbidden};
pub use caddyfile::{
    Block, BlockKind, Body, Defect, DefectKind, Import, Item, PathDirective, Position, parse_entry,
};
pub use candidates::{Settings, is_ingress, may_ask};
pub use catch_all::{Answer, NoServers, StrangerAnswer, stranger_answers};
pub use certificate::{
    Certificate, certificate_trial, certificates_in, keep_certificates, left_out, secure_host,
    wanted_secrets,
};
pub use document::{
    Document, DocumentError, EdgeSettings, PROBE_GENERATION_HEADER, PROBE_HEADER,
    PROBE_ROUTE_HEADER, ServedRoute, document, proxy_routes, trial_document, unserved,
};
pub use guard::{Acknowledgement, Cause, Causes, Decision, GuardInput, Hold, Kept, guard};
pub use objects::{ACCEPT_LOSS_ANNOTATION, EdgeObject, EdgeObjects};
pub use page::{BUILT_IN_PAGE, MAXIMUM_PAGE, page_or_built_in};
pub use path::PathMatch;
pub use probe::{Asking, Probe, ProbeAnswer, ProbeFailure, Protocol, probes, suspects};
pub use published::{Holder, Published};
pub use remembered::{Remembered, RememberedError};
pub use resolve::{resolve, resolve_with};
pub use round::{Act, Outcome, Round, RoundInput, blocks, round, served};
pub use snippets::{SNIPPETS, Snippet};
pub use table::{
    Backend, BackendState, Conflict, Content, Incomplete, LossReason, Proxy, Refusal,
    RefusalReason, Route, RouteKey, RoutingTable, Source, StaleUpstream,
};
