//! Plans before they are carried out.

use underpin_model::{Action, KeepReason, LogicalKey, Owner, Unvalidated};
use underpin_plan::{Problem, Purpose};

use super::{
    plain,
    samples::{Sample, cascade, changes, key, namespace, place, severities, step, unread},
};
use crate::{
    Exit,
    render::{json, text},
};

#[track_caller]
fn check(name: &str, sample: &Sample) {
    insta::assert_snapshot!(name, plain(&text::plan(sample.judged())));
    let document = json::plan(Exit::Done, sample.judged());
    insta::assert_snapshot!(format!("{name}_json"), document);
}

fn every_action() -> Sample {
    let mut update = step(Action::Update, key("Deployment.apps", "web"), "differs");
    update.changes = changes();
    let mut created = step(Action::Create, key("ConfigMap", "app"), "is not there yet");
    created.validated = false;
    let keep = |why: KeepReason, name: &str| {
        let reason = why.to_string();
        step(Action::Keep(why), key("ConfigMap", name), &reason)
    };
    Sample::new(
        Purpose::Up,
        vec![
            created,
            update,
            step(
                Action::Replace,
                key("Job.batch", "migrate"),
                "its template changed",
            ),
            step(
                Action::Adopt,
                key("Service", "web"),
                "exists and belongs to nobody",
            ),
            step(Action::Delete, key("Secret", "old"), "no longer declared"),
            keep(KeepReason::Unchanged, "same"),
            keep(
                KeepReason::Protected("helm.sh/resource-policy".into()),
                "protected",
            ),
            keep(
                KeepReason::Foreign(Owner::Tool {
                    tool: "Helm",
                    name: "redis".into(),
                }),
                "foreign",
            ),
            keep(KeepReason::InUse("others live in it".into()), "in-use"),
            keep(KeepReason::Gone, "gone"),
        ],
    )
}

#[test]
fn every_action_with_its_reason() {
    check("plan_actions", &every_action());
}

#[test]
fn nothing_to_do() {
    let unchanged = step(
        Action::Keep(KeepReason::Unchanged),
        key("ConfigMap", "app"),
        "unchanged",
    );
    check("plan_unchanged", &Sample::new(Purpose::Up, vec![unchanged]));
    check("plan_empty", &Sample::new(Purpose::Up, Vec::new()));
}

#[test]
fn a_placement_of_the_past_and_entries_that_are_forgotten() {
    let mut sample = Sample::new(Purpose::Up, Vec::new());
    sample.plan.placement.derived = "shop-production".into();
    let forgotten = LogicalKey::of(&key("ConfigMap", "moved"), "shop");
    sample.plan.dropped = [(forgotten, "it belongs to billing/production now".into())].into();
    check("plan_forgotten", &sample);
}

#[test]
fn findings_of_every_severity() {
    let delete = step(Action::Delete, namespace("shop"), "no longer declared");
    let sample = Sample::new(Purpose::Up, vec![delete]).with_findings(severities());
    check("plan_severities", &sample);
}

#[test]
fn a_cascade_by_owner() {
    let delete = step(
        Action::Delete,
        namespace("shop"),
        "created by this environment",
    );
    let sample = Sample::new(Purpose::Down, vec![delete]).with_findings(vec![cascade()]);
    check("plan_cascade", &sample);
}

#[test]
fn problems_and_what_was_not_read() {
    let mut sample = every_action();
    sample.plan.steps.truncate(1);
    sample.world.unread = unread();
    sample.plan.problems = vec![
        Problem {
            key: key("ConfigMap", "app"),
            place: Some(place(4)),
            message: "configmap/shop/app: spec.selector: field is immutable".into(),
            help: Some("give it a new name".into()),
        },
        Problem {
            key: key("Widget.example.com", "w"),
            place: None,
            message: "the cluster does not serve Widget".into(),
            help: None,
        },
    ];
    check("plan_problems", &sample);
}

/// Unknown is not absent: what the server was not asked, and what could not be read, is told.
#[test]
fn what_is_not_known_is_told() {
    let unvalidated = |action: Action, name: &str, why: Unvalidated| {
        let mut step = step(action, key("ConfigMap", name), "1 declared field differs");
        (step.validated, step.unvalidated) = (false, Some(why));
        step
    };
    let no_right = "patch configmaps in namespace shop (user jane)";
    let no_right =
        |name: &str| unvalidated(Action::Update, name, Unvalidated::NoRight(no_right.into()));
    let mut steps: Vec<_> = ["a", "b", "c", "d", "e", "f"].map(no_right).into();
    let quota = Unvalidated::NoAnswer("cannot patch configmaps shop/g: exceeded quota".into());
    steps.push(unvalidated(Action::Create, "g", quota));
    let early = Unvalidated::TooEarly("namespace shop is not there yet".into());
    steps.push(unvalidated(Action::Create, "h", early));
    let mut unseen = step(
        Action::Create,
        key("Secret", "password"),
        "could not be read: whether it is there is unknown",
    );
    unseen.unseen = Some("cannot list secrets in shop".into());
    steps.push(unseen);
    check("plan_unknown", &Sample::new(Purpose::Up, steps));
}

/// What is left out of the text is said to be left out, and is in the document.
#[test]
fn nothing_is_left_out_silently() {
    let sample = every_action();
    let shown = plain(&text::plan(sample.judged()));
    assert!(
        shown.contains("… 6 more (--output json shows all)"),
        "{shown}"
    );
    assert!(
        !shown.contains('\u{1b}'),
        "a value cannot colour the terminal"
    );
    let document = json::plan(Exit::Done, sample.judged());
    assert!(document.contains("data.key29") && document.contains(&"é".repeat(500)));
}
