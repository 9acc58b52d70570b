//! `underpin routes check`.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::json;

use crate::harness::{Run, check, fixtures, underpin_in};

/// In the fixture, on a machine without Caddy.
fn underpin(fixture: &str, arguments: &str) -> Run {
    crate::harness::underpin(fixture, arguments).env("PATH", "/nonexistent")
}

#[test]
fn files() {
    let all = "routes check k8s terraform";
    check("routes_files", 3, underpin("routes", all));
    for output in ["json", "sarif", "github"] {
        let name = format!("routes_files_{output}");
        let run = underpin("routes", &format!("{all} --output {output}"));
        check(&name, 3, run);
    }
    let shown = underpin("routes", "routes check k8s/shop.yaml --show-suppressed");
    check("routes_suppressed", 3, shown);
}

/// R3.6: what an entry says is in no form of the output, nor of that of `check`.
#[test]
fn r3_6_no_form_shows_an_entry() {
    for command in ["routes check k8s", "check k8s"] {
        for output in ["text", "json", "sarif", "github"] {
            let run = underpin("routes", &format!("{command} --output {output}")).end();
            let all = format!("{}{}", run.stdout, run.stderr);
            assert!(!all.contains("hunter2"), "{command} {output}: {all}");
        }
    }
}

/// R3.1: of two that are live, the later one serves; what is only declared will be later still.
#[test]
fn r3_1_against_what_is_live() {
    let live = underpin("routes", "routes check --against live.yaml");
    check("routes_live", 0, live);
    let strict = underpin(
        "routes",
        "routes check --against live.yaml --strict --output json",
    );
    check("routes_live_json", 7, strict);
    let over = underpin("routes", "routes check k8s/copies.yaml --against live.yaml");
    check("routes_files_over_live", 0, over);
}

/// What was cut off a dump is not taken for what is not there.
#[test]
fn a_dump_that_was_cut() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read_to_string(fixtures().join("routes/live.yaml")).unwrap();
    let cut = format!("{whole}---\napiVersion: v1\nkind: Servi");
    fs::write(folder.path().join("cut.yaml"), cut).unwrap();
    let arguments = ["routes", "check", "--against", "cut.yaml"];
    check("routes_cut_dump", 1, underpin_in(folder.path(), &arguments));
}

#[test]
fn other_annotations() {
    let run = underpin(
        "routes",
        "routes check k8s/copies.yaml --annotation example.com/entry",
    );
    check("routes_other_annotation", 0, run);
}

/// R3.4: configurations that let unknown hosts pass for known ones.
#[test]
fn r3_4_configurations() {
    let run = underpin("routes", "routes check --config edge.json");
    check("routes_config", 3, run);
    let run = underpin("routes", "routes check --config loud.json");
    check("routes_config_loud", 0, run);
    let run = underpin(
        "routes",
        "routes check k8s/copies.yaml --config edge.json --output sarif",
    );
    check("routes_config_sarif", 3, run);
}

#[test]
fn what_is_no_configuration() {
    for name in ["cut.json", "another.json", "missing.json"] {
        let run = underpin("routes", &format!("routes check --config {name}"));
        check(&format!("routes_config_{}", name.replace('.', "_")), 1, run);
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("edge.json"), b"{\"apps\": \"\xff\"}").unwrap();
    let run = underpin_in(folder.path(), &["routes", "check", "--config", "edge.json"]);
    check("routes_config_not_utf8", 1, run);
}

#[test]
fn a_caddyfile_takes_caddy() {
    let run = underpin(
        "routes",
        "routes check --config Caddyfile --caddy no-such-caddy",
    );
    check("routes_config_no_caddy", 1, run);
    let run = underpin("routes", "routes check --config Caddyfile");
    let run = run.env("UNDERPIN_CADDY", "no-such-caddy");
    check("routes_config_no_caddy_of_the_environment", 1, run);
    let folder = tempfile::tempdir().unwrap();
    fs::copy(
        fixtures().join("routes/Caddyfile"),
        folder.path().join("Caddyfile"),
    )
    .unwrap();
    let adapted =
        json!({"apps": {"http": {"servers": {"srv0": {"listen": [":80"], "routes": []}}}}});
    for (name, script, code) in [
        ("takes", format!("cat <<'E'\n{adapted}\nE\n"), 3),
        (
            "refuses",
            "echo 'Caddyfile:1: hunter2' >&2\nexit 1\n".to_owned(),
            1,
        ),
    ] {
        let program = folder.path().join("caddy");
        fs::write(&program, format!("#!/bin/sh\n{script}")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let arguments = [
            "routes",
            "check",
            "--config",
            "Caddyfile",
            "--caddy",
            "./caddy",
        ];
        let run = underpin_in(folder.path(), &arguments);
        let run = run.env("PATH", "/usr/bin:/bin");
        check(&format!("routes_caddy_{name}"), code, run);
    }
}

#[test]
fn usage() {
    check(
        "routes_nothing_named",
        2,
        underpin("routes", "routes check"),
    );
    check(
        "routes_no_such_path",
        1,
        underpin("routes", "routes check nope"),
    );
    check("routes_alone", 2, underpin("routes", "routes"));
}

/// R3.3: ten thousand entries, of which one is bad, one is a megabyte long and two clash.
#[test]
fn r3_3_ten_thousand_entries() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for n in 0..10_000 {
        let host = if n == 7_000 { 6_999 } else { n };
        let namespace = n % 100;
        let more = match n {
            5_000 => "}".to_owned(),
            6_000 => format!("# {}", "x".repeat(1024 * 1024)),
            _ => String::new(),
        };
        text.push_str(&format!(
            "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: web-{n}\n  namespace: \
             ns-{namespace}\n  annotations:\n    underpin.dev/route: |\n      \
             http://h{host}.example.com {{\n        reverse_proxy \
             http://web-{n}.ns-{namespace}.svc.cluster.local:80\n      }}\n      {more}\nspec:\n  \
             ports: [{{port: 80}}]\n"
        ));
    }
    fs::write(folder.path().join("all.yaml"), text).unwrap();
    let run = underpin_in(folder.path(), &["routes", "check", "all.yaml"]);
    let run = run.env("PATH", "/nonexistent").end();
    assert_eq!(run.code, 3, "{}", run.stderr);
    let found: Vec<&str> = run
        .stdout
        .lines()
        .filter(|line| line.starts_with("blocked") || line.starts_with("warning"))
        .collect();
    assert_eq!(
        found,
        [
            "blocked UP204 service/ns-0/web-5000",
            "blocked UP204 service/ns-0/web-6000",
            "warning UP201 service/ns-99/web-6999",
        ],
        "{}",
        run.stdout
    );
    assert!(run.stdout.len() < 8_000, "{}", run.stdout.len());
}
