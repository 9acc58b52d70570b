//! Plays a scenario: uninterrupted first, then from every fork with only the recovery, then with
//! others and faults in between.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use std::time::Duration;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};
use underpin_sandbox::{Call, Config, Failure, Fault, Hooks, Reply, Sandbox, State, User};

use crate::{
    actor::{self, Ended},
    faults::{Between, Faulty},
    foreign,
    normal::{self, End},
    oracle::{self, Ledger, Snapshot, Write},
    random::Random,
    scenario::{Environment, Operation, Scenario},
};

/// How long controllers are given after a run until its end is looked at.
const SETTLING: SignedDuration = SignedDuration::from_mins(3);
/// 2026-01-01T00:00:00Z, when every simulation begins.
const BEGIN: i64 = 1_767_225_600;
/// So many requests, at most, are shortly before another.
const SHORTLY: usize = 4;
/// How long a run is held up by another that comes in between: less than a request may take.
const SIDE_BY_SIDE: Duration = Duration::from_secs(1);
/// Longest time that a run may take, by its own clock: no run waits for ever.
const PATIENCE: Duration = Duration::from_hours(2);

/// How much of a scenario is played.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Interleavings with others, for each operation.
    pub interleavings: usize,
    /// Faults, for each operation.
    pub faults: usize,
}

/// What came of a scenario.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Writes after which a run was killed and recovered.
    pub points: u64,
    /// Runs with somebody else in between.
    pub interleavings: u64,
    /// Runs with a fault.
    pub faults: u64,
    /// Operations whose uninterrupted run changed something.
    pub done: u64,
    /// Operations that were refused.
    pub refused: u64,
    /// What is wrong.
    pub violations: Vec<String>,
}

impl Report {
    /// Adds another scenario's.
    pub fn add(&mut self, other: Self) {
        self.points += other.points;
        self.interleavings += other.interleavings;
        self.faults += other.faults;
        self.done += other.done;
        self.refused += other.refused;
        self.violations.extend(other.violations);
    }
}

/// A cluster at a moment, and what is known of its past.
#[derive(Clone)]
struct Moment {
    state: State,
    ledger: Ledger,
}

/// What came of one run.
struct Episode {
    ended: Ended,
    end: Moment,
    /// The moments right after each of the run's writes, with the request.
    forks: Vec<(Moment, String)>,
    /// Requests of the run.
    calls: Vec<String>,
    wrong: Vec<String>,
}

/// What happens while a run goes on.
#[derive(Clone)]
enum Trouble {
    None,
    Fault(usize, Fault),
    /// Before this request of the run, another acts.
    Other(usize, Other),
}

#[derive(Clone, Debug)]
enum Other {
    /// To its end.
    Whole(Operation),
    /// Until its request of that number; it goes on when the first run has ended.
    Until(Operation, usize),
}

