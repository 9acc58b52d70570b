//! Workloads make pods, pods run and go.

use serde_json::json;
use underpin_model::GroupKind;

use super::{Cluster, workload};
use crate::{lifecycle::conditions::holds, object};

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/a/deployments";

fn pods() -> GroupKind {
    GroupKind::core("Pod")
}

#[test]
fn a_deployment_becomes_available() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    cluster.post(
        DEPLOYMENTS,
        &workload("apps/v1", "Deployment", "web", &json!({"replicas": 3})),
    );
    cluster.pass(500);
    assert_eq!(cluster.names(&pods(), "a").len(), 3);
    cluster.settle();
    let deployment = cluster.get(&format!("{DEPLOYMENTS}/web"));
    assert!(
        holds(&deployment, "Available") && holds(&deployment, "Progressing"),
        "{deployment:#}"
    );
    for field in [
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
    ] {
        assert_eq!(deployment["status"][field], 3, "{field}");
    }
    let observed = &deployment["status"]["observedGeneration"];
    assert_eq!(*observed, deployment["metadata"]["generation"]);
    let annotations = &deployment["metadata"]["annotations"];
    assert_eq!(annotations["deployment.kubernetes.io/revision"], "1");
    for pod in cluster.list(&pods(), "a") {
        assert_eq!(object::text(&pod, "/status/phase"), "Running");
        assert!(holds(&pod, "Ready"));
    }
}

#[test]
fn a_new_template_rolls_out_without_a_gap() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    cluster.post(
        DEPLOYMENTS,
        &workload("apps/v1", "Deployment", "web", &json!({"replicas": 4})),
    );
    cluster.settle();
    let path = format!("{DEPLOYMENTS}/web");
    let containers = json!([{"name": "main", "image": "example.com/main:2"}]);
    cluster.patch(
        &path,
        &json!({"spec": {"template": {"spec": {"containers": containers}}}}),
    );
    while let Some(due) = cluster.state.next_due() {
        cluster.state.advance_to(due);
        let all = cluster.list(&pods(), "a");
        let ready = all.iter().filter(|pod| holds(pod, "Ready")).count();
        let stays = all.iter().filter(|pod| !object::is_deleting(pod)).count();
        assert!(ready >= 3 && stays <= 5, "{ready} ready, {stays} pods");
    }
    let deployment = cluster.get(&path);
    assert_eq!(deployment["status"]["updatedReplicas"], 4, "{deployment:#}");
    assert_eq!(deployment["status"]["replicas"], 4);
    let sets = cluster.list(&GroupKind::new("apps", "ReplicaSet"), "a");
    let mut sizes: Vec<i64> = sets
        .iter()
        .map(|set| set["spec"]["replicas"].as_i64().unwrap())
        .collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [0, 4]);
    for pod in cluster.list(&pods(), "a") {
        assert_eq!(pod["spec"]["containers"][0]["image"], "example.com/main:2");
    }
}

#[test]
fn a_deleted_deployment_takes_its_pods_along_or_leaves_them() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    for (policy, left) in [("Background", 0), ("Foreground", 0), ("Orphan", 1)] {
        cluster.post(
            DEPLOYMENTS,
            &workload("apps/v1", "Deployment", "web", &json!({})),
        );
        cluster.settle();
        let path = format!("{DEPLOYMENTS}/web");
        cluster.delete(&path, &[("propagationPolicy", policy)]);
        cluster.settle();
        assert_eq!(cluster.code(&path), 404, "{policy}");
        assert_eq!(cluster.names(&pods(), "a").len(), left, "{policy}");
    }
    // The next deployment of the selector adopts what was left.
    cluster.post(
        DEPLOYMENTS,
        &workload("apps/v1", "Deployment", "web", &json!({})),
    );
    cluster.settle();
    assert_eq!(cluster.names(&pods(), "a").len(), 1);
}

