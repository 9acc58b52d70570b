//! A server that is away, slow, forbidding or another one than thought; files and outputs that
//! cannot be used: a clear error each, and the next run goes on.

mod connection;
mod forbidden;
mod outputs;
mod record;
mod refused;
mod restart;
mod unreliable;
mod wrong_cluster;

/// Objects of several kinds that need each other.
fn manifest() -> String {
    include_str!("app.yaml").to_owned()
}
