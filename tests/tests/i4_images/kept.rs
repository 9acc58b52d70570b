use std::fs;

use anyhow::Result;

use crate::scene::{Scene, going, reasons};

const BOTH: &[&str] = &["--context", "production", "--context", "staging"];

/// R4.1: what suspended releases, policies, pins, Jobs, Secrets and declared files need stays, and it is
/// said why; a cleaner that knows only what runs takes the tags.
#[test]
fn r4_1_what_suspended_releases_will_need_is_kept() -> Result<()> {
    let scene = Scene::new()?;
    let lost = scene.lost_by_live_pods()?;
    for tag in ["production", "staging"] {
        let name = format!("kotkan/cms-plugins:{tag}");
        assert!(lost.contains(&name), "{lost:?}");
    }
    // The first run finds what nothing needs, and takes nothing.
    let first = scene.document(BOTH)?;
    assert_eq!(
        (going(&first), &first["exit"]),
        (Vec::new(), &0.into()),
        "{first:#}"
    );
    let second = scene.document(BOTH)?;
    assert_eq!(
        going(&second),
        [
            "kotkan/cms-plugins:0.1.40",
            "kotkan/cms-plugins:0.1.41",
            "kotkan/cms-plugins:0.1.42",
            "kotkan/report:2.0.0",
            "kotkan/web:0.9.0",
        ]
    );
    for (repository, tag, why) in [
        (
            "kotkan/cms-plugins",
            "staging",
            "a suspended HelmRelease needs it at its resume",
        ),
        ("kotkan/cms-plugins", "staging", "an ImagePolicy selects it"),
        (
            "kotkan/cms-plugins",
            "production",
            "a suspended HelmRelease needs it at its resume",
        ),
        ("kotkan/cms-plugins", "production", "a pin keeps it"),
        ("kotkan/web", "1.0.0", "a pin keeps it"),
        ("kotkan/web", "1.1.0", "a job runs it"),
        ("kotkan/web", "1.2.0", "a pod runs it"),
        ("kotkan/builder", "1.0.0", "a Secret holds its name"),
        ("kotkan/report", "3.0.0", "a declared manifest names it"),
    ] {
        let said = reasons(&second, repository, tag);
        assert!(
            said.iter().any(|one| one.starts_with(why)),
            "{repository}:{tag} {said:?}"
        );
    }
    let text = second.to_string();
    assert!(!text.contains("hunter2"));
    Ok(())
}

/// R4.5: a release before its resume: all is there; one platform is gone; the tag is.
#[test]
fn r4_5_whether_a_suspended_release_would_find_its_images() -> Result<()> {
    let scene = Scene::new()?;
    let release = "kotkan/cms-plugins-staging";
    let asked = &[release, "--context", "production", "--no-cleaner"];
    let ready = scene.golive(asked)?;
    assert_eq!(ready.code, Some(0), "{}", ready.transcript());
    scene.lose("cms-plugins 44 arm64");
    let half = scene.golive(asked)?;
    assert_eq!(half.code, Some(3), "{}", half.transcript());
    assert!(
        half.stdout.contains("is not there: a pull would fail"),
        "{}",
        half.transcript()
    );
    scene.lose_tag("staging");
    let gone = scene.golive(asked)?;
    assert_eq!(gone.code, Some(3), "{}", gone.transcript());
    for told in ["there is no tag", "the image policy selects none"] {
        assert!(gone.stdout.contains(told), "{}", gone.transcript());
    }
    Ok(())
}

/// R4.3: of a cluster that does not answer, nobody knows what it needs.
#[test]
fn r4_3_one_cluster_of_three_that_does_not_answer_stops_everything() -> Result<()> {
    let scene = Scene::new()?;
    scene.document(BOTH)?;
    let frozen = [BOTH, &["--out", "plan.json"]].concat();
    scene.document(&frozen)?;
    assert!(scene.has("plan.json"));
    let all = [&frozen[..], &["--context", "edge"]].concat();
    let stopped = scene.document(&all)?;
    assert_eq!(going(&stopped), Vec::<String>::new());
    assert_eq!(stopped["exit"], 1);
    let stops = stopped["stops"].to_string();
    assert!(
        stops.contains("context edge could not be read completely"),
        "{stops}"
    );
    // No older consent is left.
    assert!(!scene.has("plan.json"));
    Ok(())
}

/// R4.3: a page of the registry that is not answered.
#[test]
fn r4_3_a_page_that_is_not_answered_stops_everything() -> Result<()> {
    let scene = Scene::new()?;
    scene.document(BOTH)?;
    assert_ne!(going(&scene.document(BOTH)?), Vec::<String>::new());
    let storage = scene
        .registry
        .storage()
        .join("docker/registry/v2/repositories/kotkan/web");
    let tags = storage.join("_manifests/tags");
    fs::rename(&tags, storage.join("_manifests/kept"))?;
    fs::write(&tags, "no folder")?;
    let stopped = scene.document(BOTH)?;
    assert_eq!(going(&stopped), Vec::<String>::new(), "{stopped:#}");
    assert_eq!(stopped["exit"], 1);
    let stops = stopped["stops"].to_string();
    assert!(stops.contains("the tags of kotkan/web"), "{stops}");
    Ok(())
}
