//! I6: a deployer that is killed halfway, and run again.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use http::Method;
use serde_json::json;
use tokio::sync::Notify;
use underpin_sandbox::{Call, Fault, Hooks, NoHooks, State};

use super::stage::{Stage, say, shown};
use crate::error::CommandError;

const FILES: &[(&str, &str)] = &[
    (
        "underpin.yaml",
        include_str!("../../demo/kind/underpin.yaml"),
    ),
    ("ingress.yaml", include_str!("../../demo/kind/ingress.yaml")),
    ("app.yaml", include_str!("../../demo/kind/app.yaml")),
];
/// The write that is the first run's last.
const LAST_WRITE: u64 = 10;

/// Lets so many writes through, then never answers again, and says so.
struct Killer {
    writes: Arc<AtomicU64>,
    now: Arc<Notify>,
}

impl Hooks for Killer {
    fn before(&self, call: &Call, _: &State) -> Fault {
        let by_program = call.request.user_agent.starts_with("underpin/");
        if !by_program || !call.is_write() {
            return Fault::None;
        }
        if self.writes.fetch_add(1, Ordering::Relaxed) + 1 == LAST_WRITE {
            self.now.notify_one();
            return Fault::HangAfter;
        }
        Fault::None
    }
}

pub(super) async fn play() -> Result<(), CommandError> {
    say(
        "Then: a deployer was killed at its time limit, after the ingress and before the \
         application. It installed the ingress with create semantics, so every re-run died at once:",
    )?;
    outage().await?;
    say("\nNow: `underpin up` is killed (SIGKILL) in the middle of its writes.")?;
    let now = Arc::new(Notify::new());
    let killer = Killer {
        writes: Arc::default(),
        now: Arc::clone(&now),
    };
    let stage = Stage::set(killer, FILES).await?;
    let died = stage.run("up --yes --lease 4", now.notified()).await?;
    shown(died.code.is_none(), || {
        "the run ended before it was killed".to_owned()
    })?;
    say("\nRun again, unattended. It waits until the dead run's lock has expired, and goes on.")?;
    stage.underpin("up --yes --lease 4", 0).await?;
    say("\nAnd once more: there is nothing left to do.")?;
    stage.underpin("up --yes", 0).await?;
    stage.clear().await;
    Ok(())
}

async fn outage() -> Result<(), CommandError> {
    let stage = Stage::set(NoHooks, &[]).await?;
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "caddy-system"},
    });
    stage.request(Method::POST, "/api/v1/namespaces", &namespace);
    let (code, status) = stage.request(Method::POST, "/api/v1/namespaces", &namespace);
    let message = status.pointer("/message").and_then(|text| text.as_str());
    say(&format!(
        "  POST /api/v1/namespaces: {code} {}",
        message.unwrap_or_default()
    ))?;
    stage.clear().await;
    Ok(())
}
