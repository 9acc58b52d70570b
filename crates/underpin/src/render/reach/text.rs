//! For people: verdict first, then line by line; lists in few words.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use underpin_connect::{
    Difference, Endpoint, Engine, Exposed, Flow, Member, Outcome, Reason, Stranger, Target, Trace,
    Verdict,
};
use underpin_model::wording;

use super::{Listing, listing::Grouped, sources::in_few_words};
use crate::{
    commands::reach::{Reply, Side, Told, holds_no_policy},
    render::{
        style::{self, BOLD, DIM, paint},
        text::one_diagnostic,
    },
};

/// Pairs of which every line is told; of more, the verdicts.
const EXPLAINED: usize = 12;
/// Flows of one answer that are explained: those behind a Service may be many.
const FLOWS_SHOWN: usize = 6;
/// Lists and problems that are shown.
const SHOWN: usize = 8;
/// All addresses of each family.
const FAMILIES: [&str; 2] = [
    "0.0.0.0-255.255.255.255",
    "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];
/// Where only a part is shown.
const ALL: &str = "(--output json shows all)";

/// The verdict in its colour.
pub(super) fn verdict(verdict: Verdict) -> String {
    style::verdict(verdict)
}

/// What was asked, each pair with its verdict first.
pub(crate) fn answers(side: &Side, engine: &Engine, told: &[Told]) -> String {
    let mut text = String::new();
    for one in told {
        text.push_str(&head(one));
        if told.len() <= EXPLAINED {
            text.push_str(&explained(one));
        }
    }
    if told.len() > EXPLAINED {
        text.push_str("\nask for one pair to be told why\n");
    }
    text.push_str(&format!("\nasked: {}\n", side.name));
    text.push_str(&not_understood(engine));
    text.push_str(&left_out(side));
    text
}

/// What in policies cannot be understood.
fn not_understood(engine: &Engine) -> String {
    let defects = engine.defects().iter();
    let lines: String = defects
        .map(|defect| format!("  {}\n", defect.evidence))
        .collect();
    if lines.is_empty() {
        return lines;
    }
    format!("\nin policies, this is not understood, and what hangs on it is unknown\n{lines}")
}

fn head(told: &Told) -> String {
    let (from, to) = (&told.from, &told.to);
    match &told.reply {
        Reply::Port(question, answer) => format!("{}: {question}\n", verdict(answer.verdict)),
        Reply::AllPorts(outcome, _) => {
            format!("{}: {from} → {to}\n", paint(BOLD, &ports(outcome)))
        }
        Reply::Nothing(_) => format!("{}: {from} → {to}\n", verdict(Verdict::Unknown)),
    }
}

/// What is allowed of all ports: `allowed on TCP 80`, `refused on all ports`.
pub(super) fn ports(outcome: &Outcome) -> String {
    let Outcome { allowed, unknown } = outcome;
    match (allowed.is_empty(), unknown.is_empty()) {
        (true, true) => "refused on all ports".to_owned(),
        (false, true) if allowed.is_all() => "allowed on all ports".to_owned(),
        (false, true) => format!("allowed on {allowed}, refused on all others"),
        (true, false) if unknown.is_all() => "unknown on all ports".to_owned(),
        (true, false) => format!("unknown on {unknown}, refused on all others"),
        (false, false) => format!("allowed on {allowed}, unknown on {unknown}"),
    }
}

fn explained(told: &Told) -> String {
    match &told.reply {
        Reply::Port(_, answer) => flows_lines(told, &answer.flows, &answer.reasons),
        Reply::AllPorts(_, flows) => flows_lines(told, flows, &[]),
        Reply::Nothing(reason) => reasons(std::slice::from_ref(reason)),
    }
}

/// Why an answer is what it is.
fn flows_lines(told: &Told, flows: &[Flow], why: &[Reason]) -> String {
    let is_anybody = matches!(told.from, Endpoint::IngressController | Endpoint::ApiServer);
    let mut text = reasons(why);
    for flow in flows.iter().take(FLOWS_SHOWN) {
        let port = flow.port.map_or_else(
            || format!("{}, any port", flow.protocol),
            |port| format!("{} {port}", flow.protocol),
        );
        if matches!(told.to, Target::Service { .. }) || flows.len() > 1 {
            text.push_str(&format!(
                "  to {} {port}: {}\n",
                flow.to,
                verdict(flow.verdict)
            ));
        }
        if flow.is_itself {
            text.push_str("    a pod always reaches itself\n");
            continue;
        }
        if is_anybody {
            let from = &flow.from;
            text.push_str(&format!(
                "  out of {from}: taken as allowed, for who that is is not known\n"
            ));
        } else {
            text.push_str(&trace("out of", &flow.from, &flow.egress));
        }
        text.push_str(&trace("into", &flow.to, &flow.ingress));
        text.push_str(&nearest(flow));
    }
    if flows.len() > FLOWS_SHOWN {
        let more = flows.len() - FLOWS_SHOWN;
        text.push_str(&format!("  … {more} more {ALL}\n"));
    }
    text
}

fn trace(way: &str, end: &str, trace: &Trace) -> String {
    let mut text = format!("  {way} {end}: {}", verdict_of(trace));
    if trace.lines.is_empty() {
        if trace.verdict == Verdict::Allowed {
            text.push_str(", for no policy is about it");
        }
        text.push('\n');
        return text;
    }
    text.push('\n');
    for line in &trace.lines {
        text.push_str(&format!("    {}\n", line.evidence));
    }
    text
}

/// Over all ports the verdict of a direction may be that it depends on them.
fn verdict_of(trace: &Trace) -> String {
    if trace.verdict == Verdict::Unknown && trace.reasons.is_empty() {
        "it depends on the port".to_owned()
    } else {
        verdict(trace.verdict)
    }
}

/// What comes nearest in a direction that refuses.
fn nearest(flow: &Flow) -> String {
    let mut text = String::new();
    for trace in [&flow.egress, &flow.ingress] {
        if let Some(difference) = nearest_of(trace) {
            text.push_str(&format!("  nearest miss: {}\n", difference.evidence));
        }
    }
    text
}

/// The rule that comes nearest to allowing what a direction refuses.
pub(super) fn nearest_of(trace: &Trace) -> Option<&Difference> {
    let lines = trace
        .lines
        .iter()
        .filter(|_| trace.verdict == Verdict::Refused);
    lines
        .filter_map(|line| line.difference.as_deref())
        .min_by_key(|difference| difference.unmet)
}

/// Why it is unknown, and how to make it known.
pub(super) fn reasons(why: &[Reason]) -> String {
    let mut text = String::new();
    for reason in why {
        text.push_str(&format!("  {} {reason}\n", paint(DIM, "because")));
    }
    let mut helps: Vec<&str> = why.iter().filter_map(way_out).collect();
    helps.dedup();
    for help in helps {
        text.push_str(&format!("  {} {help}\n", paint(BOLD, "help:")));
    }
    text
}

/// How to make known what is not.
fn way_out(reason: &Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::NamespaceLabels(_) | Reason::UndeclaredNamespace(_) => {
            "add the namespace and its policies to what is read, or ask the live cluster with \
             --context, or a dump of it with --against"
        }
        Reason::PodLabels | Reason::UnknownPods | Reason::NoBackend(_) => {
            "name a workload or a Service that is declared, or ask the live cluster, which knows its pods"
        }
        Reason::PodAddress => "tell the network of pods with --pod-cidr",
        Reason::Nodes => "ask the live cluster, which knows its nodes",
        Reason::NamedPort(_) => "ask for the port by its number",
        Reason::Unreadable(_) => "mend the policy: what it says is told with its place",
        Reason::Unread(_) => {
            "read what is missing: of a cluster, `underpin rbac --for review` prints the rights that it takes"
        }
        Reason::UnknownPart { .. } | Reason::MayNotExist { .. } => {
            "give Terraform's variables a value in a .tfvars file, or ask the live cluster, or a dump of it"
        }
        Reason::PrimaryNetwork(_) => {
            "add the UserDefinedNetwork or ClusterUserDefinedNetwork to what is read, or ask the live cluster"
        }
        Reason::SamePriority => "give the policies different priorities",
        Reason::HostNetwork
        | Reason::OwnNode
        | Reason::BlockOfPods
        | Reason::DomainName(_)
        | Reason::AddressesDiffer
        | Reason::BackendsDiffer
        | Reason::SourceAddress(_)
        | Reason::ConsumersDiffer(_) => return None,
        Reason::PortsDiffer(_) => "say which port is meant: declare it in a needs file",
    })
}