/// Plays a scenario.
pub fn play(scenario: &Scenario, measure: Measure) -> Report {
    let scenario = Arc::new(scenario.clone());
    let mut report = Report::default();
    let begin = Timestamp::from_second(BEGIN).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut moment = Moment {
        state: State::new(Config {
            seed: scenario.seed,
            begin,
            watch_history: 0,
            ..Config::default()
        }),
        ledger: Ledger::default(),
    };
    moment = settled(moment);
    let mut random = Random::new(scenario.seed ^ 0x0dd5_eed5);
    for (number, operation) in scenario.operations.iter().enumerate() {
        let at = format!("operation {number} {operation:?}");
        if let Operation::Foreign(foreign) = operation {
            moment = settled(somebody(moment, &scenario, foreign));
            continue;
        }
        let draw = random.bits();
        let baseline = episode(&moment, &scenario, operation, &Trouble::None, draw);
        let note = |wrong: &[String], how: &str| -> Vec<String> {
            wrong
                .iter()
                .map(|one| format!("{at}{how}: {one}"))
                .collect()
        };
        report.violations.extend(note(&baseline.wrong, ""));
        report.violations.extend(note(&ended_well(&baseline), ""));
        match baseline.ended {
            Ended::Done => report.done += 1,
            Ended::Refused(_) => report.refused += 1,
            _ => {}
        }
        let expected = normal::end(&oracle::snapshot(&baseline.end.state));
        for (index, (fork, call)) in baseline.forks.iter().enumerate() {
            let how = format!(", killed after write {index} ({call})");
            let wrong = recovered(fork, &scenario, operation, &expected, random.bits());
            report.violations.extend(note(&wrong, &how));
            report.points += 1;
        }
        if baseline.ended == Ended::Done {
            for _ in 0..measure.faults {
                let trouble = fault(&mut random, &baseline.calls);
                let how = match &trouble {
                    Trouble::Fault(call, fault) => {
                        format!(", {fault:?} at request {call} ({})", baseline.calls[*call])
                    }
                    _ => String::new(),
                };
                let run = episode(&moment, &scenario, operation, &trouble, draw);
                let mut wrong = run.wrong;
                wrong.extend(recovered(
                    &run.end,
                    &scenario,
                    operation,
                    &expected,
                    random.bits(),
                ));
                report.violations.extend(note(&wrong, &how));
                report.faults += 1;
            }
            for _ in 0..measure.interleavings {
                let trouble = other(&mut random, &scenario, operation, &baseline.calls);
                let how = match &trouble {
                    Trouble::Other(call, other) => {
                        format!(
                            ", {other:?} before request {call} ({})",
                            baseline.calls[*call]
                        )
                    }
                    _ => String::new(),
                };
                let run = episode(&moment, &scenario, operation, &trouble, draw);
                report.violations.extend(note(&run.wrong, &how));
                let again = again(&run.end, &scenario, operation, random.bits());
                report
                    .violations
                    .extend(note(&again, &format!("{how}, and run again")));
                report.interleavings += 1;
            }
        }
        moment = baseline.end;
    }
    report
}

/// An uninterrupted run of valid manifests does what it planned, or is refused.
fn ended_well(episode: &Episode) -> Vec<String> {
    match &episode.ended {
        Ended::Partly(what) => vec![format!("ended halfway: {what}")],
        Ended::Refused(_) | Ended::Settled if !episode.forks.is_empty() => {
            let calls: Vec<&str> = episode
                .forks
                .iter()
                .map(|(_, call)| call.as_str())
                .collect();
            vec![format!(
                "{:?}, and wrote {}",
                episode.ended,
                calls.join(", ")
            )]
        }
        _ => Vec::new(),
    }
}

/// Runs the recovery alone, and holds its end against that of the uninterrupted run.
fn recovered(
    from: &Moment,
    scenario: &Arc<Scenario>,
    operation: &Operation,
    expected: &End,
    draw: u64,
) -> Vec<String> {
    let mut recovery = episode(from, scenario, operation, &Trouble::None, draw);
    if let Ended::Refused(why) | Ended::Error(why) | Ended::Partly(why) = &recovery.ended {
        recovery
            .wrong
            .push(format!("the recovery did not end well: {why}"));
    }
    let found = normal::end(&oracle::snapshot(&recovery.end.state));
    recovery.wrong.extend(normal::differences(expected, &found));
    recovery.wrong
}

/// Runs the command once more after others came in between: it may be refused now, and must not
/// fail halfway.
fn again(from: &Moment, scenario: &Arc<Scenario>, operation: &Operation, draw: u64) -> Vec<String> {
    let mut again = episode(from, scenario, operation, &Trouble::None, draw);
    // What names its object, as `import` and `down --kept` do, refuses with an error.
    let asks_by_name = !matches!(operation, Operation::Up { .. } | Operation::Down { .. });
    match &again.ended {
        Ended::Error(_) if asks_by_name => {}
        Ended::Error(why) | Ended::Partly(why) => {
            again.wrong.push(format!("it did not end well: {why}"));
        }
        _ => {}
    }
    again.wrong
}

fn somebody(mut moment: Moment, scenario: &Scenario, act: &crate::scenario::Foreign) -> Moment {
    let before = oracle::snapshot(&moment.state);
    foreign::act(&mut moment.state, &scenario.environments, act);
    let after = oracle::snapshot(&moment.state);
    moment
        .ledger
        .made_between(&before, &after, foreign::SOMEBODY);
    moment
}

