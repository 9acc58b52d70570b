//! `cargo xtask bench edge`: from a change of one entry to the answer of a real Caddy, what of that is
//! Caddy's own, and how much memory it takes here.
//!
//! Every size is measured by a process of its own, so that its peak memory is its own.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use underpin_edge::{Address, Caddy, Edge, EdgeOptions, Seen, Sites, Told};
use underpin_model::{Depth, GroupKind, Object, Origin};
use underpin_route::{Act, Asking, EdgeObject, Remembered, Scheme, Settings, probes};
use underpin_testenv::caddy;

use super::meters;

/// Numbers of routes.
const SIZES: [u32; 3] = [100, 1_000, 10_000];
/// Changes that are published, of which the median is told.
const CHANGES: usize = 7;
/// What our share may be of Caddy's own time, and our memory, with 10 000 routes.
const SHARE_AT_MOST: f64 = 0.15;
const MEGABYTES_AT_MOST: f64 = 100.0;
/// Probes carry it.
const NONCE: &str = "benchmark0nonce0of0probes";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Measure so many routes in this process.
    #[arg(long, hide = true)]
    alone: Option<u32>,
    /// Output for people (text) or for programs (json).
    #[arg(short, long, value_enum, default_value_t = super::Output::Text)]
    output: super::Output,
}

impl Args {
    /// Whether one size is measured in this process, as it was built.
    pub(super) fn is_alone(&self) -> bool {
        self.alone.is_some()
    }
}

/// The fields of what is measured, in seconds, in the order of the table.
const FIELDS: [(&str, &str); 6] = [
    ("first", "first"),
    ("decide", "decide"),
    ("document", "document"),
    ("load", "Caddy"),
    ("confirm", "confirm"),
    ("probes", "probes"),
];

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    if let Some(routes) = args.alone {
        return super::print(&format!("{}\n", alone(routes)?));
    }
    let mut rows = Vec::new();
    for routes in SIZES {
        rows.push(measure(routes)?);
    }
    args.output.print(|| text(&rows), || json!({"edge": rows}))
}

fn measure(routes: u32) -> Result<Value> {
    let (mut found, megabytes) = meters::run_apart(["edge", "--alone", &routes.to_string()])?;
    found["megabytes"] = json!(megabytes);
    Ok(found)
}

fn text(rows: &[Value]) -> String {
    let mut text = format!("{:>8}", "routes");
    for (_, title) in FIELDS {
        text.push_str(&format!("{title:>10}"));
    }
    text.push_str(&format!("{:>9}{:>8}\n", "share", "MB"));
    for row in rows {
        text.push_str(&format!("{:>8}", row["routes"].to_string()));
        for (field, _) in FIELDS {
            let seconds = row[field].as_f64().unwrap_or_default();
            text.push_str(&format!("{:>8.1}ms", seconds * 1e3));
        }
        let (share, memory) = (row["share"].as_f64(), row["megabytes"].as_f64());
        text.push_str(&format!(
            "{:>8.1}%{:>8.0}\n",
            share.unwrap_or_default() * 1e2,
            memory.unwrap_or_default()
        ));
    }
    text.push_str(&format!(
        "\nfirst: every entry is tried; the others are of one change, medians of {CHANGES}. share: decide \
         and document beside Caddy's own time; at most {:.0} % and {MEGABYTES_AT_MOST} MB with 10000 \
         routes.\n",
        SHARE_AT_MOST * 1e2
    ));
    text
}

/// Measures in this process.
fn alone(routes: u32) -> Result<Value> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("make a runtime")?;
    runtime.block_on(changes(routes))
}

