//! `cargo xtask bench images`: what it costs to tell which images of a registry are needed.
//!
//! A registry is filled by its own API, clusters are dumped, and the program plans twice: of what the first
//! plan read, the second one asks for no manifest. Beside it the same requests are sent bare, and skopeo, which
//! is another reader of registries, lists and reads some tags. What is left when nothing is read is
//! measured in a process of its own, so that its peak memory is its own.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use underpin_image::{
    Collector, Deletion, Host, Manifest, PlanInput, Reading, Registry, RepositoryPath, Root,
    RootSettings, Settings, Source, Tag, plan,
};
use underpin_model::{Depth, Object, Origin, World};
use underpin_refs::ImageSources;
use underpin_testenv::Kubeconfig;
use underpin_testenv::api::{self, Client};
use underpin_testenv::push::{IMAGE, INDEX};
use underpin_testenv::registry::{DockerRegistry, Options};
use underpin_testenv::{registry, skopeo};

use super::floors::IN_FLIGHT;
use super::images_fleet::{CLUSTERS, Fleet};
use super::meters::{self, cpu_seconds};
use super::{say, yaml};

/// What planning may take where nothing is read: seconds and MB.
const SECONDS_AT_MOST: f64 = 1.0;
const MEGABYTES_AT_MOST: f64 = 200.0;
/// How many tags skopeo reads; the rest is reckoned from that.
const SAMPLE: usize = 50;
const MOST_TAGS: i64 = 100_000;
const MOST_PODS: i64 = 100_000;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many tags the registry has.
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=MOST_TAGS))]
    tags: u32,
    /// How many pods each of three clusters has.
    #[arg(long, value_name = "NUMBER", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=MOST_PODS))]
    pods: u32,
    /// Measure this program instead of building it.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Measure planning alone, in this process.
    #[arg(long, hide = true)]
    alone: bool,
    /// Output for people (text) or for programs (json).
    #[arg(short, long, value_enum, default_value_t = super::Output::Text)]
    output: super::Output,
}

impl Args {
    pub(super) fn is_alone(&self) -> bool {
        self.alone
    }

    pub(super) fn has_program(&self) -> bool {
        self.program.is_some()
    }
}

/// One plan of the program.
struct Planned {
    seconds: f64,
    megabytes: f64,
    requests: u64,
    manifests: u64,
    /// The share of the time in which a request was under way.
    registry: f64,
}

/// The same requests, bare.
struct Bare {
    seconds: f64,
    requests: u64,
}

/// Planning where nothing is read.
struct Pure {
    roots: f64,
    plan: f64,
    /// Both in seconds of CPU, which others that run beside it do not change.
    cpu: f64,
    megabytes: f64,
}

struct Measured {
    fleet: Fleet,
    manifests: usize,
    plans: [Planned; 2],
    bare: [Bare; 2],
    pure: Pure,
    /// What skopeo would take for everything, reckoned from some of it.
    skopeo: f64,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let fleet = Fleet {
        tags: args.tags,
        pods: args.pods,
    };
    if args.alone {
        return super::print(&format!("{}\n", alone(fleet)?));
    }
    let measured = measure(fleet, &super::program(args.program.as_deref())?)?;
    args.output.print(|| text(&measured), || json_of(&measured))
}

fn measure(fleet: Fleet, program: &Path) -> Result<Measured> {
    registry::ensure()?;
    skopeo::ensure()?;
    let server = DockerRegistry::start(Options::default())?;
    let host = server.host();
    let runtime = Runtime::new().context("runtime")?;
    let client = Kubeconfig::plain(&format!("http://{host}"));
    let client = runtime.block_on(api::client(&client))?;
    say(&format!("pushing {} tags", fleet.tags))?;
    runtime.block_on(fleet.push(&client))?;
    let folder = tempfile::tempdir().context("make a folder")?;
    write_sources(fleet, &host, folder.path())?;
    let mut plans = Vec::new();
    for what in ["first plan", "second plan"] {
        say(what)?;
        plans.push(planned(program, folder.path())?);
    }
    let plans: [Planned; 2] = plans.try_into().ok().context("two plans")?;
    ensure!(
        plans[1].manifests == 0,
        "the second plan has read {} manifests",
        plans[1].manifests
    );
    say("bare requests")?;
    let manifests = (0..fleet.repositories()).map(|number| fleet.manifests(number).len());
    let bare = [
        bare(&runtime, &client, fleet, "GET")?,
        bare(&runtime, &client, fleet, "HEAD")?,
    ];
    say("skopeo")?;
    Ok(Measured {
        fleet,
        manifests: manifests.sum(),
        plans,
        bare,
        pure: pure(fleet)?,
        skopeo: skopeo_seconds(fleet, &host)?,
    })
}

