//! Caddy is given again what it served well.

use serde_json::Value;

use super::Rounds;
use crate::{AdminError, Ready, edge::serves_anybody, status::host_of};

impl Rounds<'_> {
    /// Whether Caddy still runs what was published. One that was started anew from something else, or
    /// was changed by somebody else, is given it again, whether or not the cluster can be read.
    pub(in crate::serve) async fn look(&mut self) {
        let Some(document) = self.document.take() else {
            return;
        };
        let runs = match self.caddy.runs_on().await {
            // After a start, what it said is not known yet.
            Ok(false) => self.caddy.runs(&document.bytes).await,
            other => other,
        };
        match runs {
            Ok(true) => {
                if self.status().not_ready.is_some() {
                    let verified = self.verified_last(&document).await;
                    self.came_back(verified);
                }
            }
            Ok(false) if self.is_ours() => {
                (self.tell)("Caddy runs something else than was published; it is given that again");
                self.status().drifts += 1;
                let restored = self.restore(&document).await;
                self.came_back(restored);
            }
            Ok(false) => {}
            Err(error) => self.status().not_ready = Some(error.to_string()),
        }
        self.document = Some(document);
    }

    fn came_back(&mut self, outcome: Result<(), String>) {
        let now = self.now();
        let hosts = self.remembered.served.keys().filter_map(host_of).collect();
        let (generation, live) = (
            self.remembered.published.generation,
            self.remembered.served.len(),
        );
        let mut status = self.status();
        match outcome {
            Ok(()) => {
                (status.last_verified, status.generation) = (now, generation);
                (status.live, status.hosts) = (live, hosts);
                status.not_ready = None;
            }
            Err(why) => status.not_ready = Some(why),
        }
    }

    /// Has Caddy run what it last ran well; before the first document, what it was found to run.
    pub(super) async fn roll_back(&mut self) {
        let Some(document) = self.document.take() else {
            return self.put_back().await;
        };
        let generation = self.remembered.published.generation;
        let restored = self.restore(&document).await;
        self.document = Some(document);
        match restored {
            Ok(()) => (self.tell)(&format!("rolled back to generation {generation}")),
            Err(why) => {
                (self.tell)(&format!(
                    "cannot roll back to generation {generation}: {why}"
                ));
                self.status().not_ready = Some(why);
            }
        }
    }

    async fn put_back(&mut self) {
        let found = self.found.as_ref().unwrap_or(&Value::Null);
        let put = match self.edge.put_back(found, &self.remembered.nonce) {
            Ok(ready) => {
                let loaded = self.caddy.load(ready.bytes).await;
                loaded.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        self.lives();
        let what = match put {
            Ok(_) if serves_anybody(found) => "Caddy runs again what it ran before".to_owned(),
            Ok(_) => "Caddy ran nothing before, and answers every host with the page".to_owned(),
            Err(why) => format!("Caddy cannot be given back what it ran before: {why}"),
        };
        (self.tell)(&what);
        let why = "the first configuration does not serve what it says";
        self.status().not_ready = Some(format!("{why}; {what}"));
    }

    async fn restore(&mut self, document: &Ready) -> Result<(), String> {
        let loaded = self.caddy.load(document.bytes.clone()).await;
        self.lives();
        loaded.map_err(|error: AdminError| error.to_string())?;
        self.verified_last(document).await
    }
}
