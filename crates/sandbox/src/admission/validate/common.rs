//! Checks that many kinds share.

use serde_json::Value;

use super::names;
use crate::admission::{
    causes::Causes,
    path::Path,
    view::{entries, field, integer, present, text},
    wire::quantity::Quantity,
};

/// Numbers that may not be negative.
pub(super) fn not_negative(causes: &mut Causes, path: &Path<'_>, value: &Value, fields: &[&str]) {
    for name in fields {
        if let Some(number) = integer(value, name)
            && number < 0
        {
            let detail = "must be greater than or equal to 0";
            causes.invalid(&path.child(name), &number, detail);
        }
    }
}

/// A field with a fixed set of values; missing is refused.
pub(super) fn one_of(
    causes: &mut Causes,
    path: &Path<'_>,
    value: &Value,
    name: &str,
    supported: &[&str],
) {
    let found = text(value, name);
    if found.is_empty() {
        causes.required(&path.child(name), "");
    } else if !supported.contains(&found) {
        causes.not_supported(&path.child(name), found, supported);
    }
}

/// A field with a fixed set of values; missing is right.
pub(super) fn one_of_if_set(
    causes: &mut Causes,
    path: &Path<'_>,
    value: &Value,
    name: &str,
    supported: &[&str],
) {
    if let Some(found) = present(value, name)
        && !found
            .as_str()
            .is_some_and(|found| supported.contains(&found))
    {
        causes.not_supported(&path.child(name), found, supported);
    }
}

/// A name that refers to something; missing is right.
pub(super) fn reference(
    causes: &mut Causes,
    path: &Path<'_>,
    value: &Value,
    name: &str,
    rule: names::Rule,
) {
    let found = text(value, name);
    if !found.is_empty() {
        causes.invalid_each(&path.child(name), found, &rule(found));
    }
}

/// Strings that must be there.
pub(super) fn required_texts(causes: &mut Causes, path: &Path<'_>, value: &Value, fields: &[&str]) {
    for name in fields {
        if text(value, name).is_empty() {
            causes.required(&path.child(name), "");
        }
    }
}

/// The number or the name of a port.
pub(super) fn port(causes: &mut Causes, path: &Path<'_>, port: &Value) {
    match port {
        Value::Number(_) => {
            let number = port.as_i64().unwrap_or_default();
            for detail in names::port_number(number) {
                causes.invalid(path, &number, &detail);
            }
        }
        Value::String(name) => causes.invalid_each(path, name, &names::port_name(name)),
        _ => {
            for detail in names::port_number(0) {
                causes.invalid(path, &0, &detail);
            }
        }
    }
}

/// A field with the number of a port.
pub(super) fn port_number(causes: &mut Causes, path: &Path<'_>, value: &Value, name: &str) {
    let number = integer(value, name).unwrap_or_default();
    for detail in names::port_number(number) {
        causes.invalid(&path.child(name), &number, &detail);
    }
}

/// An integer that is not negative, or a percentage.
pub(super) fn amount_or_percent(causes: &mut Causes, path: &Path<'_>, value: &Value) {
    match value {
        Value::String(text) => causes.invalid_each(path, text, &names::percent(text)),
        Value::Number(_) => {
            let number = value.as_i64().unwrap_or_default();
            if number < 0 {
                causes.invalid(path, &number, "must be greater than or equal to 0");
            }
        }
        _ => {}
    }
}

/// A percentage of at most 100.
pub(super) fn at_most_all(causes: &mut Causes, path: &Path<'_>, value: &Value) {
    let percent = value.as_str().and_then(|text| text.strip_suffix('%'));
    let number = percent.and_then(|digits| digits.parse::<u64>().ok());
    if number.is_some_and(|number| number > 100) {
        causes.invalid(path, value, "must not be greater than 100%");
    }
}

/// Whether a number or percentage is nothing.
pub(super) fn is_zero(value: &Value) -> bool {
    match value {
        Value::String(text) => text.trim_end_matches('%').parse() == Ok(0_u64),
        Value::Number(number) => number.as_i64() == Some(0),
        _ => true,
    }
}

fn quantity(value: &Value) -> Option<Quantity> {
    Quantity::parse(value.as_str()?).ok()
}

/// Billionths in a quantity; nothing if it is none.
pub(super) fn nano(value: &Value) -> i128 {
    quantity(value).map_or(0, Quantity::nano)
}

/// An amount of a resource: not negative, and whole where half of one makes no sense.
pub(super) fn amount(causes: &mut Causes, path: &Path<'_>, name: &str, value: &Value) {
    let Some(quantity) = quantity(value) else {
        return;
    };
    if quantity.nano() < 0 {
        causes.invalid(path, value, "must be greater than or equal to 0");
    }
    if is_counted(name) && !quantity.is_whole() {
        causes.invalid(path, value, "must be an integer");
    }
}

