//! How long things take, as multiples of [`crate::Config::latency`] (one second by default, which
//! makes them what they are on a real cluster at rest).

use std::time::Duration;

use crate::State;

/// One kind of delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delay {
    /// A controller sees a change and acts on it: a twentieth.
    Reaction,
    /// A definition's instances are counted again after one has gone: a tenth, so that whatever
    /// belonged to the instance is collected while its kind is still served.
    InstancesAgain,
    /// A container starts and becomes ready: once.
    Start,
    /// A container stops, if its grace period is not shorter: once.
    Stop,
    /// A job's container does its work: once.
    Work,
    /// A volume is made, or deleted: once.
    Provision,
    /// The namespace controller lets caches settle before it empties a namespace: five times.
    NamespaceBegin,
    /// It looks again after something in there has gone: once.
    NamespaceAgain,
}

impl Delay {
    pub(super) fn of(self, state: &State) -> Duration {
        let latency = state.config.latency;
        match self {
            Self::Reaction => latency / 20,
            Self::InstancesAgain => latency / 10,
            Self::Start | Self::Stop | Self::Work | Self::Provision | Self::NamespaceAgain => {
                latency
            }
            Self::NamespaceBegin => latency.saturating_mul(5),
        }
    }
}
