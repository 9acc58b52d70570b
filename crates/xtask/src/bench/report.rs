//! What was measured, for people and for programs.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::contenders::{Contender, Measurement};
use super::meters::{Calls, median, megabytes};

/// Microseconds in a second.
const MICROSECONDS: f64 = 1e6;

/// The medians of a contender's runs.
struct Row {
    contender: Contender,
    seconds: f64,
    /// The highest of all runs, in MB: a limit holds for each.
    memory: Option<f64>,
    calls: Calls,
}

/// How one contender compares to another: how many times the time of the second one the first
/// one takes.
struct Ratio {
    id: &'static str,
    title: &'static str,
    of: Contender,
    to: Contender,
}

const RATIOS: [Ratio; 5] = [
    Ratio {
        id: "diff-to-plan",
        title: "kubectl diff takes, of an unchanged plan's time",
        of: Contender::DiffUnchanged,
        to: Contender::PlanUnchanged,
    },
    Ratio {
        id: "changed-diff-to-plan",
        title: "the same with 10 % changed",
        of: Contender::DiffChanged,
        to: Contender::PlanChanged,
    },
    Ratio {
        id: "apply-again-to-up-again",
        title: "kubectl's second apply, of an up with nothing to do",
        of: Contender::ApplyAgain,
        to: Contender::UpAgain,
    },
    Ratio {
        id: "apply-first-to-up-first",
        title: "kubectl's first apply, of a first up",
        of: Contender::ApplyFirst,
        to: Contender::UpFirst,
    },
    Ratio {
        id: "up-first-to-patches",
        title: "a first up, of the bare PATCHes",
        of: Contender::UpFirst,
        to: Contender::Patches,
    },
];

/// All that was measured with one number of objects.
pub(super) struct Size {
    objects: usize,
    rounds: usize,
    rows: Vec<Row>,
}

#[allow(
    clippy::cast_precision_loss,
    reason = "times and sizes of one run are far below 2⁵²"
)]
impl Size {
    /// Medians over rounds.
    pub(super) fn of(objects: usize, rounds: &[Vec<Measurement>]) -> Result<Self> {
        let rows = Contender::ALL.map(|contender| {
            let runs: Vec<&Measurement> = rounds
                .iter()
                .flatten()
                .filter(|one| one.contender == contender)
                .collect();
            let times: Vec<u128> = runs.iter().map(|run| run.microseconds).collect();
            let calls = |part: fn(&Calls) -> usize| {
                let counts: Vec<usize> = runs.iter().map(|run| part(&run.calls)).collect();
                median(&counts).unwrap_or_default()
            };
            let time =
                median(&times).with_context(|| format!("{} was never run", contender.id()))?;
            let memory = runs.iter().filter_map(|run| run.memory).max();
            Ok(Row {
                contender,
                seconds: time as f64 / MICROSECONDS,
                memory: memory.map(megabytes),
                calls: Calls {
                    list: calls(|calls| calls.list),
                    get: calls(|calls| calls.get),
                    dry_run: calls(|calls| calls.dry_run),
                    patch: calls(|calls| calls.patch),
                    other: calls(|calls| calls.other),
                },
            })
        });
        Ok(Self {
            objects,
            rounds: rounds.len(),
            rows: rows.into_iter().collect::<Result<_>>()?,
        })
    }

    fn seconds(&self, contender: Contender) -> Option<f64> {
        let row = self.rows.iter().find(|row| row.contender == contender)?;
        Some(row.seconds)
    }