#[test]
fn pods_that_fit_nowhere_say_why() {
    let mut cluster = Cluster::with(crate::Config {
        nodes: vec![("n1".to_owned(), 2), ("n2".to_owned(), 1)],
        ..crate::Config::default()
    });
    cluster.namespace("a");
    cluster.post(
        DEPLOYMENTS,
        &workload("apps/v1", "Deployment", "web", &json!({"replicas": 4})),
    );
    cluster.pass(5_000);
    let all = cluster.list(&pods(), "a");
    let pending: Vec<_> = all
        .iter()
        .filter(|pod| !holds(pod, "PodScheduled"))
        .collect();
    assert_eq!(pending.len(), 1);
    let scheduled = &pending[0]["status"]["conditions"][0];
    assert_eq!(scheduled["reason"], "Unschedulable");
    assert_eq!(
        scheduled["message"],
        "0/2 nodes are available: 2 Too many pods. preemption: 0/2 nodes are available: 2 No \
         preemption victims found for incoming pod."
    );
    // A slot that comes free is taken.
    let running = all.iter().find(|pod| holds(pod, "Ready")).unwrap();
    let path = format!("/api/v1/namespaces/a/pods/{}", object::name(running));
    cluster.delete(&path, &[("gracePeriodSeconds", "0")]);
    cluster.pass(5_000);
    let all = cluster.list(&pods(), "a");
    assert_eq!(all.iter().filter(|pod| holds(pod, "Ready")).count(), 3);
}

#[test]
fn an_unready_pod_lets_the_deadline_pass() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    let mut deployment = workload(
        "apps/v1",
        "Deployment",
        "web",
        &json!({"progressDeadlineSeconds": 60}),
    );
    deployment["spec"]["template"]["metadata"]["annotations"] =
        json!({"testenv.underpin.dev/outcome": "unready"});
    cluster.post(DEPLOYMENTS, &deployment);
    cluster.pass(50_000);
    let path = format!("{DEPLOYMENTS}/web");
    assert!(holds(&cluster.get(&path), "Progressing"));
    cluster.settle();
    let late = cluster.get(&path);
    assert!(
        !holds(&late, "Progressing") && !holds(&late, "Available"),
        "{late:#}"
    );
    assert!(
        late["status"]["conditions"]
            .to_string()
            .contains("ProgressDeadlineExceeded")
    );
}

#[test]
fn a_stateful_set_goes_in_order_and_leaves_its_claims() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    let sets = "/apis/apps/v1/namespaces/a/statefulsets";
    let claim = json!({
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    });
    let spec = json!({"replicas": 3, "serviceName": "db", "volumeClaimTemplates": [claim]});
    cluster.post(sets, &workload("apps/v1", "StatefulSet", "db", &spec));
    let mut most_starting = 0;
    while let Some(due) = cluster.state.next_due() {
        cluster.state.advance_to(due);
        let all = cluster.list(&pods(), "a");
        most_starting = most_starting.max(all.iter().filter(|pod| !holds(pod, "Ready")).count());
    }
    assert_eq!(most_starting, 1);
    assert_eq!(cluster.names(&pods(), "a"), ["db-0", "db-1", "db-2"]);
    let set = cluster.get(&format!("{sets}/db"));
    assert_eq!(set["status"]["readyReplicas"], 3, "{set:#}");
    assert_eq!(
        set["status"]["currentRevision"],
        set["status"]["updateRevision"]
    );
    let claims = GroupKind::core("PersistentVolumeClaim");
    assert_eq!(
        cluster.names(&claims, "a"),
        ["data-db-0", "data-db-1", "data-db-2"]
    );
    for claim in cluster.list(&claims, "a") {
        assert_eq!(object::text(&claim, "/status/phase"), "Bound");
        assert_eq!(claim.pointer("/metadata/ownerReferences"), None);
    }
    let old = object::text(&set, "/status/updateRevision").to_owned();
    let containers = json!([{"name": "main", "image": "example.com/main:2"}]);
    let change = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    cluster.patch(&format!("{sets}/db"), &change);
    cluster.settle();
    let set = cluster.get(&format!("{sets}/db"));
    assert_ne!(object::text(&set, "/status/currentRevision"), old);
    assert_eq!(set["status"]["updatedReplicas"], 3, "{set:#}");
    cluster.delete(&format!("{sets}/db"), &[]);
    cluster.settle();
    assert_eq!(cluster.names(&pods(), "a"), [""; 0]);
    assert_eq!(cluster.names(&claims, "a").len(), 3);
    let revisions = GroupKind::new("apps", "ControllerRevision");
    assert_eq!(cluster.names(&revisions, "a"), [""; 0]);
}

