//! What the cells of built-in kinds say.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Row, duration};
use crate::object::text;

/// Most things that a cell lists before it counts the rest.
const LISTED: usize = 3;

fn at<'v>(row: &Row<'v>, pointer: &str) -> Option<&'v Value> {
    row.object.pointer(pointer).filter(|value| !value.is_null())
}

fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    let found = value.pointer(pointer).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}

fn whole(row: &Row, pointer: &str) -> i64 {
    at(row, pointer).and_then(Value::as_i64).unwrap_or(0)
}

fn joined(parts: impl IntoIterator<Item = impl AsRef<str>>, separator: &str) -> String {
    let parts: Vec<_> = parts.into_iter().collect();
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    parts.join(separator)
}

fn or_none(text: String) -> Value {
    Value::from(if text.is_empty() {
        "<none>".to_owned()
    } else {
        text
    })
}

/// At most [`LISTED`] things, and how many more there are.
fn shortened(things: &[String], empty: &str) -> Value {
    let shown = things
        .iter()
        .take(LISTED)
        .cloned()
        .collect::<Vec<_>>()
        .join(",");
    Value::from(match things.len() {
        0 => empty.to_owned(),
        1..=LISTED => shown,
        many => format!("{shown} + {} more...", many - LISTED),
    })
}

/// A string or number as text, or what stands for nothing.
pub(super) fn or(row: &Row, pointer: &str, nothing: &str) -> Value {
    Value::from(match at(row, pointer) {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => nothing.to_owned(),
    })
}

pub(super) fn number(row: &Row, pointer: &str) -> Value {
    Value::from(whole(row, pointer))
}

pub(super) fn flag(row: &Row, pointer: &str) -> Value {
    Value::from(at(row, pointer).and_then(Value::as_bool).unwrap_or(false))
}

/// Number of elements or keys.
pub(super) fn count(row: &Row, pointer: &str) -> Value {
    Value::from(match at(row, pointer) {
        Some(Value::Array(items)) => items.len(),
        Some(Value::Object(fields)) => fields.len(),
        _ => 0,
    })
}

/// A map of labels: `a=b,c=d`.
pub(super) fn labels(row: &Row, pointer: &str) -> Value {
    or_none(label_text(at(row, pointer)))
}

fn label_text(labels: Option<&Value>) -> String {
    let labels = labels.and_then(Value::as_object);
    let pairs = labels.into_iter().flatten().map(|(key, value)| {
        let value = value.as_str().unwrap_or_default();
        format!("{key}={value}")
    });
    let mut pairs: Vec<String> = pairs.collect();
    pairs.sort();
    pairs.join(",")
}

