//! `history` and `diff`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use underpin_tests::{Kubectl, Stack, shared, with_filters};

use super::{PASSWORD, holds_no_secret, says_no_secret, stored};

/// A Secret, and a ConfigMap into which the same secret was substituted.
fn manifest(level: &str, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: db }}\n\
         stringData: {{ password: \"${{password}}\" }}\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: app }}\n\
         data: {{ level: {level}, url: \"postgres://app:${{password}}@db/app\" }}\n{more}"
    )
}

fn map(name: &str) -> String {
    format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {name} }}\n")
}

fn stack(name: &str) -> Result<Stack> {
    let file = format!(
        "apiVersion: underpin.dev/v1\nkind: Stack\nmetadata: {{ name: {name} }}\nspec:\n  \
         sources: [{{ manifests: app.yaml, substitute: true }}]\n  environments:\n    \
         test: {{ namespace: {name}, secrets: {{ password: {{ file: password.txt }} }} }}\n"
    );
    let manifest = manifest("info", &map("old"));
    let files = [
        ("underpin.yaml", file.as_str()),
        ("app.yaml", manifest.as_str()),
        ("password.txt", PASSWORD),
    ];
    Stack::new(&shared()?.kubeconfig(), &files)
}

/// The text of what a revision applied, as it is stored.
fn unpacked(kubectl: &Kubectl, name: &str) -> Result<String> {
    let map = kubectl.get(&["configmap", name, "-n", "underpin-system"])?;
    let data = map["binaryData"]["revision"]
        .as_str()
        .context("a revision")?;
    let mut child = Command::new("sh")
        .args(["-c", "base64 -d | gzip -d"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().context("its input")?;
    input.write_all(data.as_bytes())?;
    drop(input);
    Ok(String::from_utf8(child.wait_with_output()?.stdout)?)
}

/// Two versions are deployed: the history tells of both, the difference shows what changed and no
/// secret, and of what the first revisions applied no more is kept than is said.
#[test]
fn runs_are_remembered_and_compared() -> Result<()> {
    let kubectl = Kubectl::new(shared()?);
    let project = stack("remembered")?;
    let nothing = project.expect(0, "history")?;
    assert!(
        nothing.stdout.starts_with("nothing is recorded"),
        "{}",
        nothing.transcript()
    );
    project.expect(1, "diff")?;

    says_no_secret(&project.expect(0, "up --yes")?);
    project.expect(1, "diff")?;
    project.declare(&manifest("debug", &map("new")))?;
    says_no_secret(&project.expect(0, "up --yes")?);
    let again = project.expect(0, "up --yes")?;
    assert!(
        again.stdout.contains("up to date"),
        "{}",
        again.transcript()
    );

    let history = project.expect(0, "history")?;
    let diff = project.expect(0, "diff")?;
    with_filters(&[], || {
        insta::assert_snapshot!("history", history.stdout);
        insta::assert_snapshot!("diff", diff.stdout);
    });
    for line in [
        "history -o json",
        "diff -o json",
        "diff 1 2",
        "diff 2 1",
        "plan",
    ] {
        says_no_secret(&project.expect(0, line)?);
    }
    let json: serde_json::Value =
        serde_json::from_str(&project.expect(0, "history -o json --limit 1")?.stdout)?;
    assert_eq!(json["schema"], "underpin.dev/history/v1");
    assert_eq!(
        (&json["total"], &json["revisions"][0]["revision"]),
        (&2.into(), &2.into())
    );
    let unknown = project.expect(1, "diff 7")?;
    assert!(
        unknown.stderr.contains("there are 1 to 2"),
        "{}",
        unknown.transcript()
    );

    let names = stored(&kubectl, "remembered")?;
    assert_eq!(names.len(), 3, "{names:?}");
    for name in names.iter().filter(|name| *name != "remembered.test") {
        let text = unpacked(&kubectl, name)?;
        assert!(text.contains("underpin.dev/revision/v1"), "{text}");
        holds_no_secret(name, &text);
    }
    Ok(())
}

/// A changed secret is told by its fingerprints, and neither the new value nor the old is shown.
#[test]
fn a_changed_secret_is_told_and_not_shown() -> Result<()> {
    let project = stack("rotated")?;
    project.expect(0, "up --yes")?;
    project.write("password.txt", "another-battery-staple")?;
    let plan = project.expect(0, "plan")?;
    says_no_secret(&plan);
    assert!(!plan.stdout.contains("battery"), "{}", plan.transcript());
    project.expect(0, "up --yes")?;
    let diff = project.expect(0, "diff")?;
    says_no_secret(&diff);
    assert!(!diff.stdout.contains("battery"), "{}", diff.transcript());
    for field in ["data.password: \"(secret ", "data.url: \"(secret "] {
        assert!(diff.stdout.contains(field), "{}", diff.transcript());
    }
    Ok(())
}

/// Of the newest revisions alone it is kept what they applied, and nothing when the claim is gone.
#[test]
fn no_more_is_kept_than_is_said() -> Result<()> {
    let kubectl = Kubectl::new(shared()?);
    let project = stack("capped")?;
    for level in 0..8 {
        project.declare(&manifest(&format!("level-{level}"), ""))?;
        project.expect(0, "up --yes")?;
    }
    // The head, the newest five, and what the last run made garbage of.
    let names = stored(&kubectl, "capped")?;
    assert!((6..=7).contains(&names.len()), "{names:?}");
    let diff = project.expect(0, "diff 4 8")?;
    assert!(
        diff.stdout.contains("\"level-3\" → \"level-7\""),
        "{}",
        diff.transcript()
    );
    let old = project.expect(1, "diff 1")?;
    assert!(
        old.stderr.contains("newest 5 revisions"),
        "{}",
        old.transcript()
    );
    project.expect(0, "down --yes")?;
    assert_eq!(stored(&kubectl, "capped")?, Vec::<String>::new());
    Ok(())
}
