//! Entries on a real Caddy.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests: what is wrong here fails them"
)]

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use underpin_edge::Trials;
use underpin_route::{Block, Limits, Outcome, parse_entry};

fn trials() -> Trials {
    let caddy: PathBuf = underpin_testenv::caddy::find().unwrap();
    let limits = Limits {
        pages: "/etc/caddy/pages".to_owned(),
        edge: BTreeSet::from(["edge.proxy.svc".to_owned()]),
        ..Limits::default()
    };
    Trials::new(caddy, limits)
}

fn block(text: &str) -> Arc<Block> {
    let (mut items, defects) = parse_entry(text).unwrap();
    assert!(defects.is_empty(), "{defects:?}");
    Arc::new(items.remove(0).block)
}

fn site(body: &str) -> Arc<Block> {
    block(&format!("http://a.example.com {{\n{body}\n}}\n"))
}

fn shown(outcome: &Outcome) -> String {
    match outcome {
        Ok(_) => "taken".to_owned(),
        Err(reasons) => {
            let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            reasons.join("; ")
        }
    }
}

/// R3.3: what Caddy does not take, does not set up, or may not be used is refused, each for itself.
#[tokio::test]
async fn r3_3_each_entry_is_judged_on_its_own() {
    let mut trials = trials();
    let blocks = vec![
        site("reverse_proxy http://web.shop.svc.cluster.local:80\nimport gzip"),
        site("no_such_directive hunter2"),
        site("@bad path_regexp (\nrespond @bad 200\nrespond hunter2 200"),
        site("reverse_proxy 127.0.0.1:2019"),
        site("reverse_proxy edge.proxy.svc:80"),
        site("reverse_proxy http://web.shop.svc.cluster.local:80\nimport gzip"),
        block("handle_path /cart* {\n  reverse_proxy http://cart.shop.svc:80\n}\n"),
        site("templates"),
    ];
    let outcomes = trials.outcomes(&blocks).await.unwrap();
    let text: Vec<String> = outcomes.iter().map(shown).collect();
    insta::assert_snapshot!(text.join("\n"));
    assert!(!format!("{outcomes:?}").contains("hunter2"));
    // The same again comes to the same.
    trials.rest();
    let again = trials.outcomes(&blocks).await.unwrap();
    assert_eq!(again, outcomes);
}

/// R3.3: of many, those that cannot be set up are found, and the others live.
#[tokio::test]
async fn r3_3_of_many_the_bad_ones_are_found() {
    let mut trials = trials();
    let blocks: Vec<Arc<Block>> = (0..40)
        .map(|index| {
            if index % 17 == 3 {
                site(&format!("@bad path_regexp (\nrespond @bad {index}"))
            } else {
                site(&format!("respond ok{index} 200"))
            }
        })
        .collect();
    let outcomes = trials.outcomes(&blocks).await.unwrap();
    let bad: Vec<usize> = (0..40).filter(|index| outcomes[*index].is_err()).collect();
    assert_eq!(bad, [3, 20, 37]);
}

#[tokio::test]
async fn a_caddy_that_is_not_there_is_an_error_with_a_way_out() {
    let mut trials = Trials::new(PathBuf::from("/nonexistent/caddy"), Limits::default());
    let error = trials
        .outcomes(&[site("respond ok 200")])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("set UNDERPIN_CADDY"), "{error}");
    // Without an entry there is nothing to try.
    assert!(trials.outcomes(&[]).await.unwrap().is_empty());
}

/// R3.3: a path is taken from the folder of whoever names it, not from the one that Caddy is started in.
#[tokio::test]
async fn r3_3_a_caddy_by_a_path_from_here_is_started() {
    let program = underpin_testenv::caddy::find().unwrap();
    let here = std::env::current_dir().unwrap();
    let mut relative: PathBuf = here.components().skip(1).map(|_| "..").collect();
    relative.extend(program.components().skip(1));
    assert!(relative.is_relative() && relative.is_file());
    let mut trials = Trials::new(relative, Limits::default());
    let outcomes = trials.outcomes(&[site("respond ok 200")]).await.unwrap();
    assert!(outcomes[0].is_ok(), "{outcomes:?}");
}

/// R3.3: who has no rights does not enter the home of root, and Caddy may be there.
#[cfg(unix)]
#[tokio::test]
async fn r3_3_a_caddy_where_only_its_owner_enters_is_started_too() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let program = folder.path().join("caddy");
    std::fs::copy(underpin_testenv::caddy::find().unwrap(), &program).unwrap();
    let mut trials = Trials::new(program, Limits::default());
    let outcomes = trials.outcomes(&[site("respond ok 200")]).await.unwrap();
    assert!(outcomes[0].is_ok(), "{outcomes:?}");
}

/// R3.3: entries that Caddy did not finish with, because it was gone, are refused for now and tried again;
/// nothing is put down to them.
#[cfg(unix)]
#[tokio::test]
async fn r3_3_what_was_not_answered_is_tried_again() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("caddy");
    // Beside it, where it can be started by who has no rights.
    let real = folder.path().join("real");
    std::fs::copy(underpin_testenv::caddy::find().unwrap(), &real).unwrap();
    let write = |then: &str| {
        let text = format!("#!/bin/sh\n{} \"$@\" {then}\n", real.display());
        std::fs::write(&program, text).unwrap();
        for path in [folder.path(), program.as_path()] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    };
    // It lives too shortly for so many.
    write("& /bin/sleep 0.3; kill -9 $!");
    let mut trials = Trials::new(program.clone(), Limits::default());
    let blocks: Vec<Arc<Block>> = (0..2_000)
        .map(|index| site(&format!("respond ok{index} 200")))
        .collect();
    let outcomes = trials.outcomes(&blocks).await.unwrap();
    let unanswered = |outcome: &&Outcome| shown(outcome).contains("is tried again");
    let refused = outcomes.iter().filter(|outcome| outcome.is_err());
    let refused: Vec<&Outcome> = refused.collect();
    assert!(!refused.is_empty(), "Caddy was fast");
    assert!(refused.iter().all(unanswered), "{:?}", refused[0]);
    trials.rest();
    write("");
    let outcomes = trials.outcomes(&blocks).await.unwrap();
    assert!(outcomes.iter().all(Result::is_ok));
}
