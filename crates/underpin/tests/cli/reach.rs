//! `reach` on files, dumps and revisions: one question, everybody, needs, and what a change does.

use std::{fs, path::Path, process::Command};

use crate::harness::{Ended, check, fixtures, underpin, underpin_in};

#[track_caller]
fn reach(name: &str, code: i32, fixture: &str, arguments: &str) -> Ended {
    check(
        &format!("reach_{name}"),
        code,
        underpin(fixture, &format!("reach {arguments}")),
    )
}

/// R5.5: allowed or not, and by which rule, line by line, both ways.
#[test]
fn one_question_is_explained() {
    let ask = |name: &str, code, arguments: &str| {
        reach(name, code, "reach", &format!("{arguments} --against shop"))
    };
    ask("allowed", 0, "shop/api data/postgres:5432");
    ask("refused", 0, "shop/web data/postgres:sql");
    ask("service", 0, "shop/web service/shop/api:80");
    ask("all_ports", 0, "deploy/shop/web shop/api");
    ask("all_ports_of_a_service", 0, "shop/web service/shop/api");
    ask(
        "from_an_undeclared_namespace",
        0,
        "namespace/monitoring data/postgres:9187",
    );
    ask("to_an_address", 0, "shop/api 203.0.113.7:443");
    ask("to_a_host", 0, "shop/api api.example.com:443");
    ask("ingress", 0, "ingress shop/api:8080");
    ask("a_namespace", 0, "shop data:5432");
    ask("json", 0, "shop/web data/postgres:5432 -o json");
}

/// R5.5: what a network of OVN-Kubernetes keeps apart, and which one it is, with its place.
#[test]
fn networks_are_named() {
    let ask = |name: &str, code, arguments: &str| {
        let name = format!("networks_{name}");
        reach(
            &name,
            code,
            "networks",
            &format!("{arguments} --against networks"),
        )
    };
    ask("refused", 0, "blue/web green/web:80");
    ask("json", 0, "blue/web green/web:80 -o json");
    ask("unknown", 0, "plain/web waiting/web:80");
    ask("all", 0, "--exposure");
    ask("csv", 0, "-o csv");
    ask("needs", 3, "--show-needs");
}

/// For scripts: an expectation that is not met is exit code 3.
#[test]
fn an_expectation_is_an_exit_code() {
    let expect = |code, arguments: &str| {
        let run = underpin("reach", &format!("reach {arguments} --against shop"));
        let ended = run.end();
        assert_eq!(ended.code, code, "{}", ended.transcript());
    };
    expect(0, "shop/api data/postgres:5432 --expect allowed");
    expect(3, "shop/api data/postgres:5432 --expect refused");
    expect(3, "shop/web data/postgres:5432 --expect allowed");
    expect(0, "shop/web data/postgres:5432 --expect refused");
    expect(
        3,
        "namespace/nowhere data/postgres:5432/udp --expect allowed",
    );
    expect(2, "shop/web --expect allowed");
}

/// Everybody to everybody, in every form.
#[test]
fn everybody_is_listed() {
    for format in ["text", "json", "csv", "dot", "html"] {
        reach(
            &format!("list_{format}"),
            0,
            "reach",
            &format!("--against shop -o {format}"),
        );
    }
    reach("list_of_one", 0, "reach", "shop/api --against shop");
    reach(
        "list_of_a_stranger",
        0,
        "reach",
        "namespace/monitoring --against shop",
    );
    reach("exposure", 0, "reach", "--exposure --against shop");
}

/// A list of many is told in few words, and at once.
#[test]
fn a_thousand_workloads_are_listed_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for namespace in 0..20 {
        for pod in 0..50 {
            text.push_str(&format!(
                "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: p{pod}, namespace: n{namespace}, \
                 labels: {{app: a{pod}}}}}, spec: {{containers: [{{name: a}}]}}}}\n"
            ));
        }
        text.push_str(&format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n\
             metadata: {{name: own, namespace: n{namespace}}}\nspec:\n  podSelector: {{}}\n  \
             ingress: [{{from: [{{podSelector: {{}}}}], ports: [{{port: 80}}]}}]\n"
        ));
    }
    fs::write(folder.path().join("all.yaml"), text).unwrap();
    for (format, lines) in [("text", 140), ("csv", 55_000), ("html", 10_000)] {
        let arguments = ["reach", "--against", "all.yaml", "-o", format];
        let ended = underpin_in(folder.path(), &arguments).end();
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let told = ended.stdout.lines().count();
        assert!(told < lines, "{format}: {told} lines");
    }
}

#[test]
fn it_is_not_clear_what_is_asked() {
    let ask = |name: &str, arguments: &str| {
        reach(name, 1, "reach", &format!("{arguments} --against shop"));
    };
    ask("nearly_the_name", "shop/wbe data/postgres:5432");
    ask("another_namespace", "shop/postgres");
    ask("no_such_port", "shop/web data/postgres:70000");
    ask("service_as_source", "service/shop/api data/postgres:5432");
    ask("ports_not_known", "shop/web service/data/nothing");
    ask("form_of_lists", "shop/web shop/api -o dot");
    reach("nothing_there", 1, "reach", "--against nowhere.yaml");
    reach("nothing_readable", 1, "reach", "--against nothing");
    reach("three_dots", 2, "reach", "--changed a...b");
    reach("json_error", 1, "reach", "shop/wbe --against shop -o json");
}

