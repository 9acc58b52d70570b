//! R6.3: stopped before the deadline, or by the user, with nothing in flight.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use underpin_tests::{Action, Kubectl, Output, Proxy, Stack, eventually, shared, with_filters};

use super::LIMIT;

/// ConfigMaps of the stack, in one wave. The run has several in flight; the proxy lets one through
/// at a time, so together they take several times as long.
const MAPS: usize = 220;
/// How slow the server is in these tests: each write takes so long.
const SLOW: Duration = Duration::from_millis(60);

fn maps() -> String {
    let one = |n| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: map-{n:03} }}\ndata: {{ n: \"{n}\" }}\n"
        )
    };
    (0..MAPS).map(one).collect::<Vec<_>>().join("---\n")
}

fn slow(proxy: &Proxy) {
    proxy.policy(|request| match request.mutation {
        Some(_) => Action::Delay(SLOW),
        None => Action::Pass,
    });
}

/// Nothing was open when the process ended at `end`, and nothing began after.
fn check_nothing_in_flight(proxy: &Proxy, end: Timestamp) {
    for record in proxy.records() {
        assert!(record.at <= end, "begun after the end: {record:?}");
        assert!(
            record.delivered.is_some(),
            "still open at the end: {record:?}"
        );
    }
}

/// The stopped run said what is done and what is left, and left no lock; another run does the rest.
fn check_continues(
    kubectl: &Kubectl,
    proxy: &Proxy,
    (name, project): (&str, &Stack),
    stopped: &Output,
) -> Result<()> {
    let there = maps_there(kubectl, name)?;
    ensure!(
        there < MAPS,
        "it was not stopped in the middle\n{}",
        stopped.transcript()
    );
    let left = stopped
        .stdout
        .lines()
        .filter(|line| line.trim().starts_with("left: configmap/"))
        .count();
    assert_eq!(left, MAPS - there, "{}", stopped.transcript());
    proxy.policy(|_| Action::Pass);
    // A lock left behind would make this leave with 5.
    project.expect(0, "up --yes --lock-wait 0")?;
    assert_eq!(maps_there(kubectl, name)?, MAPS);
    Ok(())
}

fn maps_there(kubectl: &Kubectl, namespace: &str) -> Result<usize> {
    let list = kubectl.get(&["configmaps", "-n", namespace])?;
    let items = list["items"].as_array().context("a list")?;
    Ok(items
        .iter()
        .filter(|map| {
            map["metadata"]["name"]
                .as_str()
                .is_some_and(|name| name.starts_with("map-"))
        })
        .count())
}

/// R6.3
#[test]
fn a_run_stops_before_its_deadline() -> Result<()> {
    let cluster = shared()?;
    let (proxy, kubectl) = (Proxy::start(cluster)?, Kubectl::new(cluster));
    let name = "deadline";
    let project = Stack::single(name, &proxy.kubeconfig(), &maps())?;
    slow(&proxy);
    let begin = Timestamp::now();
    let output = project.expect(4, "up --yes --deadline 10")?;
    let end = Timestamp::now();
    assert!(end.duration_since(begin).as_secs() < 10);
    check_nothing_in_flight(&proxy, end);
    check_continues(&kubectl, &proxy, (name, &project), &output)
}

/// R6.3: one answer that does not come must not hold it beyond the deadline.
#[test]
fn a_hanging_server_does_not_hold_a_run_beyond_its_deadline() -> Result<()> {
    let cluster = shared()?;
    let proxy = Proxy::start(cluster)?;
    for hangs_from in [1, 4, 8] {
        let name = format!("hanging-{hangs_from}");
        let project = Stack::single(&name, &proxy.kubeconfig(), &maps())?;
        proxy.clear();
        proxy.policy(move |request| match request.mutation {
            Some(number) if number >= hangs_from => Action::Delay(Duration::from_secs(30)),
            _ => Action::Pass,
        });
        let begin = Timestamp::now();
        let output = project.run("up --yes --deadline 6 --lease 8")?;
        assert!(
            Timestamp::now().duration_since(begin).as_secs() < 6,
            "{}",
            output.transcript()
        );
        assert_eq!(
            output.code,
            Some(4),
            "from write {hangs_from}: {}",
            output.transcript()
        );
        proxy.policy(|_| Action::Pass);
        project.expect(0, "up --yes")?;
    }
    Ok(())
}

