//! R5.3: a change of a policy that takes away what somebody else still needs.

use anyhow::Result;
use underpin_tests::{Kubectl, shared, with_filters};

use crate::database::{consumer, database, with_policy};

/// What `up` does besides: nothing here runs.
const UP: &str = "up --yes --wait=false";

#[test]
fn r5_3_a_consumer_that_is_dropped_from_a_list_blocks_the_plan() -> Result<()> {
    let cluster = shared()?;
    let (stack, docs, app) = ("i5-postgres", "i5-docs", "i5-app");
    consumer(cluster, docs, stack)?;
    consumer(cluster, app, stack)?;
    let project = database(cluster, stack, &[app, docs])?;
    project.expect(0, UP)?;
    let live =
        || Kubectl::new(cluster).get(&["networkpolicy", "default-deny-ingress", "-n", stack]);
    let before = live()?;

    project.declare(&with_policy(&[app, "monitoring"]))?;
    let planned = project.expect(3, "plan")?;
    with_filters(&[], || {
        insta::assert_snapshot!("dropped", planned.stdout);
    });
    let subject = format!("deployment.apps/{docs}/api:service/{stack}/pal-e-postgres-rw:5432");
    let finding = format!("UP406 {subject}");
    assert!(
        planned.stdout.contains(&finding),
        "{}",
        planned.transcript()
    );
    // Of one need, one rule speaks, and the consumer that stays is no matter.
    assert!(
        !planned.stdout.contains("UP401"),
        "{}",
        planned.transcript()
    );
    assert!(
        !planned.stdout.contains(&format!("{app}/api")),
        "{}",
        planned.transcript()
    );
    project.expect(3, UP)?;
    assert_eq!(
        live()?["spec"],
        before["spec"],
        "a blocked run changes nothing"
    );

    // The mended list passes, whatever else is new in it.
    project.declare(&with_policy(&[app, docs, "monitoring"]))?;
    project.expect(0, "plan")?;

    // Who takes the responsibility says so by name.
    project.declare(&with_policy(&[app]))?;
    let accept = format!("UP406:{subject}");
    let accepted = [
        "--accept",
        accept.as_str(),
        "--reason",
        "docs moves out today",
    ];
    project.expect_with(0, UP, &accepted)?;
    assert_ne!(live()?["spec"], before["spec"]);
    // What is refused by now is a standing warning, and stops nothing.
    project.declare(&with_policy(&[app, "monitoring"]))?;
    let later = project.expect(0, "plan")?;
    assert!(
        later.stdout.contains(&format!("UP401 {subject}")),
        "{}",
        later.transcript()
    );
    Ok(())
}

#[test]
fn r5_2_a_workload_that_newly_needs_what_is_refused_blocks_its_plan() -> Result<()> {
    let cluster = shared()?;
    let (stack, other) = ("i5-closed", "i5-other");
    consumer(cluster, other, "nowhere")?;
    database(cluster, stack, &[other])?.expect(0, UP)?;
    let url = format!("pal-e-postgres-rw.{stack}.svc.cluster.local:5432");
    let manifest = format!(
        "\
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: web }}
spec:
  selector: {{ matchLabels: {{ app: web }} }}
  template:
    metadata: {{ labels: {{ app: web }} }}
    spec:
      containers:
        - name: main
          image: registry.example.org/web:1
          args: [\"--database=postgresql://{url}/web\"]
"
    );
    let shop = underpin_tests::Stack::single("i5-shop", &cluster.kubeconfig(), &manifest)?;
    let planned = shop.expect(3, "plan")?;
    let subject = format!("deployment.apps/i5-shop/web:service/{stack}/pal-e-postgres-rw:5432");
    let finding = format!("UP401 {subject}");
    assert!(
        planned.stdout.contains(&finding),
        "{}",
        planned.transcript()
    );
    Ok(())
}
