//! The manifests that run an edge in a cluster, carried out as kubelets would.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use underpin_tests::{
    Container, Output, Pod, Proxy, Running, Underpin, caddy, eventually, free_ports,
    service_account, terminate,
};

use crate::{
    LIMIT,
    client::Client,
    stage::{Stage, question},
};

const NAMESPACE: &str = "proxy";
const IMAGE: &str = "example.org/underpin:1";
/// Where the manifests have Caddy and the program listen; pods have an address each, this machine has one.
const HTTP_PORT: &str = "--http-port=8080";
const LISTEN: &str = "--listen=0.0.0.0:9180";
/// Where the image of Caddy has it.
const CADDY: &str = "/usr/bin/caddy";

/// The manifests in a cluster.
struct Manifests {
    stage: Stage,
    template: Value,
    proxy: Proxy,
    kubeconfig: PathBuf,
}

/// One of its pods.
struct EdgePod {
    folder: PathBuf,
    pod: Pod,
    http: u16,
    admin: u16,
    questions: u16,
}

/// Caddy, while it runs.
struct Caddy(Child);

impl Drop for Caddy {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Manifests {
    /// Applies them as they tell, with an image.
    fn apply() -> Result<Self> {
        let stage = Stage::new()?;
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/edge/edge.yaml");
        let text = fs::read_to_string(path).context(path)?;
        ensure!(text.contains("image: IMAGE\n"), "no image is to be written");
        let text = text.replace("image: IMAGE\n", &format!("image: {IMAGE}\n"));
        let applied = stage.kubectl.with_input(["apply", "-f", "-"], &text)?;
        ensure!(applied.code == Some(0), "{}", applied.transcript());
        let mut deployment = stage
            .kubectl
            .get(&["deployment", "edge", "-n", NAMESPACE])?;
        ensure!(deployment["spec"]["replicas"] == 2, "{deployment}");
        let template = deployment["spec"]["template"]["spec"].take();
        let (proxy, kubeconfig) =
            service_account(&stage.cluster, NAMESPACE, &template, stage.folder())?;
        Ok(Self {
            stage,
            template,
            proxy,
            kubeconfig,
        })
    }

    fn pod(&self, name: &str) -> Result<EdgePod> {
        let folder = self.stage.folder().join(name);
        let template = self.template.clone();
        let pod = Pod::new(&self.stage.kubectl, NAMESPACE, template, &folder, &folder)?;
        let [http, admin, questions] = free_ports()?;
        Ok(EdgePod {
            folder,
            pod,
            http,
            admin,
            questions,
        })
    }

    /// Runs the containers that are to run before; what the last one of them said.
    fn initialize(&self, pod: &EdgePod) -> Result<Output> {
        let containers = pod.pod.init_containers()?;
        let [programs, render] = containers.as_slice() else {
            anyhow::bail!("not two containers: {containers:?}");
        };
        let mut command = programs.command.iter().map(OsString::from);
        let program = command.next().context("no command")?;
        let found = caddy::find()?;
        let arguments = command.map(|one| {
            if one == CADDY {
                found.clone().into_os_string()
            } else {
                one
            }
        });
        let copied = Command::new(program).args(arguments).status()?;
        ensure!(copied.success(), "{}: {copied}", programs.name);
        self.program(render)?.run(pod.arguments(render)?)
    }

    /// Starts the containers.
    fn start(&self, pod: &EdgePod) -> Result<(Caddy, Running)> {
        let containers = pod.pod.containers()?;
        let [proxy, underpin] = containers.as_slice() else {
            anyhow::bail!("not two containers: {containers:?}");
        };
        let command: Vec<OsString> = proxy.command.iter().map(OsString::from).collect();
        let home = proxy.env.iter().find(|(name, _)| name == "HOME");
        let (_, home) = home.context("Caddy has no home")?;
        let log = pod.folder.join("caddy.log");
        let child = self
            .stage
            .in_its_own_world(&command, Path::new(home), &log)?;
        let serve = self.program(underpin)?.spawn(pod.arguments(underpin)?)?;
        Ok((Caddy(child), serve))
    }