/// What is missing from the answer: unknown is not absent.
pub(super) fn left_out(side: &Side) -> String {
    let mut text = String::new();
    if !side.problems.is_empty() {
        text.push_str("\nincomplete: this could not be understood, and the rest was judged\n");
        let shown = side.problems.iter().take(SHOWN);
        text.push_str(&shown.map(one_diagnostic).collect::<String>());
        text.push_str(&more(side.problems.len()));
    }
    let unread = side.world.unread.iter().map(ToString::to_string);
    let mut lines: Vec<String> = side.notes.iter().cloned().chain(unread).collect();
    lines.sort();
    lines.dedup();
    if !lines.is_empty() {
        text.push_str("\nincomplete: this could not be read, and may hold more\n");
        for line in lines.iter().take(SHOWN) {
            text.push_str(&format!("  {line}\n"));
        }
        text.push_str(&more(lines.len()));
    }
    if holds_no_policy(side) {
        text.push_str(
            "\nnote: no NetworkPolicy is among these objects; in a dump, ask for \
             networkpolicies, too\n",
        );
    }
    text
}

fn more(count: usize) -> String {
    match count.checked_sub(SHOWN) {
        None | Some(0) => String::new(),
        Some(more) => format!("  … {more} more {ALL}\n"),
    }
}

