//! Reads are bulk: their number follows the kinds that there are and the stack's own objects, not
//! what else lives in the cluster.

use anyhow::{Result, ensure};
use underpin_tests::{Kubectl, Proxy, Stack, fresh};

/// Objects of each kind that the stack has.
const EACH: usize = 4;
/// ConfigMaps of somebody else, before and after.
const FOREIGN: [usize; 2] = [10, 200];
/// Reads that a plan needs besides one list for each kind and one dry run for each object:
/// version, identity, discovery of each group version, claims.
const MARGIN: usize = 70;

/// Several objects of five kinds.
fn manifest() -> String {
    let mut documents = Vec::new();
    for n in 0..EACH {
        documents.push(format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: map-{n} }}\ndata: {{ a: b }}\n"
        ));
        documents.push(format!("apiVersion: v1\nkind: Secret\nmetadata: {{ name: secret-{n} }}\nstringData: {{ a: b }}\n"));
        documents.push(format!(
            "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{ name: account-{n} }}\n"
        ));
        documents.push(format!("apiVersion: v1\nkind: Service\nmetadata: {{ name: service-{n} }}\nspec: {{ selector: {{ app: a }}, ports: [{{ port: 80 }}] }}\n"));
        documents.push(format!("apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{ name: role-{n} }}\nrules: []\n"));
    }
    documents.join("---\n")
}

fn foreign(from: usize, to: usize) -> String {
    let one = |n| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: foreign-{n}, namespace: foreign }}\ndata: {{ a: b }}\n"
        )
    };
    (from..to).map(one).collect::<Vec<_>>().join("---\n")
}

/// On a control plane of its own: in a shared one others add kinds meanwhile.
#[test]
fn the_number_of_calls_does_not_grow_with_what_others_have() -> Result<()> {
    let cluster = fresh()?;
    let kubectl = Kubectl::new(&cluster);
    let proxy = Proxy::start(&cluster)?;
    let project = Stack::single("bulk", &proxy.kubeconfig(), &manifest())?;
    project.expect(0, "up --yes")?;
    project.declare(&manifest().replace("a: b", "a: c"))?;
    kubectl.run(["create", "namespace", "foreign"])?;
    let mut counts = Vec::new();
    let mut there = 0;
    for number in FOREIGN {
        let created = kubectl.with_input(["create", "-f", "-"], &foreign(there, number))?;
        ensure!(created.code == Some(0), "{}", created.transcript());
        there = number;
        proxy.clear();
        project.expect(0, "plan")?;
        let records = proxy.records();
        let dry_runs = records
            .iter()
            .filter(|record| record.request.method != "GET")
            .count();
        counts.push((records.len() - dry_runs, dry_runs));
    }
    ensure!(
        counts[0] == counts[1],
        "(reads, dry runs) with few and many: {counts:?}"
    );
    let kinds = kubectl
        .run(["api-resources", "--verbs=list", "-o", "name"])?
        .lines()
        .count();
    let (reads, dry_runs) = counts[0];
    assert!(reads <= kinds + MARGIN, "{reads} reads for {kinds} kinds");
    // The namespace is one object more.
    assert!(dry_runs <= 5 * EACH + 1, "{dry_runs} dry runs");
    Ok(())
}
