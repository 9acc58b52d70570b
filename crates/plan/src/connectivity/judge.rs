//! What the answers to a need's questions come to.

use std::{collections::BTreeMap, sync::Arc};

use underpin_connect::{Answer, Endpoint, Engine, Reason, Target, Verdict};
use underpin_model::{Need, PortRef, Protocol};

use super::questions::{Asked, questions};
use crate::wording::list;

/// A need, and whether it is met for a new connection.
#[derive(Clone, Debug)]
pub struct JudgedNeed {
    /// The need.
    pub need: Need,
    /// Refused only if nobody who may be meant may connect on any port that may be meant; allowed
    /// only if all may on all.
    pub verdict: Verdict,
    /// Why it is unknown; empty otherwise.
    pub reasons: Vec<Reason>,
    /// The answers that bear it out, by consumer and then by port; never empty.
    pub judgements: Vec<Judgement>,
}

/// One question that a need asks, with its answer.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// Who connects.
    pub from: Endpoint,
    /// To what.
    pub to: Target,
    /// Over which protocol.
    pub protocol: Protocol,
    /// To which port; absent where all of the protocol were asked about.
    pub port: Option<PortRef>,
    /// The answer, shared by all needs that ask the same.
    pub answer: Arc<Answer>,
}

/// Judges every need, in their order. Equal questions are asked once.
pub fn judge_needs(engine: &Engine, needs: &[Need]) -> Vec<JudgedNeed> {
    let mut known: BTreeMap<Asked, Arc<Answer>> = BTreeMap::new();
    let mut judged = Vec::with_capacity(needs.len());
    for need in needs {
        let mut consumers = Vec::new();
        let mut judgements = Vec::new();
        for asked in questions(engine, need) {
            let answers: Vec<Judgement> = asked
                .into_iter()
                .map(|asked| judgement(engine, asked, &mut known))
                .collect();
            consumers.push(on_ports(&answers));
            judgements.extend(answers);
        }
        judgements.shrink_to_fit();
        let (verdict, reasons) = of_consumers(consumers, &judgements);
        judged.push(JudgedNeed {
            need: need.clone(),
            verdict,
            reasons,
            judgements,
        });
    }
    judged
}

fn judgement(engine: &Engine, asked: Asked, known: &mut BTreeMap<Asked, Arc<Answer>>) -> Judgement {
    let asked_before = known.get(&asked).cloned();
    let answer = asked_before.unwrap_or_else(|| {
        let answer = Arc::new(asked.answer(engine));
        known.insert(asked.clone(), answer.clone());
        answer
    });
    Judgement {
        from: asked.from,
        to: asked.to,
        protocol: asked.protocol,
        port: asked.port,
        answer,
    }
}

/// What one consumer may on the ports that may be meant.
fn on_ports(answers: &[Judgement]) -> (Verdict, Vec<Reason>) {
    let port = |at: usize| match &answers[at].port {
        Some(port) => format!("{} {port}", answers[at].protocol),
        None => answers[at].protocol.to_string(),
    };
    let verdicts: Vec<Verdict> = answers.iter().map(|one| one.answer.verdict).collect();
    let all = sum_up(&verdicts, port, Reason::PortsDiffer);
    let reasons = answers.iter().flat_map(|one| one.answer.reasons.clone());
    with_reasons(all, reasons)
}

/// What all consumers that may be meant may.
fn of_consumers(
    consumers: Vec<(Verdict, Vec<Reason>)>,
    judgements: &[Judgement],
) -> (Verdict, Vec<Reason>) {
    let verdicts: Vec<Verdict> = consumers.iter().map(|(verdict, _)| *verdict).collect();
    // Each consumer is asked about as many ports.
    let ports = judgements.len() / consumers.len().max(1);
    let name = |at: usize| judgements[at * ports].from.to_string();
    let all = sum_up(&verdicts, name, Reason::ConsumersDiffer);
    let reasons = consumers.into_iter().flat_map(|(_, reasons)| reasons);
    with_reasons(all, reasons)
}

fn with_reasons(
    (verdict, differ): (Verdict, Option<Reason>),
    reasons: impl Iterator<Item = Reason>,
) -> (Verdict, Vec<Reason>) {
    if verdict != Verdict::Unknown {
        return (verdict, Vec::new());
    }
    let mut reasons: Vec<Reason> = reasons.chain(differ).collect();
    reasons.sort();
    reasons.dedup();
    (verdict, reasons)
}

/// The verdict on alternatives of which one is meant, and how they differ where they do; `name`
/// tells which alternative it is.
fn sum_up(
    verdicts: &[Verdict],
    name: impl Fn(usize) -> String,
    differ: fn(String) -> Reason,
) -> (Verdict, Option<Reason>) {
    let all = |verdict: Verdict| verdicts.iter().all(|one| *one == verdict);
    if all(Verdict::Refused) {
        return (Verdict::Refused, None);
    }
    if all(Verdict::Allowed) {
        return (Verdict::Allowed, None);
    }
    let named = |verdict: Verdict| -> Vec<String> {
        let alike = (0..verdicts.len()).filter(|at| verdicts[*at] == verdict);
        alike.map(&name).collect()
    };
    let (allowed, refused) = (named(Verdict::Allowed), named(Verdict::Refused));
    let mixed = !allowed.is_empty() && !refused.is_empty();
    let reason = mixed.then(|| {
        let text = format!("allowed: {}; refused: {}", list(&allowed), list(&refused));
        differ(text)
    });
    (Verdict::Unknown, reason)
}