/// Everybody to everybody, by destination; or whom some may reach, and who may reach them.
pub(crate) fn listing(mut listing: Listing<'_>, out: &mut dyn Write) -> io::Result<()> {
    let grouped = listing.grouped();
    let workloads: usize = grouped.namespaces.values().map(Vec::len).sum();
    writeln!(
        out,
        "who may open a connection to whom ({}): {} in {}",
        listing.side.name,
        wording::count(workloads, "workload"),
        wording::count(grouped.namespaces.len(), "namespace")
    )?;
    for beyond in listing.beyond() {
        let (to, from) = (by_outcome(&beyond.to), by_outcome(&beyond.from));
        writeln!(out, "\n{} may reach", paint(BOLD, &beyond.name))?;
        out.write_all(to.as_bytes())?;
        writeln!(out, "\n{} may be reached by", paint(BOLD, &beyond.name))?;
        out.write_all(from.as_bytes())?;
    }
    for (namespace, own) in &grouped.namespaces {
        let heading = format!("\n{}\n", paint(BOLD, &format!("namespace/{namespace}")));
        destinations(&mut listing, &grouped, own, &heading, out)?;
    }
    let heading = format!("\n{}\n", paint(BOLD, "outside of the cluster"));
    destinations(&mut listing, &grouped, &grouped.outside, &heading, out)?;
    if let Some(exposure) = &listing.exposure {
        writeln!(out, "\nopen beyond what is there")?;
        for one in exposure {
            writeln!(out, "  {}", one.workload)?;
            exposed("from", &one.ingress, out)?;
            exposed("to", &one.egress, out)?;
        }
        if exposure.is_empty() {
            writeln!(out, "  no workload is")?;
        }
    }
    out.write_all(not_understood(listing.engine).as_bytes())?;
    out.write_all(left_out(listing.side).as_bytes())
}

fn by_outcome(pairs: &[(String, Outcome)]) -> String {
    let mut groups: Vec<(&Outcome, Vec<&str>)> = Vec::new();
    for (name, outcome) in pairs {
        match groups.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, names)) => names.push(name),
            None => groups.push((outcome, vec![name])),
        }
    }
    if groups.is_empty() {
        return "  nobody\n".to_owned();
    }
    let lines = groups.iter();
    lines
        .map(|(outcome, names)| format!("  {}: {}\n", on_ports(outcome), names.join(", ")))
        .collect()
}

