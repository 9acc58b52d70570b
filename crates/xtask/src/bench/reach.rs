//! `cargo xtask bench reach`: what it costs to ask who may connect to whom.
//!
//! Every size is measured by a process of its own, so that its peak memory is its own; the world
//! that it is asked about is part of that memory, and making it is no part of the time.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use underpin_connect::{Engine, Options};
use underpin_model::World;
use underpin_plan::connectivity::judge_needs;
use underpin_refs::{NeedOptions, needs};

use super::meters::{self, cpu_seconds};
use super::reach_world::{Shape, world};

/// What another tool takes for all pairs of worlds of this shape: workloads, policies, seconds of
/// CPU, peak memory in MB. It is np-guard's netpol-analyzer at commit e54a334, measured once on two
/// cores; it is not installed here, so that it is not measured along.
const ANOTHER_TOOL: [(u32, u32, &str, &str); 4] = [
    (100, 105, "1.1", "-"),
    (300, 315, "7.5 to 14", "-"),
    (500, 525, "57", "900"),
    (1_000, 1_050, "315", "3000"),
];

/// What is asked of a world.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Work {
    /// What is allowed between every two.
    Pairs,
    /// The connections that something needs: found, and judged.
    Needs,
}

/// A size, with what it may cost: seconds and MB.
struct Size {
    work: Work,
    shape: Shape,
    target: Option<(f64, f64)>,
}

const fn pairs(workloads: u32, target: Option<(f64, f64)>) -> Size {
    Size {
        work: Work::Pairs,
        shape: Shape {
            workloads,
            namespaces: workloads / 20,
            allowing: workloads,
            pods: 0,
        },
        target,
    }
}

/// Clusters as they are read live: every workload has five pods and a Service, and needs another.
const fn needs_of(workloads: u32, namespaces: u32, target: Option<(f64, f64)>) -> Size {
    Size {
        work: Work::Needs,
        shape: Shape {
            workloads,
            namespaces,
            allowing: namespaces * 14,
            pods: 5,
        },
        target,
    }
}

/// Doublings, the sizes that have a limit, and a large cluster.
const SIZES: [Size; 7] = [
    pairs(1_000, Some((0.1, 100.0))),
    pairs(2_000, None),
    pairs(4_000, None),
    pairs(8_000, None),
    pairs(10_000, Some((3.0, f64::INFINITY))),
    needs_of(10_000, 2_500, None),
    needs_of(20_000, 5_000, Some((10.0, 2_000.0))),
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Measure one size in this process: workloads, namespaces, policies that allow, pods of each.
    #[arg(long, hide = true, num_args = 4, requires = "work")]
    alone: Vec<u32>,
    #[arg(long, hide = true, value_enum)]
    work: Option<Work>,
    /// Output for people (text) or for programs (json).
    #[arg(short, long, value_enum, default_value_t = super::Output::Text)]
    output: super::Output,
}

/// What one size took.
struct Measured {
    /// Reading the world, and answering.
    engine: f64,
    answers: f64,
    /// The same in seconds of CPU, which others that run beside it do not change.
    cpu: f64,
    /// Pairs that are allowed, or needs.
    count: u64,
    /// Peak memory in MB.
    memory: f64,
}

