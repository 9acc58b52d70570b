//! How runs end.

use underpin_deploy::{Failure, Held, NotReady, StepResult, StopReason, Summary};
use underpin_model::{Action, KeepReason, NamespaceProvenance, Place, Step};
use underpin_plan::{Problem, Purpose};
use underpin_readiness::diagnosis::{
    Culprit, Diagnosis, EventReport, Log, PodReport, TemplateField,
};

use super::{
    plain,
    samples::{Sample, cascade, key, namespace, placement, severities, step},
};
use crate::{
    Exit,
    render::{Ended, json, text},
};

#[track_caller]
fn check(name: &str, command: &str, exit: Exit, sample: &Sample, ended: Ended<'_>) {
    let shown = text::outcome(command, sample.judged(), ended);
    insta::assert_snapshot!(name, plain(&shown));
    let document = json::outcome(command, exit, sample.judged(), ended);
    insta::assert_snapshot!(format!("{name}_json"), document);
}

fn steps() -> Vec<Step> {
    ["app", "db", "web", "extra", "last"]
        .into_iter()
        .map(|name| step(Action::Create, key("ConfigMap", name), "is not there yet"))
        .collect()
}

fn summary(results: &[(&str, StepResult)]) -> Summary {
    Summary {
        results: results
            .iter()
            .map(|(name, result)| (key("ConfigMap", name), result.clone()))
            .collect(),
        ..Summary::default()
    }
}

#[test]
fn refused() {
    let mut sample =
        Sample::new(Purpose::Up, steps()).with_findings(vec![cascade(), severities().remove(1)]);
    check("refused", "up", Exit::Blocked, &sample, Ended::Refused);
    sample.plan.problems = vec![Problem {
        key: key("ConfigMap", "app"),
        place: None,
        message: "it cannot be".into(),
        help: None,
    }];
    let shown = plain(&text::outcome("up", sample.judged(), Ended::Refused));
    let end = "1 error, 1 blocking finding: nothing was changed\n";
    assert!(shown.ends_with(end), "{shown}");
}

#[test]
fn settled() {
    let keep = |why: KeepReason, key| {
        let reason = why.to_string();
        step(Action::Keep(why), key, &reason)
    };
    let same = vec![keep(KeepReason::Unchanged, key("ConfigMap", "app"))];
    let mut sample = Sample::new(Purpose::Up, same);
    sample.plan.placement.derived = "shop-production".into();
    check("settled_up", "up", Exit::Done, &sample, Ended::Settled);
    let kept = vec![keep(
        KeepReason::InUse("home of shop/staging".into()),
        namespace("shop"),
    )];
    let sample = Sample::new(Purpose::Down, kept).with_findings(vec![severities().remove(2)]);
    check("settled_down", "down", Exit::Done, &sample, Ended::Settled);
}

#[test]
fn done() {
    let sample = Sample::new(Purpose::Up, steps());
    let all = summary(&[
        ("app", StepResult::Done),
        ("db", StepResult::AlreadyDone),
        ("web", StepResult::Done),
        ("extra", StepResult::Kept("somebody took it over".into())),
        ("last", StepResult::Done),
    ]);
    check("done", "up", Exit::Done, &sample, Ended::Ran(&all));
}

#[test]
fn incomplete() {
    let sample = Sample::new(Purpose::Up, steps());
    let mut some = summary(&[
        ("app", StepResult::Done),
        ("db", StepResult::Failed("the server said no".into())),
        (
            "web",
            StepResult::Skipped("configmap/shop/db failed".into()),
        ),
        (
            "extra",
            StepResult::Terminating(Held::By(vec!["example.com/finalizer".into()])),
        ),
    ]);
    some.failures = vec![Failure {
        key: key("Deployment.apps", "web"),
        message: "not ready within 300 s: 0 of 2 pods ready".into(),
        place: None,
        not_ready: None,
    }];
    check("incomplete", "up", Exit::Error, &sample, Ended::Ran(&some));
}