fn settled(mut moment: Moment) -> Moment {
    let until = moment.state.now().saturating_add(SETTLING);
    moment.state.advance_to(until.unwrap_or(Timestamp::MAX));
    moment
}

fn fault(random: &mut Random, calls: &[String]) -> Trouble {
    let refusal = |code, reason, retry_after| {
        let mut failure = Failure::new(code, reason, "injected");
        failure.retry_after = retry_after;
        Fault::Answer(failure)
    };
    let call = moment_of(random, calls);
    let fault = match random.below(8) {
        0 => Fault::CutBefore,
        1 => Fault::CutAfter,
        2 => refusal(409, "Conflict", None),
        3 => refusal(429, "TooManyRequests", Some(1)),
        4 => refusal(500, "InternalError", None),
        5 => refusal(504, "Timeout", None),
        6 => refusal(410, "Expired", None),
        // Longer than a request may take.
        _ => Fault::Delay(Duration::from_secs(20)),
    };
    Trouble::Fault(call, fault)
}

/// One of a run's requests: any, or as often one shortly before a write, where most is at stake.
fn moment_of(random: &mut Random, calls: &[String]) -> usize {
    let any = random.below(calls.len().max(1));
    let writes: Vec<usize> = (0..calls.len())
        .filter(|call| !calls[*call].starts_with("GET"))
        .collect();
    if writes.is_empty() || random.percent(50) {
        return any;
    }
    let write = writes[random.below(writes.len())];
    write.saturating_sub(random.below(SHORTLY))
}

fn other(random: &mut Random, scenario: &Scenario, first: &Operation, calls: &[String]) -> Trouble {
    let call = moment_of(random, calls);
    let acting = first.environment().unwrap_or_default();
    let environment = random.below(scenario.environments.len());
    let operation = match random.below(10) {
        0..=3 => Operation::Foreign(crate::scenario::foreign(random, acting)),
        4..=7 => Operation::Up {
            environment,
            version: random.below(2),
        },
        _ => Operation::Down { environment },
    };
    let partly = operation.environment().is_some() && random.percent(50);
    let other = if partly {
        Other::Until(operation, moment_of(random, calls))
    } else {
        Other::Whole(operation)
    };
    Trouble::Other(call, other)
}

/// Looks on at one sandbox: judges every write of every environment, keeps the forks, and makes
/// things go wrong.
struct Watcher {
    scenario: Arc<Scenario>,
    /// The environment whose forks are kept.
    followed: String,
    fault: Option<(usize, Fault)>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    ledger: Ledger,
    forks: Vec<(Moment, String)>,
    calls: Vec<String>,
    wrong: Vec<String>,
}

impl Watcher {
    fn environment(&self, call: &Call) -> Option<&Environment> {
        let user = &call.request.user.name;
        let mut environments = self.scenario.environments.iter();
        environments.find(|environment| environment.id() == *user)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shares a watcher with the sandbox that it looks at.
struct Shared(Arc<Watcher>);

impl Hooks for Shared {
    fn before(&self, call: &Call, state: &State) -> Fault {
        let Some(environment) = self.0.environment(call) else {
            return Fault::None;
        };
        let mut seen = self.0.seen();
        if call.request.method == Method::GET {
            oracle::observe_read(&mut seen.ledger, environment, call, state);
        }
        if environment.id() != self.0.followed {
            return Fault::None;
        }
        let number = seen.calls.len();
        seen.calls
            .push(format!("{} {}", call.request.method, call.request.path));
        match &self.0.fault {
            Some((at, fault)) if *at == number => fault.clone(),
            _ => Fault::None,
        }
    }

    fn after(&self, call: &Call, before: Option<&State>, state: &State, reply: &Reply) {
        let (Some(environment), Some(before)) = (self.0.environment(call), before) else {
            return;
        };
        if reply.code >= 300 {
            return;
        }
        let mut seen = self.0.seen();
        let after = oracle::snapshot(state);
        let before = oracle::snapshot(before);
        let write = Write {
            actor: environment,
            call,
            before: &before,
            after: &after,
        };
        let request = format!("{} {}", call.request.method, call.request.path);
        let wrong = oracle::judge(&mut seen.ledger, &write);
        seen.wrong
            .extend(wrong.iter().map(|one| format!("{request}: {one}")));
        if environment.id() == self.0.followed {
            let moment = Moment {
                state: state.clone(),
                ledger: seen.ledger.clone(),
            };
            seen.forks.push((moment, request));
        }
    }
}

/// Runs one operation from a moment to its end, and lets the cluster settle.
fn episode(
    from: &Moment,
    scenario: &Arc<Scenario>,
    operation: &Operation,
    trouble: &Trouble,
    draw: u64,
) -> Episode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(episode_in(from, scenario, operation, trouble, draw)),
        Err(error) => Episode {
            ended: Ended::Error(error.to_string()),
            end: from.clone(),
            forks: Vec::new(),
            calls: Vec::new(),
            wrong: vec![format!("no runtime: {error}")],
        },
    }
}

