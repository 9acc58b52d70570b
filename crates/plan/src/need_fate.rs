//! Needs that are not met: what became of each, next to a world before.

use std::collections::{BTreeMap, BTreeSet};

use underpin_connect::{Effect, Flow, Line, Reason, Renames, Trace, Verdict, allowed_by};
use underpin_model::{
    Confidence, Connection, Consumer, Evidence, Finding, Need, ObjectKey, Protocol, Severity,
    Supplier,
};

use crate::{
    Network,
    connectivity::{JudgedNeed, judge_needs},
    rules::{up401, up406},
    wording::{accept, list},
};

/// Pieces of what refuses, and of what allowed, that a finding carries.
pub(crate) const EVIDENCE_LIMIT: usize = 8;

/// What evidence says that shows the world before: its field need not be there any more.
pub(crate) const ALLOWED_BEFORE: &str = "allowed it before";

/// A need that is not allowed for certain, and what it was before.
#[derive(Clone, Debug)]
pub struct NeedFate {
    /// The need as it is now.
    pub now: JudgedNeed,
    /// The same need before, by the names of then; absent where there was none, and where there is
    /// nothing to compare with.
    pub before: Option<JudgedNeed>,
}

/// Which rule tells of a fate. Of one need, one rule at most does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// It was allowed and is refused, or that cannot be told any more: UP406.
    Lost,
    /// It is refused, and was not allowed before, or nothing is known of before: UP401.
    Refused,
    /// It was refused before already: UP401.
    StillRefused,
}

/// The needs that are not allowed for certain, in their order. A namespace that was renamed with
/// what is in it is the same namespace.
pub fn need_fates(
    before: Option<&Network<'_>>,
    after: &Network<'_>,
    renames: &Renames,
) -> Vec<NeedFate> {
    let judged = after.judged().iter();
    let open: Vec<&JudgedNeed> = judged
        .filter(|judged| judged.verdict != Verdict::Allowed)
        .collect();
    let mut former = BTreeMap::new();
    if let Some(before) = before.filter(|_| !open.is_empty()) {
        let there: BTreeSet<Connection<'_>> = before.needs().iter().map(Need::connection).collect();
        let then = open
            .iter()
            .map(|judged| by_old_names(&judged.need, renames));
        let then = then
            .enumerate()
            .filter(|(_, need)| there.contains(&need.connection()));
        let (at, needs): (Vec<usize>, Vec<Need>) = then.unzip();
        former = at
            .into_iter()
            .zip(judge_needs(before.engine(), &needs))
            .collect();
    }
    let fates = open.into_iter().enumerate().map(|(at, judged)| NeedFate {
        now: judged.clone(),
        before: former.remove(&at),
    });
    fates.collect()
}

/// The need as it was called before namespaces were renamed.
pub fn by_old_names(need: &Need, renames: &Renames) -> Need {
    with_names(need, &renames.iter().map(|(old, new)| (new, old)).collect())
}

/// The need as it is called after namespaces were renamed.
pub fn by_new_names(need: &Need, renames: &Renames) -> Need {
    with_names(need, &renames.iter().collect())
}

fn with_names(need: &Need, names: &BTreeMap<&str, &str>) -> Need {
    let name = |name: &String| {
        let other = names.get(name.as_str());
        other.map_or_else(|| name.clone(), |other| (*other).to_owned())
    };
    let key = |key: &ObjectKey| ObjectKey {
        namespace: key.namespace.as_ref().map(name),
        ..key.clone()
    };
    Need {
        from: match &need.from {
            Consumer::Workload(workload) => Consumer::Workload(key(workload)),
            Consumer::Named {
                namespace,
                name: of,
            } => Consumer::Named {
                namespace: name(namespace),
                name: of.clone(),
            },
            Consumer::Namespace(namespace) => Consumer::Namespace(name(namespace)),
            other => other.clone(),
        },
        to: match &need.to {
            Supplier::Service {
                namespace,
                name: of,
            } => Supplier::Service {
                namespace: name(namespace),
                name: of.clone(),
            },
            Supplier::Workload(workload) => Supplier::Workload(key(workload)),
            other => other.clone(),
        },
        ..need.clone()
    }
}

