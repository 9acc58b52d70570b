//! A cluster, a Caddy, upstreams, and the program between them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tempfile::TempDir;
use underpin_tests::{
    ControlPlane, Kubectl, Running, Underpin, caddy, eventually, free_ports, fresh,
};

use crate::LIMIT;
use crate::client::Client;
use crate::impostor::BEHIND;
use crate::upstream::{self, Upstreams};

/// The key of entries.
pub(crate) const ENTRY: &str = "simple-container.com/caddyfile-entry";
/// How long a loss waits for its replacement, in seconds.
pub(crate) const TOMBSTONE: &str = "3";

/// Starts a program with hosts of its own.
const IN_ITS_OWN_WORLD: &str = "mount --bind hosts /etc/hosts && exec \"$@\"";

/// Everything.
pub(crate) struct Stage {
    pub(crate) cluster: ControlPlane,
    pub(crate) kubectl: Kubectl,
    pub(crate) upstreams: Upstreams,
    pub(crate) ports: Ports,
    folder: TempDir,
    caddy: Option<Child>,
    program: Underpin,
}

/// Ports of this machine.
pub(crate) struct Ports {
    pub(crate) http: u16,
    pub(crate) https: u16,
    admin: u16,
    pub(crate) questions: u16,
    pub(crate) other_questions: u16,
}