    fn program(&self, container: &Container) -> Result<Underpin> {
        ensure!(container.command.is_empty(), "{container:?}");
        ensure!(container.declared["image"] == IMAGE, "{container:?}");
        Underpin::new(self.stage.folder(), &self.kubeconfig)
    }
}

impl EdgePod {
    /// Those of a container, with the ports of this pod.
    fn arguments(&self, container: &Container) -> Result<Vec<String>> {
        let mut arguments = Vec::new();
        for argument in &container.args {
            arguments.push(match argument.as_str() {
                HTTP_PORT => format!("--http-port={}", self.http),
                LISTEN => format!("--listen=127.0.0.1:{}", self.questions),
                other => other.to_owned(),
            });
        }
        ensure!(arguments != container.args, "{container:?}");
        arguments.push(format!("--admin=127.0.0.1:{}", self.admin));
        Ok(arguments)
    }

    /// Waits until both probes of the container are answered with success.
    fn is_ready(&self) -> Result<()> {
        let containers = self.pod.containers()?;
        let underpin = containers.last().context("no container")?;
        for which in ["livenessProbe", "readinessProbe"] {
            let probe = &underpin.declared[which]["httpGet"];
            ensure!(probe["port"] == "questions", "{which}: {probe}");
            let path = probe["path"].as_str().context("no path")?;
            eventually(which, LIMIT, || {
                let (status, text) = question(self.questions, path)?;
                ensure!(status == 200, "{status} {text}");
                Ok(Some(()))
            })?;
        }
        Ok(())
    }
}

/// R3.2, R3.6: with the arguments, volumes, probes and rights of the manifests each of two pods waits for the
/// first route, serves what the cluster says, is ready, and asks for nothing that it may not have.
#[test]
fn r3_2_the_manifests_run_an_edge() -> Result<()> {
    let manifests = Manifests::apply()?;
    let stage = &manifests.stage;
    let pods = [manifests.pod("pod-0")?, manifests.pod("pod-1")?];
    let blocked = manifests.initialize(&pods[0])?;
    ensure!(blocked.code == Some(3), "{}", blocked.transcript());
    stage.kubectl.run(["create", "namespace", "shop"])?;
    let apply = |hosts: &[&str]| stage.kubectl.apply("test", &stage.service("shop", hosts)?);
    apply(&["a.example.com"])?;
    let mut running = Vec::new();
    for pod in &pods {
        let rendered = manifests.initialize(pod)?;
        ensure!(rendered.code == Some(0), "{}", rendered.transcript());
        running.push(manifests.start(pod)?);
    }
    for pod in &pods {
        Stage::served_at(pod.http, "a.example.com", "shop")?;
        pod.is_ready()?;
    }
    apply(&["b.example.com", "a.example.com"])?;
    for pod in &pods {
        Stage::served_at(pod.http, "b.example.com", "shop")?;
        let nobody = Client::new(pod.http).ask("GET", "nobody.example.com", "/", &[])?;
        nobody.is_the_page("GET", &format!("{nobody:?}"))?;
    }
    // Containers that are started anew find in the volume what they left.
    for (pod, (caddy, serve)) in pods.iter().zip(running) {
        terminate(serve.id()?)?;
        let ended = serve.wait()?;
        ensure!(ended.code == Some(0), "{}", ended.transcript());
        drop(caddy);
        let _running = manifests.start(pod)?;
        Stage::served_at(pod.http, "b.example.com", "shop")?;
        pod.is_ready()?;
    }
    let refused = manifests.proxy.refused();
    ensure!(refused.is_empty(), "{refused:#?}");
    for record in manifests.proxy.records() {
        let request = record.request;
        let is_event = request.method == "POST" && request.path.ends_with("/events");
        ensure!(request.method == "GET" || is_event, "{request:?}");
        ensure!(!request.path.contains("/secrets"), "{request:?}");
    }
    Ok(())
}
