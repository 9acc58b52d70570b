//! The JSON document of each way to fail.

use crate::harness::{check, underpin};

#[test]
fn errors() {
    for (name, fixture, arguments) in [
        ("json_no_stack", "no-stack", "plan"),
        ("json_environment_unknown", "shop", "up --yes -e nope"),
        ("json_stack_wrong", "unknown-fields", "plan"),
        ("json_manifests_wrong", "one-document-broken", "down --yes"),
        ("json_declared_wrong", "one-document-broken", "up --yes"),
        ("json_no_kubeconfig", "single", "status"),
        ("json_context", "shop", "plan -e production --context other"),
        (
            "json_unreachable",
            "single",
            "plan --kubeconfig ../kubeconfig",
        ),
    ] {
        check(
            name,
            1,
            underpin(fixture, &format!("{arguments} --output json")),
        );
    }
}