/// The destinations of one namespace, those that fare alike together.
fn destinations(
    listing: &mut Listing<'_>,
    grouped: &Grouped,
    own: &[usize],
    heading: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut alike: Vec<(Vec<u32>, Vec<usize>)> = Vec::new();
    let mut at: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
    for member in own {
        let mut row = listing.row(*member);
        if let Member::Workload(key) = &listing.matrix.members()[*member]
            && key.kind.is("", "Pod")
        {
            // A pod always reaches itself: told as what its neighbours may, so that pods that
            // fare alike are told together.
            let neighbour = own.iter().find(|other| *other != member);
            row[*member] = neighbour.map_or(0, |other| row[*other]);
        }
        if !listing.is_asked(*member) && row.iter().all(|id| *id == 0) {
            continue;
        }
        let index = *at.entry(row).or_insert_with_key(|row| {
            alike.push((row.clone(), Vec::new()));
            alike.len() - 1
        });
        alike[index].1.push(*member);
    }
    if !alike.is_empty() {
        out.write_all(heading.as_bytes())?;
    }
    for (row, members) in alike {
        let mut chosen = vec![false; listing.matrix.members().len()];
        for member in &members {
            chosen[*member] = true;
        }
        let names = in_few_words(listing.matrix.members(), grouped, &chosen);
        writeln!(out, "  {}", names.join(", "))?;
        out.write_all(sources(listing, grouped, &row).as_bytes())?;
    }
    Ok(())
}

/// Who may reach a destination, by what they may.
pub(super) fn sources(listing: &Listing<'_>, grouped: &Grouped, row: &[u32]) -> String {
    let mut ids: Vec<u32> = row.iter().copied().filter(|id| *id != 0).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return "    nobody\n".to_owned();
    }
    let mut lines: Vec<String> = ids
        .into_iter()
        .map(|id| {
            let chosen: Vec<bool> = row.iter().map(|one| *one == id).collect();
            let words = in_few_words(listing.matrix.members(), grouped, &chosen);
            let outcome = listing.matrix.outcome(id);
            format!("    {}: {}\n", on_ports(outcome), words.join(", "))
        })
        .collect();
    lines.sort();
    lines.concat()
}

/// `all ports`, `TCP 80`, `TCP 80, perhaps UDP 53`.
pub(super) fn on_ports(outcome: &Outcome) -> String {
    let words = |connections: &underpin_connect::Connections| {
        if connections.is_all() {
            "all ports".to_owned()
        } else {
            connections.to_string()
        }
    };
    match (outcome.allowed.is_empty(), outcome.unknown.is_empty()) {
        (_, true) => words(&outcome.allowed),
        (true, false) => format!("perhaps {}", words(&outcome.unknown)),
        (false, false) => format!(
            "{}, perhaps {}",
            words(&outcome.allowed),
            words(&outcome.unknown)
        ),
    }
}

fn exposed(way: &str, all: &[Exposed], out: &mut dyn Write) -> io::Result<()> {
    let is_anybody = |one: &&Exposed| match &one.to {
        Stranger::AnyPod => true,
        Stranger::Outside(range) => FAMILIES.contains(&range.to_string().as_str()),
        Stranger::OnNetwork(_) | Stranger::Pods { .. } => false,
    };
    let anybody: Vec<&Exposed> = all.iter().filter(is_anybody).collect();
    // Any pod and all addresses of both families, on the same ports.
    let is_all = anybody.len() == 3 && anybody.iter().all(|one| one.outcome == anybody[0].outcome);
    if is_all {
        writeln!(out, "    {way} anybody: {}", on_ports(&anybody[0].outcome))?;
    }
    for one in all.iter().filter(|one| !(is_all && is_anybody(one))) {
        let so = if one.to.is_present() {
            ""
        } else {
            " (none is there)"
        };
        writeln!(out, "    {way} {}: {}{so}", one.to, on_ports(&one.outcome))?;
    }
    Ok(())
}
