//! I1: a teardown of one environment took its siblings along.
//!
//! The stack `pay-space-wallet` had a parent, `production`, and five children. Its old deployer put
//! all of them into one namespace; `destroy` of a test child deleted the namespace.

mod collisions;
mod kept;
mod outage;
mod own_namespaces;
mod selectors;
mod shared_namespace;
mod wallet;
mod why;