/// The cause comes first; what it says already is not said again.
#[test]
fn not_ready() {
    let web = key("Deployment.apps", "web");
    let sample = Sample::new(
        Purpose::Up,
        vec![step(Action::Create, web.clone(), "is not there yet")],
    );
    let cause = "CrashLoopBackOff: container web exited with code 1, 3 restarts";
    let pod = |name: &str, trouble: &str, said: Option<&str>| PodReport {
        name: name.into(),
        trouble: trouble.into(),
        said: said.map(str::to_owned),
        culprit: Some(Culprit {
            container: "web".into(),
            previous: true,
        }),
    };
    let event = |reason: &str, message: &str, count: i64| EventReport {
        about: "pod/web-1".into(),
        reason: reason.into(),
        message: message.into(),
        count,
        last: "2026-01-01T00:00:00Z".into(),
    };
    let diagnosis = Diagnosis {
        cause: cause.into(),
        help: Some("mend it".into()),
        field: Some(TemplateField {
            container: "web".into(),
            image: false,
        }),
        pods: vec![
            pod("web-1", cause, Some("no database")),
            pod("web-2", "container web runs and is not ready", None),
        ],
        more_pods: 2,
        events: vec![
            event("BackOff", "Back-off restarting failed container", 7),
            event("Failed", "exited with code 1", 1),
        ],
        log: Some(Log {
            pod: "web-1".into(),
            container: "web".into(),
            previous: true,
            lines: vec!["connecting".into(), "panic: no database".into()],
        }),
        unread: vec!["events: forbidden".into()],
    };
    let mut some = Summary {
        results: [(web.clone(), StepResult::Done)].into(),
        ..Summary::default()
    };
    some.failures = vec![Failure {
        key: web,
        message: cause.into(),
        place: Some(Place {
            file: "k8s/web.yaml".into(),
            line: 14,
            column: 11,
        }),
        not_ready: Some(Box::new(NotReady {
            state: "not ready after 300 s: 0 of 4 pods available".into(),
            diagnosis,
        })),
    }];
    check("not_ready", "up", Exit::Error, &sample, Ended::Ran(&some));
}

#[test]
fn stopped() {
    let sample = Sample::new(Purpose::Up, steps());
    let mut some = summary(&[("app", StepResult::Done)]);
    for (name, reason) in [
        ("stopped_deadline", StopReason::Deadline),
        ("stopped_interrupted", StopReason::Interrupted),
        ("stopped_lock_lost", StopReason::LockLost),
    ] {
        some.stopped = Some(reason);
        check(name, "up", Exit::Stopped, &sample, Ended::Ran(&some));
    }
}

#[test]
fn kept_namespaces() {
    let delete = vec![step(
        Action::Delete,
        namespace("shop"),
        "created by this environment",
    )];
    let mut sample = Sample::new(Purpose::Down, delete);
    let kept = Summary {
        results: [(
            namespace("shop"),
            StepResult::Kept("1 object is in it".into()),
        )]
        .into(),
        kept: [(
            "shop".to_owned(),
            "1 object is in it: service/shop/billing".to_owned(),
        )]
        .into(),
        ..Summary::default()
    };
    check("kept", "down", Exit::Done, &sample, Ended::Ran(&kept));
    let held = "it is still being deleted, held by its contents";
    let going = Summary {
        results: [(namespace("shop"), StepResult::Terminating(Held::ByContents))].into(),
        kept: [("shop".to_owned(), held.to_owned())].into(),
        ..Summary::default()
    };
    let ended = Ended::Ran(&going);
    check("kept_while_it_goes", "down", Exit::Done, &sample, ended);
    // Who waited for it asked for more.
    let in_vain = Summary {
        waited_in_vain: true,
        ..going
    };
    let ended = Ended::Ran(&in_vain);
    check("waited_in_vain", "down", Exit::Error, &sample, ended);
    // One that was there before is nobody's leak, and there is nothing to reclaim.
    sample.plan.placement = placement(NamespaceProvenance::Existing);
    check(
        "kept_that_was_there",
        "down",
        Exit::Done,
        &sample,
        Ended::Ran(&kept),
    );
}
