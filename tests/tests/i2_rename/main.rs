//! I2: a changed rule for names replaced a namespace, and took production down.
//!
//! The namespace of `wize-rooms-api` was to be called `wize-rooms-api-likeclaw-us-dev`. Kubernetes
//! cannot rename a namespace: the deployer created the new one and deleted the old one, in which a
//! parent environment lived too.

mod duplicate;
mod ignored_fields;
mod import;
mod outage;
mod protection;
mod rename;
mod rooms;
mod stale_values;
mod sticky;