pub(super) fn structured_selector(row: &Row, pointer: &str) -> Value {
    let Some(selector) = at(row, pointer) else {
        return Value::from("<none>");
    };
    let mut parts = Vec::new();
    let matched = label_text(selector.get("matchLabels"));
    if !matched.is_empty() {
        parts.push(matched);
    }
    for expression in list(selector, "/matchExpressions") {
        let key = text(expression, "/key");
        let mut values: Vec<&str> = list(expression, "/values")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        values.sort_unstable();
        let values = values.join(",");
        parts.push(match text(expression, "/operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    or_none(parts.join(","))
}

/// The selector of a workload, structured or, of a ReplicationController, a plain map.
pub(super) fn selector(row: &Row) -> Value {
    for pointer in ["/spec/selector", "/spec/jobTemplate/spec/selector"] {
        if let Some(selector) = at(row, pointer) {
            let structured = ["matchLabels", "matchExpressions"];
            let is_structured = structured.iter().any(|key| selector.get(key).is_some());
            return if is_structured {
                structured_selector(row, pointer)
            } else {
                labels(row, pointer)
            };
        }
    }
    Value::from("<none>")
}

fn template_containers<'v>(row: &Row<'v>) -> &'v [Value] {
    let places = [
        "/spec/template/spec/containers",
        "/spec/jobTemplate/spec/template/spec/containers",
        "/template/spec/containers",
    ];
    let found = places.iter().map(|place| list(row.object, place));
    found
        .into_iter()
        .find(|found| !found.is_empty())
        .unwrap_or(&[])
}

pub(super) fn containers(row: &Row) -> Value {
    let names = template_containers(row)
        .iter()
        .map(|one| text(one, "/name"));
    Value::from(joined(names, ","))
}

pub(super) fn images(row: &Row) -> Value {
    let images = template_containers(row)
        .iter()
        .map(|one| text(one, "/image"));
    Value::from(joined(images, ","))
}

pub(super) fn name(row: &Row) -> Value {
    Value::from(text(row.object, "/metadata/name"))
}

pub(super) fn age(row: &Row) -> Value {
    let created = text(row.object, "/metadata/creationTimestamp");
    Value::from(duration::since(created, row.now))
}

pub(super) fn created_at(row: &Row) -> Value {
    Value::from(text(row.object, "/metadata/creationTimestamp"))
}

/// The phase, or that it is being deleted.
pub(super) fn phase(row: &Row) -> Value {
    if at(row, "/metadata/deletionTimestamp").is_some() {
        Value::from("Terminating")
    } else {
        or(row, "/status/phase", "")
    }
}

pub(super) fn pod_ready(row: &Row) -> Value {
    let statuses = list(row.object, "/status/containerStatuses");
    let ready = statuses.iter().filter(|status| {
        let is_ready = status.get("ready").and_then(Value::as_bool) == Some(true);
        is_ready && status.pointer("/state/running").is_some()
    });
    let all = list(row.object, "/spec/containers").len();
    Value::from(format!("{}/{all}", ready.count()))
}

pub(super) fn pod_restarts(row: &Row) -> Value {
    let statuses = list(row.object, "/status/containerStatuses").iter();
    let counts = statuses.filter_map(|status| status.get("restartCount")?.as_i64());
    Value::from(counts.sum::<i64>().to_string())
}

/// Why a container is not running, if it says so.
fn container_reason(status: &Value, prefix: &str) -> Option<String> {
    if let Some(waiting) = status.pointer("/state/waiting") {
        let reason = text(waiting, "/reason");
        return (!reason.is_empty()).then(|| format!("{prefix}{reason}"));
    }
    let ended = status.pointer("/state/terminated")?;
    let signal = ended.get("signal").and_then(Value::as_i64).unwrap_or(0);
    let code = ended.get("exitCode").and_then(Value::as_i64).unwrap_or(0);
    Some(match text(ended, "/reason") {
        "" if signal != 0 => format!("{prefix}Signal:{signal}"),
        "" => format!("{prefix}ExitCode:{code}"),
        reason => format!("{prefix}{reason}"),
    })
}

fn init_reason(row: &Row) -> Option<String> {
    let statuses = list(row.object, "/status/initContainerStatuses");
    let all = list(row.object, "/spec/initContainers").len();
    let unfinished = |status: &&Value| {
        let code = status.pointer("/state/terminated/exitCode");
        code.and_then(Value::as_i64) != Some(0)
    };
    let done = statuses
        .iter()
        .take_while(|status| !unfinished(status))
        .count();
    let status = statuses.get(done)?;
    let waits = text(status, "/state/waiting/reason") == "PodInitializing";
    let reason = container_reason(status, "Init:").filter(|_| !waits);
    Some(reason.unwrap_or_else(|| format!("Init:{done}/{all}")))
}

fn condition<'v>(row: &Row<'v>, kind: &str) -> Option<&'v Value> {
    let conditions = list(row.object, "/status/conditions");
    conditions.iter().find(|one| text(one, "/type") == kind)
}

fn is_true(row: &Row, kind: &str) -> bool {
    condition(row, kind).is_some_and(|one| text(one, "/status") == "True")
}

