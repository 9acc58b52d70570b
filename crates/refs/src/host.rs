//! Service DNS names in text, as `name.namespace.svc.cluster.local:port` and shorter.
//!
//! One pass over the text. Names with placeholders in them name nothing and are passed over.

use std::ops::Range;

/// How a Service name was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostForm {
    /// `name.namespace.svc`, alone or with a domain; nothing else is written so.
    Full,
    /// `name.namespace` as the host of a URL or before a port; may be a host elsewhere.
    TwoLabels,
    /// `name` as the host of a URL; resolved in the namespace of the pod that uses it.
    OneLabel,
}

/// A Service's DNS name found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceHost<'a> {
    /// Name of the Service, as written; DNS ignores case.
    pub name: &'a str,
    /// Its namespace, where the name tells.
    pub namespace: Option<&'a str>,
    /// What follows `svc`, such as `cluster.local`.
    pub domain: Option<&'a str>,
    /// The port behind it.
    pub port: Option<u16>,
    /// Byte offset of `name` in the text.
    pub offset: usize,
    /// How it was written.
    pub form: HostForm,
}

/// Endings that hosts on the internet have and namespaces do not.
const PUBLIC_ENDINGS: &[&str] = &["com", "io", "local", "net", "org"];
/// Longest DNS label.
const MAXIMUM_LABEL: usize = 63;

impl ServiceHost<'_> {
    /// Host and port for people, and nothing around them.
    pub fn display(&self) -> String {
        let mut text = self.name.to_owned();
        if let Some(namespace) = self.namespace {
            text.push('.');
            text.push_str(namespace);
        }
        if self.form == HostForm::Full {
            text.push_str(".svc");
        }
        if let Some(port) = self.port {
            text.push(':');
            text.push_str(&port.to_string());
        }
        text
    }

    /// Whether what follows `svc` is a cluster's domain: nothing, `cluster.local`, or what people
    /// use in its place. `api.prod.svc.example.com` may be anywhere.
    pub fn is_cluster_domain(&self) -> bool {
        let Some(domain) = self.domain else {
            return true;
        };
        let domain = domain.to_ascii_lowercase();
        domain == "local"
            || domain
                .strip_suffix("local")
                .is_some_and(|rest| rest.ends_with('.'))
            || domain.starts_with("cluster.")
    }
}

/// Every Service name in `text`, by offset. Full names are found anywhere; `name.namespace` as
/// host of a URL or with a port; a bare `name` only as host of a URL.
pub fn service_hosts(text: &str) -> Vec<ServiceHost<'_>> {
    let url_hosts = url_host_starts(text);
    let mut hosts = Vec::new();
    for run in host_runs(text) {
        let Some(word) = text.get(run.clone()) else {
            continue;
        };
        if !starts_a_name(text, run.start) {
            continue;
        }
        let word = word.trim_end_matches('.');
        let end = run.start + word.len();
        let port = if end == run.end {
            port_at(text, end)
        } else {
            None
        };
        let labels: Vec<&str> = word.split('.').collect();
        let in_url = url_hosts.binary_search(&run.start).is_ok();
        let found = full(word, &labels, run.start)
            .or_else(|| short(text, &labels, &run, in_url, port.is_some()));
        hosts.extend(found.map(|found| ServiceHost { port, ..found }));
    }
    hosts
}

