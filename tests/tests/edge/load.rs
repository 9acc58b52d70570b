//! R3.7: changes while there is load.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use underpin_tests::Proxy;

use crate::LIMIT;
use crate::client::Client;
use crate::stage::{ENTRY, Stage};

/// How many documents are published meanwhile.
const CHANGES: u32 = 1_000;
/// How often a request is sent that is not answered at all, as by browsers and CDNs.
const ATTEMPTS: usize = 3;
/// How many clients ask without a pause.
const CLIENTS: usize = 2;

/// No request is lost while documents are published, over connections that stay open and new ones.
/// How long a change takes is measured by the benchmark.
///
/// For each document Caddy 2.6.2 opens its port anew. Connections that it has not accepted from the old
/// one by then are reset by the system, before anything of them was read; whoever connects tries again,
/// as browsers and CDNs do. These are counted, and are few.
#[test]
fn r3_7_no_request_is_lost_while_documents_are_published() -> Result<()> {
    let stage = Stage::new()?;
    stage.kubectl.run(["create", "namespace", "shop"])?;
    stage.kubectl.run(["create", "namespace", "other"])?;
    stage
        .kubectl
        .create(&stage.service("shop", &["a.example.com"])?)?;
    let _serve = stage.serve(&["--quiet", "1"])?;
    stage.served_from("a.example.com", "shop")?;
    let over = AtomicBool::new(false);
    let (asked, again) = thread::scope(|scope| -> Result<(usize, usize)> {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (stage, over) = (&stage, &over);
                scope.spawn(move || hammer(stage, over, number % 2 == 0))
            })
            .collect();
        let changed = change(&stage);
        over.store(true, Ordering::Relaxed);
        let mut both = (0, 0);
        for client in clients {
            let (asked, again) = client.join().ok().context("a client panicked")??;
            both = (both.0 + asked, both.1 + again);
        }
        changed.map(|()| both)
    })?;
    ensure!(asked > 1_000, "only {asked} requests were sent meanwhile");
    let documents = usize::try_from(CHANGES)?;
    ensure!(again < documents, "{again} of {asked} were sent twice");
    println!("{asked} requests, {again} of them sent twice, {documents} documents");
    Ok(())
}

/// Each change is live before the next one is made.
fn change(stage: &Stage) -> Result<()> {
    stage
        .kubectl
        .create(&stage.service("other", &["h.example.com"])?)?;
    // A thousand times kubectl would take minutes.
    let proxy = Proxy::start(&stage.cluster)?;
    let mut server = Client::at(proxy.address());
    for number in 0..CHANGES {
        let number = number.to_string();
        let header = format!("  header X-Change {number}\n}}");
        let entry = stage.entry("other", &["h.example.com"])?;
        let entry = entry.replace('}', &header);
        let patch = json!({"metadata": {"annotations": {ENTRY: entry}}});
        server.patch("/api/v1/namespaces/other/services/web", &patch.to_string())?;
        let begun = Instant::now();
        let is_live = || {
            let answer = stage.client().ask("GET", "h.example.com", "/", &[]);
            answer.is_ok_and(|answer| answer.header("x-change") == Some(&number))
        };
        while !is_live() {
            ensure!(begun.elapsed() < LIMIT, "change {number} is not live");
            thread::sleep(Duration::from_millis(5));
        }
    }
    Ok(())
}

/// How many requests were answered, and how many of these had to be sent twice.
fn hammer(stage: &Stage, over: &AtomicBool, keeps: bool) -> Result<(usize, usize)> {
    let mut client = stage.client();
    let (mut asked, mut again) = (0, 0);
    while !over.load(Ordering::Relaxed) {
        if !keeps {
            client = stage.client();
        }
        let mut answer = client.get("a.example.com");
        for _ in 1..ATTEMPTS {
            if answer.is_ok() {
                break;
            }
            again += 1;
            client = stage.client();
            answer = client.get("a.example.com");
        }
        let (status, body) = answer?;
        ensure!(status == 200, "request {asked}: {status} {body}");
        asked += 1;
    }
    Ok((asked, again))
}
