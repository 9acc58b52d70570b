//! A page of its own: the namespaces as a matrix, then each namespace's workloads with who may reach
//! them. Nothing is loaded from elsewhere, and nothing runs.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use underpin_connect::Outcome;
use underpin_model::wording;

use super::{Listing, listing::Grouped, sources::in_few_words, text::on_ports};

/// Workloads up to which each has a row and a column of its own.
const MATRIX_LIMIT: usize = 60;
/// What stands for addresses outside of the cluster.
const OUTSIDE: &str = "outside of the cluster";

const STYLE: &str = "\
body{font:15px/1.45 system-ui,sans-serif;margin:2rem;color:#1a1a1a;background:#fff}\
h1{font-size:1.4rem}h2{font-size:1.15rem;margin-top:2rem}\
table{border-collapse:collapse}th,td{border:1px solid #c9c9c9;padding:.25rem .5rem;text-align:left;\
vertical-align:top}th{font-weight:600;background:#f5f5f5}\
td.all{background:#d8f0d8}td.some{background:#fdf3cf}td.none{background:#fff}\
td.unknown{background:#e4e4f7}td.all,td.some,td.none,td.unknown{white-space:nowrap}\
.scroll{overflow:auto;max-height:80vh}.scroll thead th{position:sticky;top:0}\
summary{cursor:pointer;font-weight:600}details{margin:.5rem 0}";

/// How much of what could be is allowed.
#[derive(Clone, Copy, Default)]
struct Count {
    pairs: usize,
    allowed: usize,
    unknown: usize,
}

impl Count {
    fn add(&mut self, outcome: Option<&Outcome>) {
        self.pairs += 1;
        match outcome {
            Some(outcome) if !outcome.allowed.is_empty() => self.allowed += 1,
            Some(outcome) if !outcome.unknown.is_empty() => self.unknown += 1,
            _ => {}
        }
    }

    /// A cell: sign, numbers, and the colour that repeats them.
    fn cell(self) -> String {
        let Self {
            pairs,
            allowed,
            unknown,
        } = self;
        let (class, sign) = match (allowed, unknown) {
            (0, 0) => ("none", "–"),
            (0, _) => ("unknown", "?"),
            (allowed, _) if allowed == pairs => ("all", "●"),
            _ => ("some", "◐"),
        };
        let perhaps = if unknown > 0 {
            format!(" + {unknown}?")
        } else {
            String::new()
        };
        format!("<td class=\"{class}\">{sign} {allowed}/{pairs}{perhaps}</td>")
    }
}

/// The page of all pairs.
pub(crate) fn listing(mut listing: Listing<'_>, out: &mut dyn Write) -> io::Result<()> {
    let grouped = listing.grouped();
    let groups = groups(&grouped);
    let workloads: usize = grouped.namespaces.values().map(Vec::len).sum();
    head(&listing, workloads, grouped.namespaces.len(), out)?;
    let mut counts: BTreeMap<(usize, usize), Count> = BTreeMap::new();
    let mut details = String::new();
    for (to, (name, members)) in groups.iter().enumerate() {
        details.push_str(&format!(
            "<details id=\"n{to}\"><summary>{}: {}</summary>\n<table>\n\
             <tr><th>workload</th><th>ports</th><th>from</th></tr>\n",
            escaped(name),
            wording::count(members.len(), "destination")
        ));
        for member in *members {
            let row = listing.row(*member);
            for (from, (_, sources)) in groups.iter().enumerate() {
                let count = counts.entry((from, to)).or_default();
                for source in *sources {
                    let id = row[*source];
                    count.add((id != 0).then(|| listing.matrix.outcome(id)));
                }
            }
            details.push_str(&destination(&listing, &grouped, *member, &row));
        }
        details.push_str("</table></details>\n");
    }
    namespaces(&groups, &counts, out)?;
    if workloads <= MATRIX_LIMIT {
        matrix(&mut listing, out)?;
    }
    write!(out, "<h2>By destination</h2>\n{details}")?;
    beyond(&listing, out)?;
    exposure(&listing, out)?;
    incomplete(&listing, out)?;
    out.write_all(b"</body>\n</html>\n")
}

fn groups(grouped: &Grouped) -> Vec<(&str, &[usize])> {
    let namespaces = grouped.namespaces.iter();
    let mut groups: Vec<(&str, &[usize])> = namespaces
        .map(|(name, own)| (name.as_str(), own.as_slice()))
        .collect();
    groups.push((OUTSIDE, &grouped.outside));
    groups
}

fn head(
    listing: &Listing<'_>,
    workloads: usize,
    namespaces: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let name = escaped(&listing.side.name);
    write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>Who may reach whom: {name}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>Who may open a connection to whom</h1>\n<p>{name}: {} in {}.</p>\n\
         <p>● all pairs, ◐ some of them, – none, ? unknown. A row is who connects, a column to whom; \
         3/12 means that 3 of 12 pairs of workloads may connect on at least one port.</p>\n",
        wording::count(workloads, "workload"),
        wording::count(namespaces, "namespace")
    )
}