pub(super) fn pod_status(row: &Row) -> Value {
    let own = text(row.object, "/status/reason");
    if at(row, "/metadata/deletionTimestamp").is_some() {
        return Value::from(if own == "NodeLost" {
            "Unknown"
        } else {
            "Terminating"
        });
    }
    if let Some(reason) = init_reason(row) {
        return Value::from(reason);
    }
    let mut reason = if own.is_empty() {
        text(row.object, "/status/phase").to_owned()
    } else {
        own.to_owned()
    };
    // Of several containers, the first one's reason is shown.
    let statuses = list(row.object, "/status/containerStatuses");
    if let Some(found) = statuses
        .iter()
        .find_map(|status| container_reason(status, ""))
    {
        reason = found;
    }
    let runs = statuses
        .iter()
        .any(|status| status.pointer("/state/running").is_some());
    if reason == "Completed" && runs {
        let ready = is_true(row, "Ready");
        let shown = if ready { "Running" } else { "NotReady" };
        shown.clone_into(&mut reason);
    }
    Value::from(reason)
}

pub(super) fn pod_ip(row: &Row) -> Value {
    let first = list(row.object, "/status/podIPs").first();
    let ip = first.map_or_else(|| text(row.object, "/status/podIP"), |ip| text(ip, "/ip"));
    or_none(ip.to_owned())
}

pub(super) fn readiness_gates(row: &Row) -> Value {
    let gates = list(row.object, "/spec/readinessGates");
    if gates.is_empty() {
        return Value::from("<none>");
    }
    let passed = gates
        .iter()
        .filter(|gate| is_true(row, text(gate, "/conditionType")));
    Value::from(format!("{}/{}", passed.count(), gates.len()))
}

pub(super) fn cluster_ip(row: &Row) -> Value {
    let first = list(row.object, "/spec/clusterIPs")
        .first()
        .and_then(Value::as_str);
    let ip = first.unwrap_or_else(|| text(row.object, "/spec/clusterIP"));
    or_none(ip.to_owned())
}

fn balancer_addresses(row: &Row) -> BTreeSet<String> {
    let ingress = list(row.object, "/status/loadBalancer/ingress").iter();
    let addresses = ingress.map(|one| match text(one, "/ip") {
        "" => text(one, "/hostname"),
        ip => ip,
    });
    addresses
        .filter(|one| !one.is_empty())
        .map(str::to_owned)
        .collect()
}

pub(super) fn load_balancer(row: &Row) -> Value {
    Value::from(joined(balancer_addresses(row), ","))
}

pub(super) fn external_ip(row: &Row) -> Value {
    let mut addresses: Vec<String> = Vec::new();
    let kind = text(row.object, "/spec/type");
    if kind == "LoadBalancer" {
        addresses.extend(balancer_addresses(row));
    }
    let external = list(row.object, "/spec/externalIPs").iter();
    addresses.extend(external.filter_map(Value::as_str).map(str::to_owned));
    Value::from(match kind {
        "ExternalName" => text(row.object, "/spec/externalName").to_owned(),
        _ if !addresses.is_empty() => addresses.join(","),
        "LoadBalancer" => "<pending>".to_owned(),
        "ClusterIP" | "NodePort" => "<none>".to_owned(),
        _ => "<unknown>".to_owned(),
    })
}

pub(super) fn service_ports(row: &Row) -> Value {
    let ports = list(row.object, "/spec/ports").iter().map(|port| {
        let number = port.get("port").and_then(Value::as_i64).unwrap_or(0);
        let protocol = text(port, "/protocol");
        match port.get("nodePort").and_then(Value::as_i64) {
            Some(node) if node > 0 => format!("{number}:{node}/{protocol}"),
            _ => format!("{number}/{protocol}"),
        }
    });
    or_none(joined(ports, ","))
}

pub(super) fn data(row: &Row) -> Value {
    let keys = ["/data", "/binaryData"].map(|place| {
        let map = at(row, place).and_then(Value::as_object);
        map.map_or(0, serde_json::Map::len)
    });
    Value::from(keys.iter().sum::<usize>())
}

