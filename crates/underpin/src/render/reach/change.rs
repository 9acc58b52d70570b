//! What a change does: lost needs first, then pairs that fare differently.

use std::collections::BTreeMap;

use underpin_connect::{Change, Connections, Verdict};
use underpin_model::{ObjectKey, wording};
use underpin_plan::NeedFate;

use super::{
    csv::field,
    listing::name,
    needs::{because, refusal},
    text::{left_out, on_ports, reasons},
};
use crate::{
    commands::reach::Comparison,
    render::style::{self, BOLD, DIM, paint},
};

/// Destinations shown of one sort of change; JSON has all pairs.
const SHOWN: usize = 30;
/// Ends named of one destination.
const NAMED: usize = 12;
/// Where only a part is shown.
const ALL: &str = "(--output json shows all)";

/// What is different.
pub(crate) fn text(comparison: &Comparison<'_>) -> String {
    let (before, after) = (&comparison.before.name, &comparison.after.name);
    let mut text = if comparison.is_drift {
        format!(
            "what is allowed in {before} and what {after} declares, for new connections: the next apply makes the first the second\n"
        )
    } else {
        format!("from {before} to {after}, for new connections\n")
    };
    let renames: Vec<(&str, &str)> = comparison.changes.renames.iter().collect();
    for (old, new) in &renames {
        text.push_str(&format!(
            "{} namespace/{old} is namespace/{new} now, with what is in it\n",
            paint(BOLD, "renamed:")
        ));
    }
    if comparison.changes_nothing() {
        let else_ = if renames.is_empty() { "" } else { " else" };
        text.push_str(&format!(
            "nothing{else_} changes: every connection is allowed or refused as before\n"
        ));
    }
    text.push_str(&needs(comparison));
    text.push_str(&pairs(comparison));
    text.push_str(&workloads("new", &comparison.changes.new));
    text.push_str(&workloads("gone", &comparison.changes.gone));
    text.push_str(&left_out(comparison.before));
    text.push_str(&left_out(comparison.after));
    text
}

fn needs(comparison: &Comparison<'_>) -> String {
    let mut text = String::new();
    if !comparison.lost.is_empty() {
        text.push_str(&format!("\n{}\n", paint(BOLD, "needs lost")));
    }
    for fate in &comparison.lost {
        text.push_str(&lost(fate));
    }
    if !comparison.refused.is_empty() {
        text.push_str(&format!("\n{}\n", paint(BOLD, "needs refused")));
    }
    for fate in &comparison.refused {
        let was = match fate.before.as_ref().map(|before| before.verdict) {
            Some(Verdict::Refused) => "refused before, too",
            Some(Verdict::Unknown) => "unknown before",
            Some(Verdict::Allowed) | None => "nothing is known of before",
        };
        text.push_str(&format!(
            "{}: {} ({was}, {})\n",
            paint(BOLD, "UP401"),
            fate.now.need,
            fate.now.need.confidence.name()
        ));
        text.push_str(&refusal(&fate.now));
        text.push_str(&because(&fate.now.need));
    }
    text
}

fn lost(fate: &NeedFate) -> String {
    let what = match fate.now.verdict {
        Verdict::Refused => style::error("LOST"),
        _ => paint(BOLD, "perhaps lost"),
    };
    let mut text = format!(
        "{}: {} {what} ({})\n",
        paint(BOLD, "UP406"),
        fate.now.need,
        fate.now.need.confidence.name()
    );
    let allowing = fate.formerly_allowing();
    for line in &allowing {
        text.push_str(&format!(
            "  {} {}\n",
            paint(DIM, "was allowed by"),
            line.evidence
        ));
    }
    if allowing.is_empty() {
        text.push_str("  was allowed, for no policy was about it\n");
    }
    text.push_str(&refusal(&fate.now));
    text.push_str(&reasons(&fate.now.reasons));
    text.push_str(&because(&fate.now.need));
    text
}

/// The sorts of change, each pair in the first that fits.
fn pairs(comparison: &Comparison<'_>) -> String {
    let (mut lost, mut gained, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for pair in &comparison.changes.pairs {
        let (less, more) = (pair.lost(), pair.gained());
        if !less.is_empty() {
            lost.push((pair, ports(&less)));
        }
        if !more.is_empty() {
            gained.push((pair, ports(&more)));
        }
        if less.is_empty() && more.is_empty() {
            others.push((
                pair,
                format!("{} → {}", told(&pair.before), told(&pair.after)),
            ));
        }
    }
    section("newly refused", &lost)
        + &section("newly allowed", &gained)
        + &section("known no longer, or now", &others)
}

fn told(outcome: &underpin_connect::Outcome) -> String {
    if outcome.allowed.is_empty() && outcome.unknown.is_empty() {
        "none".to_owned()
    } else {
        on_ports(outcome)
    }
}

fn ports(connections: &Connections) -> String {
    if connections.is_all() {
        "all ports".to_owned()
    } else {
        connections.to_string()
    }
}

fn section(heading: &str, pairs: &[(&Change, String)]) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    let mut groups: BTreeMap<(String, &str), Vec<String>> = BTreeMap::new();
    for (pair, ports) in pairs {
        let sources = groups.entry((name(&pair.to), ports)).or_default();
        sources.push(name(&pair.from));
    }
    let mut text = format!(
        "\n{}\n",
        paint(
            BOLD,
            &format!("{heading}: {}", wording::count(pairs.len(), "pair"))
        )
    );
    for ((to, ports), sources) in groups.iter().take(SHOWN) {
        let mut names: Vec<String> = sources.iter().take(NAMED).cloned().collect();
        if sources.len() > NAMED {
            names.push(format!("… {} more {ALL}", sources.len() - NAMED));
        }
        text.push_str(&format!("  to {to}, {ports}: from {}\n", names.join(", ")));
    }
    if groups.len() > SHOWN {
        text.push_str(&format!("  … {} more {ALL}\n", groups.len() - SHOWN));
    }
    text
}

fn workloads(heading: &str, keys: &[ObjectKey]) -> String {
    if keys.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\n{}\n",
        paint(
            BOLD,
            &format!("{heading}: {}", wording::count(keys.len(), "workload"))
        )
    );
    for key in keys.iter().take(SHOWN) {
        text.push_str(&format!("  {key}\n"));
    }
    if keys.len() > SHOWN {
        text.push_str(&format!("  … {} more {ALL}\n", keys.len() - SHOWN));
    }
    text
}

/// A line per pair that fares differently.
pub(crate) fn csv(comparison: &Comparison<'_>) -> String {
    let mut text = String::from("from,to,lost,gained,before,after\n");
    for pair in &comparison.changes.pairs {
        text.push_str(&format!(
            "{},{},{},{},{},{}\n",
            field(&name(&pair.from)),
            field(&name(&pair.to)),
            field(&pair.lost().to_string()),
            field(&pair.gained().to_string()),
            field(&told(&pair.before)),
            field(&told(&pair.after))
        ));
    }
    text
}
