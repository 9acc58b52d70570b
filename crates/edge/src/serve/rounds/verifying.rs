//! Whether Caddy serves what it was given.

use std::collections::BTreeMap;

use tokio::time::Instant;
use underpin_route::{Remembered, probes};

use super::{
    Rounds,
    unverified::{Unverified, told},
};
use crate::edge::token;

impl Rounds<'_> {
    /// Whether Caddy runs a document and serves what it says (R3.7).
    /// `is_new`: it has the certificates that are known now.
    pub(super) async fn verified(
        &mut self,
        document: &[u8],
        remembered: &Remembered,
        is_new: bool,
    ) -> Result<(), Unverified> {
        match self.caddy.runs(document).await {
            Ok(true) => {}
            Ok(false) => {
                let why = "Caddy runs something else than it was given";
                return Err(Unverified::of(why.to_owned()));
            }
            Err(error) => return Err(Unverified::of(error.to_string())),
        }
        let token = token(self.cluster.host());
        let token = token.map_err(|error| Unverified::of(error.to_string()))?;
        let probes = probes(&remembered.served, &self.edge.asking(&token));
        let generation = remembered.published.generation;
        let verified = self.caddy.verify(probes, generation, &remembered.nonce);
        let mut found = verified.await;
        self.lives();
        let answered = found.answered;
        let lost = if is_new {
            let (uncertified, served) = (&found.uncertified, &remembered.served);
            self.edge.certificates.lost(uncertified, served)
        } else {
            BTreeMap::new()
        };
        if self.uncertified != found.uncertified {
            self.uncertified = std::mem::take(&mut found.uncertified);
            // That is told in the next round.
            self.pace.changed(Instant::now());
        }
        found.failures = self.edge.without_astray(found.failures, &remembered.served);
        if found.failures.is_empty() && found.not_asked.is_empty() && lost.is_empty() {
            return Ok(());
        }
        Err(Unverified {
            why: told(&found, &lost),
            failures: found.failures,
            certificates: lost.into_values().collect(),
            answered: answered > 0,
        })
    }

    /// The same of what was published last. Routes in whose place something else answers are no reason to
    /// give up the others, where these are answered: that is told, and they are asked for at each
    /// further verification.
    pub(super) async fn verified_last(&mut self, document: &[u8]) -> Result<(), String> {
        let remembered = self.remembered.clone();
        let Err(unverified) = self.verified(document, &remembered, false).await else {
            return Ok(());
        };
        if !unverified.is_for_routes() {
            return Err(unverified.why);
        }
        let keys = unverified.failures.iter().filter_map(|it| it.key.as_ref());
        let routes =
            keys.filter_map(|key| Some((key.clone(), remembered.served.get(key)?.clone())));
        let routes = routes.collect();
        self.edge.go_on_without(routes);
        let astray = self.edge.astray().count();
        self.status().astray = astray;
        let line = format!(
            "something else answers in place of what is published: {}",
            unverified.why
        );
        if self.told.insert(line.clone()) {
            (self.tell)(&line);
        }
        Ok(())
    }
}
