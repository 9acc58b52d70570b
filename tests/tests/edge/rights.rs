//! R3.2: what cannot be read, for want of a right or of an answer.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use underpin_tests::{Action, Proxy, Underpin, caddy, terminate};

use crate::stage::Stage;

/// After this time what was decided is published.
const PUBLISHED: Duration = Duration::from_secs(3);

/// The rights that the manifests give.
fn rights() -> Result<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/edge/edge.yaml");
    let text = fs::read_to_string(path).context(path)?;
    let is_right = |document: &&str| {
        let kinds = [
            "Namespace",
            "ClusterRole",
            "ClusterRoleBinding",
            "Role",
            "RoleBinding",
        ];
        let lines: Vec<&str> = document.lines().collect();
        kinds
            .iter()
            .any(|kind| lines.contains(&format!("kind: {kind}").as_str()))
    };
    let rights: Vec<&str> = text.split("---\n").filter(is_right).collect();
    ensure!(rights.len() == 6, "{rights:#?}");
    Ok(rights.join("---\n"))
}

/// R3.2, R3.6: with the rights of the manifests it serves; without them nothing is published, the last
/// good document stays, and that is loud.
#[test]
fn r3_2_without_rights_the_last_good_document_stays() -> Result<()> {
    let mut stage = Stage::new()?;
    stage.kubectl.apply("test", &rights()?)?;
    stage.kubectl.run(["create", "namespace", "shop"])?;
    stage
        .kubectl
        .create(&stage.service("shop", &["a.example.com"])?)?;
    let path = stage.folder().join("kubeconfig-of-the-edge");
    let user = stage.cluster.user("system:serviceaccount:proxy:edge")?;
    user.write(&path)?;
    let program = Underpin::new(stage.folder(), &path)?.env("UNDERPIN_CADDY", caddy::find()?);
    stage.use_program(program);
    let serve = stage.serve(&[])?;
    stage.served_from("a.example.com", "shop")?;
    stage.metric_is("sources_unread", |number| number == 0)?;
    terminate(serve.id()?)?;
    serve.wait()?;
    stage
        .kubectl
        .run(["delete", "clusterrolebinding", "underpin-edge"])?;
    stage.kubectl.run(["create", "namespace", "other"])?;
    stage
        .kubectl
        .create(&stage.service("other", &["b.example.com"])?)?;
    let before = fs::read(stage.document())?;
    let serve = stage.serve(&[])?;
    stage.metric_is("sources_unread", |number| number > 0)?;
    let (_, text) = stage.question("/readyz")?;
    ensure!(
        text.contains("forbidden") || text.contains("may not"),
        "{text}"
    );
    stage.on_the_page("b.example.com")?;
    stage.served_from("a.example.com", "shop")?;
    ensure!(fs::read(stage.document())? == before, "it was written");
    let rendered = stage.program().run(stage.args("render"))?;
    ensure!(rendered.code == Some(1), "{}", rendered.transcript());
    ensure!(fs::read(stage.document())? == before, "it was written");
    drop(serve);
    Ok(())
}

/// R3.2: whose objects are is not known while the claims cannot be read; they are read again.
#[test]
fn r3_2_claims_that_cannot_be_read_are_read_again() -> Result<()> {
    let mut stage = Stage::new()?;
    stage.kubectl.run(["create", "namespace", "shop"])?;
    stage
        .kubectl
        .create(&stage.service("shop", &["a.example.com"])?)?;
    let proxy = Proxy::start(&stage.cluster)?;
    proxy.policy(|request| {
        if request.path.ends_with("/configmaps") {
            Action::FORBIDDEN
        } else {
            Action::Pass
        }
    });
    let program = Underpin::new(stage.folder(), &proxy.kubeconfig())?;
    stage.use_program(program.env("UNDERPIN_CADDY", caddy::find()?));
    let _serve = stage.serve(&[])?;
    stage.metric_is("sources_unread", |number| number == 1)?;
    thread::sleep(PUBLISHED);
    ensure!(!stage.document().exists(), "it was published all the same");
    proxy.policy(|_| Action::Pass);
    stage.served_from("a.example.com", "shop")
}