/// `[pod.]name.namespace.svc[.domain]`.
fn full<'a>(word: &'a str, labels: &[&'a str], start: usize) -> Option<ServiceHost<'a>> {
    let svc = labels
        .iter()
        .enumerate()
        .skip(2)
        .find(|(_, label)| label.eq_ignore_ascii_case("svc"))?
        .0;
    let (name, namespace) = (labels[svc - 2], labels[svc - 1]);
    if !labels.iter().all(|label| !label.is_empty()) || !is_label(name) || !is_label(namespace) {
        return None;
    }
    let before: usize = labels[..svc - 2].iter().map(|label| label.len() + 1).sum();
    let through_svc: usize = labels[..=svc].iter().map(|label| label.len() + 1).sum();
    Some(ServiceHost {
        name,
        namespace: Some(namespace),
        domain: word.get(through_svc..),
        port: None,
        offset: start + before,
        form: HostForm::Full,
    })
}

/// `name.namespace` with a port or as host of a URL, `name` as host of a URL.
fn short<'a>(
    text: &str,
    labels: &[&'a str],
    run: &Range<usize>,
    in_url: bool,
    has_port: bool,
) -> Option<ServiceHost<'a>> {
    // What comes before an `@` is a user, and what touches a placeholder is a part of a name.
    if text[run.end..].starts_with(['@', '$', '{', '%', '<', '*']) {
        return None;
    }
    let (name, namespace, form) = match labels {
        [name, namespace] if in_url || has_port => (*name, Some(*namespace), HostForm::TwoLabels),
        [name] if in_url => (*name, None, HostForm::OneLabel),
        _ => return None,
    };
    let is_service = is_label(name) && name.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_namespace = namespace.is_none_or(|namespace| {
        is_label(namespace)
            && !namespace.bytes().all(|byte| byte.is_ascii_digit())
            && !PUBLIC_ENDINGS
                .iter()
                .any(|ending| namespace.eq_ignore_ascii_case(ending))
    });
    if !is_service || !is_namespace || name.eq_ignore_ascii_case("localhost") {
        return None;
    }
    Some(ServiceHost {
        name,
        namespace,
        domain: None,
        port: None,
        offset: run.start,
        form,
    })
}

/// Maximal runs of characters that host names are made of. The underscore belongs to them so
/// that `web.ns.svc_old` is not taken for `web.ns.svc`.
fn host_runs(text: &str) -> Vec<Range<usize>> {
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let mut runs = Vec::new();
    let mut start = None;
    for (position, byte) in text.bytes().enumerate() {
        match (is_host(byte), start) {
            (true, None) => start = Some(position),
            (false, Some(from)) => {
                runs.push(from..position);
                start = None;
            }
            _ => {}
        }
    }
    runs.extend(start.map(|from| from..text.len()));
    runs
}

/// Whether a name can begin here: not after a placeholder's end, a percent sign or a letter that
/// is not ASCII, for then this is only the rest of a name.
fn starts_a_name(text: &str, start: usize) -> bool {
    text[..start]
        .chars()
        .next_back()
        .is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '}' | ')' | '%' | '$' | '*' | '>'))
}

/// A DNS label as Services and namespaces have them.
fn is_label(label: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    label.len() <= MAXIMUM_LABEL
        && label.bytes().all(is_inner)
        && label.bytes().next().is_some_and(|byte| byte != b'-')
        && label.bytes().next_back().is_some_and(|byte| byte != b'-')
}

/// The port that follows a host, if the digits end like a port.
fn port_at(text: &str, end: usize) -> Option<u16> {
    const MAXIMUM_DIGITS: usize = 5;
    let rest = text.get(end..)?.strip_prefix(':')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let after = rest.as_bytes().get(digits);
    let ends = after.is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'@');
    if digits > MAXIMUM_DIGITS || !ends {
        return None;
    }
    rest.get(..digits)?.parse().ok().filter(|port| *port > 0)
}

/// Where the hosts of URLs begin, ascending: behind `://`, behind the user if there is one, and
/// behind each comma of a list of hosts.
fn url_host_starts(text: &str) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find("://")) {
        let begin = from + found + "://".len();
        let rest = text.get(begin..).unwrap_or_default();
        let ends = |c: char| c.is_whitespace() || "/?#\"'`<>()[]{}|\\".contains(c);
        let authority = &rest[..rest.find(ends).unwrap_or(rest.len())];
        let hosts = authority.rfind('@').map_or(0, |at| at + 1);
        let mut position = begin + hosts;
        for host in authority[hosts..].split(',') {
            starts.push(position);
            position += host.len() + 1;
        }
        from = begin + authority.len();
    }
    starts
}
