//! R3.7: changes while there is load.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::LIMIT;
use crate::stage::{Stage, service};

/// How many documents are published meanwhile.
const CHANGES: u32 = 100;
/// How many clients ask without a pause.
const CLIENTS: usize = 2;

/// No request is lost while documents are published, over connections that stay open and new ones;
/// and a change is live within 3 s.
#[test]
fn r3_7_no_request_is_lost_while_documents_are_published() -> Result<()> {
    let stage = Stage::new()?;
    stage.kubectl.run(["create", "namespace", "shop"])?;
    stage.kubectl.run(["create", "namespace", "other"])?;
    stage.kubectl.create(&service("shop", &["a.example.com"]))?;
    let _serve = stage.serve(&["--quiet", "1"])?;
    stage.served_from("a.example.com", "shop")?;
    let over = AtomicBool::new(false);
    let asked = thread::scope(|scope| -> Result<usize> {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (stage, over) = (&stage, &over);
                scope.spawn(move || hammer(stage, over, number % 2 == 0))
            })
            .collect();
        let changed = change(&stage);
        over.store(true, Ordering::Relaxed);
        let mut asked = 0;
        for client in clients {
            asked += client.join().ok().context("a client panicked")??;
        }
        changed.map(|()| asked)
    })?;
    ensure!(asked > 1_000, "only {asked} requests were sent meanwhile");
    Ok(())
}

/// Each change is live before the next one is made.
fn change(stage: &Stage) -> Result<()> {
    let mut longest = Duration::ZERO;
    for number in 0..CHANGES {
        let host = format!("h{number}.example.com");
        stage.kubectl.apply("test", &service("other", &[&host]))?;
        let begun = Instant::now();
        let mut client = stage.client();
        while client.get(&host)?.0 != 200 {
            ensure!(begun.elapsed() < LIMIT, "{host} is not live");
            thread::sleep(Duration::from_millis(5));
        }
        longest = longest.max(begun.elapsed());
    }
    ensure!(
        longest < Duration::from_secs(3),
        "a change took {longest:?}"
    );
    Ok(())
}

fn hammer(stage: &Stage, over: &AtomicBool, keeps: bool) -> Result<usize> {
    let mut client = stage.client();
    let mut asked = 0;
    while !over.load(Ordering::Relaxed) {
        if !keeps {
            client = stage.client();
        }
        let (status, body) = client.get("a.example.com")?;
        ensure!(status == 200, "request {asked}: {status} {body}");
        asked += 1;
    }
    Ok(asked)
}
