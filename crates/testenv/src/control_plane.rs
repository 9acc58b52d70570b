//! One instance of the control plane: start, break, stop.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use kube::Client;
use tokio::runtime::Runtime;

use crate::flags::{self, Ports};
use crate::kubelet::{self, Capacity};
use crate::pki::Pki;
use crate::process::RemovedAtEnd;
use crate::{Components, Kubeconfig, Supervised, api, ports};

/// Starts with new ports after a port was lost to another process.
const ATTEMPTS: usize = 3;
/// Longest wait for one component. The API server takes 3 s on an idle machine.
const START_LIMIT: Duration = Duration::from_mins(2);
/// Pause between two looks.
const POLL: Duration = Duration::from_millis(50);
/// Lines of a log that go into an error.
const LOG_LINES: usize = 15;
/// Threads for the fake kubelet and requests.
const WORKERS: usize = 2;

/// What an instance is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Further flags of kube-apiserver, for example `--enable-admission-plugins=…`.
    pub apiserver: Vec<String>,
    /// Further flags of kube-controller-manager.
    pub controller_manager: Vec<String>,
    /// Further flags of kube-scheduler.
    pub scheduler: Vec<String>,
    /// Fake nodes to add, by name.
    pub nodes: Vec<(String, Capacity)>,
}

impl Default for Options {
    /// One large node, no further flags.
    fn default() -> Self {
        Self {
            apiserver: Vec::new(),
            controller_manager: Vec::new(),
            scheduler: Vec::new(),
            nodes: vec![("node-1".to_owned(), Capacity::default())],
        }
    }
}

/// A running control plane with fake nodes. It ends with this value, and with this process,
/// however that ends. Its calls block: use it from plain threads, not from async code.
pub struct ControlPlane {
    dir: PathBuf,
    components: Components,
    options: Options,
    ports: Ports,
    pki: Pki,
    admin: Kubeconfig,
    client: Client,
    apiserver: Mutex<Option<Supervised>>,
    /// Controllers, then the store: in the order in which they end.
    others: Vec<Supervised>,
    runtime: Option<Runtime>,
    /// Last: removed after everything in it has ended.
    temporary: Option<RemovedAtEnd>,
}