/// The dumps, and the images file that names them.
fn write_sources(fleet: Fleet, host: &str, folder: &Path) -> Result<()> {
    for cluster in 0..CLUSTERS {
        let mut text = String::new();
        for object in fleet.objects(cluster, host) {
            text.push_str("---\n");
            text.push_str(&yaml::document(&object));
        }
        let path = folder.join(format!("cluster{cluster}.yaml"));
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    let dumps: Vec<String> = (0..CLUSTERS)
        .map(|at| format!("cluster{at}.yaml"))
        .collect();
    let config = json!({
        "registry": {"host": host, "type": "distribution"},
        "sources": {"dumps": dumps}, "state": "state",
        "limits": {"minimumAge": "0s", "apart": "0s", "minimumKept": 0, "maximumShare": 100},
    });
    fs::write(folder.join("images.yaml"), config.to_string()).context("write the images file")
}

fn planned(program: &Path, folder: &Path) -> Result<Planned> {
    let mut command = Command::new(program);
    command.current_dir(folder).env("HOME", folder);
    command.args([
        "images",
        "plan",
        "--config",
        "images.yaml",
        "--output",
        "json",
    ]);
    let (ran, document) = meters::run_for_json(&mut command, folder)?;
    let number = |field: &str| {
        document[field]
            .as_u64()
            .with_context(|| format!("no {field}"))
    };
    let seconds = ran.elapsed.as_secs_f64();
    let registry = Duration::from_millis(number("registryMilliseconds")?);
    Ok(Planned {
        seconds,
        megabytes: meters::megabytes(ran.memory),
        requests: number("requests")?,
        manifests: number("manifestsRead")?,
        registry: registry.as_secs_f64() / seconds,
    })
}

/// Lists of tags, a HEAD for each tag, and a request for each manifest: all that there is to know.
fn bare(runtime: &Runtime, client: &Client, fleet: Fleet, method: &'static str) -> Result<Bare> {
    let mut paths = vec![("GET", "/v2/_catalog?n=1000".to_owned())];
    for number in 0..fleet.repositories() {
        let repository = Fleet::repository(number);
        paths.push(("GET", format!("/v2/{repository}/tags/list?n=1000")));
        for pushed in fleet.manifests(number) {
            let manifests = format!("/v2/{repository}/manifests");
            if let Some(tag) = &pushed.tag {
                paths.push(("HEAD", format!("{manifests}/{tag}")));
            }
            // What a tag has just been seen to point to is there: only who has not read it asks for it.
            if pushed.tag.is_none() || method == "GET" {
                paths.push((method, format!("{manifests}/{}", pushed.digest)));
            }
        }
    }
    let requests = u64::try_from(paths.len()).context("the number of requests")?;
    let begin = Instant::now();
    runtime.block_on(async {
        let slots = Arc::new(Semaphore::new(IN_FLIGHT));
        let mut running = JoinSet::new();
        for (method, path) in paths {
            let slot = Arc::clone(&slots).acquire_owned().await.context("a slot")?;
            let client = client.clone();
            running.spawn(async move {
                let answer = api::read(&client, method, &path, &[IMAGE, INDEX].join(", ")).await;
                drop(slot);
                answer
            });
        }
        while let Some(joined) = running.join_next().await {
            joined.context("a request")??;
        }
        anyhow::Ok(())
    })?;
    Ok(Bare {
        seconds: begin.elapsed().as_secs_f64(),
        requests,
    })
}

/// The tags of one repository and some of its manifests, one after the other as a script does, for all.
fn skopeo_seconds(fleet: Fleet, host: &str) -> Result<f64> {
    let name = format!("docker://{host}/{}", Fleet::repository(0));
    let begin = Instant::now();
    skopeo::run(["list-tags", "--tls-verify=false", &name])?;
    let list = begin.elapsed();
    let manifests = fleet.manifests(0);
    let tags: Vec<&String> = manifests
        .iter()
        .filter_map(|one| one.tag.as_ref())
        .collect();
    let sample = &tags[..SAMPLE.min(tags.len())];
    let begin = Instant::now();
    for tag in sample {
        skopeo::run([
            "inspect",
            "--raw",
            "--tls-verify=false",
            &format!("{name}:{tag}"),
        ])?;
    }
    let read = begin.elapsed();
    let share = f64::from(fleet.tags) / f64::from(u32::try_from(sample.len())?);
    Ok(list.as_secs_f64() * f64::from(fleet.repositories()) + read.as_secs_f64() * share)
}

/// Measures in a process of its own.
fn pure(fleet: Fleet) -> Result<Pure> {
    let (tags, pods) = (fleet.tags.to_string(), fleet.pods.to_string());
    let arguments = ["images", "--alone", "--tags", &tags, "--pods", &pods];
    let (found, megabytes) = meters::run_apart(arguments)?;
    let seconds = |field: &str| found[field].as_f64().context("no seconds");
    Ok(Pure {
        roots: seconds("roots")?,
        plan: seconds("plan")?,
        cpu: seconds("cpu")?,
        megabytes,
    })
}

/// Plans in this process: from the objects of all clusters and what the registry holds to what may go.
/// Of a cluster's objects, what is kept is what a plan keeps: their needs.
fn alone(fleet: Fleet) -> Result<Value> {
    let host = "registry.example.com";
    let registry = read(fleet, host)?;
    let (mut needs, mut sources) = (Vec::new(), Vec::new());
    let (mut gathering, mut cpu) = (Duration::ZERO, 0.0);
    for cluster in 0..CLUSTERS {
        let name: Arc<str> = format!("dump cluster{cluster}.yaml").into();
        let objects = fleet.objects(cluster, host).into_iter().map(|object| {
            Object::from_value(object, Depth::Full, Origin::Live).context("an object")
        });
        let objects: Vec<Object> = objects.collect::<Result<_>>()?;
        let (begin, before) = (Instant::now(), cpu_seconds());
        needs.push(collected(&objects, &registry, &name)?);
        gathering += begin.elapsed();
        cpu += cpu_seconds() - before;
        sources.push(Source {
            name,
            unread: Vec::new(),
        });
    }
    let (begin, before) = (Instant::now(), cpu_seconds());
    let needs = needs.into_iter();
    let roots: Vec<Root> = needs.flat_map(|one| one.needs(&registry)).collect();
    gathering += begin.elapsed();
    cpu += cpu_seconds() - before;
    let settings = Settings {
        minimum_age: SignedDuration::ZERO,
        apart: SignedDuration::ZERO,
        minimum_kept: 0,
        maximum_share: 100,
        ..Settings::default()
    };
    let mut input = PlanInput {
        registry: &registry,
        sources: &sources,
        roots: &roots,
        records: &[],
        settings: &settings,
        now: Timestamp::UNIX_EPOCH,
    };
    let records = [plan(&input).record];
    input.records = &records;
    input.now = Timestamp::from_second(86_400).context("a day later")?;
    let (begin, before) = (Instant::now(), cpu_seconds());
    let plan = plan(&input);
    let planning = begin.elapsed();
    cpu += cpu_seconds() - before;
    ensure!(plan.stops.is_empty(), "{:?}", plan.stops);
    Ok(json!({
        "roots": gathering.as_secs_f64(), "plan": planning.as_secs_f64(), "cpu": cpu,
        "needs": roots.len(), "groups": plan.deletions.len(),
    }))
}

/// What the objects of one cluster need.
fn collected(objects: &[Object], registry: &Registry, source: &Arc<str>) -> Result<Collector> {
    let world = World::default();
    let settings = RootSettings {
        registry,
        sources: ImageSources {
            world: &world,
            read_yaml: &|_| Err("no values are read here".to_owned()),
        },
        source,
    };
    let mut needs = Collector::default();
    for object in objects {
        let unknown = needs.object(object, settings);
        ensure!(
            unknown.is_empty(),
            "an image of {} is not known",
            object.key
        );
    }
    needs.close();
    Ok(needs)
}

/// The registry, as reading it would leave it.
fn read(fleet: Fleet, host: &str) -> Result<Registry> {
    let mut registry = Registry::new(Host::new(host)?, Deletion::DigestsWithTags);
    for number in 0..fleet.repositories() {
        let path = RepositoryPath::new(&Fleet::repository(number))?;
        let repository = registry.repositories.entry(path).or_default();
        for pushed in fleet.manifests(number) {
            let manifest = Manifest::read(&pushed.digest, None, &pushed.bytes())?;
            if let Some(tag) = &pushed.tag {
                let digest = Reading::Present(pushed.digest.clone());
                repository.tags.insert(Tag::new(tag)?, digest);
            }
            repository
                .manifests
                .insert(pushed.digest, Reading::Present(manifest));
        }
    }
    Ok(registry)
}

fn text(measured: &Measured) -> String {
    let Measured {
        fleet,
        manifests,
        plans: [cold, again],
        bare: [bare_cold, bare_again],
        pure,
        skopeo,
    } = measured;
    let mut text = format!(
        "{} tags in {} repositories, {manifests} manifests; {CLUSTERS} dumps of {} pods\n\n{:<24}{:>9}{:>8}\
         {:>10}{:>11}{:>10}\n",
        fleet.tags,
        fleet.repositories(),
        fleet.pods,
        "",
        "seconds",
        "MB",
        "requests",
        "manifests",
        "registry"
    );
    for (name, planned) in [("plan, first", cold), ("plan, again", again)] {
        let _ = writeln!(
            text,
            "{name:<24}{:>9.2}{:>8.0}{:>10}{:>11}{:>8.0} %",
            planned.seconds,
            planned.megabytes,
            planned.requests,
            planned.manifests,
            planned.registry * 1e2
        );
    }
    for (name, bare) in [
        ("bare requests, first", bare_cold),
        ("bare requests, again", bare_again),
    ] {
        let _ = writeln!(text, "{name:<24}{:>9.2}{:>18}", bare.seconds, bare.requests);
    }
    let _ = writeln!(text, "{:<24}{skopeo:>9.0}", "skopeo, reckoned");
    let seconds = pure.roots + pure.plan;
    let _ = writeln!(
        text,
        "{:<24}{seconds:>9.2}{:>8.0}  at most {SECONDS_AT_MOST} s, {MEGABYTES_AT_MOST} MB; needs {:.2} s, plan {:.2} s, \
         of CPU {:.2} s",
        "planning alone", pure.megabytes, pure.roots, pure.plan, pure.cpu
    );
    let _ = write!(
        text,
        "\na first plan takes, of the bare requests' time   x {:.2}\nanother one, of theirs                           \
         x {:.2}\nskopeo, of a first plan's                        x {:.0}\n\nmanifests: read, not only looked \
         at. registry: the share of the time in which a request was under way.\nskopeo: the tags of one \
         repository and {SAMPLE} manifests, one after the other, times all.\n",
        cold.seconds / bare_cold.seconds,
        again.seconds / bare_again.seconds,
        skopeo / cold.seconds,
    );
    text
}

fn json_of(measured: &Measured) -> Value {
    let plans = measured.plans.iter().map(|planned| {
        json!({
            "seconds": planned.seconds, "peakMegabytes": planned.megabytes,
            "requests": planned.requests, "manifestsRead": planned.manifests,
            "registryShare": planned.registry,
        })
    });
    let bare = measured.bare.iter();
    let bare = bare.map(|bare| json!({"seconds": bare.seconds, "requests": bare.requests}));
    json!({"images": {
        "tags": measured.fleet.tags, "podsOfEach": measured.fleet.pods, "manifests": measured.manifests,
        "plans": plans.collect::<Vec<_>>(), "bareRequests": bare.collect::<Vec<_>>(),
        "planningAlone": {
            "needsSeconds": measured.pure.roots, "planSeconds": measured.pure.plan,
            "cpuSeconds": measured.pure.cpu,
            "peakMegabytes": measured.pure.megabytes,
            "secondsAtMost": SECONDS_AT_MOST, "megabytesAtMost": MEGABYTES_AT_MOST,
        },
        "skopeoReckonedSeconds": measured.skopeo,
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planning_alone_finds_what_pods_run_and_what_nothing_needs() {
        let found = alone(Fleet {
            tags: 200,
            pods: 50,
        })
        .unwrap();
        assert!(found["needs"].as_u64().unwrap() >= 150, "{found}");
        assert!(found["groups"].as_u64().unwrap() > 100, "{found}");
    }

    #[test]
    fn ratios_are_of_one_run() {
        let planned = |seconds| Planned {
            seconds,
            megabytes: 100.0,
            requests: 10,
            manifests: 5,
            registry: 0.5,
        };
        let bare = |seconds| Bare {
            seconds,
            requests: 9,
        };
        let measured = Measured {
            fleet: Fleet { tags: 10, pods: 5 },
            manifests: 12,
            plans: [planned(2.0), planned(1.0)],
            bare: [bare(1.0), bare(1.0)],
            pure: Pure {
                roots: 0.25,
                plan: 0.25,
                cpu: 0.4,
                megabytes: 50.0,
            },
            skopeo: 40.0,
        };
        let text = text(&measured);
        assert!(
            text.contains("time   x 2.00") && text.contains("x 20\n"),
            "{text}"
        );
        assert_eq!(json_of(&measured)["images"]["plans"][1]["requests"], 10);
    }
}