impl Measured {
    fn seconds(&self) -> f64 {
        self.engine + self.answers
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    if let (&[workloads, namespaces, allowing, pods], Some(work)) = (&args.alone[..], args.work) {
        let shape = Shape {
            workloads,
            namespaces,
            allowing,
            pods,
        };
        return super::print(&format!("{}\n", alone(work, shape)));
    }
    let mut rows = Vec::new();
    for size in &SIZES {
        rows.push((size, measure(size)?));
    }
    args.output.print(|| text(&rows), || json_of(&rows))
}

/// Measures in this process.
fn alone(work: Work, shape: Shape) -> Value {
    let world = world(shape);
    let (begin, cpu) = (Instant::now(), cpu_seconds());
    let engine = Engine::new(&world, &Options::default());
    let built = begin.elapsed();
    let begin = Instant::now();
    let count = match work {
        Work::Pairs => {
            let mut pairs = 0_u64;
            engine.matrix(&[]).visit(|_, _, _| pairs += 1);
            pairs
        }
        Work::Needs => judged(&engine, &world),
    };
    let answered = begin.elapsed();
    json!({
        "engine": built.as_secs_f64(), "answers": answered.as_secs_f64(), "count": count,
        "cpu": cpu_seconds() - cpu,
    })
}

/// Finds what every workload needs, and whether it may.
fn judged(engine: &Engine, world: &World) -> u64 {
    let needs = needs(world, &NeedOptions::default());
    judge_needs(engine, &needs).iter().map(|_| 1).sum()
}

/// Measures in a process of its own.
fn measure(size: &Size) -> Result<Measured> {
    let Shape {
        workloads,
        namespaces,
        allowing,
        pods,
    } = size.shape;
    let work = match size.work {
        Work::Pairs => "pairs",
        Work::Needs => "needs",
    };
    let numbers = [workloads, namespaces, allowing, pods].map(|number| number.to_string());
    let arguments = ["reach", "--work", work, "--alone"];
    let arguments = arguments
        .into_iter()
        .chain(numbers.iter().map(String::as_str));
    let (found, memory) = meters::run_apart(arguments)?;
    let seconds = |field: &str| found[field].as_f64().context("no seconds");
    Ok(Measured {
        engine: seconds("engine")?,
        answers: seconds("answers")?,
        cpu: seconds("cpu")?,
        count: found["count"].as_u64().context("no count")?,
        memory,
    })
}

fn text(rows: &[(&Size, Measured)]) -> String {
    let mut lines = vec![format!(
        "{:<10}{:>10}{:>10}{:>10}{:>9}{:>9}{:>9}{:>9}{:>8}  {:<16}{}",
        "asked",
        "workloads",
        "policies",
        "count",
        "engine",
        "answers",
        "seconds",
        "CPU",
        "MB",
        "at most",
        "per doubling"
    )];
    let mut previous: Option<&(&Size, Measured)> = None;
    for row in rows {
        let (size, measured) = row;
        let asked = match size.work {
            Work::Pairs => "all pairs",
            Work::Needs => "needs",
        };
        let target = size.target.map(|(seconds, memory)| {
            let memory = memory.is_finite().then(|| format!(", {memory} MB"));
            format!("{seconds} s{}", memory.unwrap_or_default())
        });
        let growth = previous
            .filter(|(before, _)| before.work == size.work)
            .map(|(before, was)| growth(before, was, size, measured));
        lines.push(format!(
            "{asked:<10}{:>10}{:>10}{:>10}{:>9.3}{:>9.3}{:>9.3}{:>9.3}{:>8.0}  {:<16}{}",
            size.shape.workloads,
            size.shape.policies(),
            measured.count,
            measured.engine,
            measured.answers,
            measured.seconds(),
            measured.cpu,
            measured.memory,
            target.unwrap_or_default(),
            growth
                .map(|times| format!("x {times:.1}"))
                .unwrap_or_default(),
        ));
        previous = Some(row);
    }
    lines.push("\nnetpol-analyzer at e54a334, seconds of CPU, measured elsewhere:".to_owned());
    for (workloads, policies, seconds, memory) in ANOTHER_TOOL {
        lines.push(format!(
            "{:<10}{workloads:>10}{policies:>10}{:>10}{:>36}{memory:>8}",
            "all pairs", "", seconds
        ));
    }
    lines.join("\n") + "\n"
}

/// How many times the time it takes to do twice as much.
fn growth(before: &Size, was: &Measured, size: &Size, measured: &Measured) -> f64 {
    let doublings = (f64::from(size.shape.workloads) / f64::from(before.shape.workloads)).log2();
    (measured.cpu / was.cpu).powf(doublings.recip())
}

fn json_of(rows: &[(&Size, Measured)]) -> Value {
    let sizes = rows.iter().map(|(size, measured)| {
        json!({
            "work": match size.work { Work::Pairs => "pairs", Work::Needs => "needs" },
            "workloads": size.shape.workloads,
            "policies": size.shape.policies(),
            "count": measured.count,
            "engineSeconds": measured.engine,
            "answerSeconds": measured.answers,
            "cpuSeconds": measured.cpu,
            "peakMegabytes": measured.memory,
            "secondsAtMost": size.target.map(|(seconds, _)| seconds),
            "megabytesAtMost": size.target.map(|(_, memory)| memory).filter(|most| most.is_finite()),
        })
    });
    json!({"reach": sizes.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Shape = Shape {
        workloads: 40,
        namespaces: 4,
        allowing: 30,
        pods: 2,
    };

    #[test]
    fn a_size_is_measured() {
        for (work, most) in [(Work::Pairs, 40 * 42), (Work::Needs, 40)] {
            let found = alone(work, SMALL);
            let count = found["count"].as_u64().unwrap();
            assert!(count > 0 && count <= most, "{found}");
            assert!(found["engine"].as_f64().unwrap() > 0.0, "{found}");
        }
        assert_eq!(SMALL.policies(), 34);
    }

    #[test]
    fn growth_is_told_per_doubling() {
        let measured = |cpu| Measured {
            engine: cpu,
            answers: 0.0,
            cpu,
            count: 1,
            memory: 20.0,
        };
        let rows = [(&SIZES[0], measured(0.5)), (&SIZES[2], measured(2.0))];
        let text = text(&rows);
        assert!(
            text.contains("0.1 s, 100 MB") && text.contains("x 2.0"),
            "{text}"
        );
        assert_eq!(json_of(&rows)["reach"][1]["cpuSeconds"], 2.0);
    }
}
