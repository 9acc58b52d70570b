//! Caddy is started anew, or told something by somebody else.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use underpin_tests::terminate;

use crate::stage::Stage;

/// After this time it has been looked at what Caddy runs.
const LOOKED: Duration = Duration::from_secs(7);

/// R3.2: Caddy boots from the last good document, whether or not the cluster can be read, and one that
/// does not is given it again.
#[test]
fn r3_2_caddy_boots_from_the_last_good_document() -> Result<()> {
    let mut stage = Stage::new()?;
    stage.kubectl.run(["create", "namespace", "shop"])?;
    stage
        .kubectl
        .create(&stage.service("shop", &["a.example.com"])?)?;
    let serve = stage.serve(&[])?;
    stage.served_from("a.example.com", "shop")?;
    stage.metric_is("routes_live", |number| number == 1)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(stage.document())?.permissions().mode();
        ensure!(mode & 0o777 == 0o600, "{mode:o}");
    }
    stage.cluster.stop_apiserver();
    stage.metric_is("sources_unread", |number| number > 0)?;
    // From the document.
    stage.start_caddy("edge/caddy.json")?;
    stage.served_from("a.example.com", "shop")?;
    thread::sleep(LOOKED);
    let drifts = stage.metric("drifts_total")?;
    ensure!(drifts == 0, "{drifts}");
    // From something else.
    stage.start_caddy("stub.json")?;
    stage.served_from("a.example.com", "shop")?;
    stage.metric_is("drifts_total", |number| number == 1)?;
    // Without the program, too, and by a program that is started while the cluster is away.
    terminate(serve.id()?)?;
    let ended = serve.wait()?;
    ensure!(ended.code == Some(0), "{ended:?}");
    stage.start_caddy("edge/caddy.json")?;
    stage.served_from("a.example.com", "shop")?;
    stage.start_caddy("stub.json")?;
    let _again = stage.serve(&[])?;
    stage.served_from("a.example.com", "shop")?;
    stage.metric_is("ready", |number| number == 1)
}

/// R3.2: what cannot be kept on the disk is not served, for it would be gone with the next start; nor does the
/// program end by that. Once it can be kept, it is served.
#[test]
fn r3_2_what_cannot_be_kept_is_not_served() -> Result<()> {
    let stage = Stage::new()?;
    for namespace in ["shop", "other"] {
        stage.kubectl.run(["create", "namespace", namespace])?;
    }
    stage
        .kubectl
        .create(&stage.service("shop", &["a.example.com"])?)?;
    let serve = stage.serve(&[])?;
    stage.metric_is("routes_live", |number| number == 1)?;
    let (document, aside) = (stage.document(), stage.folder().join("aside"));
    fs::rename(&document, &aside)?;
    // Nothing takes the place of a folder with something in it.
    fs::create_dir(&document)?;
    fs::write(document.join("file"), "")?;
    stage
        .kubectl
        .create(&stage.service("other", &["b.example.com"])?)?;
    stage.metric_is("failures_total", |number| number > 1)?;
    stage.served_from("a.example.com", "shop")?;
    ensure!(stage.metric("routes_live")? == 1, "it is said to be served");
    fs::remove_dir_all(&document)?;
    fs::rename(&aside, &document)?;
    stage.served_from("b.example.com", "other")?;
    stage.metric_is("routes_live", |number| number == 2)?;
    terminate(serve.id()?)?;
    ensure!(serve.wait()?.code == Some(0), "it ended by itself");
    Ok(())
}

/// R3.7: the same document, written once.
#[test]
fn r3_7_render_writes_what_caddy_boots_from() -> Result<()> {
    let mut stage = Stage::new()?;
    let blocked = stage.program().run(stage.args("render"))?;
    ensure!(blocked.code == Some(3), "{}", blocked.transcript());
    ensure!(
        !stage.document().exists(),
        "a document without routes was written"
    );
    stage.kubectl.run(["create", "namespace", "shop"])?;
    stage
        .kubectl
        .create(&stage.service("shop", &["a.example.com"])?)?;
    let rendered = stage.program().run(stage.args("render"))?;
    ensure!(rendered.code == Some(0), "{}", rendered.transcript());
    stage.start_caddy("edge/caddy.json")?;
    stage.served_from("a.example.com", "shop")?;
    stage.on_the_page("b.example.com")?;
    // The cluster is away: nothing is written, and an init container may go on.
    let before = fs::read(stage.document())?;
    stage.cluster.stop_apiserver();
    let failed = stage.program().run(stage.args("render"))?;
    ensure!(failed.code == Some(1), "{}", failed.transcript());
    let mut args = stage.args("render");
    args.push("--keep-last".to_owned());
    let kept = stage.program().run(args)?;
    ensure!(kept.code == Some(0), "{}", kept.transcript());
    ensure!(fs::read(stage.document())? == before, "it was written");
    stage.served_from("a.example.com", "shop")
}
