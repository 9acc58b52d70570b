//! Unknown is not absent: what cannot be read is not said to be missing.

use anyhow::Result;
use serde_json::Value;
use underpin_tests::{Action, Kubectl, Proxy, Stack, shared};

const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: { name: password }\nstringData: { password: not-to-be-seen }\n";

/// Lists of Secrets are refused, applying them is not.
#[test]
fn a_secret_that_cannot_be_listed_is_not_taken_for_absent() -> Result<()> {
    let proxy = Proxy::start(shared()?)?;
    let project = Stack::single("unseen", &proxy.kubeconfig(), SECRET)?;
    project.expect(0, "up --yes")?;
    proxy.policy(|request| {
        if request.method == "GET" && request.path.ends_with("/secrets") {
            Action::FORBIDDEN
        } else {
            Action::Pass
        }
    });
    let plan = project.expect(0, "plan")?;
    assert!(
        plan.stdout.contains(
            "? apply secret/unseen/password: is recorded and could not be read: what changes is \
             unknown"
        ),
        "{}",
        plan.transcript()
    );
    assert!(plan.stdout.contains("1 to apply with unknown effect"));
    let json: Value = serde_json::from_str(&project.expect(0, "plan --output json")?.stdout)?;
    let step = &json["steps"].as_array().unwrap()[1];
    assert_eq!(step["object"], "secret/unseen/password");
    assert!(step["unseen"].as_str().unwrap().contains("list secrets"));
    assert_eq!(step["unvalidated"]["why"], "no-answer");
    // It is ours all the same: the claim and the stamp say so, and a change of it is applied.
    project.declare(&SECRET.replace("not-to-be-seen", "changed-unseen"))?;
    let up = project.expect(0, "up --yes")?;
    assert!(!up.transcript().contains("-unseen"), "{}", up.transcript());
    let secret = Kubectl::new(shared()?).get(&["secret", "password", "--namespace", "unseen"])?;
    assert_eq!(secret["data"]["password"], "Y2hhbmdlZC11bnNlZW4=");
    // Its removal is not done on a guess, and nothing else waits for it.
    project.declare("apiVersion: v1\nkind: ConfigMap\nmetadata: { name: other }\n")?;
    let up = project.expect(0, "up --yes")?;
    assert!(
        up.transcript()
            .contains("keep secret/unseen/password: could not be read"),
        "{}",
        up.transcript()
    );
    Ok(())
}