/// R6.3: waiting for another's lock, too, ends before the deadline, and with Ctrl-C.
#[test]
fn waiting_for_a_lock_ends_with_the_deadline_and_when_interrupted() -> Result<()> {
    let cluster = shared()?;
    let (proxy, other) = (Proxy::start(cluster)?, Proxy::start(cluster)?);
    let project = Stack::single("waiting", &proxy.kubeconfig(), &maps())?;
    let holder = {
        // Stands still in the middle, holding the lock.
        proxy.policy(|request| match request.mutation {
            Some(_) if request.path.contains("/map-") => Action::Delay(Duration::from_secs(20)),
            _ => Action::Pass,
        });
        project.spawn("up --yes")?
    };
    eventually("the holder applies", LIMIT, || {
        Ok(proxy
            .records()
            .iter()
            .any(|record| {
                record.request.mutation.is_some() && record.request.path.contains("/map-")
            })
            .then_some(()))
    })?;
    let second = project.through(&other.kubeconfig())?;
    let begin = Timestamp::now();
    let output = second.run(["up", "--yes", "--deadline", "4"])?;
    assert_eq!(output.code, Some(4), "{}", output.transcript());
    assert!(Timestamp::now().duration_since(begin).as_secs() < 4);
    assert_eq!(other.mutations(), []);

    other.clear();
    let waiting = second.spawn(["up", "--yes"])?;
    eventually("it looks at the lock again and again", LIMIT, || {
        let looks = other
            .records()
            .iter()
            .filter(|record| {
                record
                    .request
                    .path
                    .contains("/namespaces/underpin-system/configmaps/")
            })
            .count();
        Ok((looks > 3).then_some(()))
    })?;
    interrupt(waiting.id()?)?;
    let output = waiting.wait()?;
    assert_eq!(output.code, Some(4), "{}", output.transcript());
    assert_eq!(other.mutations(), []);
    drop(holder);
    Ok(())
}

/// R6.3: the first Ctrl-C ends the run between two requests.
#[test]
fn an_interrupted_run_finishes_what_is_in_flight_and_continues_later() -> Result<()> {
    let cluster = shared()?;
    let (proxy, kubectl) = (Proxy::start(cluster)?, Kubectl::new(cluster));
    let name = "interrupted";
    let project = Stack::single(name, &proxy.kubeconfig(), &maps())?;
    slow(&proxy);
    let running = project.spawn("up --yes")?;
    eventually("some objects are there", LIMIT, || {
        Ok((maps_there(&kubectl, name)? > 2).then_some(()))
    })?;
    interrupt(running.id()?)?;
    let output = running.wait()?;
    let end = Timestamp::now();
    assert_eq!(output.code, Some(4), "{}", output.transcript());
    check_nothing_in_flight(&proxy, end);
    let first_line = output.stdout.lines().next().unwrap_or_default().to_owned();
    with_filters(&[], || {
        insta::assert_snapshot!(
            "interrupted_stderr_end",
            output
                .stderr
                .lines()
                .filter(|line| line.contains("stopping"))
                .collect::<String>()
        );
    });
    assert!(
        first_line.contains("interrupted"),
        "{}",
        output.transcript()
    );
    check_continues(&kubectl, &proxy, (name, &project), &output)
}

fn interrupt(process: u32) -> Result<()> {
    let status = Command::new("kill")
        .args(["-INT", &process.to_string()])
        .status()?;
    ensure!(status.success(), "kill -INT {process}");
    Ok(())
}