/// Broken files beside good ones: each is told with its place, and the rest is judged.
#[test]
fn what_is_broken_leaves_the_rest() {
    reach(
        "broken",
        0,
        "reach",
        "shop/api shop/web:80 --against broken",
    );
    reach("broken_list", 0, "reach", "--against broken");
    let run = underpin("reach", "reach --against -").input("kind: [");
    check("reach_standard_input_broken", 1, run);
}

/// R5.2: what is found to be needed, refused ones first.
#[test]
fn needs_are_listed() {
    reach("needs", 3, "reach", "--show-needs --against shop");
    reach(
        "needs_of_one",
        0,
        "reach",
        "shop/web --show-needs --against shop",
    );
    reach(
        "needs_json",
        3,
        "reach",
        "--show-needs --against shop -o json",
    );
    reach(
        "needs_csv",
        3,
        "reach",
        "--show-needs --against shop -o csv",
    );
}

/// R5.3, I5: the consumer is declared in another repository, and known from a needs file alone.
#[test]
fn i5_a_rename_drops_a_consumer() {
    let ended = reach(
        "i5_lost",
        3,
        "reach/i5",
        "--before before --after after --needs needs.yaml",
    );
    let told = "namespace/pal-e-docs → service/postgres/pal-e-postgres-rw TCP 5432 LOST";
    assert!(ended.stdout.contains(told), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("before/network-policies.tf:16:"),
        "{}",
        ended.stdout
    );
    reach(
        "i5_lost_json",
        3,
        "reach/i5",
        "--before before --after after --needs needs.yaml -o json",
    );
    // Without any before: the need alone, judged against the files as they are.
    let ended = reach(
        "i5_refused",
        3,
        "reach/i5",
        "--needs needs.yaml --against after",
    );
    assert!(
        ended.stdout.contains("refused: namespace/pal-e-docs"),
        "{}",
        ended.stdout
    );
    reach(
        "i5_mended",
        0,
        "reach/i5",
        "--needs needs.yaml --against mended",
    );
}

/// R5.3: a rename that the policies follow changes nothing.
#[test]
fn a_neutral_rename_changes_nothing() {
    let ended = reach(
        "neutral_rename",
        0,
        "reach/i5",
        "--before before --after mended --needs needs.yaml",
    );
    assert!(
        ended.stdout.contains("nothing else changes"),
        "{}",
        ended.stdout
    );
}

/// R5.7: allowed in what is there, and not in what is declared.
#[test]
fn pairs_that_fare_differently() {
    reach("change", 3, "reach", "--before shop --after changed");
    reach(
        "change_csv",
        3,
        "reach",
        "--before shop --after changed -o csv",
    );
    reach("no_change", 0, "reach", "--before shop --after shop");
}

fn git(folder: &Path, arguments: &[&str]) {
    let ended = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .expect("git runs");
    assert!(ended.status.success(), "{arguments:?}: {ended:?}");
}

/// R5.3: two revisions of a repository, told as git calls their files; the work tree is not touched.
#[test]
fn revisions_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path();
    let fixture = fixtures().join("reach/i5");
    let copy = |side: &str| {
        for file in ["apps.tf", "network-policies.tf"] {
            let text = fs::read(fixture.join(side).join(file)).unwrap();
            fs::create_dir_all(top.join("terraform")).unwrap();
            fs::write(top.join("terraform").join(file), text).unwrap();
        }
    };
    git(top, &["init", "--quiet", "--initial-branch", "main"]);
    fs::copy(fixture.join("needs.yaml"), top.join("needs.yaml")).unwrap();
    for (side, tag) in [("before", "v1"), ("after", "v2")] {
        copy(side);
        git(top, &["add", "."]);
        git(top, &["commit", "--quiet", "-m", side]);
        git(top, &["tag", tag]);
    }
    copy("mended");
    let ask = |name: &str, code, arguments: &str| {
        let mut all = vec!["reach"];
        all.extend(arguments.split_whitespace());
        check(&format!("reach_{name}"), code, underpin_in(top, &all))
    };
    ask(
        "revisions",
        3,
        "--changed v1..v2 --path terraform --needs needs.yaml",
    );
    ask(
        "revision_to_files",
        0,
        "--before v1 --path terraform --needs needs.yaml",
    );
    ask("no_revision", 1, "--changed v1..v9");
    ask("not_in_revision", 1, "--changed v1..v2 --path nowhere");
    let outside = tempfile::tempdir().unwrap();
    let ended = underpin_in(outside.path(), &["reach", "--changed", "a..b"]).end();
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("is in no git repository"),
        "{}",
        ended.stderr
    );
    let here = fs::read(top.join("terraform/network-policies.tf")).unwrap();
    assert_eq!(
        here,
        fs::read(fixture.join("mended/network-policies.tf")).unwrap()
    );
}
