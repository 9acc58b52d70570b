//! Caddy is given again what it served well.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::Rounds;
use crate::{AdminError, edge::serves_anybody, status::host_of};

impl Rounds<'_> {
    /// Whether Caddy still runs what was published. One that was started anew from something else, or
    /// was changed by somebody else, is given it again, whether or not the cluster can be read.
    pub(in crate::serve) async fn look(&mut self) {
        if self.document.is_none() {
            return;
        }
        match self.runs_last().await {
            Ok(true) => {
                if self.status().not_ready.is_some() {
                    let verified = match self.last_good() {
                        Ok(document) => self.verified_last(&document).await,
                        Err(why) => Err(why),
                    };
                    self.came_back(verified);
                }
            }
            Ok(false) if self.is_ours() => {
                (self.tell)("Caddy runs something else than was published; it is given that again");
                self.status().drifts += 1;
                let restored = self.restore().await;
                self.came_back(restored);
            }
            Ok(false) => {}
            Err(why) => self.status().not_ready = Some(why),
        }
    }

    async fn runs_last(&mut self) -> Result<bool, String> {
        let told = |error: AdminError| error.to_string();
        if self.caddy.runs_on().await.map_err(told)? {
            return Ok(true);
        }
        // After a start, what it said is not known yet.
        let document = self.last_good()?;
        self.caddy.runs(&document).await.map_err(told)
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
        if self.document.is_none() {
            return self.put_back().await;
        }
        let generation = self.remembered.published.generation;
        match self.restore().await {
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
        let put = self.give_back_found().await;
        self.lives();
        let what = match put {
            Ok(true) => "Caddy runs again what it ran before".to_owned(),
            Ok(false) => {
                "Caddy ran nothing before, and answers every host with the page".to_owned()
            }
            Err(why) => format!("Caddy cannot be given back what it ran before: {why}"),
        };
        (self.tell)(&what);
        let why = "the first configuration does not serve what it says";
        self.status().not_ready = Some(format!("{why}; {what}"));
    }

    /// Whether that serves anybody.
    async fn give_back_found(&mut self) -> Result<bool, String> {
        let found = self.folder.found().map_err(|error| error.to_string())?;
        let found = found.unwrap_or_default();
        let ready = self.edge.put_back(&found, &self.remembered.nonce);
        let ready = ready.map_err(|error| error.to_string())?;
        let loaded = self.caddy.load(ready.bytes).await;
        loaded.map_err(|error| error.to_string())?;
        Ok(serves_anybody(&found))
    }

    async fn restore(&mut self) -> Result<(), String> {
        let document = self.last_good()?;
        let loaded = self.caddy.load(document.clone()).await;
        self.lives();
        loaded.map_err(|error: AdminError| error.to_string())?;
        let is_made_anew = !self.is_last(&document);
        self.document = Some(Sha256::digest(&document).into());
        self.verified_last(&document).await?;
        if is_made_anew && let Err(error) = self.folder.keep(&document, &self.remembered) {
            // Caddy serves it all the same, until one of them is started anew.
            self.fail(&format!("what is served is not kept: {error}"));
        }
        Ok(())
    }

    fn is_last(&self, document: &[u8]) -> bool {
        self.document == Some(Sha256::digest(document).into())
    }

    /// What was published last, from the folder: in memory it would be the largest thing there. Where
    /// the folder has something else, or nothing that can be read, it is made once more of what is
    /// remembered; that can differ from it in certificates that are newer.
    fn last_good(&self) -> Result<Bytes, String> {
        let kept = self.folder.document().ok().flatten();
        if let Some(document) = kept.filter(|document| self.is_last(document)) {
            return Ok(document);
        }
        let made = self.edge.document(&self.remembered);
        made.map(|made| made.bytes)
            .map_err(|error| error.to_string())
    }
}