fn namespaces(
    groups: &[(&str, &[usize])],
    counts: &BTreeMap<(usize, usize), Count>,
    out: &mut dyn Write,
) -> io::Result<()> {
    out.write_all(
        b"<h2>By namespace</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>from \\ to</th>",
    )?;
    for (to, (name, _)) in groups.iter().enumerate() {
        write!(out, "<th><a href=\"#n{to}\">{}</a></th>", escaped(name))?;
    }
    out.write_all(b"</tr></thead>\n")?;
    for (from, (name, _)) in groups.iter().enumerate() {
        write!(out, "<tr><th>{}</th>", escaped(name))?;
        for to in 0..groups.len() {
            let count = counts.get(&(from, to)).copied().unwrap_or_default();
            out.write_all(count.cell().as_bytes())?;
        }
        out.write_all(b"</tr>\n")?;
    }
    out.write_all(b"</table></div>\n")
}

/// Every member against every other.
fn matrix(listing: &mut Listing<'_>, out: &mut dyn Write) -> io::Result<()> {
    let names: Vec<String> = listing.names().iter().map(|name| escaped(name)).collect();
    let rows: Vec<Vec<u32>> = (0..names.len()).map(|to| listing.row(to)).collect();
    out.write_all(
        b"<h2>By workload</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>from \\ to</th>",
    )?;
    for name in &names {
        write!(out, "<th>{name}</th>")?;
    }
    out.write_all(b"</tr></thead>\n")?;
    for (from, name) in names.iter().enumerate() {
        write!(out, "<tr><th>{name}</th>")?;
        for row in &rows {
            let cell = match row[from] {
                0 => "<td class=\"none\">–</td>".to_owned(),
                id => {
                    let outcome = listing.matrix.outcome(id);
                    let (class, sign) = match (outcome.allowed.is_empty(), outcome.allowed.is_all())
                    {
                        (true, _) => ("unknown", "?"),
                        (false, true) => ("all", "●"),
                        (false, false) => ("some", "◐"),
                    };
                    let ports = escaped(&on_ports(outcome));
                    format!("<td class=\"{class}\">{sign} {ports}</td>")
                }
            };
            out.write_all(cell.as_bytes())?;
        }
        out.write_all(b"</tr>\n")?;
    }
    out.write_all(b"</table></div>\n")
}

fn destination(listing: &Listing<'_>, grouped: &Grouped, member: usize, row: &[u32]) -> String {
    let members = listing.matrix.members();
    let name = escaped(&super::listing::name(&members[member]));
    let mut ids: Vec<u32> = row.iter().copied().filter(|id| *id != 0).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return format!("<tr><td>{name}</td><td>–</td><td>nobody</td></tr>\n");
    }
    let span = ids.len();
    let mut text = format!("<tr><td rowspan=\"{span}\">{name}</td>");
    for (index, id) in ids.into_iter().enumerate() {
        if index > 0 {
            text.push_str("<tr>");
        }
        let chosen: Vec<bool> = row.iter().map(|one| *one == id).collect();
        let from = in_few_words(members, grouped, &chosen).join(", ");
        let ports = on_ports(listing.matrix.outcome(id));
        text.push_str(&format!(
            "<td>{}</td><td>{}</td></tr>\n",
            escaped(&ports),
            escaped(&from)
        ));
    }
    text
}

fn beyond(listing: &Listing<'_>, out: &mut dyn Write) -> io::Result<()> {
    for one in listing.beyond() {
        let name = escaped(&one.name);
        for (way, pairs) in [("may reach", &one.to), ("may be reached by", &one.from)] {
            write!(out, "<h2>{name} {way}</h2>\n<ul>\n")?;
            for (other, outcome) in pairs {
                let (other, ports) = (escaped(other), escaped(&on_ports(outcome)));
                writeln!(out, "<li>{other}: {ports}</li>")?;
            }
            out.write_all(b"</ul>\n")?;
        }
    }
    Ok(())
}

fn exposure(listing: &Listing<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Some(exposure) = &listing.exposure else {
        return Ok(());
    };
    out.write_all(
        b"<h2>Open beyond what is there</h2>\n<table>\n\
          <tr><th>workload</th><th>way</th><th>whom</th><th>ports</th></tr>\n",
    )?;
    for one in exposure {
        for (way, list) in [("from", &one.ingress), ("to", &one.egress)] {
            for exposed in list {
                let workload = escaped(&one.workload.to_string());
                let whom = escaped(&exposed.to.to_string());
                let ports = escaped(&on_ports(&exposed.outcome));
                writeln!(
                    out,
                    "<tr><td>{workload}</td><td>{way}</td><td>{whom}</td><td>{ports}</td></tr>"
                )?;
            }
        }
    }
    out.write_all(b"</table>\n")
}

/// What is missing: unknown is not absent.
fn incomplete(listing: &Listing<'_>, out: &mut dyn Write) -> io::Result<()> {
    let side = listing.side;
    let problems = side.problems.iter().map(ToString::to_string);
    let unread = side.world.unread.iter().map(ToString::to_string);
    let defects = listing.engine.defects().iter();
    let defects = defects.map(|defect| defect.evidence.to_string());
    let notes = side.notes.iter().cloned();
    let lines: Vec<String> = problems.chain(defects).chain(notes).chain(unread).collect();
    if lines.is_empty() {
        return Ok(());
    }
    out.write_all(b"<h2>Incomplete: not read, or not understood</h2>\n<ul>\n")?;
    for line in lines {
        writeln!(out, "<li>{}</li>", escaped(&line))?;
    }
    out.write_all(b"</ul>\n")
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_name_is_markup() {
        assert_eq!(
            escaped("<b a=\"1\">&'</b>"),
            "&lt;b a=&quot;1&quot;&gt;&amp;&#39;&lt;/b&gt;"
        );
    }
}
