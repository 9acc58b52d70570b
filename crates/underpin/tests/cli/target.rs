//! The way to a stack, an environment and a cluster, and every turn at which it can end.

use crate::harness::{check, underpin};

const COMMANDS: [&str; 7] = [
    "plan",
    "up",
    "down",
    "status",
    "history",
    "diff",
    "import --namespace shop",
];

/// The first word of a command, for snapshot names.
fn word(command: &str) -> &str {
    command.split_whitespace().next().unwrap_or_default()
}

#[test]
fn a_cluster_that_does_not_answer() {
    for command in COMMANDS {
        let arguments = format!("{command} -e production --kubeconfig ../kubeconfig");
        let name = format!("unreachable_{}", word(command));
        check(&name, 1, underpin("shop", &arguments));
    }
}

#[test]
fn a_stack_file_that_is_not_there() {
    for command in COMMANDS {
        check(
            &format!("no_stack_{}", word(command)),
            1,
            underpin("no-stack", command),
        );
    }
}

#[test]
fn stack_files() {
    check("stack_folder", 1, underpin("shop", "plan --file ."));
    check(
        "stack_folder_without_one",
        1,
        underpin("", "plan --file folder"),
    );
    check("stack_empty", 1, underpin("empty", "plan"));
    check(
        "stack_unknown_fields",
        1,
        underpin("unknown-fields", "plan"),
    );
    check(
        "stack_elsewhere",
        1,
        underpin("", "plan -f shop/underpin.yaml -e nope"),
    );
    check(
        "manifests_broken",
        1,
        underpin("one-document-broken", "plan"),
    );
}

#[test]
fn environments() {
    check("environment_missing", 1, underpin("shop", "up --yes"));
    check(
        "environment_unknown",
        1,
        underpin("shop", "up --yes -e prodution"),
    );
    let run = underpin("shop", "plan").env("UNDERPIN_ENVIRONMENT", "nope");
    check("environment_from_variable", 1, run);
    check(
        "environments_in_several_contexts",
        1,
        underpin("shop", "status"),
    );
    check(
        "environment_in_no_such_context",
        1,
        underpin("shop", "status --context third"),
    );
    let run = underpin("shop", "status --context other --kubeconfig ../kubeconfig");
    check("environment_of_a_context", 1, run);
}

#[test]
fn kubeconfigs_and_contexts() {
    check("kubeconfig_none", 1, underpin("single", "plan"));
    check(
        "kubeconfig_missing",
        1,
        underpin("single", "plan --kubeconfig nope"),
    );
    check(
        "kubeconfig_folder",
        1,
        underpin("single", "plan --kubeconfig ."),
    );
    check(
        "kubeconfig_not_one",
        1,
        underpin("single", "plan --kubeconfig k8s/app.yaml"),
    );
    check(
        "kubeconfig_empty",
        1,
        underpin("single", "plan --kubeconfig ../kubeconfig-empty"),
    );
    let run = underpin("single", "plan --kubeconfig ../kubeconfig --context nope");
    check("context_unknown", 1, run);
    let run = underpin("shop", "up --yes -e production --context other");
    check("context_against_the_stack_file", 1, run);
    let run = underpin("single", "plan").env("KUBECONFIG", "../kubeconfig");
    check("kubeconfig_from_variable", 1, run);
}

#[test]
fn variables_that_no_manifest_uses() {
    let run = underpin("shop", "plan -e production --var domian=shop.example.com");
    check("variable_unused", 1, run);
    let run = underpin(
        "shop",
        "import -e production --namespace shop --from selector=app=shop --var level=debug",
    );
    check("variable_without_manifests", 1, run);
    // One that is used gets as far as the cluster.
    let run = underpin(
        "shop",
        "plan -e production --var level=debug --kubeconfig ../kubeconfig",
    );
    assert!(run.end().stderr.contains("cannot reach"));
}

#[test]
fn manifests_on_standard_input() {
    let good = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: app }\n";
    let plan = || underpin("standard-input", "plan --kubeconfig ../kubeconfig");
    check("input_none", 1, plan());
    check("input_blank", 1, plan().input(" \n\n"));
    check(
        "input_broken",
        1,
        plan().input(format!("{good}---\nkind: [\n")),
    );
    check("input_not_utf8", 1, plan().input(b"kind: \xe9\n"));
    // Good ones get as far as the cluster.
    check("input_good", 1, plan().input(good));
}

/// R: secrets are never shown, not even beside an error about another one.
#[test]
fn secrets() {
    let value = "hunter2-hunter2";
    let run = || underpin("secret", "plan --kubeconfig ../kubeconfig");
    check("secret_missing", 1, run());
    for run in [run(), run().input(""), underpin("secret", "plan -o json")] {
        let ended = run.env("SHOP_PASSWORD", value).end();
        assert_eq!(ended.code, 1);
        assert!(!ended.stdout.contains(value) && !ended.stderr.contains(value));
        assert!(ended.transcript().contains("missing.key"));
    }
}
