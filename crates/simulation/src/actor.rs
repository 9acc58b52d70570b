//! One environment's run of one command, on a simulated machine.

use std::{sync::Arc, time::Duration};

use underpin_cluster::{Cluster, claims::ClaimStore};
use underpin_deploy::{
    DeployError, Deployment, Event, Import, ImportFrom, Observer, Outcome, Settings, Stop, down,
    import, reclaim_kept, up,
};
use underpin_plan::{Acceptances, DeclaredEnvironment};
use underpin_sandbox::Sandbox;
use underpin_source::manifests::{Documents, Variables, read_text_as};

use crate::{
    faults::Faulty,
    oracle::CLAIMS_NAMESPACE,
    random::{Random, SimulatedHost},
    scenario::{Environment, Operation, Scenario},
};

/// Time limit of each request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a dead holder's lock stands.
const LEASE: Duration = Duration::from_secs(15);
/// How long others' locks are waited for: longer than the dead hold them.
const LOCK_WAIT: Duration = Duration::from_mins(2);
/// How long readiness, or the end of what is being deleted, is waited for.
const WAIT: Duration = Duration::from_mins(1);

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Everything that was planned was done.
    Done,
    /// There was nothing to do.
    Settled,
    /// Some of it failed, was skipped, or could not be judged again.
    Partly(String),
    /// The plan was refused, with the codes and problems that refused it.
    Refused(String),
    /// It ended with an error before or while it changed anything.
    Error(String),
}

struct Silent;

impl Observer for Silent {
    fn event(&self, _event: Event) {}
}

/// Runs an operation of an environment to its end. `draw` makes its randomness its own.
pub(crate) async fn run(
    sandbox: &Sandbox,
    scenario: &Scenario,
    operation: &Operation,
    faulty: Faulty,
    draw: u64,
) -> Ended {
    let Some(environment) = operation.environment() else {
        return Ended::Settled;
    };
    let environment = &scenario.environments[environment];
    let version = match operation {
        Operation::Up { version, .. } | Operation::Import { version, .. } => Some(*version),
        _ => None,
    };
    let host = Arc::new(SimulatedHost {
        now: sandbox.now(),
        random: std::sync::Mutex::new(Random::new(draw)),
    });
    let cluster = Cluster::over_service(
        faulty,
        "simulation",
        "https://simulation".to_owned(),
        environment.id(),
        REQUEST_TIMEOUT,
        host,
    );
    let deployment = deployment(cluster, scenario, environment, version);
    let (_alive, interrupted) = tokio::sync::watch::channel(false);
    let stop = Stop::new(None, interrupted);
    match operation {
        Operation::Up { .. } => ended(up(&deployment, &Silent, &stop, |_| true).await),
        Operation::Down { .. } => ended(down(&deployment, &Silent, &stop, |_| true).await),
        Operation::DownKept { .. } => {
            ended(reclaim_kept(&deployment, &Silent, &stop, |_| true).await)
        }
        Operation::Import { .. } => {
            let request = Import {
                namespace: environment.legacy.to_owned(),
                from: ImportFrom::Manifests,
            };
            match import(&deployment, &request, &Silent, &stop, |_| true).await {
                Ok(imported) if imported.written => Ended::Done,
                Ok(_) => Ended::Settled,
                Err(error) => of_error(&error),
            }
        }
        Operation::Foreign(_) => Ended::Settled,
    }
}

fn deployment(
    cluster: Cluster,
    scenario: &Scenario,
    environment: &Environment,
    version: Option<usize>,
) -> Deployment {
    let declared = |one: &Environment| DeclaredEnvironment {
        stack: one.stack.to_owned(),
        name: one.name.to_owned(),
        parent: one.parent.map(str::to_owned),
        namespace: one.namespace.map(str::to_owned),
        shared: one.shared,
        context: None,
        place: underpin_model::Place {
            file: Arc::from("underpin.yaml"),
            line: 1,
            column: 1,
        },
    };
    let same_stack = scenario
        .environments
        .iter()
        .filter(|one| one.stack == environment.stack);
    Deployment {
        store: ClaimStore::new(cluster.clone(), CLAIMS_NAMESPACE),
        claims_namespace: CLAIMS_NAMESPACE.to_owned(),
        environment: underpin_plan::Environment {
            stack: environment.stack.to_owned(),
            name: environment.name.to_owned(),
            parent: environment.parent.map(str::to_owned),
            namespace: environment.namespace.map(str::to_owned),
            shared: environment.shared,
            ignored: Vec::new(),
            // Mass removal is a rule about people's slips; here it would only stop runs.
            removal_percent: 100,
            declared: same_stack.map(declared).collect(),
            adopt: std::collections::BTreeSet::new(),
        },
        pinned_cluster: None,
        documents: version.map_or_else(Documents::default, |version| {
            documents(environment, version)
        }),
        variables: Variables::default(),
        acceptances: Acceptances::default(),
        settings: Settings {
            wait: scenario.wait,
            wait_timeout: WAIT,
            request_timeout: REQUEST_TIMEOUT,
            lease: LEASE,
            lock_wait: LOCK_WAIT,
            who: environment.id(),
        },
        cluster,
    }
}

/// The manifests of a version, as files that follow the placement: objects in the home namespace
/// name `${namespace}`.
fn documents(environment: &Environment, version: usize) -> Documents {
    let objects = environment.objects(version, "${namespace}");
    let texts: Vec<String> = objects.iter().map(ToString::to_string).collect();
    let (documents, diagnostics) = read_text_as("app.yaml", &texts.join("\n---\n"), true);
    debug_assert!(diagnostics.is_empty(), "{diagnostics:?}");
    documents
}

fn ended(outcome: Result<Outcome, DeployError>) -> Ended {
    match outcome {
        Ok(Outcome::Settled(_)) => Ended::Settled,
        Ok(Outcome::Refused(planned)) => {
            let findings = planned.verdict.findings.iter();
            let codes = findings.filter(|finding| finding.blocks()).map(|finding| {
                format!("{}:{}: {}", finding.code, finding.subject, finding.message)
            });
            let problems = planned.plan.problems.iter();
            let problems = problems.map(|problem| format!("{}: {}", problem.key, problem.message));
            Ended::Refused(codes.chain(problems).collect::<Vec<_>>().join("; "))
        }
        Ok(Outcome::Ran(_, summary)) if summary.is_complete() => Ended::Done,
        Ok(Outcome::Ran(_, summary)) => {
            Ended::Partly(format!("{:?} {:?}", summary.results, summary.failures))
        }
        Err(error) => of_error(&error),
    }
}

fn of_error(error: &DeployError) -> Ended {
    match error {
        // A second `down` finds the work done.
        DeployError::NothingRecorded(_) => Ended::Settled,
        other => Ended::Error(other.to_string()),
    }
}
