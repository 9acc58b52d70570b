//! A new document: given to Caddy, verified, and kept if it serves what it says.

use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::{Rounds, ServeError};
use crate::{AdminError, Decided, status::host_of};

impl Rounds<'_> {
    pub(super) async fn publish(
        &mut self,
        decided: Decided,
        begun: Instant,
        term: Option<u64>,
    ) -> Result<(), ServeError> {
        let next = decided.round.next;
        let ready = self.edge.document(&next)?;
        let ours = begun.elapsed();
        if self.document.is_none() && !self.has_found && !self.finds().await {
            return Ok(());
        }
        let took = match self.caddy.load(ready.bytes.clone()).await {
            Ok(took) => took,
            Err(error) => {
                self.fail(&format!("the new configuration is not published: {error}"));
                if !matches!(error, AdminError::Refused(_)) && self.term() == term {
                    // Whether it runs is not known.
                    self.roll_back().await;
                }
                return Ok(());
            }
        };
        self.lives();
        if let Err(unverified) = self.verified(&ready.bytes, &next, true).await {
            let why = &unverified.why;
            self.fail(&format!(
                "the new configuration does not serve what it says: {why}"
            ));
            if self.term() == term {
                let now = self.now();
                self.edge
                    .distrust(unverified.suspects(&next, &self.remembered), now);
                self.edge
                    .certificates
                    .take_back(&unverified.certificates, now);
                self.roll_back().await;
            }
            return Ok(());
        }
        if self.term() != term {
            // Another process may have begun with what is in the folder.
            self.fail("the lease was lost while a document was published; it is not kept");
            return Ok(());
        }
        if let Err(error) = self.folder.keep(&ready.bytes, &next) {
            // It would not be there when Caddy, or this process, is started anew.
            self.fail(&format!("the new configuration is not kept: {error}"));
            self.roll_back().await;
            return Ok(());
        }
        self.edge.certificates.prove(&self.uncertified);
        self.pace.succeeded();
        self.tell_change(&next, took);
        self.remembered = next;
        self.document = Some(Sha256::digest(&ready.bytes).into());
        self.has_found = false;
        self.anew = false;
        let now = self.now();
        let hosts = self.remembered.served.keys().filter_map(host_of).collect();
        let astray = self.edge.astray().count();
        let mut status = self.status();
        status.load_seconds = took.as_secs_f64();
        status.round_seconds = ours.as_secs_f64();
        (status.last_load, status.last_verified) = (now, now);
        status.generation = self.remembered.published.generation;
        status.live = self.remembered.served.len();
        status.astray = astray;
        status.hosts = hosts;
        status.not_ready = None;
        Ok(())
    }

    /// Keeps what Caddy runs before it is given the first document, on the disk too: this process may
    /// end before it is known whether that one does what it says.
    async fn finds(&mut self) -> bool {
        let found = match self.caddy.config().await {
            Ok(found) => found,
            Err(error) => {
                let what = "nothing is published, for what Caddy runs now is not known";
                self.fail(&format!("{what}: {error}"));
                return false;
            }
        };
        if serde_json::from_slice::<IgnoredAny>(&found).is_err() {
            self.fail("nothing is published, for Caddy does not say in JSON what it runs now");
            return false;
        }
        if let Err(error) = self.folder.keep_found(&found) {
            let what = "nothing is published, for what Caddy runs now cannot be kept";
            self.fail(&format!("{what}: {error}"));
            return false;
        }
        self.has_found = true;
        true
    }
}
