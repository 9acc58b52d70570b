//! Every host that a text names: one pass, whatever the host turns out to be.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::Range,
};

use super::url::{Authorities, authorities};

/// Longest DNS label.
const MAXIMUM_LABEL: usize = 63;

/// Longest IPv6 address with its brackets.
const LONGEST_BRACKETED: usize = 48;

/// A host found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mention<'a> {
    /// What it is.
    pub(crate) name: HostName<'a>,
    /// How it stands there.
    pub(crate) standing: Standing<'a>,
    /// The port behind it.
    pub(crate) port: Option<u16>,
    /// Byte offset in the text.
    pub(crate) offset: usize,
    /// Byte offset of what follows host and port.
    pub(crate) end: usize,
}

/// What a host's text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostName<'a> {
    /// `[pod.]name.namespace.svc[.domain]`.
    Service(Full<'a>),
    /// `1-2-3-4.namespace.pod[.domain]`.
    Pod { address: IpAddr, namespace: &'a str },
    /// An address.
    Address(IpAddr),
    /// Labels of any number, without a dot at the end.
    Labels(&'a str),
}

/// The parts of a Service's full name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full<'a> {
    pub(crate) name: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) domain: Option<&'a str>,
    /// Bytes before the name, of a pod's or a port's name.
    pub(crate) before: usize,
}

/// How a host stands in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing<'a> {
    /// As host of a URL of this scheme; empty where the form implies one that has no name.
    Url(&'a str),
    /// With neither; a port may follow.
    Alone,
}

/// Every host in `text`, by offset. What stands before the `@` of a URL is never one.
pub(crate) fn mentions(text: &str) -> Vec<Mention<'_>> {
    let urls = authorities(text);
    let mut found = bracketed(text, &urls);
    // Where the port of the last host ends, which is no host itself.
    let mut beyond = 0;
    for run in host_runs(text) {
        if run.start < beyond || urls.is_user(run.start) || !starts_a_name(text, &run) {
            continue;
        }
        let Some(whole) = text.get(run.clone()) else {
            continue;
        };
        let word = whole.trim_end_matches('.');
        let port = port_at(text, run.end);
        beyond = port.map_or(run.end, |(_, end)| end);
        let Some(name) = host_name(word) else {
            continue;
        };
        // What comes before an `@` is a user, and what touches a placeholder is a part of a name.
        let after = &text[run.end..];
        let is_part = after.starts_with(['@', '$', '{', '%', '<', '*']) && !after.starts_with("</");
        if is_part && !matches!(name, HostName::Service(_)) {
            continue;
        }
        found.push(Mention {
            name,
            standing: urls.standing(run.start),
            port: port.map(|(number, _)| number),
            offset: run.start,
            end: beyond,
        });
    }
    found.sort_by_key(|mention| mention.offset);
    found
}

/// What a whole text names, if it is nothing but a host, with a port or without.
pub(crate) fn only_mention(text: &str) -> Option<Mention<'_>> {
    let text = text.trim();
    let mut found = mentions(text);
    let only = found.pop().filter(|_| found.is_empty())?;
    (only.offset == 0 && only.end == text.len()).then_some(only)
}

/// IPv6 addresses in brackets.
fn bracketed<'a>(text: &'a str, urls: &Authorities<'a>) -> Vec<Mention<'a>> {
    let mut found = Vec::new();
    for (offset, _) in text.match_indices('[') {
        let bytes = text.as_bytes()[offset..].iter().take(LONGEST_BRACKETED);
        let Some(length) = bytes.clone().position(|byte| *byte == b']') else {
            continue;
        };
        let inner = text.get(offset + 1..offset + length);
        let Some(address) = inner.and_then(|inner| inner.parse::<Ipv6Addr>().ok()) else {
            continue;
        };
        if urls.is_user(offset) {
            continue;
        }
        let end = offset + length + 1;
        let port = port_at(text, end);
        found.push(Mention {
            name: HostName::Address(address.into()),
            standing: urls.standing(offset),
            port: port.map(|(number, _)| number),
            offset,
            end: port.map_or(end, |(_, end)| end),
        });
    }
    found
}

/// What a word made of host characters is; `None` for what no host can be called.
pub(crate) fn host_name(word: &str) -> Option<HostName<'_>> {
    if let Ok(address) = word.parse::<Ipv4Addr>() {
        return Some(HostName::Address(address.into()));
    }
    if let Some(full) = full(word) {
        return Some(HostName::Service(full));
    }
    let mut labels = word.split('.');
    if !labels.clone().all(is_label) {
        return None;
    }
    if let (Some(address), Some(namespace), Some("pod")) =
        (labels.next(), labels.next(), labels.next())
        && let Some(address) = dashed(address)
    {
        return Some(HostName::Pod { address, namespace });
    }
    Some(HostName::Labels(word))
}

/// `[pod.]name.namespace.svc[.domain]`.
fn full(word: &str) -> Option<Full<'_>> {
    let labels: Vec<&str> = word.split('.').collect();
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
    Some(Full {
        name,
        namespace,
        domain: word.get(through_svc..),
        before,
    })
}

/// The address that a pod's DNS name is made of.
fn dashed(label: &str) -> Option<IpAddr> {
    let v4 = label.replace('-', ".").parse::<Ipv4Addr>().map(IpAddr::V4);
    let v6 = || label.replace('-', ":").parse::<Ipv6Addr>().map(IpAddr::V6);
    v4.or_else(|_| v6()).ok()
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
/// is not ASCII, for then this is only the rest of a name. `<host>web</host>` is no placeholder.
fn starts_a_name(text: &str, run: &Range<usize>) -> bool {
    match text[..run.start].chars().next_back() {
        Some('>') => {
            let is_port = |c: char| c == ':' || c.is_ascii_digit();
            let rest = text[run.end..].trim_start_matches(is_port);
            rest.starts_with("</")
        }
        Some(c) => !c.is_alphanumeric() && !matches!(c, '}' | ')' | '%' | '$' | '*'),
        None => true,
    }
}

/// A DNS label as Services and namespaces have them.
pub(crate) fn is_label(label: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    label.len() <= MAXIMUM_LABEL
        && label.bytes().all(is_inner)
        && label.bytes().next().is_some_and(|byte| byte != b'-')
        && label.bytes().next_back().is_some_and(|byte| byte != b'-')
}

/// The port that follows a host, if the digits end like a port, and where it ends. `redis:7.2` and
/// `redis:7-alpine` are images.
fn port_at(text: &str, end: usize) -> Option<(u16, usize)> {
    const MAXIMUM_DIGITS: usize = 5;
    let rest = text.get(end..)?.strip_prefix(':')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let mut after = rest.bytes().skip(digits);
    let ends = match (after.next(), after.next()) {
        (Some(b'.'), Some(next)) => !next.is_ascii_alphanumeric(),
        (Some(byte), _) => !byte.is_ascii_alphanumeric() && !matches!(byte, b'@' | b'-' | b'_'),
        (None, _) => true,
    };
    if digits > MAXIMUM_DIGITS || !ends {
        return None;
    }
    let number = rest.get(..digits)?.parse().ok().filter(|port| *port > 0)?;
    Some((number, end + 1 + digits))
}
