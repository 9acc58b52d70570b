//! Manifests of workloads whose pods do as they are told.

use underpin_tests::OUTCOME;

/// A Deployment of one pod with this outcome. `more` stands in its container (YAML flow), `notes`
/// among its annotations.
pub(crate) fn deployment(name: &str, outcome: &str, more: &str, notes: &str) -> String {
    format!(
        "---\napiVersion: apps/v1\nkind: Deployment\n\
         metadata: {{ name: {name}, annotations: {{ {notes} }} }}\n\
         spec:\n  selector: {{ matchLabels: {{ app: {name} }} }}\n  template:\n    \
         metadata: {{ labels: {{ app: {name} }}, annotations: {{ {OUTCOME}: {outcome} }} }}\n    \
         spec: {{ containers: [{{ name: main, image: 'registry.example.com/{name}:9'{more} }}] }}\n"
    )
}

/// A Job of one pod that fails, whose end is waited for.
pub(crate) fn failing_job(name: &str) -> String {
    format!(
        "---\napiVersion: batch/v1\nkind: Job\n\
         metadata: {{ name: {name}, annotations: {{ underpin.dev/wait: complete }} }}\n\
         spec:\n  backoffLimit: 0\n  template:\n    \
         metadata: {{ annotations: {{ {OUTCOME}: failed }} }}\n    \
         spec: {{ restartPolicy: Never, containers: [{{ name: main, image: 'a:1' }}] }}\n"
    )
}