impl Stage {
    /// A cluster of this test's own, and a Caddy that has not been told anything yet.
    pub(crate) fn new() -> Result<Self> {
        let cluster = fresh()?;
        let kubectl = Kubectl::new(&cluster);
        let folder = tempfile::Builder::new()
            .prefix("underpin-edge-test-")
            .tempdir()?;
        fs::create_dir(folder.path().join("edge"))?;
        let program = Underpin::new(folder.path(), &cluster.kubeconfig())?
            .env("UNDERPIN_CADDY", caddy::find()?);
        let [http, https, admin, questions, other_questions] = free_ports()?;
        let mut stage = Self {
            kubectl,
            cluster,
            upstreams: Upstreams::start()?,
            ports: Ports {
                http,
                https,
                admin,
                questions,
                other_questions,
            },
            folder,
            caddy: None,
            program,
        };
        let stub = format!(r#"{{"admin": {{"listen": "127.0.0.1:{admin}"}}}}"#);
        fs::write(stage.folder.path().join("stub.json"), stub)?;
        fs::write(stage.folder.path().join("hosts"), Upstreams::hosts())?;
        stage.start_caddy("stub.json")?;
        Ok(stage)
    }

    /// The last good document.
    pub(crate) fn document(&self) -> PathBuf {
        self.folder.path().join("edge/caddy.json")
    }

    /// The folder that everything is in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts Caddy from a file of the folder; another one that runs is killed before.
    pub(crate) fn start_caddy(&mut self, config: &str) -> Result<()> {
        self.kill_caddy();
        let command = [
            caddy::find()?.into_os_string(),
            "run".into(),
            "--config".into(),
            config.into(),
        ];
        let log = self.folder.path().join("caddy.log");
        let child = self.in_its_own_world(&command, self.folder.path(), &log)?;
        self.caddy = Some(child);
        Ok(())
    }

    /// Starts a program for which the names of Services resolve, and for no other one: its `/etc/hosts` is
    /// another file.
    pub(crate) fn in_its_own_world(
        &self,
        command: &[OsString],
        home: &Path,
        log: &Path,
    ) -> Result<Child> {
        Command::new("unshare")
            .args(["--mount", "--map-root-user", "sh", "-c", IN_ITS_OWN_WORLD])
            .arg("caddy")
            .args(command)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", home)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(log)?)
            .spawn()
            .context("start caddy by unshare, of util-linux")
    }

    /// Starts Caddy with a site for every host that is not the edge's.
    pub(crate) fn start_caddy_serving(&mut self, body: &str) -> Result<()> {
        let Ports { http, admin, .. } = &self.ports;
        let config = json!({
            "admin": {"listen": format!("127.0.0.1:{admin}")},
            "apps": {"http": {"servers": {"before": {
                "listen": [format!(":{http}")],
                "routes": [{"handle": [{"handler": "static_response", "body": body}]}],
            }}}},
        });
        fs::write(self.folder.path().join("before.json"), config.to_string())?;
        self.start_caddy("before.json")
    }

    /// Has another program, or one with other rights, do what is asked from now on.
    pub(crate) fn use_program(&mut self, program: Underpin) {
        self.program = program;
    }

    /// As if the machine took it.
    pub(crate) fn kill_caddy(&mut self) {
        if let Some(mut child) = self.caddy.take() {
            // It may have ended by itself.
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Runs `underpin routes serve`.
    pub(crate) fn serve(&self, more: &[&str]) -> Result<Running> {
        self.serve_at(self.ports.questions, more)
    }

    /// The same, with questions answered at another port.
    pub(crate) fn serve_at(&self, questions: u16, more: &[&str]) -> Result<Running> {
        let mut args = self.args("serve");
        args.extend(["--listen".into(), format!("127.0.0.1:{questions}")]);
        args.extend(more.iter().map(ToString::to_string));
        self.program.spawn(args)
    }

    /// The arguments that every command about the edge takes here.
    pub(crate) fn args(&self, command: &str) -> Vec<String> {
        let Ports { http, admin, .. } = &self.ports;
        let line = format!(
            "routes {command} --folder edge --admin 127.0.0.1:{admin} --http-port {http} \
             --tombstone {TOMBSTONE} --service proxy/edge"
        );
        line.split_whitespace().map(str::to_owned).collect()
    }

    /// The program, in the folder.
    pub(crate) fn program(&self) -> &Underpin {
        &self.program
    }

    /// A new client of the edge.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.ports.http)
    }

    /// A new client of Caddy itself, past what stands before it.
    pub(crate) fn client_behind(&self) -> Client {
        Client::at((BEHIND, self.ports.http).into())
    }

    /// A Service `web` in a namespace, whose entry has these hosts.
    pub(crate) fn service(&self, namespace: &str, hosts: &[&str]) -> Result<String> {
        let entry = self.entry(namespace, hosts)?.replace('\n', "\n      ");
        let port = self.upstreams.port(namespace)?;
        Ok(format!(
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  namespace: {namespace}\n  \
             annotations:\n    {ENTRY}: |\n      {entry}\nspec:\n  ports: [{{port: {port}}}]\n"
        ))
    }

    /// An entry for these hosts, behind which the Service of a namespace is.
    pub(crate) fn entry(&self, namespace: &str, hosts: &[&str]) -> Result<String> {
        let addresses: Vec<String> = hosts.iter().map(|host| format!("http://{host}")).collect();
        let (addresses, name) = (addresses.join(", "), upstream::name(namespace));
        let port = self.upstreams.port(namespace)?;
        Ok(format!(
            "{addresses} {{\n  reverse_proxy http://{name}:{port}\n}}"
        ))
    }

    /// Waits until a host is answered by the Service of a namespace.
    pub(crate) fn served_from(&self, host: &str, namespace: &str) -> Result<()> {
        Self::served_at(self.ports.http, host, namespace)
    }

    /// The same of a Caddy at another port.
    pub(crate) fn served_at(port: u16, host: &str, namespace: &str) -> Result<()> {
        let expected = format!("answered for {namespace}");
        eventually(&format!("{host} from {namespace}"), LIMIT, || {
            let (status, body) = Client::new(port).get(host)?;
            ensure!(status == 200 && body == expected, "{status} {body}");
            Ok(Some(()))
        })
    }

    /// Waits until a host is answered by the page.
    pub(crate) fn on_the_page(&self, host: &str) -> Result<()> {
        eventually(&format!("{host} on the page"), LIMIT, || {
            let (status, body) = self.client().get(host)?;
            ensure!(status == 503, "{status} {body}");
            Ok(Some(()))
        })
    }

    /// A number of the program.
    pub(crate) fn metric(&self, name: &str) -> Result<u64> {
        Self::metric_at(self.ports.questions, name)
    }

    /// A number of the program that answers at a port.
    pub(crate) fn metric_at(questions: u16, name: &str) -> Result<u64> {
        let text = question(questions, "/metrics")?.1;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("underpin_edge_{name} ")));
        Ok(line.context("no such number")?.parse()?)
    }

    /// Waits until a number is as it is to be.
    pub(crate) fn metric_is(&self, name: &str, is: impl Fn(u64) -> bool) -> Result<()> {
        eventually(name, LIMIT, || {
            let value = self.metric(name)?;
            ensure!(is(value), "{name} is {value}");
            Ok(Some(()))
        })
    }

    /// What the program answers.
    pub(crate) fn question(&self, path: &str) -> Result<(u16, String)> {
        question(self.ports.questions, path)
    }
}

/// What a program answers that answers at a port.
pub(crate) fn question(port: u16, path: &str) -> Result<(u16, String)> {
    let answer = Client::new(port).ask("GET", "localhost", path, &[])?;
    Ok((answer.status, answer.body))
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.kill_caddy();
    }
}