    fn ratio(&self, ratio: &Ratio) -> Option<f64> {
        Some(self.seconds(ratio.of)? / self.seconds(ratio.to)?)
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} objects in 10 namespaces, {} rounds: median seconds and API calls, highest memory\n\n\
             {:42} {:>8} {:>7} {:>6} {:>6} {:>6} {:>8} {:>6} {:>6}\n",
            self.objects,
            self.rounds,
            "",
            "seconds",
            "MB",
            "calls",
            "LIST",
            "GET",
            "dry run",
            "PATCH",
            "other"
        );
        for row in &self.rows {
            let memory = row
                .memory
                .map_or_else(|| "-".to_owned(), |memory| format!("{memory:.0}"));
            let calls = &row.calls;
            text.push_str(&format!(
                "{:42} {:>8.3} {memory:>7} {:>6} {:>6} {:>6} {:>8} {:>6} {:>6}\n",
                row.contender.title(),
                row.seconds,
                calls.total(),
                calls.list,
                calls.get,
                calls.dry_run,
                calls.patch,
                calls.other,
            ));
        }
        text.push('\n');
        for ratio in &RATIOS {
            if let Some(times) = self.ratio(ratio) {
                text.push_str(&format!("{:56} {times:>6.2} ×\n", ratio.title));
            }
        }
        text
    }

    fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let calls = &row.calls;
            json!({
                "id": row.contender.id(),
                "seconds": row.seconds,
                "memoryMB": row.memory,
                "calls": {
                    "total": calls.total(), "list": calls.list, "get": calls.get,
                    "dryRun": calls.dry_run, "patch": calls.patch, "other": calls.other,
                },
            })
        });
        let ratios = RATIOS
            .iter()
            .map(|ratio| (ratio.id.to_owned(), json!(self.ratio(ratio))));
        json!({
            "objects": self.objects,
            "rounds": self.rounds,
            "contenders": rows.collect::<Vec<_>>(),
            "ratios": Value::Object(ratios.collect()),
        })
    }
}

/// One table a size, and between the first and the last size how time grows.
pub(super) fn text(sizes: &[Size]) -> String {
    let tables: Vec<String> = sizes.iter().map(Size::text).collect();
    let mut text = tables.join("\n");
    if let [first, .., last] = sizes {
        text.push_str(&format!(
            "\nfrom {} to {} objects ({:.2} ×) the time grows\n",
            first.objects,
            last.objects,
            growth(first.objects, last.objects)
        ));
        for contender in Contender::ALL {
            if let (Some(less), Some(more)) = (first.seconds(contender), last.seconds(contender)) {
                let title = contender.title();
                text.push_str(&format!("{title:56} {:>6.2} ×\n", more / less));
            }
        }
    }
    text
}

#[allow(
    clippy::cast_precision_loss,
    reason = "numbers of objects are far below 2⁵²"
)]
fn growth(first: usize, last: usize) -> f64 {
    last as f64 / first as f64
}

/// The same for programs.
pub(super) fn json(sizes: &[Size]) -> Value {
    json!({"sizes": sizes.iter().map(Size::json).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(seconds: &[u128]) -> Vec<Vec<Measurement>> {
        let round = |seconds: u128| {
            Contender::ALL.map(|contender| Measurement {
                contender,
                // Each takes a second longer than the one before it.
                microseconds: (seconds + contender as u128) * 1_000_000,
                memory: (contender == Contender::UpFirst).then_some(97_657),
                calls: Calls {
                    list: 60,
                    get: 2,
                    ..Calls::default()
                },
            })
        };
        seconds.iter().map(|one| round(*one).into()).collect()
    }

    #[test]
    fn medians_ratios_and_growth_are_told() {
        let sizes = [
            Size::of(1_000, &rounds(&[9, 1, 2])).unwrap(),
            Size::of(5_000, &rounds(&[20])).unwrap(),
        ];
        let told = text(&sizes);
        let has = |part: &str| assert!(told.contains(part), "{part}:\n{told}");
        has("1000 objects in 10 namespaces, 3 rounds");
        has("underpin up --wait=false, first               2.000     100     62     60      2");
        has("kubectl diff takes, of an unchanged plan's time            2.33 ×");
        has("from 1000 to 5000 objects (5.00 ×)");
        let first = &json(&sizes)["sizes"][0];
        assert_eq!(first["contenders"][0]["calls"]["total"], 62);
        assert_eq!(first["contenders"][8]["memoryMB"], Value::Null);
        assert_eq!(first["ratios"]["up-first-to-patches"], 0.2);
    }

    #[test]
    fn who_was_never_run_is_an_error() {
        assert!(Size::of(1_000, &[]).is_err());
    }
}
