//! I3: two namespaces asked the proxy for one host, and every site was down; then all routes were gone,
//! and the hosts answered 200.

#![allow(
    clippy::disallowed_methods,
    reason = "drives real processes in real time"
)]

mod check;
mod plans;