#[test]
fn a_daemon_set_runs_once_on_every_node_that_takes_it() {
    let nodes = ["n1", "n2", "n3"].map(|name| (name.to_owned(), 10));
    let mut cluster = Cluster::with(crate::Config {
        nodes: nodes.to_vec(),
        ..crate::Config::default()
    });
    cluster.namespace("a");
    let taint = json!([{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]);
    cluster.patch("/api/v1/nodes/n3", &json!({"spec": {"taints": taint}}));
    let sets = "/apis/apps/v1/namespaces/a/daemonsets";
    cluster.post(sets, &workload("apps/v1", "DaemonSet", "agent", &json!({})));
    cluster.settle();
    let on = |cluster: &Cluster| {
        let all = cluster.list(&pods(), "a");
        let mut nodes: Vec<String> = all
            .iter()
            .map(|pod| object::text(pod, "/spec/nodeName").to_owned())
            .collect();
        nodes.sort_unstable();
        nodes
    };
    assert_eq!(on(&cluster), ["n1", "n2"]);
    let set = cluster.get(&format!("{sets}/agent"));
    assert_eq!(set["status"]["numberReady"], 2, "{set:#}");
    cluster.patch("/api/v1/nodes/n3", &json!({"spec": {"taints": null}}));
    cluster.settle();
    assert_eq!(on(&cluster), ["n1", "n2", "n3"]);
    let containers = json!([{"name": "main", "image": "example.com/main:2"}]);
    let change = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    cluster.patch(&format!("{sets}/agent"), &change);
    cluster.settle();
    for pod in cluster.list(&pods(), "a") {
        assert_eq!(pod["spec"]["containers"][0]["image"], "example.com/main:2");
    }
}

fn job(name: &str, outcome: &str, spec: &serde_json::Value) -> serde_json::Value {
    let mut job = workload("batch/v1", "Job", name, spec);
    job["spec"].as_object_mut().unwrap().remove("selector");
    job["spec"]["template"]["metadata"]["annotations"] =
        json!({"testenv.underpin.dev/outcome": outcome});
    job["spec"]["template"]["spec"]["restartPolicy"] = json!("Never");
    job
}

#[test]
fn a_job_ends_well_or_not_and_is_cleaned_up() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    let jobs = "/apis/batch/v1/namespaces/a/jobs";
    cluster.post(
        jobs,
        &job(
            "good",
            "succeeded",
            &json!({"completions": 3, "parallelism": 2}),
        ),
    );
    cluster.post(jobs, &job("bad", "failed", &json!({"backoffLimit": 2})));
    cluster.settle();
    let good = cluster.get(&format!("{jobs}/good"));
    assert!(holds(&good, "Complete"), "{good:#}");
    assert_eq!(good["status"]["succeeded"], 3);
    let bad = cluster.get(&format!("{jobs}/bad"));
    assert!(holds(&bad, "Failed"), "{bad:#}");
    assert_eq!(bad["status"]["failed"], 3);
    // The old default: the pods of a deleted job stay.
    cluster.delete(&format!("{jobs}/bad"), &[]);
    cluster.settle();
    assert_eq!(cluster.names(&pods(), "a").len(), 6);
    let short = json!({"ttlSecondsAfterFinished": 30});
    cluster.post(jobs, &job("short", "succeeded", &short));
    cluster.pass(20_000);
    assert_eq!(cluster.code(&format!("{jobs}/short")), 200);
    cluster.settle();
    assert_eq!(cluster.code(&format!("{jobs}/short")), 404);
}