/// Resources that come in whole ones.
fn is_counted(name: &str) -> bool {
    const COUNTED: [&str; 13] = [
        "pods",
        "services",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
        "requests.storage.objects",
        "count",
        "events",
        "endpoints",
    ];
    COUNTED.contains(&name) || is_extended(name)
}

/// A resource that is none of Kubernetes' own.
fn is_extended(name: &str) -> bool {
    name.contains('/') && !name.contains("kubernetes.io/") && !name.starts_with("requests.")
}

/// Resources that a container may name without a domain.
fn is_standard(name: &str) -> bool {
    matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-")
}

/// Resources that a quota may name without a domain. Source: Kubernetes documentation, "Resource
/// Quotas".
pub(super) fn is_standard_of_quota(name: &str) -> bool {
    const COUNTED: [&str; 18] = [
        "configmaps",
        "cpu",
        "ephemeral-storage",
        "limits.cpu",
        "limits.ephemeral-storage",
        "limits.memory",
        "memory",
        "persistentvolumeclaims",
        "pods",
        "replicationcontrollers",
        "requests.cpu",
        "requests.ephemeral-storage",
        "requests.memory",
        "requests.storage",
        "resourcequotas",
        "secrets",
        "services",
        "services.loadbalancers",
    ];
    COUNTED.contains(&name)
        || name == "services.nodeports"
        || name.starts_with("hugepages-")
        || name.starts_with("requests.hugepages-")
}

/// A container's limits and requests.
pub(super) fn resources(causes: &mut Causes, path: &Path<'_>, resources: &Value) {
    let limits_path = path.child("limits");
    for (name, value) in entries(resources, "limits") {
        let path = limits_path.key(name);
        resource_name(causes, &path, name);
        amount(causes, &path, name, value);
    }
    let requests_path = path.child("requests");
    let limits = field(resources, "limits");
    for (name, value) in entries(resources, "requests") {
        let path = requests_path.key(name);
        resource_name(causes, &path, name);
        amount(causes, &path, name, value);
        let is_native = !name.contains('/') || name.contains("kubernetes.io/");
        let may_overcommit = is_native && !name.starts_with("hugepages-");
        match limits.get(name) {
            Some(limit) if !may_overcommit && nano(limit) != nano(value) => {
                causes.invalid(
                    &requests_path,
                    value,
                    &format!("must be equal to {name} limit"),
                );
            }
            Some(limit) if nano(value) > nano(limit) => {
                let limit = limit.as_str().unwrap_or_default();
                let detail = format!("must be less than or equal to {name} limit of {limit}");
                causes.invalid(&requests_path, value, &detail);
            }
            None if !may_overcommit => {
                causes.required(
                    &limits_path,
                    "Limit must be set for non overcommitable resources",
                );
            }
            _ => {}
        }
    }
}

fn resource_name(causes: &mut Causes, path: &Path<'_>, name: &str) {
    let found = names::qualified(name);
    causes.invalid_each(path, name, &found);
    if found.is_empty() && !name.contains('/') && !is_standard(name) {
        causes.invalid(
            path,
            name,
            "must be a standard resource type or fully qualified",
        );
        causes.invalid(path, name, "must be a standard resource for containers");
    }
}

/// A network with the number of its bits, such as `10.0.0.0/8`.
pub(super) fn cidr(text: &str) -> Option<(std::net::IpAddr, u8)> {
    let (address, bits) = text.split_once('/')?;
    let address: std::net::IpAddr = address.parse().ok()?;
    let bits: u8 = bits.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    (bits <= most).then_some((address, bits))
}

/// Whether one network lies within another and is smaller.
pub(super) fn is_strictly_within(
    (inner, inner_bits): (std::net::IpAddr, u8),
    (outer, outer_bits): (std::net::IpAddr, u8),
) -> bool {
    let bits = |address: std::net::IpAddr| match address {
        std::net::IpAddr::V4(address) => u128::from(u32::from(address)) << 96,
        std::net::IpAddr::V6(address) => u128::from(address),
    };
    let mask = u128::MAX
        .checked_shl(128 - u32::from(outer_bits))
        .unwrap_or(0);
    inner.is_ipv4() == outer.is_ipv4()
        && outer_bits < inner_bits
        && bits(inner) & mask == bits(outer) & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(inner: &str, outer: &str, expected: bool) {
        let found = is_strictly_within(cidr(inner).unwrap(), cidr(outer).unwrap());
        assert_eq!(found, expected, "{inner} {outer}");
    }

    #[test]
    fn networks() {
        check("10.1.0.0/16", "10.0.0.0/8", true);
        check("10.0.0.0/8", "10.0.0.0/8", false);
        check("11.0.0.0/16", "10.0.0.0/8", false);
        check("1.2.3.4/32", "0.0.0.0/0", true);
        check("fd00::/64", "0.0.0.0/0", false);
        assert_eq!(cidr("10.0.0.0/33"), None);
        assert_eq!(cidr("10.0.0.0"), None);
    }
}
