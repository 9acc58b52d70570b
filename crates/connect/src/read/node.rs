//! Nodes: their addresses, and the networks that their pods get addresses from.

use std::net::IpAddr;

use serde_json::Value;
use underpin_model::Object;

use crate::addresses::AddressRange;

/// The addresses of a node.
pub(crate) fn node_addresses(object: &Object) -> Vec<IpAddr> {
    let addresses = object.at("/status/addresses").and_then(Value::as_array);
    let texts = addresses
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.get("address")?.as_str());
    texts.filter_map(|text| text.parse().ok()).collect()
}

/// The networks that the pods of a node get their addresses from, where the node tells.
pub(crate) fn pod_networks(object: &Object) -> Vec<AddressRange> {
    let many = object.at("/spec/podCIDRs").and_then(Value::as_array);
    let one = object.at("/spec/podCIDR");
    many.into_iter()
        .flatten()
        .chain(one)
        .filter_map(|value| AddressRange::block(value.as_str()?))
        .collect()
}