impl NeedFate {
    fn told(&self) -> Option<Told> {
        let was = self.before.as_ref().map(|before| before.verdict);
        match (was, self.now.verdict) {
            (_, Verdict::Allowed) => None,
            (Some(Verdict::Allowed), Verdict::Refused) => Some(Told::Lost),
            (Some(Verdict::Allowed), Verdict::Unknown) => self.is_doubtful().then_some(Told::Lost),
            (Some(Verdict::Refused), Verdict::Refused) => Some(Told::StillRefused),
            (Some(Verdict::Unknown), Verdict::Refused) if self.was_let_pass() => Some(Told::Lost),
            (None | Some(Verdict::Unknown), Verdict::Refused) => Some(Told::Refused),
            (_, Verdict::Unknown) => None,
        }
    }

    /// Whether what refuses it now let it pass before: of a consumer that another repository declares,
    /// the policies on its own side are not known, then as now.
    fn was_let_pass(&self) -> bool {
        let flows = |judged: &JudgedNeed| -> Vec<Flow> {
            let answers = judged.judgements.iter().map(|one| &one.answer);
            answers.flat_map(|answer| answer.flows.clone()).collect()
        };
        let (then, now) = (
            self.before.as_ref().map(flows).unwrap_or_default(),
            flows(&self.now),
        );
        let sides: [fn(&Flow) -> &Trace; 2] = [|flow| &flow.egress, |flow| &flow.ingress];
        let mut changed = sides.into_iter().filter(|side| {
            let refuses = now
                .iter()
                .any(|flow| side(flow).verdict == Verdict::Refused);
            let passed = then
                .iter()
                .all(|flow| side(flow).verdict == Verdict::Allowed);
            refuses && passed
        });
        !then.is_empty() && changed.next().is_some()
    }

    /// Whether policies make it unknown. That nothing answers any more is UP107's to tell.
    fn is_doubtful(&self) -> bool {
        let mut reasons = self.now.reasons.iter();
        reasons.any(|reason| !matches!(reason, Reason::NoBackend(_)))
    }

    /// Whether it was refused before already.
    pub(crate) fn is_old(&self) -> bool {
        self.told() == Some(Told::StillRefused)
    }

    /// What UP406 says of it, if it does.
    pub fn lost(&self) -> Option<Finding> {
        let finding = match (self.told()?, self.now.verdict) {
            (Told::Lost, Verdict::Unknown) => {
                let message = format!(
                    "{} was allowed, and whether a new connection still is cannot be told: {}",
                    self.now.need,
                    reasons(&self.now)
                );
                let mut finding = self.finding(up406::CODE, Severity::Warn, message);
                finding.unknown = true;
                finding
            }
            (Told::Lost, _) => {
                let was = self.before.as_ref().map(|before| before.verdict);
                let was = match was {
                    Some(Verdict::Unknown) => "was let pass by what is known of it",
                    _ => "was allowed",
                };
                let message = format!(
                    "{} {was}, and a new connection is refused by {}; one that is open may live on \
                     until the next restart",
                    self.now.need,
                    self.refused_by()
                );
                self.finding(up406::CODE, self.weight(), message)
            }
            _ => return None,
        };
        Some(finding)
    }

    /// What UP401 says of it, if it does.
    pub fn refused(&self) -> Option<Finding> {
        let (severity, already) = match self.told()? {
            Told::Lost => return None,
            Told::Refused => (self.weight(), ""),
            Told::StillRefused => (Severity::Warn, " already"),
        };
        let message = format!(
            "{} is needed, and a new connection is{already} refused by {}",
            self.now.need,
            self.refused_by()
        );
        Some(self.finding(up401::CODE, severity, message))
    }

    /// A guess never blocks.
    fn weight(&self) -> Severity {
        match self.now.need.confidence {
            Confidence::Guessed => Severity::Warn,
            Confidence::Likely | Confidence::Certain => Severity::Block,
        }
    }

    /// The policies that refuse it now, and the networks that do.
    fn refusing(&self) -> Vec<&Line> {
        let mut lines: Vec<&Line> = Vec::new();
        let answers = self.now.judgements.iter().map(|one| &one.answer);
        for flow in answers.flat_map(|answer| &answer.flows) {
            for trace in [&flow.egress, &flow.ingress] {
                let refuses = trace.lines.iter().filter(|line| {
                    trace.verdict == Verdict::Refused
                        && matches!(
                            line.effect,
                            Effect::Selects | Effect::Denies | Effect::Isolates
                        )
                });
                for line in refuses {
                    if !lines.contains(&line) {
                        lines.push(line);
                    }
                }
            }
        }
        lines
    }