impl ControlPlane {
    /// Starts an instance in a temporary folder, which goes with it.
    pub fn start(components: &Components, options: &Options) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("underpin-cp-")
            .tempdir()
            .context("temporary folder")?
            .keep();
        let temporary = RemovedAtEnd::new(&dir)?;
        let mut started = Self::start_in(&dir, components, options)?;
        started.temporary = Some(temporary);
        Ok(started)
    }

    /// Starts an instance in `dir` (created if need be, kept at the end): data, keys, logs and
    /// `kubeconfig`, an administrator's.
    ///
    /// Returns when objects can be created: the controllers have made the default service
    /// account and the nodes are there. Fails with the end of the log of what failed.
    pub fn start_in(dir: &Path, components: &Components, options: &Options) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
        let dir = dir
            .canonicalize()
            .with_context(|| format!("resolve {}", dir.display()))?;
        let mut attempt = 1;
        loop {
            match Self::attempt(&dir, components, options) {
                Ok(started) => return Ok(started),
                Err(_) if attempt < ATTEMPTS && port_was_lost(&dir) => attempt += 1,
                Err(error) => return Err(error.context("start the test control plane")),
            }
        }
    }

    fn attempt(dir: &Path, components: &Components, options: &Options) -> Result<Self> {
        for part in ["etcd", "log"] {
            let path = dir.join(part);
            if path.exists() {
                fs::remove_dir_all(&path).with_context(|| format!("clear {}", path.display()))?;
            }
            fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        }
        let [
            etcd_client,
            etcd_peer,
            apiserver,
            controller_manager,
            scheduler,
        ] = ports::free()?;
        let ports = Ports {
            etcd_client,
            etcd_peer,
            apiserver,
            controller_manager,
            scheduler,
        };
        let etcd_flags = flags::etcd(&components.etcd, &dir.join("etcd"), &ports)?;
        let mut etcd = spawn(dir, "etcd", &components.etcd, &etcd_flags)?;
        let pki = Pki::create(&dir.join("pki"))?;
        let admin = kubeconfig(&pki, &ports, &pki.administrator("admin")?);
        admin.write(&dir.join("kubeconfig"))?;
        wait(dir, &mut etcd, || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, etcd_client)).is_ok()
        })?;

        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build()
            .context("runtime")?;
        let client = runtime.block_on(api::client(&admin))?;
        let mut started = Self {
            dir: dir.to_owned(),
            components: components.clone(),
            options: options.clone(),
            ports,
            pki,
            admin,
            client,
            apiserver: Mutex::new(None),
            others: vec![etcd],
            runtime: Some(runtime),
            temporary: None,
        };
        started.start_apiserver()?;
        started.start_controllers()?;
        for (name, capacity) in &options.nodes {
            started.add_node(name, capacity)?;
        }
        let kubelet = kubelet::run(started.client.clone());
        started.runtime()?.spawn(kubelet);
        Ok(started)
    }

    fn start_controllers(&mut self) -> Result<()> {
        let minor = flags::minor_version(&self.components.kube_apiserver)?;
        self.pki.server("kcm")?;
        self.pki.server("scheduler")?;
        let identity = self.pki.administrator("system:kube-controller-manager")?;
        let config = self.dir.join("kcm.kubeconfig");
        kubeconfig(&self.pki, &self.ports, &identity).write(&config)?;
        let extra = &self.options.controller_manager;
        let args = flags::controller_manager(&self.pki, &self.ports, &config, minor, extra);
        let program = &self.components.kube_controller_manager;
        let mut controllers = spawn(&self.dir, "kube-controller-manager", program, &args)?;

        let identity = self.pki.client("system:kube-scheduler", None)?;
        let config = self.dir.join("scheduler.kubeconfig");
        kubeconfig(&self.pki, &self.ports, &identity).write(&config)?;
        let args = flags::scheduler(
            &self.pki,
            &self.ports,
            &config,
            minor,
            &self.options.scheduler,
        );
        let program = &self.components.kube_scheduler;
        let mut scheduler = spawn(&self.dir, "kube-scheduler", program, &args)?;

        // Pods are refused until the controllers have made this account.
        let account = "/api/v1/namespaces/default/serviceaccounts/default";
        wait(&self.dir, &mut controllers, || self.answers_ok(account))?;
        wait(&self.dir, &mut scheduler, || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.ports.scheduler)).is_ok()
        })?;
        self.others.insert(0, controllers);
        self.others.insert(0, scheduler);
        Ok(())
    }

    /// Path of the administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    /// The administrator's kubeconfig.
    pub fn admin(&self) -> &Kubeconfig {
        &self.admin
    }

    /// A kubeconfig for `user`, without any right until a binding gives one, member of `group`
    /// if one is given.
    pub fn user(&self, user: &str, group: Option<&str>) -> Result<Kubeconfig> {
        Ok(kubeconfig(
            &self.pki,
            &self.ports,
            &self.pki.client(user, group)?,
        ))
    }

    /// The programs that it runs.
    pub fn components(&self) -> &Components {
        &self.components
    }

    /// The folder with data, keys and logs.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Name, process id and whether it runs, of every component.
    pub fn status(&mut self) -> Vec<(String, u32, bool)> {
        let mut slot = self
            .apiserver
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        slot.iter_mut()
            .chain(self.others.iter_mut())
            .map(|process| {
                (
                    process.name().to_owned(),
                    process.pid(),
                    process.is_running(),
                )
            })
            .collect()
    }

    /// Adds a fake node.
    pub fn add_node(&self, name: &str, capacity: &Capacity) -> Result<()> {
        self.runtime()?
            .block_on(kubelet::add_node(&self.client, name, capacity))
    }

    /// Sends one request as the administrator. Any status is an answer.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        content: Option<(&str, &serde_json::Value)>,
    ) -> Result<api::Answer> {
        self.runtime()?
            .block_on(api::send(&self.client, method, path, content))
    }

    /// Kills the API server. Its store and the controllers keep running.
    pub fn stop_apiserver(&self) {
        if let Some(process) = self.apiserver_slot().take() {
            process.stop();
        }
    }

    /// Starts the API server at its old address and waits until it is ready. A running one
    /// is left alone.
    pub fn start_apiserver(&self) -> Result<()> {
        let mut slot = self.apiserver_slot();
        if slot.as_mut().is_some_and(Supervised::is_running) {
            return Ok(());
        }
        let args = flags::apiserver(&self.pki, &self.ports, &self.options.apiserver);
        let program = &self.components.kube_apiserver;
        let mut process = spawn(&self.dir, "kube-apiserver", program, &args)?;
        wait(&self.dir, &mut process, || self.answers_ok("/readyz"))?;
        *slot = Some(process);
        Ok(())
    }

    /// Kills the API server and starts it again at the same address.
    pub fn restart_apiserver(&self) -> Result<()> {
        self.stop_apiserver();
        self.start_apiserver()
    }

    fn apiserver_slot(&self) -> MutexGuard<'_, Option<Supervised>> {
        // A test that panicked while it held the lock leaves a valid value.
        self.apiserver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn runtime(&self) -> Result<&Runtime> {
        self.runtime
            .as_ref()
            .context("the control plane is being stopped")
    }

    fn answers_ok(&self, path: &str) -> bool {
        self.send("GET", path, None)
            .is_ok_and(|answer| answer.status == 200)
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // In the background: dropping a runtime inside another one would panic.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        // Clients before servers, so that none complains in its log.
        for process in self.others.drain(..) {
            if process.name() == "etcd" {
                self.apiserver
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take();
            }
            process.stop();
        }
    }
}

fn kubeconfig(pki: &Pki, ports: &Ports, identity: &crate::pki::Identity) -> Kubeconfig {
    Kubeconfig::plain(&format!("https://127.0.0.1:{}", ports.apiserver))
        .authority(pki.authority())
        .certificate(&identity.certificate, &identity.key)
}

fn log_path(dir: &Path, name: &str) -> PathBuf {
    dir.join("log").join(format!("{name}.log"))
}

fn spawn(dir: &Path, name: &str, program: &Path, args: &[String]) -> Result<Supervised> {
    Supervised::spawn(name, program, args, &log_path(dir, name))
}

/// Waits until `ready`, at most [`START_LIMIT`], and not longer than the process lives.
fn wait(dir: &Path, process: &mut Supervised, ready: impl Fn() -> bool) -> Result<()> {
    let begin = Instant::now();
    let cause = loop {
        if ready() {
            return Ok(());
        }
        if !process.is_running() {
            break "ended".to_owned();
        }
        if begin.elapsed() > START_LIMIT {
            break format!("was not ready after {} s", START_LIMIT.as_secs());
        }
        thread::sleep(POLL);
    };
    let path = log_path(dir, process.name());
    let log = fs::read(&path).unwrap_or_default();
    let text = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
    bail!(
        "{} {cause}; end of {}:\n{tail}",
        process.name(),
        path.display()
    )
}

fn port_was_lost(dir: &Path) -> bool {
    let logs = fs::read_dir(dir.join("log"))
        .into_iter()
        .flatten()
        .flatten();
    logs.map(|entry| fs::read(entry.path()).unwrap_or_default())
        .any(|log| String::from_utf8_lossy(&log).contains("address already in use"))
}
