//! The other tool's lines: `SRC => DST : CONN`, and what differs between two worlds.

use std::net::IpAddr;

use anyhow::{Context, Result, bail};
use underpin_connect::{AddressRange, Connections};
use underpin_model::Protocol;

use super::connectivity::{End, Lines};

/// What begins the section after a list of connections.
const NEXT_SECTION: &str = "Exposure Analysis Result";

/// A list of connections.
pub(super) fn connections(text: &str) -> Result<Lines<Connections>> {
    let lines = text
        .lines()
        .take_while(|line| !line.starts_with(NEXT_SECTION));
    let lines = lines.filter(|line| !line.trim().is_empty());
    lines
        .map(|line| connection(line).context(line.to_owned()))
        .collect()
}

fn connection(line: &str) -> Result<((End, End), Connections)> {
    let (from, rest) = line.split_once("=>").context("no `=>`")?;
    let (to, set) = rest.rsplit_once(" : ").context("no ` : `")?;
    Ok(((end(from)?, end(to)?), connections_of(set)?))
}

/// What differs between two worlds.
pub(super) fn changes(text: &str) -> Result<Lines<(Connections, Connections)>> {
    let lines = text.lines().filter(|line| line.starts_with("diff-type"));
    lines
        .map(|line| change(line).context(line.to_owned()))
        .collect()
}

fn change(line: &str) -> Result<((End, End), (Connections, Connections))> {
    let part = |from: &str, to: &str| -> Result<String> {
        let (_, rest) = line
            .split_once(from)
            .with_context(|| format!("no `{from}`"))?;
        Ok(rest
            .split_once(to)
            .map_or(rest, |(part, _)| part)
            .to_owned())
    };
    let ends = (
        end(&part("source: ", ", destination: ")?)?,
        end(&part("destination: ", ", ref1: ")?)?,
    );
    let before = connections_of(&part("ref1: ", ", ref2: ")?)?;
    let after = connections_of(&part("ref2: ", ", workloads-diff-info")?)?;
    let kind = part("diff-type: ", ", source: ")?;
    let fits = match kind.as_str() {
        "added" => before.is_empty() && !after.is_empty(),
        "removed" => !before.is_empty() && after.is_empty(),
        "changed" => !before.is_empty() && !after.is_empty(),
        _ => false,
    };
    if !fits {
        bail!("{kind} does not fit what was and is allowed");
    }
    Ok((ends, (before, after)))
}

fn end(text: &str) -> Result<End> {
    let text = text.trim();
    let Some(range) = text.strip_suffix("[External]") else {
        return Ok(End::Named(text.to_owned()));
    };
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let single = |text: &str| -> Result<AddressRange> {
        let address: IpAddr = text
            .parse()
            .with_context(|| format!("no address: {text}"))?;
        Ok(AddressRange::single(address))
    };
    Ok(End::Outside(single(first)?.joined(&single(last)?)))
}

fn connections_of(text: &str) -> Result<Connections> {
    let text = text.trim();
    match text {
        "All Connections" => return Ok(Connections::all()),
        "No Connections" => return Ok(Connections::default()),
        _ => {}
    }
    let mut found = Connections::default();
    let mut protocol = None;
    for part in text.split(',') {
        let ports = match part.split_once(' ') {
            Some((name, ports)) => {
                let of = Protocol::from_name(name);
                protocol = Some(of.with_context(|| format!("no protocol: {name}"))?);
                ports
            }
            None => part,
        };
        let protocol = protocol.context("no protocol")?;
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let number = |text: &str| text.parse().with_context(|| format!("no port: {text}"));
        found.add(&Connections::range(protocol, number(first)?, number(last)?));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_connections_are_read() {
        let text = "\
1.0.0.0-1.0.0.255[External] => a/b[Deployment] : SCTP 1-9,11,UDP 53
a/b[Deployment]\t=> \tc/d[Pod] : All Connections

Exposure Analysis Result:
not a line
";
        let lines = connections(text).unwrap();
        assert_eq!(lines.len(), 2);
        let ((from, to), set) = &lines[0];
        assert_eq!(from.to_string(), "1.0.0.0-1.0.0.255");
        assert_eq!(to.to_string(), "a/b[Deployment]");
        assert_eq!(set.to_string(), "SCTP 1-9,11,UDP 53");
        assert!(lines[1].1.is_all());
        assert!(connections("a => b : TCP x").is_err());
    }

    #[test]
    fn a_line_of_changes_must_be_what_it_says() {
        let line = "diff-type: added, source: a, destination: b, ref1: No Connections, ref2: \
                    TCP 80, workloads-diff-info: workload b added";
        let found = changes(line).unwrap();
        assert_eq!(found[0].1.1.to_string(), "TCP 80");
        assert!(changes(&line.replace("added, source", "removed, source")).is_err());
    }
}
