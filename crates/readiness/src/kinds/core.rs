//! Services and namespaces.

use underpin_model::Object;

use crate::{State, Surroundings};

/// A balancer is waited for until the Service has its address within the cluster; the outer one is
/// for whoever runs the cluster to give, and may never come.
pub(super) fn service(object: &Object, _: &Surroundings) -> State {
    let balanced = object.text("/spec/type") == Some("LoadBalancer");
    if balanced
        && object
            .text("/spec/clusterIP")
            .unwrap_or_default()
            .is_empty()
    {
        State::progress("it has no cluster address yet")
    } else {
        State::Current
    }
}

pub(super) fn namespace(object: &Object, _: &Surroundings) -> State {
    if object.text("/status/phase") == Some("Terminating") {
        State::Terminating
    } else {
        State::Current
    }
}
