use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::Value;
use underpin_testenv::skopeo;

use crate::{
    push,
    scene::{Scene, going},
};

const BOTH: &[&str] = &["--context", "production", "--context", "staging"];
const REPOSITORIES: [&str; 4] = [
    "kotkan/cms-plugins",
    "kotkan/web",
    "kotkan/builder",
    "kotkan/report",
];

/// R4.2 to R4.4: two runs, a plan, and what it names is gone; all that is kept can be pulled, with every
/// platform. Then it is put back, and can be pulled as it was.
#[test]
fn r4_2_what_is_kept_can_be_pulled_and_what_is_gone_comes_back() -> Result<()> {
    let scene = Scene::new()?;
    let before = pulled(&scene)?;
    scene.document(BOTH)?;
    let plan = scene.document(&[BOTH, &["--out", "plan.json"]].concat())?;
    let going = going(&plan);
    assert_eq!(going.len(), 5, "{plan:#}");
    let reaped = document(&scene, "reap", &[&["plan.json", "--yes"], BOTH].concat())?;
    assert_eq!(
        (&reaped["exit"], &reaped["stopped"], &reaped["kept"]),
        (&0.into(), &Value::Null, &Value::Array(Vec::new())),
        "{reaped:#}"
    );
    let mut kept = before.clone();
    kept.retain(|name, _| !going.contains(name));
    assert_eq!(pulled(&scene)?, kept);
    let restored = document(&scene, "restore", &["--yes"])?;
    assert_eq!(restored["exit"], 0, "{restored:#}");
    assert_eq!(pulled(&scene)?, before);
    Ok(())
}

/// R4.3: a cluster that does not answer when it comes to deleting.
#[test]
fn r4_3_a_cluster_that_does_not_answer_by_then_deletes_nothing() -> Result<()> {
    let scene = Scene::new()?;
    let before = pulled(&scene)?;
    scene.document(BOTH)?;
    scene.document(&[BOTH, &["--out", "plan.json"]].concat())?;
    let arguments = [&["plan.json", "--yes", "--context", "edge"], BOTH].concat();
    let reaped = document(&scene, "reap", &arguments)?;
    assert_eq!(reaped["exit"], 1, "{reaped:#}");
    assert_eq!(pulled(&scene)?, before);
    Ok(())
}

fn document(scene: &Scene, command: &str, arguments: &[&str]) -> Result<Value> {
    let output = scene.images(command, &[arguments, &["--output", "json"]].concat())?;
    serde_json::from_str(&output.stdout).with_context(|| output.transcript())
}

/// Every tag with its manifest, as an independent puller finds them; with all platforms and layers.
fn pulled(scene: &Scene) -> Result<BTreeMap<String, String>> {
    let host = scene.registry.host();
    let folder = tempfile::tempdir().context("a folder for images")?;
    let mut pulled = BTreeMap::new();
    for repository in REPOSITORIES {
        for tag in push::tags(&host, repository) {
            let from = format!("docker://{host}/{repository}:{tag}");
            let name = format!("{}-{tag}", repository.replace('/', "-"));
            let to = folder.path().join(name);
            let into = format!("dir:{}", to.display());
            skopeo::run(["copy", "--all", "--src-tls-verify=false", &from, &into])?;
            let manifest = std::fs::read_to_string(to.join("manifest.json"))?;
            pulled.insert(format!("{repository}:{tag}"), manifest);
        }
    }
    Ok(pulled)
}
