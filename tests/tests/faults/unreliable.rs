//! A server that answers one call in five with an error, or asks for patience.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use underpin_tests::{Action, Kubectl, Proxy, Stack, shared};

use super::manifest;

/// One call in so many is answered so; which, follows no rhythm that a run could be in step with.
const ONE_IN: u64 = 5;
/// Knuth's multiplicative hash.
const SCATTER: u64 = 2_654_435_761;
/// Runs that it may take where an error ends a run.
const RUNS: usize = 8;

/// R6.2, R6.1: `up` and `down` come to their end, in `runs` attempts at most.
#[track_caller]
fn check(name: &str, action: Action, runs: usize) -> Result<()> {
    let cluster = shared()?;
    let (proxy, kubectl) = (Proxy::start(cluster)?, Kubectl::new(cluster));
    let project = Stack::single(name, &proxy.kubeconfig(), &manifest())?;
    let calls = AtomicU64::new(0);
    proxy.policy(move |_| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        match (call.wrapping_mul(SCATTER) >> 16) % ONE_IN {
            0 => action.clone(),
            _ => Action::Pass,
        }
    });
    for command in ["up --yes --wait=false", "down --yes"] {
        let (mut told, mut ended) = (Vec::new(), false);
        for _ in 0..runs {
            let output = project.run(command)?;
            told.push(output.transcript());
            assert!(
                matches!(output.code, Some(0 | 1 | 3)),
                "{}",
                output.transcript()
            );
            ended = output.code == Some(0);
            if ended {
                break;
            }
        }
        assert!(
            ended,
            "{command} did not come to its end\n{}",
            told.join("\n")
        );
        let there = kubectl.find(&["namespace", name])?.is_some();
        assert_eq!(there, command.starts_with("up"), "{}", told.join("\n"));
        if there {
            kubectl.uid(&["-n", name, "deployment", "web"])?;
        }
    }
    Ok(())
}

#[test]
fn too_many_requests() -> Result<()> {
    check("throttled", Action::TOO_MANY_REQUESTS, 1)
}

#[test]
fn gateway_timeout() -> Result<()> {
    check("timeouts", Action::TIMEOUT, 1)
}

#[test]
fn internal_error() -> Result<()> {
    check("internal", Action::INTERNAL_ERROR, RUNS)
}

#[test]
fn connections_that_break_before_or_after_the_effect() -> Result<()> {
    check("cut-before", Action::CutBefore, 1)?;
    check("cut-after", Action::CutAfter, 1)
}
