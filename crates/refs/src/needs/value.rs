//! The hosts of one value, by all forms in which values name them.

use std::collections::BTreeSet;

use super::{
    key::{self, Hint},
    sighting::{Sighting, Surroundings},
};
use crate::host::{Mention, mentions, only_mention};

/// Longest attribute of XML that is looked back at, in characters.
const LONGEST_ATTRIBUTE: usize = 256;

/// Everything that a value names. `port` is that of the setting beside it, if there is one.
pub(super) fn sightings(
    around: &Surroundings<'_>,
    text: &str,
    port: Option<u16>,
) -> BTreeSet<Sighting> {
    let mut found = BTreeSet::new();
    if around.hint == Hint::Other {
        return found;
    }
    if around.hint == Hint::Address
        && let Some(hosts) = list(text)
    {
        let hosts = hosts.iter();
        found.extend(hosts.filter_map(|mention| around.sighting(mention, true, port)));
        return found;
    }
    for (host, port) in connection_settings(text) {
        let seen = only_mention(host).and_then(|mention| around.sighting(&mention, true, port));
        found.extend(seen);
    }
    let others = mentions(text);
    found.extend(
        others
            .iter()
            .filter(|mention| !names_a_format(text, mention.offset))
            .filter_map(|mention| around.sighting(mention, false, None)),
    );
    without_less_certain(found)
}

/// Whether a URL is the name of a format, as XML gives them.
fn names_a_format(text: &str, offset: usize) -> bool {
    let before = text[..offset].char_indices().rev().take(LONGEST_ATTRIBUTE);
    let attribute = before.take_while(|(_, c)| !matches!(c, ' ' | '\t' | '\n' | '<'));
    let start = attribute.last().map_or(offset, |(start, _)| start);
    text[start..].starts_with("xmlns")
}

/// Of the same supplier, a port is worth more than none.
fn without_less_certain(found: BTreeSet<Sighting>) -> BTreeSet<Sighting> {
    let with_port: BTreeSet<_> = found
        .iter()
        .filter(|one| one.port.is_some())
        .map(|one| one.to.clone())
        .collect();
    found
        .into_iter()
        .filter(|one| one.port.is_some() || !with_port.contains(&one.to))
        .collect()
}

/// The hosts of a value that is nothing but hosts between commas or spaces.
fn list(text: &str) -> Option<Vec<Mention<'_>>> {
    let parts = text.split([',', ';', ' ']).map(str::trim);
    let parts = parts.filter(|part| !part.is_empty());
    let hosts: Option<Vec<Mention<'_>>> = parts.map(only_mention).collect();
    hosts.filter(|hosts| !hosts.is_empty())
}

/// Keys of connection strings that name hosts, longest first.
const HOST_KEYS: &[&str] = &[
    "data source",
    "servername",
    "hostaddr",
    "server",
    "host",
    "addr",
];
const PORT_KEYS: &[&str] = &["portnumber", "port"];

/// `host=a,b port=1,2` as libpq writes it, `Server=tcp:a,1433;Database=…`, `(HOST=a)(PORT=1521)`,
/// `?host=a&port=1`: hosts with their ports.
fn connection_settings(text: &str) -> Vec<(&str, Option<u16>)> {
    if !text.contains('=') {
        return Vec::new();
    }
    let lower = text.to_ascii_lowercase();
    let ports: Vec<(usize, &str)> = settings(text, &lower, PORT_KEYS);
    let mut found = Vec::new();
    for (at, value) in settings(text, &lower, HOST_KEYS) {
        // The port that is nearest behind the host, or else before it.
        let behind = ports.get(ports.partition_point(|(port, _)| *port <= at));
        let ports = behind.or(ports.last()).map_or("", |(_, ports)| ports);
        let mut numbers = ports.split(',').map(|port| port.trim().parse::<u16>().ok());
        let first = numbers.clone().next().flatten();
        let mut hosts = value.split(',').map(str::trim).peekable();
        while let Some(host) = hosts.next() {
            let host = host.strip_prefix("tcp:").unwrap_or(host);
            // SQL Server writes the port behind a comma.
            let own = hosts.peek().and_then(|next| next.parse::<u16>().ok());
            if own.is_some() {
                hosts.next();
            }
            found.push((host, own.or(numbers.next().flatten()).or(first)));
        }
    }
    found
}

/// The values of `key=value` with one of these keys, by where they stand.
fn settings<'a>(text: &'a str, lower: &str, keys: &[&str]) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    for (equals, _) in lower.match_indices('=') {
        let before = lower[..equals].trim_end_matches(' ');
        let Some(key) = keys.iter().find(|key| before.ends_with(**key)) else {
            continue;
        };
        let start = before.len() - key.len();
        let is_word = before[..start].bytes().next_back().is_none_or(|byte| {
            !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'-' | b'.')
        });
        if !is_word {
            continue;
        }
        let rest = text[equals + 1..].trim_start_matches(' ');
        let value = match rest.strip_prefix(['\'', '"']) {
            Some(quoted) => quoted.split(['\'', '"']).next(),
            None => rest
                .split(|c: char| c.is_whitespace() || ";&)'\"".contains(c))
                .next(),
        };
        found.push((equals, value.unwrap_or_default()));
    }
    found
}

/// The port that stands beside a host, such as in `DB_PORT` beside `DB_HOST`; `value` looks up a
/// normalized key.
pub(super) fn port_beside<'v>(key: &str, value: impl Fn(&str) -> Option<&'v str>) -> Option<u16> {
    let keys = key::port_keys(key);
    keys.iter().find_map(|key| value(key)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_strings_name_hosts_and_ports() {
        for (text, expect) in [
            ("host=db port=5432 user=x", &[("db", Some(5432))][..]),
            ("host=a,b port=1,2", &[("a", Some(1)), ("b", Some(2))]),
            ("host=a,b port=1", &[("a", Some(1)), ("b", Some(1))]),
            ("host = 'db' port = 5432", &[("db", Some(5432))]),
            ("Server=tcp:sql,1433;Database=x", &[("sql", Some(1433))]),
            ("Data Source=sql;User=x", &[("sql", None)]),
            (
                "(ADDRESS=(PROTOCOL=TCP)(HOST=ora)(PORT=1521))",
                &[("ora", Some(1521))],
            ),
            ("postgresql:///x?host=db&port=6432", &[("db", Some(6432))]),
            ("localhost=a", &[]),
            ("x", &[]),
        ] {
            assert_eq!(connection_settings(text), expect, "{text}");
        }
    }
}
