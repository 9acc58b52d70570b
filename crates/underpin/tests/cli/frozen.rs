//! Frozen plans as files: what is none, and what is for something else, is told before a cluster is
//! asked.

use crate::harness::{check, underpin};

#[test]
fn files_that_cannot_be_used() {
    for (name, line) in [
        ("frozen_missing", "up nowhere.json"),
        ("frozen_folder", "up k8s"),
        ("frozen_yaml", "up underpin.yaml"),
        ("frozen_short", "up short.json"),
        ("frozen_newer", "up newer.json"),
        ("frozen_shown", "up shown.json"),
        ("frozen_damaged", "up damaged.json"),
        (
            "frozen_other_stack",
            "up other-stack.json --kubeconfig ../kubeconfig",
        ),
        ("frozen_other_environment", "up other-environment.json"),
        ("frozen_not_this_environment", "up good.json -e staging"),
        ("frozen_json", "up short.json -o json"),
    ] {
        check(name, 1, underpin("frozen", line));
    }
}

/// The file is the consent: nothing can be added to it.
#[test]
fn a_frozen_plan_accepts_what_it_accepts() {
    let accept = "up good.json --accept UP101:namespace/shop --reason x";
    check("frozen_accept", 2, underpin("frozen", accept));
    check(
        "frozen_adopt",
        2,
        underpin("frozen", "up good.json --adopt configmap/shop/a"),
    );
}

/// `-o` says how to show; where to write is `--out`.
#[test]
fn who_names_a_file_as_output_is_told_of_out() {
    check("frozen_output", 2, underpin("frozen", "plan -o plan.json"));
}
