//! A graph: workloads in their namespaces, an edge per pair.

use std::io::{self, Write};

use underpin_connect::{Member, Outcome};

use super::Listing;

/// The graph of all pairs between which something is or may be allowed.
pub(crate) fn listing(mut listing: Listing<'_>, out: &mut dyn Write) -> io::Result<()> {
    let grouped = listing.grouped();
    let names: Vec<String> = listing.names().iter().map(|name| quoted(name)).collect();
    writeln!(out, "digraph reach {{")?;
    writeln!(out, "  label={};", quoted(&listing.side.name))?;
    writeln!(out, "  rankdir=LR;")?;
    writeln!(out, "  node [shape=box];")?;
    for (namespace, own) in &grouped.namespaces {
        writeln!(
            out,
            "  subgraph {} {{",
            quoted(&format!("cluster_{namespace}"))
        )?;
        writeln!(
            out,
            "    label={};",
            quoted(&format!("namespace/{namespace}"))
        )?;
        for at in own {
            if let Member::Workload(key) = &listing.matrix.members()[*at] {
                let label = quoted(&format!("{}\n{}", key.kind.kind, key.name));
                writeln!(out, "    {} [label={label}];", names[*at])?;
            }
        }
        writeln!(out, "  }}")?;
    }
    for at in &grouped.outside {
        writeln!(out, "  {} [shape=ellipse];", names[*at])?;
    }
    for beyond in listing.beyond() {
        let name = quoted(&beyond.name);
        writeln!(out, "  {name} [shape=ellipse];")?;
        for (other, outcome) in &beyond.to {
            edge(out, &name, &quoted(other), outcome)?;
        }
        for (other, outcome) in &beyond.from {
            edge(out, &quoted(other), &name, outcome)?;
        }
    }
    listing.each(|from, to, outcome| edge(out, &names[from], &names[to], outcome))?;
    writeln!(out, "}}")
}

/// A dashed edge is one of which it is not known whether anything is allowed.
fn edge(out: &mut dyn Write, from: &str, to: &str, outcome: &Outcome) -> io::Result<()> {
    let label = match (outcome.allowed.is_empty(), outcome.unknown.is_empty()) {
        (false, true) if outcome.allowed.is_all() => return writeln!(out, "  {from} -> {to};"),
        (false, true) => outcome.allowed.to_string(),
        (true, _) => format!("unknown: {}", outcome.unknown),
        (false, false) => format!("{}\nunknown: {}", outcome.allowed, outcome.unknown),
    };
    let style = if outcome.allowed.is_empty() {
        ", style=dashed"
    } else {
        ""
    };
    writeln!(out, "  {from} -> {to} [label={}{style}];", quoted(&label))
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escaped.replace('\n', "\\n"))
}