async fn episode_in(
    from: &Moment,
    scenario: &Arc<Scenario>,
    operation: &Operation,
    trouble: &Trouble,
    draw: u64,
) -> Episode {
    let index = operation.environment().unwrap_or_default();
    let environment = &scenario.environments[index];
    let mut ledger = from.ledger.clone();
    for one in &scenario.environments {
        ledger.begin_run(&one.id());
    }
    let watcher = Arc::new(Watcher {
        scenario: Arc::clone(scenario),
        followed: environment.id(),
        fault: match trouble {
            Trouble::Fault(at, fault) => Some((*at, fault.clone())),
            _ => None,
        },
        seen: Mutex::new(Seen {
            ledger,
            ..Seen::default()
        }),
    });
    let sandbox = Sandbox::new(from.state.clone(), Shared(Arc::clone(&watcher)));
    let before = Arc::new(Mutex::new(oracle::snapshot(&from.state)));
    let (end_first, first_ended) = watch::channel(false);
    let overlapped = Arc::new(AtomicBool::new(false));
    let way = sandbox.as_user(User {
        name: environment.id(),
        groups: vec!["system:masters".to_owned()],
    });
    let way = match trouble {
        Trouble::Other(at, other) => {
            let other = Interloper {
                sandbox: sandbox.clone(),
                scenario: Arc::clone(scenario),
                watcher: Arc::clone(&watcher),
                before: Arc::clone(&before),
                first_ended,
                goes_on: Arc::default(),
                overlapped: Arc::clone(&overlapped),
                other: other.clone(),
                draw,
            };
            Faulty::with(way, *at, other.between())
        }
        _ => Faulty::new(way),
    };
    let run = actor::run(&sandbox, scenario, operation, way, draw);
    let ended = tokio::time::timeout(PATIENCE, run).await;
    let ended = ended.unwrap_or_else(|_| Ended::Error("it never ends".to_owned()));
    if let (Operation::Import { .. }, Ended::Done) = (operation, &ended) {
        let now = oracle::snapshot(&sandbox.state());
        adopt(&mut watcher.seen().ledger, environment, &now);
    }
    end_first.send_replace(true);
    // Whoever was held up goes on and ends.
    tokio::time::sleep(PATIENCE).await;
    let mut end = settled(Moment {
        state: sandbox.state(),
        ledger: Ledger::default(),
    });
    let mut seen = watcher.seen();
    let mut wrong = std::mem::take(&mut seen.wrong);
    let ledger = std::mem::take(&mut seen.ledger);
    let after = oracle::snapshot(&end.state);
    let before = before.lock().unwrap_or_else(PoisonError::into_inner);
    let faulted = matches!(trouble, Trouble::Fault(..));
    // Whoever was held up goes on with its own, whatever becomes of the first run.
    let held_up = match trouble {
        Trouble::Other(_, Other::Until(operation, _) | Other::Whole(operation))
            if overlapped.load(Ordering::Relaxed) =>
        {
            operation.environment()
        }
        _ => None,
    };
    let held_up = held_up.map(|index| scenario.environments[index].id());
    let late = oracle::judge_end(&ledger, environment, held_up.as_deref(), &before, &after);
    wrong.extend(
        late.into_iter()
            .filter(|one| !(faulted && one.contains("the lock of"))),
    );
    if ended == Ended::Error("it never ends".to_owned()) {
        wrong.push("it never ends".to_owned());
    }
    end.ledger = ledger;
    Episode {
        ended,
        end,
        forks: std::mem::take(&mut seen.forks),
        calls: std::mem::take(&mut seen.calls),
        wrong,
    }
}