#[test]
fn a_service_leads_to_its_ready_pods() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    let mut deployment = workload("apps/v1", "Deployment", "web", &json!({"replicas": 2}));
    deployment["spec"]["template"]["spec"]["containers"][0]["ports"] =
        json!([{"name": "http", "containerPort": 8080}]);
    cluster.post(DEPLOYMENTS, &deployment);
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
    });
    cluster.post("/api/v1/namespaces/a/services", &service);
    cluster.settle();
    let endpoints = "/api/v1/namespaces/a/endpoints/web";
    let found = cluster.get(endpoints);
    assert_eq!(
        found["subsets"][0]["addresses"].as_array().unwrap().len(),
        2,
        "{found:#}"
    );
    assert_eq!(
        found["subsets"][0]["ports"],
        json!([{"port": 8080, "protocol": "TCP"}])
    );
    let slices = GroupKind::new("discovery.k8s.io", "EndpointSlice");
    let slice = &cluster.list(&slices, "a")[0];
    assert_eq!(slice["endpoints"].as_array().unwrap().len(), 2, "{slice:#}");
    cluster.patch(
        &format!("{DEPLOYMENTS}/web"),
        &json!({"spec": {"replicas": 0}}),
    );
    cluster.settle();
    assert_eq!(cluster.get(endpoints).get("subsets"), None);
    cluster.delete("/api/v1/namespaces/a/services/web", &[]);
    cluster.settle();
    assert_eq!(cluster.code(endpoints), 404);
    assert_eq!(cluster.names(&slices, "a"), [""; 0]);
}

#[test]
fn a_budget_counts_and_eviction_obeys() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    cluster.post(
        DEPLOYMENTS,
        &workload("apps/v1", "Deployment", "web", &json!({"replicas": 2})),
    );
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}},
    });
    cluster.post("/apis/policy/v1/namespaces/a/poddisruptionbudgets", &budget);
    cluster.settle();
    let budget = cluster.get("/apis/policy/v1/namespaces/a/poddisruptionbudgets/web");
    let status = &budget["status"];
    assert_eq!(
        (&status["currentHealthy"], &status["disruptionsAllowed"]),
        (&json!(2), &json!(0))
    );
    let name = cluster.names(&pods(), "a")[0].clone();
    let path = format!("/api/v1/namespaces/a/pods/{name}/eviction");
    let eviction =
        json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}});
    let (code, answer) = cluster.send(http::Method::POST, &path, &[], &eviction);
    assert_eq!(code, 429, "{answer:#}");
}

#[test]
fn a_pod_waits_for_the_config_that_it_reads() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"containers": [{
            "name": "main", "image": "example.com/main:1",
            "envFrom": [{"configMapRef": {"name": "settings"}}],
        }]},
    });
    cluster.post("/api/v1/namespaces/a/pods", &pod);
    cluster.settle();
    let path = "/api/v1/namespaces/a/pods/p";
    let waiting = &cluster.get(path)["status"]["containerStatuses"][0]["state"]["waiting"];
    assert_eq!(
        *waiting,
        json!({"reason": "CreateContainerConfigError", "message": "configmap \"settings\" not found"})
    );
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}});
    cluster.post("/api/v1/namespaces/a/configmaps", &map);
    cluster.settle();
    assert!(holds(&cluster.get(path), "Ready"));
}

#[test]
fn a_deleted_pod_stops_within_its_grace_period() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    let pod = |name: &str, finalizers: &[&str]| {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "finalizers": finalizers},
            "spec": {"containers": [{"name": "main", "image": "example.com/main:1"}]},
        })
    };
    let path = "/api/v1/namespaces/a/pods";
    for (name, query, before, after) in [
        ("usual", &[][..], 200, 404),
        ("now", &[("gracePeriodSeconds", "0")][..], 404, 404),
    ] {
        cluster.post(path, &pod(name, &[]));
        cluster.settle();
        cluster.delete(&format!("{path}/{name}"), query);
        assert_eq!(cluster.code(&format!("{path}/{name}")), before, "{name}");
        cluster.pass(1_100);
        assert_eq!(cluster.code(&format!("{path}/{name}")), after, "{name}");
    }
    cluster.post(path, &pod("kept", &["example.com/keep"]));
    cluster.settle();
    cluster.delete(&format!("{path}/kept"), &[]);
    cluster.settle();
    let kept = cluster.get(&format!("{path}/kept"));
    assert_eq!(kept["metadata"]["deletionGracePeriodSeconds"], 0);
    cluster.patch(
        &format!("{path}/kept"),
        &json!({"metadata": {"finalizers": null}}),
    );
    assert_eq!(cluster.code(&format!("{path}/kept")), 404);
}