pub(super) fn node_status(row: &Row) -> Value {
    let mut status = match condition(row, "Ready") {
        Some(_) if is_true(row, "Ready") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if at(row, "/spec/unschedulable").and_then(Value::as_bool) == Some(true) {
        status.push_str(",SchedulingDisabled");
    }
    Value::from(status)
}

pub(super) fn node_roles(row: &Row) -> Value {
    let labels = at(row, "/metadata/labels").and_then(Value::as_object);
    let roles: BTreeSet<&str> = labels
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| match key.as_str() {
            "kubernetes.io/role" => value.as_str(),
            key => key.strip_prefix("node-role.kubernetes.io/"),
        })
        .filter(|role| !role.is_empty())
        .collect();
    or_none(joined(roles, ","))
}

pub(super) fn node_address(row: &Row, kind: &str) -> Value {
    let addresses = list(row.object, "/status/addresses");
    let found = addresses.iter().find(|one| text(one, "/type") == kind);
    or_none(found.map_or("", |one| text(one, "/address")).to_owned())
}

pub(super) fn access_modes(row: &Row, pointer: &str) -> Value {
    let present: BTreeSet<&str> = list(row.object, pointer)
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let known = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let short = known.iter().filter(|(long, _)| present.contains(long));
    Value::from(joined(short.map(|(_, short)| short), ","))
}

pub(super) fn claim(row: &Row) -> Value {
    Value::from(match at(row, "/spec/claimRef") {
        Some(claim) => format!("{}/{}", text(claim, "/namespace"), text(claim, "/name")),
        None => String::new(),
    })
}

pub(super) fn endpoints(row: &Row) -> Value {
    let mut found = Vec::new();
    for subset in list(row.object, "/subsets") {
        let addresses = || {
            list(subset, "/addresses")
                .iter()
                .map(|one| text(one, "/ip"))
        };
        let ports = list(subset, "/ports");
        if ports.is_empty() {
            found.extend(addresses().map(str::to_owned));
        }
        for port in ports {
            let port = port.get("port").and_then(Value::as_i64).unwrap_or(0);
            found.extend(addresses().map(|ip| {
                if ip.contains(':') {
                    format!("[{ip}]:{port}")
                } else {
                    format!("{ip}:{port}")
                }
            }));
        }
    }
    shortened(&found, "<none>")
}

pub(super) fn slice_ports(row: &Row) -> Value {
    let ports = list(row.object, "/ports").iter().map(|port| {
        match (
            port.get("port").and_then(Value::as_i64),
            text(port, "/name"),
        ) {
            (Some(number), _) => number.to_string(),
            (None, "") => "*".to_owned(),
            (None, name) => name.to_owned(),
        }
    });
    shortened(&ports.collect::<Vec<_>>(), "<unset>")
}

pub(super) fn slice_endpoints(row: &Row) -> Value {
    let endpoints = list(row.object, "/endpoints").iter();
    let addresses = endpoints.flat_map(|endpoint| list(endpoint, "/addresses"));
    let addresses = addresses.filter_map(Value::as_str).map(str::to_owned);
    shortened(&addresses.collect::<Vec<_>>(), "<unset>")
}

fn event_time(row: &Row, pointers: &[&str]) -> String {
    let times = pointers.iter().map(|pointer| text(row.object, pointer));
    let time = times.into_iter().find(|time| !time.is_empty());
    duration::since(time.unwrap_or_default(), row.now)
}

pub(super) fn event_last_seen(row: &Row) -> Value {
    let places = [
        "/series/lastObservedTime",
        "/lastTimestamp",
        "/firstTimestamp",
        "/eventTime",
    ];
    Value::from(event_time(row, &places))
}

pub(super) fn event_first_seen(row: &Row) -> Value {
    Value::from(event_time(row, &["/firstTimestamp", "/eventTime"]))
}

