//! Who may do what in a sandbox.

use anyhow::{Result, ensure};

use crate::served::Served;

const ROLES: &str = "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: [''], resources: [configmaps], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: readers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: readers}]
";

#[test]
fn roles_bind_users_with_contexts_of_their_own_and_those_who_are_impersonated() -> Result<()> {
    let arguments = ["--rbac", "--user", "eve=readers", "--seed", "roles.yaml"];
    let served = Served::start(&arguments, &[("roles.yaml", ROLES)])?;
    served.expect("auth can-i delete configmaps", "yes")?;
    served.expect(
        "auth can-i get configmaps --as=eve --as-group=readers",
        "yes",
    )?;
    for who in ["--context=sandbox-eve", "--as=eve --as-group=readers"] {
        served.expect(&format!("get configmaps {who}"), "kube-root-ca.crt")?;
        let output = served
            .kubectl
            .try_run(format!("auth can-i create configmaps {who}").split(' '))?;
        ensure!(output.stdout.trim() == "no", "{}", output.transcript());
        served.refuse(
            &format!("create configmap x {who}"),
            "",
            "configmaps is forbidden: User \"eve\" cannot create resource \"configmaps\"",
        )?;
    }
    served.expect("auth whoami --context=sandbox-eve", "eve")?;
    served.refuse(
        "get nodes --token=wrong --context=sandbox-eve",
        "",
        "Unauthorized",
    )?;
    Ok(())
}