async fn changes(routes: u32) -> Result<Value> {
    let folder = tempfile::tempdir().context("make a folder")?;
    let running = Serving::start(folder.path())?;
    let mut edge = Edge::new(options(&running)?);
    let sites = Sites {
        http: running.sites,
        https: None,
    };
    let mut serving = Caddy::new(running.admin.parse()?, sites);
    let mut seen = Seen::new([]);
    for (kind, objects) in world(routes) {
        seen.take(Told::Listed(kind, objects), 0);
    }
    let mut remembered = Remembered {
        nonce: NONCE.to_owned(),
        ..Remembered::default()
    };
    let mut seconds: Vec<(&str, Vec<Duration>)> =
        FIELDS.map(|(field, _)| (field, Vec::new())).into();
    let mut take = |field: &str, elapsed: Duration| {
        let found = seconds.iter_mut().find(|(known, _)| *known == field);
        if let Some((_, times)) = found {
            times.push(elapsed);
        }
    };
    for change in 0..=CHANGES {
        seen.take(Told::Set(service(0, change)), 0);
        let begun = Instant::now();
        let decided = edge.decide(seen.observed(None), &remembered, false, None, 0);
        let decided = decided.await?;
        let decide = begun.elapsed();
        if decided.round.act != Act::Publish {
            bail!("a change came to nothing: {:?}", decided.round.decision);
        }
        let begun = Instant::now();
        let next = decided.round.next;
        let ready = edge.document(&next)?;
        let document = begun.elapsed();
        let load = serving.load(ready.bytes.clone()).await?;
        let begun = Instant::now();
        if !serving.runs(&ready.bytes).await? {
            bail!("Caddy runs something else");
        }
        let confirm = begun.elapsed();
        let begun = Instant::now();
        let asking = Asking {
            schemes: &[Scheme::Http],
            answers_unknown: false,
            token: "t0ken",
        };
        let asked = probes(&next.served, &asking);
        let generation = next.published.generation;
        let verified = serving.verify(asked, generation, NONCE).await;
        if let Some(failure) = verified.failures.first() {
            bail!("{failure}");
        }
        remembered = next;
        if change == 0 {
            take("first", decide);
            continue;
        }
        take("decide", decide);
        take("document", document);
        take("load", load);
        take("confirm", confirm);
        take("probes", begun.elapsed());
    }
    let median = |field: &str| {
        let times = seconds.iter().find(|(known, _)| *known == field);
        let median = times.and_then(|(_, times)| meters::median(times));
        median.unwrap_or_default().as_secs_f64()
    };
    let mut found = json!({"routes": routes});
    for (field, _) in FIELDS {
        found[field] = json!(median(field));
    }
    found["share"] = json!((median("decide") + median("document")) / median("load"));
    Ok(found)
}

fn options(running: &Serving) -> Result<EdgeOptions> {
    let admin: Address = running.admin.parse()?;
    Ok(EdgeOptions {
        caddy: caddy::find()?,
        read: Settings {
            endpoints: true,
            ..Settings::default()
        },
        service: None,
        admin,
        http_port: running.sites.port(),
        https_port: None,
        tls: None,
        tls_secrets: false,
        answer_unknown: false,
        pages: "/etc/caddy/pages".to_owned(),
        page: None,
        tombstone: 30,
    })
}

/// Services in namespaces of ten, each with a host and an endpoint.
fn world(routes: u32) -> Vec<(GroupKind, Vec<EdgeObject>)> {
    let namespaces = (0..routes.div_ceil(10)).map(|number| {
        object(json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": format!("shop-{number}"), "uid": format!("n{number}")}}))
    });
    let slices = (0..routes).map(|number| {
        let namespace = format!("shop-{}", number / 10);
        object(
            json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": format!("web-{number}"), "namespace": namespace,
                "labels": {"kubernetes.io/service-name": format!("web-{number}")}},
            "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true}}]}),
        )
    });
    vec![
        (GroupKind::core("Namespace"), namespaces.collect()),
        (
            GroupKind::core("Service"),
            (0..routes).map(|number| service(number, 0)).collect(),
        ),
        (
            GroupKind::new("discovery.k8s.io", "EndpointSlice"),
            slices.collect(),
        ),
    ]
}

fn service(number: u32, change: usize) -> EdgeObject {
    let namespace = format!("shop-{}", number / 10);
    let entry = format!(
        "http://h{number}.example.com {{\n  reverse_proxy \
         http://web-{number}.{namespace}.svc.cluster.local:80 {{\n    header_up X-Change {change}\n  \
         }}\n  import gzip\n}}\n"
    );
    object(json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": format!("web-{number}"), "namespace": namespace,
            "uid": format!("u{number}"), "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {"underpin.dev/route": entry}},
        "spec": {"clusterIP": "10.1.2.3", "ports": [{"port": 80, "targetPort": 8080}],
            "selector": {"app": format!("web-{number}")}}}))
}

/// What is kept of an object as soon as it is read.
fn object(value: Value) -> EdgeObject {
    let name = value["metadata"]["name"].clone();
    let found = Object::from_value(value, Depth::Full, Origin::Live);
    let found = found.unwrap_or_else(|| unreachable!("{name} has what an object has"));
    EdgeObject::of(&found, &Settings::default())
}

/// A Caddy that serves; it ends with this.
struct Serving {
    child: Child,
    admin: String,
    sites: SocketAddr,
}

impl Serving {
    fn start(folder: &Path) -> Result<Self> {
        let held = [
            TcpListener::bind(("127.0.0.1", 0))?,
            TcpListener::bind(("127.0.0.1", 0))?,
        ];
        let (admin, sites) = (held[0].local_addr()?, held[1].local_addr()?);
        drop(held);
        let stub = folder.join("stub.json");
        fs::write(
            &stub,
            json!({"admin": {"listen": admin.to_string()}}).to_string(),
        )?;
        let child = Command::new(caddy::find()?)
            .args(["run", "--config"])
            .arg(&stub)
            .env_clear()
            .env("HOME", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start caddy")?;
        let running = Self {
            child,
            admin: admin.to_string(),
            sites,
        };
        let end = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(admin).is_err() {
            if Instant::now() > end {
                bail!("caddy does not answer");
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(running)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