/// What an import records goes over to the environment.
fn adopt(ledger: &mut Ledger, environment: &Environment, world: &Snapshot) {
    let name = oracle::claim_name(environment.stack, environment.name);
    let Some(claim) = oracle::claim(world, &name) else {
        return;
    };
    for (id, object) in world {
        if claim.entry(&id.kind, &id.namespace, &id.name).is_some() {
            ledger.made_by(object, &environment.id());
        }
    }
}

/// Who comes in between.
#[derive(Clone)]
struct Interloper {
    sandbox: Sandbox,
    scenario: Arc<Scenario>,
    watcher: Arc<Watcher>,
    before: Arc<Mutex<Snapshot>>,
    first_ended: watch::Receiver<bool>,
    /// Whether it is at work.
    goes_on: Arc<AtomicBool>,
    /// Whether the first run went on while it was at work.
    overlapped: Arc<AtomicBool>,
    other: Other,
    draw: u64,
}

impl Interloper {
    fn between(self) -> Between {
        Arc::new(move || {
            let interloper = self.clone();
            Box::pin(async move { interloper.act().await })
        })
    }

    async fn act(&self) {
        let (operation, until) = match &self.other {
            Other::Whole(Operation::Foreign(foreign)) => {
                self.somebody(foreign);
                self.look();
                return;
            }
            Other::Whole(operation) => (operation.clone(), None),
            Other::Until(operation, at) => (operation.clone(), Some(*at)),
        };
        let reached = Arc::new(Notify::new());
        let pause = until.map(|at| {
            let (ended, there) = (self.first_ended.clone(), Arc::clone(&reached));
            let wait: Between = Arc::new(move || {
                let (mut ended, there) = (ended.clone(), Arc::clone(&there));
                Box::pin(async move {
                    there.notify_one();
                    // It may have ended long ago, if this run waited for its lock. That nobody is left
                    // to end it is no reason to wait either.
                    drop(ended.wait_for(|ended| *ended).await);
                })
            });
            (at, wait)
        });
        let (this, done) = (self.clone(), Arc::clone(&reached));
        self.goes_on.store(true, Ordering::Relaxed);
        tokio::spawn(async move {
            this.run(&operation, pause).await;
            this.goes_on.store(false, Ordering::Relaxed);
            done.notify_one();
        });
        // Not for ever: the second run may wait for the first one's lock, and the request that it
        // came before has its own limit. Then both go on side by side.
        let _ = tokio::time::timeout(SIDE_BY_SIDE, reached.notified()).await;
        if self.goes_on.load(Ordering::Relaxed) {
            self.overlapped.store(true, Ordering::Relaxed);
        }
        self.look();
    }

    /// From here on the first run must leave alone what is there.
    fn look(&self) {
        let now = oracle::snapshot(&self.sandbox.state());
        *self.before.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    fn somebody(&self, foreign: &crate::scenario::Foreign) {
        let (before, after) = self.sandbox.change(|state| {
            let before = oracle::snapshot(state);
            foreign::act(state, &self.scenario.environments, foreign);
            (before, oracle::snapshot(state))
        });
        let mut seen = self.watcher.seen();
        seen.ledger.made_between(&before, &after, foreign::SOMEBODY);
    }

    async fn run(&self, operation: &Operation, wait: Option<(usize, Between)>) {
        let Some(environment) = operation.environment() else {
            return;
        };
        let way = self.sandbox.as_user(User {
            name: self.scenario.environments[environment].id(),
            groups: vec!["system:masters".to_owned()],
        });
        let way = match wait {
            Some((at, wait)) => Faulty::with(way, at, wait),
            None => Faulty::new(way),
        };
        let draw = self.draw.rotate_left(17) ^ 0x0a5a;
        actor::run(&self.sandbox, &self.scenario, operation, way, draw).await;
    }
}
