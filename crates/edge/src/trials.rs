//! Entries, tried one by one: adapted, judged by what they may do, and provisioned (R3.3).

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;
use underpin_route::{
    Adapted, Block, Body, Limits, Outcome, RefusalReason, adaptable, forbidden, trial_document,
};

use crate::{
    admin::{Admin, AdminError},
    isolated::{Isolated, IsolatedError},
};

/// How many entries are adapted at once.
const AT_ONCE: usize = 4;

type Fingerprint = [u8; 32];

/// Tries entries, and remembers what they came to while they are asked for.
#[derive(Debug)]
pub struct Trials {
    isolated: Isolated,
    limits: Limits,
    known: BTreeMap<Fingerprint, Outcome>,
}

/// What Caddy makes of an entry; not known when it did not answer.
enum Tried {
    Taken(Adapted),
    Refused(Vec<RefusalReason>),
    Unanswered,
}

impl Trials {
    /// On the Caddy of this path, within these limits.
    pub fn new(program: PathBuf, limits: Limits) -> Self {
        Self {
            isolated: Isolated::new(program),
            limits,
            known: BTreeMap::new(),
        }
    }

    /// What blocks come to, in their order. Only those that were not in the last round are tried. What
    /// is not asked for any more is forgotten.
    pub async fn outcomes(&mut self, blocks: &[Arc<Block>]) -> Result<Vec<Outcome>, IsolatedError> {
        let mut prints = Vec::with_capacity(blocks.len());
        let mut open: BTreeMap<Fingerprint, Body> = BTreeMap::new();
        for block in blocks {
            let text = adaptable(block, &self.limits.pages);
            let print: Fingerprint = Sha256::digest(text.reveal()).into();
            prints.push(print);
            if !self.known.contains_key(&print) {
                open.insert(print, text);
            }
        }
        let mut unanswered: BTreeMap<Fingerprint, Outcome> = BTreeMap::new();
        if !open.is_empty() {
            self.answer(open, &mut unanswered).await?;
        }
        let mut asked: BTreeMap<Fingerprint, Outcome> = BTreeMap::new();
        let mut outcomes = Vec::with_capacity(prints.len());
        for print in prints {
            if let Some(outcome) = asked.get(&print).or_else(|| unanswered.get(&print)) {
                outcomes.push(outcome.clone());
            } else if let Some(outcome) = self.known.remove(&print) {
                outcomes.push(outcome.clone());
                asked.insert(print, outcome);
            } else {
                outcomes.push(Err(vec![RefusalReason::Unanswered]));
            }
        }
        self.known = asked;
        Ok(outcomes)
    }

    /// Ends the Caddy that entries are tried on, until it is needed again.
    pub fn rest(&mut self) {
        self.isolated.stop();
    }

    async fn answer(
        &mut self,
        open: BTreeMap<Fingerprint, Body>,
        unanswered: &mut BTreeMap<Fingerprint, Outcome>,
    ) -> Result<(), IsolatedError> {
        let mut taken: Vec<(Fingerprint, Arc<Adapted>)> = Vec::new();
        for (print, tried) in self.adapt(open).await? {
            match tried {
                Tried::Taken(adapted) => {
                    let found = forbidden(&adapted, &self.limits);
                    if found.is_empty() {
                        taken.push((print, Arc::new(adapted)));
                    } else {
                        let reasons = found.into_iter().map(RefusalReason::Forbidden);
                        self.known.insert(print, Err(reasons.collect()));
                    }
                }
                Tried::Refused(reasons) => {
                    self.known.insert(print, Err(reasons));
                }
                Tried::Unanswered => {
                    unanswered.insert(print, Err(vec![RefusalReason::Unanswered]));
                }
            }
        }
        self.provision(taken, unanswered).await
    }

    /// Adapts texts, several at once.
    async fn adapt(
        &mut self,
        open: BTreeMap<Fingerprint, Body>,
    ) -> Result<Vec<(Fingerprint, Tried)>, IsolatedError> {
        let admin = self.isolated.admin().await?;
        let each = open.len().div_ceil(AT_ONCE).max(1);
        let mut open: Vec<(Fingerprint, Body)> = open.into_iter().collect();
        let mut tasks = JoinSet::new();
        while !open.is_empty() {
            let part = open.split_off(open.len().saturating_sub(each));
            tasks.spawn(adapt_each(admin.clone(), part));
        }
        let mut tried = Vec::new();
        while let Some(part) = tasks.join_next().await {
            if let Ok(part) = part {
                tried.extend(part?);
            }
        }
        tried.sort_by_key(|(print, _)| *print);
        Ok(tried)
    }

    /// Has Caddy set up what was adapted.
    async fn provision(
        &mut self,
        taken: Vec<(Fingerprint, Arc<Adapted>)>,
        unanswered: &mut BTreeMap<Fingerprint, Outcome>,
    ) -> Result<(), IsolatedError> {
        let document = |admin: &Value, listen: &str, part: &[(Fingerprint, Arc<Adapted>)]| {
            trial_document(
                admin,
                listen,
                part.iter().map(|(_, adapted)| adapted.as_ref()),
            )
        };
        if taken.is_empty() {
            return Ok(());
        }
        let tried = self.isolated.taken(taken, document).await?;
        self.isolated.clear().await?;
        for ((print, adapted), takes) in tried {
            match takes {
                Some(true) => self.known.insert(print, Ok(adapted)),
                Some(false) => self.known.insert(print, Err(vec![RefusalReason::Rejected])),
                None => unanswered.insert(print, Err(vec![RefusalReason::Unanswered])),
            };
        }
        Ok(())
    }
}

/// Adapts texts one after the other. Those behind one that is not answered are not answered either in
/// this round.
async fn adapt_each(
    admin: Admin,
    texts: Vec<(Fingerprint, Body)>,
) -> Result<Vec<(Fingerprint, Tried)>, IsolatedError> {
    let mut tried = Vec::with_capacity(texts.len());
    let Ok(mut connection) = admin.open().await else {
        // Another text may have ended it, which is found when what was adapted is set up.
        let prints = texts.into_iter().map(|(print, _)| print);
        return Ok(prints.map(|print| (print, Tried::Unanswered)).collect());
    };
    for (print, text) in texts {
        let outcome = match admin.adapt(&mut connection, text.reveal()).await {
            Ok(Some(document)) => match Adapted::read(&document) {
                Ok(adapted) => Tried::Taken(adapted),
                Err(error) => Tried::Refused(vec![RefusalReason::Adapted(error)]),
            },
            Ok(None) => Tried::Refused(vec![RefusalReason::Rejected]),
            Err(AdminError::Exchange(_)) => {
                // Another connection, if it still lives.
                if let Ok(again) = admin.open().await {
                    connection = again;
                }
                Tried::Unanswered
            }
            Err(error) => return Err(error.into()),
        };
        tried.push((print, outcome));
    }
    Ok(tried)
}
