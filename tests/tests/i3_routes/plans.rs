//! What a plan does to the routes of others, and what others ask for already.

use anyhow::Result;
use underpin_tests::{Kubectl, Output, Stack, shared};

/// A Service that asks for a host and sends to a Service of its namespace.
pub(crate) fn service(name: &str, host: &str, upstream: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  annotations:\n    \
         underpin.dev/route: |\n      http://{host} {{\n        reverse_proxy http://{upstream}\n      \
         }}\nspec: {{ selector: {{ app: web }}, ports: [{{ port: 80 }}] }}\n"
    )
}

fn namespace(name: &str) -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {name} }}\n---\n")
}

fn stack(name: &str, manifests: &str) -> Result<Stack> {
    Stack::single(name, &shared()?.kubeconfig(), manifests)
}

#[track_caller]
pub(crate) fn says(output: &Output, parts: &[&str]) {
    for part in parts {
        assert!(
            output.stdout.contains(part),
            "{part}\n{}",
            output.transcript()
        );
    }
}

/// R3.1: the plan takes a host over, and says from whom; the host of another stack it does not get.
#[test]
fn r3_1_who_serves_a_host_is_told_before_it_changes() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let host = "taken.example.com";
    kubectl.run(["create", "namespace", "routes-old"])?;
    let old = service("web", host, "web.routes-old.svc.cluster.local:80");
    kubectl.create_in("routes-old", &old)?;
    let asking = |namespace: &str| {
        service(
            "web",
            host,
            &format!("web.{namespace}.svc.cluster.local:80"),
        )
    };
    let new = stack("routes-new", &asking("routes-new"))?;
    let planned = new.expect(0, "plan")?;
    says(
        &planned,
        &[
            "warning UP201 service/routes-old/web",
            "which service/routes-new/web serves: it was created earlier",
        ],
    );
    new.expect(0, "up --yes --wait=false")?;
    let third = stack("routes-third", &asking("routes-third"))?;
    let planned = third.expect(0, "plan")?;
    says(
        &planned,
        &[
            "warning UP201 service/routes-third/web",
            "the address is held for routes-new/test",
        ],
    );
    Ok(())
}

/// R3.2: a plan that takes a namespace along takes the hosts in it along.
#[test]
fn r3_2_a_namespace_with_the_route_of_another_is_kept() -> Result<()> {
    let kubectl = Kubectl::new(shared()?);
    let own = service(
        "web",
        "own.example.com",
        "web.routes-owner.svc.cluster.local:80",
    );
    let both = format!("{}{own}", namespace("routes-aside"));
    let project = stack("routes-owner", &both)?;
    project.expect(0, "up --yes --wait=false")?;
    let entry = service(
        "guest",
        "guest.example.com",
        "guest.routes-aside.svc.cluster.local:80",
    );
    kubectl.create_in("routes-aside", &entry)?;
    project.declare(&own)?;
    let planned = project.expect(3, "plan")?;
    says(
        &planned,
        &[
            "blocked UP202 service/routes-aside/guest",
            "http://guest.example.com would be served by nobody",
        ],
    );
    Ok(())
}

/// The Service that another's route sends to, and the port that it asks for.
#[test]
fn a_service_behind_the_route_of_another_is_kept() -> Result<()> {
    let kubectl = Kubectl::new(shared()?);
    let api = "apiVersion: v1\nkind: Service\nmetadata: { name: api }\nspec: { selector: { app: api }, \
               ports: [{ port: 80 }] }\n";
    let web = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: web }\n";
    let project = stack("routes-api", &format!("{api}---\n{web}"))?;
    project.expect(0, "up --yes --wait=false")?;
    kubectl.run(["create", "namespace", "routes-front"])?;
    let entry = service(
        "front",
        "front.example.com",
        "api.routes-api.svc.cluster.local:80",
    );
    kubectl.create_in("routes-front", &entry)?;
    project.declare(&format!(
        "{}---\n{web}",
        api.replace("port: 80", "port: 8080")
    ))?;
    let planned = project.expect(3, "plan")?;
    says(
        &planned,
        &[
            "blocked UP203 service/routes-front/front",
            "port 80, which has no such port",
        ],
    );
    project.declare(web)?;
    let planned = project.expect(3, "plan")?;
    says(
        &planned,
        &[
            "blocked UP203 service/routes-front/front",
            "which is taken away by this plan",
        ],
    );
    Ok(())
}

/// R3.3: an entry that would leave its block never gets into the cluster.
#[test]
fn r3_3_an_entry_that_leaves_its_block_is_blocked() -> Result<()> {
    let good = service(
        "web",
        "bad.example.com",
        "web.routes-bad.svc.cluster.local:80",
    );
    let bad = good.replace("      }\nspec", "      }\n      }\n      # hunter2\nspec");
    let project = stack("routes-bad", &bad)?;
    let planned = project.expect(3, "up --yes --wait=false")?;
    assert!(
        !planned.transcript().contains("hunter2"),
        "{}",
        planned.transcript()
    );
    says(
        &planned,
        &[
            "blocked UP204 service/routes-bad/web",
            "this brace closes nothing",
        ],
    );
    project.declare(&good)?;
    project.expect(0, "up --yes --wait=false")?;
    Ok(())
}