    /// The policies that refuse it, and the networks that do, sorted.
    pub(crate) fn policies(&self) -> BTreeSet<&ObjectKey> {
        let lines = self.refusing().into_iter();
        lines.map(|line| &line.evidence.object).collect()
    }

    /// Whether a network keeps the two ends apart: then no policy can allow it.
    fn is_between_networks(&self) -> bool {
        let mut lines = self.refusing().into_iter();
        lines.any(|line| line.effect == Effect::Isolates)
    }

    /// What allowed it before, where it is refused now.
    pub fn formerly_allowing(&self) -> Vec<&Line> {
        let mut lines: Vec<&Line> = Vec::new();
        let former = self.before.iter().flat_map(|before| &before.judgements);
        for (was, is) in former.zip(&self.now.judgements) {
            for line in allowed_by(&was.answer, &is.answer) {
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
        lines
    }

    fn refused_by(&self) -> String {
        let names: Vec<String> = self.policies().iter().map(ToString::to_string).collect();
        if names.is_empty() {
            "the policies about it".to_owned()
        } else {
            list(&names)
        }
    }

    fn finding(&self, code: underpin_model::Code, severity: Severity, message: String) -> Finding {
        let need = &self.now.need;
        let mut finding = Finding::new(code, severity, subject(need), message);
        let refusing = self.refusing();
        let allowed = self.formerly_allowing();
        let noted = |line: &&Line, note: String| Evidence {
            note,
            ..line.evidence.clone()
        };
        finding.evidence.extend(need.evidence.iter().cloned());
        let allowed = allowed.iter().take(EVIDENCE_LIMIT);
        finding
            .evidence
            .extend(allowed.map(|line| noted(line, ALLOWED_BEFORE.to_owned())));
        let shown = refusing.iter().take(EVIDENCE_LIMIT);
        finding
            .evidence
            .extend(shown.map(|line| noted(line, format!("refuses it: {}", line.evidence.note))));
        let place = refusing.iter().find_map(|line| line.evidence.place.clone());
        finding.place = place.or_else(|| need.evidence.iter().find_map(|one| one.place.clone()));
        finding.step = refusing.first().map(|line| line.evidence.object.clone());
        finding.help = self.help();
        if severity == Severity::Block {
            finding.help.push(accept(code, &finding.subject));
        }
        finding
    }

    fn help(&self) -> Vec<String> {
        let mut help = Vec::new();
        let policies: Vec<String> = self.policies().iter().map(ToString::to_string).collect();
        if self.is_between_networks() {
            help.push(
                "no policy leads from one network to another: have both namespaces on one, by a \
                 ClusterUserDefinedNetwork that selects both"
                    .to_owned(),
            );
        } else if let (Some(namespace), false) =
            (namespace_of(&self.now.need.from), policies.is_empty())
        {
            help.push(format!(
                "allow it in {}: a peer with namespaceSelector \
                 `kubernetes.io/metadata.name: {namespace}`",
                policies.join(" or ")
            ));
        } else if !policies.is_empty() {
            help.push(format!("allow it in {}", policies.join(" or ")));
        }
        help.push(
            "if it is not needed any more, remove what says so, at the place shown".to_owned(),
        );
        help
    }
}

fn reasons(judged: &JudgedNeed) -> String {
    let reasons: Vec<String> = judged.reasons.iter().map(ToString::to_string).collect();
    list(&reasons)
}

fn namespace_of(consumer: &Consumer) -> Option<&str> {
    match consumer {
        Consumer::Workload(key) => key.namespace.as_deref(),
        Consumer::Named { namespace, .. } | Consumer::Namespace(namespace) => Some(namespace),
        Consumer::IngressController | Consumer::ApiServer | Consumer::Address(_) => None,
    }
}

/// A need as findings call it, in one word that needs no quotes:
/// `deployment.apps/shop/web:service/db/postgres:5432`.
fn subject(need: &Need) -> String {
    let from = match &need.from {
        Consumer::IngressController => "ingress-controller".to_owned(),
        Consumer::ApiServer => "api-server".to_owned(),
        other => other.to_string(),
    };
    let protocol = match need.protocol {
        Protocol::Tcp => String::new(),
        other => format!("/{other}"),
    };
    match &need.port {
        Some(port) => format!("{from}:{}:{port}{protocol}", need.to),
        None => format!("{from}:{}{protocol}", need.to),
    }
}