pub(super) fn event_object(row: &Row) -> Value {
    let kind = text(row.object, "/involvedObject/kind").to_lowercase();
    Value::from(match text(row.object, "/involvedObject/name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    })
}

pub(super) fn event_source(row: &Row) -> Value {
    let first = |places: [&str; 2]| {
        let found = places.map(|place| text(row.object, place));
        if found[0].is_empty() {
            found[1]
        } else {
            found[0]
        }
    };
    let component = first(["/source/component", "/reportingComponent"]);
    let host = first(["/source/host", "/reportingInstance"]);
    Value::from(match host {
        "" => component.to_owned(),
        host => format!("{component}, {host}"),
    })
}

pub(super) fn event_count(row: &Row) -> Value {
    Value::from(match at(row, "/series/count").and_then(Value::as_i64) {
        Some(count) => count + 1,
        None => whole(row, "/count").max(1),
    })
}

fn quota(row: &Row, limits: bool) -> Value {
    let hard = at(row, "/status/hard").and_then(Value::as_object);
    let parts = hard
        .into_iter()
        .flatten()
        .filter(|(name, _)| name.starts_with("limits") == limits)
        .map(|(name, hard)| {
            let used = at(row, "/status/used").and_then(|used| used.get(name));
            let used = used.and_then(Value::as_str).unwrap_or("0");
            format!("{name}: {used}/{}", hard.as_str().unwrap_or_default())
        });
    let mut parts: Vec<String> = parts.collect();
    parts.sort();
    Value::from(parts.join(", "))
}

pub(super) fn quota_requests(row: &Row) -> Value {
    quota(row, false)
}

pub(super) fn quota_limits(row: &Row) -> Value {
    quota(row, true)
}

pub(super) fn replicas_ready(row: &Row) -> Value {
    let (ready, wanted) = (
        whole(row, "/status/readyReplicas"),
        whole(row, "/spec/replicas"),
    );
    Value::from(format!("{ready}/{wanted}"))
}

pub(super) fn controller(row: &Row) -> Value {
    let owners = list(row.object, "/metadata/ownerReferences");
    let is_controller =
        |owner: &&Value| owner.get("controller").and_then(Value::as_bool) == Some(true);
    Value::from(match owners.iter().find(is_controller) {
        Some(owner) => {
            let (group, _) = text(owner, "/apiVersion")
                .rsplit_once('/')
                .unwrap_or_default();
            let kind = text(owner, "/kind").to_lowercase();
            let name = text(owner, "/name");
            match group {
                "" => format!("{kind}/{name}"),
                group => format!("{kind}.{group}/{name}"),
            }
        }
        None => "<none>".to_owned(),
    })
}

pub(super) fn job_status(row: &Row) -> Value {
    Value::from(if is_true(row, "Complete") {
        "Complete"
    } else if is_true(row, "Failed") {
        "Failed"
    } else if at(row, "/metadata/deletionTimestamp").is_some() {
        "Terminating"
    } else if is_true(row, "Suspended") {
        "Suspended"
    } else if is_true(row, "FailureTarget") {
        "FailureTarget"
    } else if is_true(row, "SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    })
}

pub(super) fn job_completions(row: &Row) -> Value {
    let succeeded = whole(row, "/status/succeeded");
    let parallelism = whole(row, "/spec/parallelism");
    Value::from(match at(row, "/spec/completions").and_then(Value::as_i64) {
        Some(wanted) => format!("{succeeded}/{wanted}"),
        None if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        None => format!("{succeeded}/1"),
    })
}

pub(super) fn job_duration(row: &Row) -> Value {
    let begin = text(row.object, "/status/startTime");
    Value::from(match text(row.object, "/status/completionTime") {
        _ if begin.is_empty() => String::new(),
        "" => duration::since(begin, row.now),
        end => duration::between(begin, end),
    })
}

pub(super) fn suspended(row: &Row) -> Value {
    Value::from(match at(row, "/spec/suspend").and_then(Value::as_bool) {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    })
}

pub(super) fn last_schedule(row: &Row) -> Value {
    Value::from(match text(row.object, "/status/lastScheduleTime") {
        "" => "<none>".to_owned(),
        time => duration::since(time, row.now),
    })
}

pub(super) fn scale_target(row: &Row) -> Value {
    let target =
        |field: &str| text(row.object, &format!("/spec/scaleTargetRef/{field}")).to_owned();
    Value::from(format!("{}/{}", target("kind"), target("name")))
}

pub(super) fn scale_metrics(row: &Row) -> Value {
    let metrics = list(row.object, "/spec/metrics").iter().map(|metric| {
        let kind = text(metric, "/type");
        let place = match kind {
            "ContainerResource" => "/containerResource",
            "Resource" => "/resource",
            "Pods" => "/pods",
            "Object" => "/object",
            _ => "/external",
        };
        let target = |field: &str| text(metric, &format!("{place}/target/{field}")).to_owned();
        let percent = metric.pointer(&format!("{place}/target/averageUtilization"));
        let target = match percent.and_then(Value::as_i64) {
            Some(percent) => format!("{percent}%"),
            None if target("averageValue").is_empty() => target("value"),
            None => target("averageValue"),
        };
        match kind {
            "Resource" => format!("{}: <unknown>/{target}", text(metric, "/resource/name")),
            _ => format!("<unknown>/{target}"),
        }
    });
    let metrics: Vec<String> = metrics.collect();
    Value::from(match metrics.as_slice() {
        [] => "<none>".to_owned(),
        [_] | [_, _] => metrics.join(", "),
        [first, second, rest @ ..] => format!("{first}, {second} + {} more...", rest.len()),
    })
}

pub(super) fn ingress_hosts(row: &Row) -> Value {
    let hosts = list(row.object, "/spec/rules")
        .iter()
        .map(|rule| text(rule, "/host"));
    let hosts = hosts.filter(|host| !host.is_empty()).map(str::to_owned);
    shortened(&hosts.collect::<Vec<_>>(), "*")
}

pub(super) fn ingress_ports(row: &Row) -> Value {
    let secured = !list(row.object, "/spec/tls").is_empty();
    Value::from(if secured { "80, 443" } else { "80" })
}

pub(super) fn ingress_parameters(row: &Row) -> Value {
    Value::from(match at(row, "/spec/parameters") {
        Some(parameters) => {
            let (kind, name) = (text(parameters, "/kind"), text(parameters, "/name"));
            match text(parameters, "/apiGroup") {
                "" => format!("{kind}/{name}"),
                group => format!("{kind}.{group}/{name}"),
            }
        }
        None => "<none>".to_owned(),
    })
}

pub(super) fn role(row: &Row) -> Value {
    let (kind, name) = (
        text(row.object, "/roleRef/kind"),
        text(row.object, "/roleRef/name"),
    );
    Value::from(format!("{kind}/{name}"))
}

pub(super) fn subjects(row: &Row, kind: &str) -> Value {
    let subjects = list(row.object, "/subjects").iter();
    let fitting = subjects.filter(|subject| text(subject, "/kind") == kind);
    let names = fitting.map(|subject| match text(subject, "/namespace") {
        "" => text(subject, "/name").to_owned(),
        namespace => format!("{namespace}/{}", text(subject, "/name")),
    });
    Value::from(joined(names, ", "))
}

pub(super) fn storage_class(row: &Row) -> Value {
    let name = text(row.object, "/metadata/name");
    let annotations = at(row, "/metadata/annotations");
    let default =
        annotations.and_then(|all| all.get("storageclass.kubernetes.io/is-default-class"));
    Value::from(match default.and_then(Value::as_str) {
        Some("true") => format!("{name} (default)"),
        _ => name.to_owned(),
    })
}

pub(super) fn api_service(row: &Row) -> Value {
    Value::from(match at(row, "/spec/service") {
        Some(service) => format!("{}/{}", text(service, "/namespace"), text(service, "/name")),
        None => "Local".to_owned(),
    })
}

pub(super) fn api_service_available(row: &Row) -> Value {
    Value::from(match condition(row, "Available") {
        Some(one) if text(one, "/status") == "True" => "True".to_owned(),
        Some(one) => format!("{} ({})", text(one, "/status"), text(one, "/reason")),
        None => "Unknown".to_owned(),
    })
}
