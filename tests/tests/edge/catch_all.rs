//! R3.4: hosts that nothing is configured for.

use std::fs;

use anyhow::{Result, ensure};
use underpin_tests::Running;

use crate::stage::Stage;

/// Hosts that are asked for: one that nobody has, and none at all.
const UNKNOWN: &str = "unknown.example.net";

fn staged(more: &[&str]) -> Result<(Stage, Running)> {
    let stage = Stage::new()?;
    stage.kubectl.run(["create", "namespace", "shop"])?;
    stage
        .kubectl
        .create(&stage.service("shop", &["a.example.com"])?)?;
    fs::write(
        stage.folder().join("page.html"),
        "<p>{env.HOME} our own page\n",
    )?;
    fs::write(stage.folder().join("huge.html"), "x".repeat(1 << 20))?;
    let serve = stage.serve(more)?;
    stage.served_from("a.example.com", "shop")?;
    Ok((stage, serve))
}

/// R3.4: loud for every method and every header that asks for less.
#[test]
fn r3_4_every_request_for_an_unknown_host_is_told_so() -> Result<()> {
    let (stage, _serve) = staged(&[])?;
    let mut client = stage.client();
    let headers: [&[(&str, &str)]; 7] = [
        &[],
        &[("X-Forwarded-Proto", "http")],
        &[("X-Forwarded-Proto", "https")],
        &[("If-None-Match", "*")],
        &[("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT")],
        &[("Range", "bytes=0-3")],
        &[("Upgrade-Insecure-Requests", "1")],
    ];
    for method in [
        "GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PROPFIND",
    ] {
        for headers in headers {
            for path in ["/", "/index.html", "/.well-known/x?y=z"] {
                let answer = client.ask(method, UNKNOWN, path, headers)?;
                let what = format!("{method} {path} {headers:?}: {answer:?}");
                answer.is_the_page(method, &what)?;
            }
            // A configured host still gets its 200.
            let answer = client.ask(method, "a.example.com", "/", headers)?;
            ensure!(answer.status == 200, "{method} {headers:?}: {answer:?}");
        }
    }
    // Of no use to who guesses: the header of probes without its word.
    let guess = client.ask(
        "GET",
        "a.example.com",
        "/",
        &[("X-Underpin-Probe", "guess")],
    )?;
    ensure!(guess.status == 200, "{guess:?}");
    Ok(())
}

/// R3.4: the operator's page as it is, without what Caddy would fill in; the built-in one where that is
/// of no use.
#[test]
fn r3_4_the_page_is_the_operators() -> Result<()> {
    for (file, expected) in [
        ("page.html", "<p>{env.HOME} our own page\n"),
        ("huge.html", "No backend route is configured"),
        ("missing.html", "No backend route is configured"),
    ] {
        let (stage, _serve) = staged(&["--page", file])?;
        let answer = stage.client().ask("GET", UNKNOWN, "/", &[])?;
        ensure!(answer.status == 503, "{file}: {answer:?}");
        ensure!(answer.body.contains(expected), "{file}: {answer:?}");
    }
    Ok(())
}
